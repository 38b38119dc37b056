//! Artifacts, executions and contexts: how they are written, read and listed.

pub(in crate::graph) mod immutable;
pub(in crate::graph) mod locked;
pub(in crate::graph) mod look_alikes;
pub(in crate::graph) mod mask;
pub(in crate::graph) mod page;
pub(in crate::graph) mod read;
pub(in crate::graph) mod rules;
pub(in crate::graph) mod scope;
pub(in crate::graph) mod stream;
pub(in crate::graph) mod writer;
