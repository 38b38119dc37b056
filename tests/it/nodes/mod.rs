//! Nodes: how they are put, updated and read.

mod doubles;
mod look_alikes;
mod unreadable;
mod updates;
mod values;
