//! gRPC services.

pub mod lineage;
pub mod mlmd;
mod sink;
