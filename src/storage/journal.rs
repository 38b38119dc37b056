//! What a transaction changes in the graph, and parts of it that can be taken back.

use super::Tx;
use crate::error::Result;
use crate::model::Change;

/// The changes of a transaction.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Kept once somebody wants to know.
    changes: Option<Vec<Change>>,
    /// How many there were at each savepoint.
    at_savepoints: Vec<usize>,
}

impl Tx {
    /// Keeps a journal of changes from now on.
    pub fn enable_journal(&mut self) {
        self.journal.changes.get_or_insert_default();
    }

    /// Notes changes of the graph in the journal, where one is kept.
    pub fn note_change<C: IntoIterator<Item = Change>>(&mut self, changes: impl FnOnce() -> C) {
        if let Some(journal) = &mut self.journal.changes {
            journal.extend(changes());
        }
    }

    /// The changes noted so far, which are not noted any more.
    pub fn take_journal(&mut self) -> Vec<Change> {
        let changes = self.journal.changes.as_mut();
        changes.map(std::mem::take).unwrap_or_default()
    }

    /// Begins a part that can be taken back alone. Parts may have parts.
    ///
    /// # Errors
    ///
    /// Those of the database; so for the two methods that end the part.
    pub async fn savepoint(&mut self) -> Result<()> {
        let noted = self.journal.changes.as_ref().map_or(0, Vec::len);
        self.journal.at_savepoints.push(noted);
        self.control("SAVEPOINT part").await
    }

    /// Ends the innermost part and keeps it.
    ///
    /// # Errors
    ///
    /// As [`Self::savepoint`].
    pub async fn release(&mut self) -> Result<()> {
        self.journal.at_savepoints.pop();
        self.control("RELEASE SAVEPOINT part").await
    }

    /// Ends the innermost part and takes it back, with what it noted in the journal.
    ///
    /// # Errors
    ///
    /// As [`Self::savepoint`].
    pub async fn rollback_to_savepoint(&mut self) -> Result<()> {
        let noted = self.journal.at_savepoints.last().copied();
        if let Some(journal) = &mut self.journal.changes {
            journal.truncate(noted.unwrap_or_default());
        }
        self.control("ROLLBACK TO SAVEPOINT part").await?;
        self.release().await
    }
}
