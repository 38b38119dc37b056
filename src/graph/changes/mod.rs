//! The change history: how committed changes get their positions, and how they are read.

pub(in crate::graph) mod feed;
pub(in crate::graph) mod reconcile;
pub(in crate::graph) mod watch;
