//! gRPC services.

pub mod audit;
pub mod lineage;
pub mod mlmd;
pub mod registry;
pub mod reproduction;
mod sink;
pub mod status;
pub mod timeout;
