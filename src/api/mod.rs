//! The doors: one folder per protocol. A door converts, calls the graph and converts back; it has no rules and no SQL.

pub mod lineage;
pub mod mlmd;
mod outlet;
