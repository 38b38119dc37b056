//! Datasets: contexts whose versions are artifacts.
//!
//! * `groups`: datasets with several names.
//! * `join`: artifacts of every door at the URI of a dataset.
//! * `named`: datasets that a client names by their URIs.
//! * `versions`: which version of a dataset was present when, and which one a run read.

pub(in crate::graph) mod groups;
pub(in crate::graph) mod join;
pub(in crate::graph) mod named;
pub(in crate::graph) mod versions;
pub(in crate::graph) mod writers;
