//! The doors of the server, a folder per protocol: convert, call the graph, convert back.

pub mod call;
pub mod grpc;
pub mod http;
pub mod marquez;
mod message_ids;
pub mod mlflow;
pub mod openlineage;
pub mod ui;
