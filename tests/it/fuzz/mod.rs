//! Fuzzing: the server answers random requests and filters, or refuses them with the code of what
//! is wrong with them.

mod filters;
mod messages;
mod requests;
