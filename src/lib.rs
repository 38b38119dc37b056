//! Pedigree: a metadata and lineage server for machine learning.
//!
//! The map, from the outside in; each layer knows only those below it:
//!
//! * [`cli`]: the commands: serve, migrate, reconcile, adopt, artifacts and import use a database;
//!   token and policy use files; all others are clients.
//! * [`config`]: flags, environment and file become one validated configuration.
//! * [`telemetry`]: logs, metrics, traces.
//! * [`server`]: the listeners, the router with the layers around every request, health, start and
//!   stop.
//! * [`security`]: the security file; [`identity`]: who calls; [`policy`]: what callers may do.
//! * [`api`]: the doors, one folder per protocol: convert, call the graph, convert back.
//! * [`report`]: what the graph says about an artifact for an audit; [`provenance`]: what an
//!   artifact was made from, for other tools.
//! * [`reproduce`]: plans of making an artifact again, from its lineage.
//! * [`graph`]: the metadata graph and its rules.
//! * [`filter`]: the filter language, from text to SQL with bound values.
//! * [`storage`]: SQL for three databases.
//! * [`blobs`]: bytes of files, by their digests.
//! * [`picture`]: lineage as a picture: folds, positions, SVG.
//! * [`proof`]: commitments to what the history has.
//! * [`model`]: the vocabulary; [`error`]: what can go wrong; [`proto`]: generated code;
//!   [`certificates`]: certificate authorities; [`reloaded`]: values made of files;
//!   `fair_queue`: a queue in which callers take turns; [`web_client`]: a client of HTTPS;
//!   `utc`: times as texts, and back; `loose_json`: JSON as Python writes it; [`build_info`]: the
//!   version and commit of the build.

pub mod api;
pub mod blobs;
pub mod build_info;
pub mod certificates;
pub mod cli;
pub mod config;
pub mod error;
mod fair_queue;
pub mod filter;
pub mod graph;
pub mod identity;
mod loose_json;
pub mod model;
pub mod picture;
pub mod policy;
pub mod proof;
pub mod proto;
pub mod provenance;
pub mod reloaded;
pub mod report;
pub mod reproduce;
pub mod security;
pub mod server;
pub mod storage;
pub mod telemetry;
mod utc;
pub mod web_client;
