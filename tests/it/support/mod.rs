//! What the cases are written with: a server with its database, short ways to build requests, and
//! assertions.

mod ask;
mod build;
mod bytes;
#[macro_use]
mod cases;
mod database;
mod dump;
mod graph;
pub mod nginx;
mod node;
mod random;
mod raw;
mod store;
mod time;

pub use ask::{Ask, Then};
pub use cases::run_on;
pub use database::{Access, Backend, TestDatabase};
pub use graph::{TestGraph, anonymous, lines_of};
pub use node::{Page, TestNode};
pub use random::Random;
pub use store::{Client, Replica, Store};
pub use time::{timed, timed_blocking};

/// What every file of cases needs.
pub mod prelude {
    pub use pedigree::proto::ml_metadata::{
        self as pb, Artifact, Context, Execution, PropertyType, Value,
    };
    pub use tonic::Code;

    pub use super::build::*;
    pub use super::node::{TestNode, declared, ids};
    pub use super::{Ask, Store};
}

/// Runs a check that is generic over the kind of node, for each of the three.
macro_rules! for_every_kind {
    ($check:ident($store:expr)) => {
        $check::<pedigree::proto::ml_metadata::Artifact>($store).await;
        $check::<pedigree::proto::ml_metadata::Execution>($store).await;
        $check::<pedigree::proto::ml_metadata::Context>($store).await;
    };
}
