//! Lineage: traversal of the graph, its answers, and its stream.

pub(in crate::graph) mod stream;
pub(in crate::graph) mod subgraph;
pub(in crate::graph) mod traverse;
