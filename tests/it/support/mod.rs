//! What the cases are written with: a server with its database, short ways to build requests, and assertions.

mod ask;
mod build;
mod bytes;
mod database;
mod dump;
mod graph;
mod node;
mod raw;
mod store;

pub use ask::{Ask, Then};
pub use database::{Access, Backend, TestDatabase};
pub use graph::{TestGraph, anonymous};
pub use node::{Page, TestNode};
pub use store::{Client, Store};

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

/// Registers cases, each as one test per database.
macro_rules! on_every_database {
    ($($case:ident),* $(,)?) => {
        on_database!(sqlite_file, SqliteFile: $($case)*);
        on_database!(sqlite_memory, SqliteMemory: $($case)*);
        on_database!(postgres, Postgres: $($case)*);
        on_database!(mysql, MySql: $($case)*);
    };
}

macro_rules! on_database {
    ($module:ident, $backend:ident: $($case:ident)*) => {
        mod $module {
            use crate::support::{Backend, Store};

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(Store::open(Backend::$backend).await).await;
            })*
        }
    };
}

/// Registers cases that get a graph without a server, each as one test per database.
macro_rules! on_every_graph {
    ($($case:ident),* $(,)?) => {
        on_graph!(sqlite_file, SqliteFile: $($case)*);
        on_graph!(sqlite_memory, SqliteMemory: $($case)*);
        on_graph!(postgres, Postgres: $($case)*);
        on_graph!(mysql, MySql: $($case)*);
    };
}

macro_rules! on_graph {
    ($module:ident, $backend:ident: $($case:ident)*) => {
        mod $module {
            use crate::support::{Backend, TestGraph};

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(TestGraph::open(Backend::$backend).await).await;
            })*
        }
    };
}

/// Registers cases that get a kind of database, each as one test per kind.
macro_rules! on_every_backend {
    ($($case:ident),* $(,)?) => {
        on_backend!(sqlite_file_with, SqliteFile: $($case)*);
        on_backend!(sqlite_memory_with, SqliteMemory: $($case)*);
        on_backend!(postgres_with, Postgres: $($case)*);
        on_backend!(mysql_with, MySql: $($case)*);
    };
}

macro_rules! on_backend {
    ($module:ident, $backend:ident: $($case:ident)*) => {
        mod $module {
            use crate::support::Backend;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(Backend::$backend).await;
            })*
        }
    };
}

/// Registers cases that get a kind of database, each as one test per kind whose stores outlive a server.
macro_rules! on_every_lasting_database {
    ($($case:ident),* $(,)?) => {
        on_lasting_database!(sqlite, SqliteFile: $($case)*);
        on_lasting_database!(postgres, Postgres: $($case)*);
        on_lasting_database!(mysql, MySql: $($case)*);
    };
}

macro_rules! on_lasting_database {
    ($module:ident, $backend:ident: $($case:ident)*) => {
        mod $module {
            use crate::support::Backend;

            $(#[test]
            fn $case() {
                super::$case(Backend::$backend);
            })*
        }
    };
}

/// Runs a check that is generic over the kind of node, for each of the three.
macro_rules! for_every_kind {
    ($check:ident($store:expr)) => {
        $check::<pedigree::proto::ml_metadata::Artifact>($store).await;
        $check::<pedigree::proto::ml_metadata::Execution>($store).await;
        $check::<pedigree::proto::ml_metadata::Context>($store).await;
    };
}
