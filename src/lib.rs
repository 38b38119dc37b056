//! Pedigree: a metadata and lineage server for machine learning.
//!
//! The map, from the outside in; each layer knows only those below it:
//!
//! * [`config`]: flags, environment and file become one validated configuration.
//! * [`telemetry`]: logs, metrics, traces.
//! * [`migrate`]: the command that brings a database's schema up or down.
//! * [`reconcile`]: the command that lets the history learn what other programs wrote.
//! * [`cli`]: the commands that talk to a server as its clients do.
//! * [`server`]: the listeners, health, what stands around every request, the way up and down.
//! * [`api`]: the doors, one folder per protocol: convert, call the graph, convert back.
//! * [`graph`]: the metadata graph and its rules.
//! * [`filter`]: the filter language, from text to SQL with bound values.
//! * [`storage`]: SQL for three databases.
//! * [`model`]: the vocabulary; [`error`]: what can go wrong; [`proto`]: generated code.

pub mod api;
pub mod cli;
pub mod config;
pub mod error;
pub mod filter;
pub mod graph;
pub mod migrate;
pub mod model;
pub mod proto;
pub mod reconcile;
pub mod server;
pub mod storage;
pub mod telemetry;
