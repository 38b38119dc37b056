//! The trait of every change of the graph.

use crate::error::Result;
use crate::model::Origin;
use crate::storage::Tx;

/// A change of the graph, stored entirely or not at all.
pub trait Write: Send + Sync {
    /// What the caller gets once the change is durable.
    type Answer: Send;

    /// Makes the change in a transaction that the engine commits. The engine may run it again, in
    /// a new transaction and with a later time in its origin.
    ///
    /// # Errors
    ///
    /// `Contention` and `Raced` make the engine run it again; others reach the caller.
    fn apply(
        &self,
        tx: &mut Tx,
        origin: &Origin,
    ) -> impl Future<Output = Result<Self::Answer>> + Send;
}
