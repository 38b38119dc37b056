//! Nodes: how they are put, updated and read.

mod doubles;
mod unreadable;
mod updates;
mod values;
