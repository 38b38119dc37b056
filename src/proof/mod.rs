//! Proofs of what the history has, in pure functions.

pub mod commitment;
