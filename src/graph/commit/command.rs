//! The command that every change of the graph is.

use crate::error::Result;
use crate::model::Origin;
use crate::storage::Tx;

/// A change of the graph.
pub trait Write: Send + Sync {
    /// What the caller gets when the change is stored.
    type Answer: Send;

    /// Makes the change in a transaction that the engine commits. May run more than once, each
    /// time in a new transaction.
    fn apply(
        &self,
        tx: &mut Tx,
        origin: &Origin,
    ) -> impl Future<Output = Result<Self::Answer>> + Send;
}
