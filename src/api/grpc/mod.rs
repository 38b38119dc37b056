//! gRPC services.

pub mod audit;
pub mod lineage;
pub mod mlmd;
mod sink;
pub mod status;
pub mod timeout;
