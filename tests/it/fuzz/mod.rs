//! Requests and filters that nobody thought of: each is answered or refused for what is wrong with
//! it, and the server goes on.

mod filters;
mod messages;
mod requests;
