//! The doors of the server, a folder per protocol: convert, call the graph, convert back.

pub mod call;
pub mod grpc;
pub mod http;
mod message_ids;
pub mod openlineage;
