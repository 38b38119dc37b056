//! Transactions for writes: retried on conflict, and grouped where the database has one writer.

pub(in crate::graph) mod engine;
mod group;
mod transactions;
