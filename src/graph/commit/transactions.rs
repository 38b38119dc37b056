//! Transactions for the writes of callers.

use tokio_util::task::TaskTracker;

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::write::Write;
use crate::model::Caller;
use crate::storage::Tx;
use crate::storage::tables::changes;

/// Transactions that store their changes in the history. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Transactions {
    history: History,
}

impl Transactions {
    pub(super) const fn new(history: History) -> Self {
        Self { history }
    }

    /// For transactions that no caller waits for alone.
    pub(super) const fn tasks(&self) -> &TaskTracker {
        self.history.database.tasks()
    }

    /// Begins one for a caller, or for several together.
    pub(super) async fn begin(&self, caller: Option<&Caller>) -> Result<Tx> {
        let database = &self.history.database;
        match caller {
            Some(caller) => database.for_caller(&caller.principal).write().await,
            None => database.write().await,
        }
    }

    /// Applies a caller's write now.
    pub(super) async fn apply<W: Write>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        write: &W,
    ) -> Result<W::Answer> {
        let origin = caller.at(self.history.clock.now());
        if self.history.is_kept() {
            tx.set_origin(&origin);
        }
        write.apply(tx, &origin).await
    }

    /// Commits a transaction with the changes in its journal, and notifies the feed.
    pub(super) async fn commit(&self, mut tx: Tx) -> Result<()> {
        let journal = tx.take_journal();
        let has_changed = !journal.entries.is_empty();
        changes::commit(tx, journal, self.history.clock.now()).await?;
        if has_changed {
            self.history.feed.notify_commit();
        }
        Ok(())
    }
}
