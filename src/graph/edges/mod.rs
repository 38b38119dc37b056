//! Edges of the graph: events, memberships of nodes in contexts, and parents of contexts.

pub(in crate::graph) mod events;
pub(in crate::graph) mod memberships;
pub(in crate::graph) mod parents;
