//! How a change of the graph is stored: one transaction, run again on conflict, grouped where one writer exists.

pub(in crate::graph) mod command;
pub(in crate::graph) mod engine;
pub(in crate::graph) mod group;
