//! The doors of the server, one folder per family of protocols: convert, call the graph, convert back.

pub mod call;
pub mod grpc;
