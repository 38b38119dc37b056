//! Nodes: how they are put, updated and read.

mod updates;
mod values;
