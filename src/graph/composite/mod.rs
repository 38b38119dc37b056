//! Writes of several kinds of node and edge in one transaction.

pub(in crate::graph) mod artifacts;
pub(in crate::graph) mod contexts;
pub(in crate::graph) mod events;
pub(in crate::graph) mod execution;
pub(in crate::graph) mod nodes;
pub(in crate::graph) mod subgraph;
