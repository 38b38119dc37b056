//! The journal of a transaction: its changes of the graph with their origins, and savepoints.

use std::sync::Arc;

use super::Tx;
use crate::error::Result;
use crate::model::{Change, JournalEntry, Origin};

/// The changes of a transaction, in order.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The origin of the next changes; unset while no journal is kept.
    origin: Option<Arc<Origin>>,
    entries: Vec<JournalEntry>,
    /// The number of entries at each savepoint.
    at_savepoints: Vec<usize>,
}

impl Tx {
    /// Enables the journal and sets the origin of the next changes.
    pub fn set_origin(&mut self, origin: &Origin) {
        self.journal.origin = Some(Arc::new(origin.clone()));
    }

    /// Adds changes of the graph to the journal, if it is enabled.
    pub fn note_change<C: IntoIterator<Item = Change>>(&mut self, changes: impl FnOnce() -> C) {
        if let Some(origin) = &self.journal.origin {
            let entry = |change| JournalEntry {
                origin: origin.clone(),
                change,
            };
            let entries = changes().into_iter().map(entry);
            self.journal.entries.extend(entries);
        }
    }

    /// Takes the entries out of the journal.
    pub fn take_journal(&mut self) -> Vec<JournalEntry> {
        std::mem::take(&mut self.journal.entries)
    }

    /// Begins a savepoint, to which the transaction can be rolled back. Savepoints nest.
    ///
    /// # Errors
    ///
    /// Those of the database, as for the two methods that end a savepoint.
    pub async fn savepoint(&mut self) -> Result<()> {
        let noted = self.journal.entries.len();
        self.journal.at_savepoints.push(noted);
        self.control("SAVEPOINT part").await
    }

    /// Releases the innermost savepoint and keeps its changes.
    ///
    /// # Errors
    ///
    /// As [`Self::savepoint`].
    pub async fn release(&mut self) -> Result<()> {
        self.journal.at_savepoints.pop();
        self.control("RELEASE SAVEPOINT part").await
    }

    /// Rolls back to the innermost savepoint and releases it; its entries of the journal are
    /// removed.
    ///
    /// # Errors
    ///
    /// As [`Self::savepoint`].
    pub async fn rollback_to_savepoint(&mut self) -> Result<()> {
        let noted = self.journal.at_savepoints.last().copied();
        self.journal.entries.truncate(noted.unwrap_or_default());
        self.control("ROLLBACK TO SAVEPOINT part").await?;
        self.release().await
    }
}
