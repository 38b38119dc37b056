//! The behaviour of the server as a client sees it: the same cases on every database.
//!
//! A case is an `async fn case(store: Store)`; [`support`] opens the store, and
//! `on_every_database!` registers the case.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should end there"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the tasks of a test end with its runtime"
)]
#![expect(
    deprecated,
    reason = "servers still answer for what the protocol has given up"
)]

#[macro_use]
mod support;

mod bad_input;
mod binary;
mod chart;
mod cli;
mod clients;
mod composite;
mod connections;
mod container;
mod contention;
mod contract;
mod costly;
mod crash;
mod documentation;
mod examples;
mod faults;
mod fuzz;
mod imports;
mod layers;
mod lineage;
mod lists;
mod long_lists;
mod marquez;
mod migrate;
mod mlflow;
mod nodes;
mod openlineage;
mod plans;
mod process;
mod python;
mod quirks_fixed;
mod quirks_kept;
mod races;
mod registry;
mod replicated;
mod reproduction;
mod runs;
mod security;
mod serving;
mod settings;
mod sql;
mod streams;
mod types;
mod ui;
mod wheel;
