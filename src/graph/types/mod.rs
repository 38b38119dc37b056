//! Types of nodes: how they are declared, extended and read.

pub(in crate::graph) mod declared;
pub(in crate::graph) mod put;
pub(in crate::graph) mod read;
mod rules;
