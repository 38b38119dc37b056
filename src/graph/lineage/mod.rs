//! Lineage: the nodes that given nodes depend on, or that depend on them.
//!
//! * `traverse`: the traversal, hop by hop; `boundary`: the nodes at which it stops; `read_ahead`:
//!   events of several hops, read at once.
//! * `named_inputs`: runs whose facets say from which inputs they made each output.
//! * `columns`: `TraceColumns`, the lineage of columns.
//! * `subgraph`, `neighborhood`: `GetLineageSubgraph` and `GetLineageGraph`, each in one response;
//!   `answer`: the response of both.
//! * `as_of`: nodes as they were at an earlier time.
//! * `stream`: `Trace`, to any depth and in parts; `trace_query`: what is asked of it;
//!   `path`: the shortest ways between two nodes.

pub(in crate::graph) mod answer;
pub(in crate::graph) mod as_of;
pub(in crate::graph) mod boundary;
pub(in crate::graph) mod columns;
pub(in crate::graph) mod named_inputs;
pub(in crate::graph) mod neighborhood;
pub(in crate::graph) mod path;
pub(in crate::graph) mod read_ahead;
pub(in crate::graph) mod stream;
pub(in crate::graph) mod subgraph;
pub(in crate::graph) mod trace_query;
pub(in crate::graph) mod traverse;
