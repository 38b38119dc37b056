//! The change history: positions of committed changes, watches, and reconciliation with writes of
//! other programs.

pub(in crate::graph) mod audit;
pub(in crate::graph) mod feed;
pub(in crate::graph) mod history;
mod maintenance;
pub(in crate::graph) mod memory;
pub(in crate::graph) mod pages;
pub(in crate::graph) mod reconcile;
pub(in crate::graph) mod standby;
pub(in crate::graph) mod states;
pub(in crate::graph) mod watch;
