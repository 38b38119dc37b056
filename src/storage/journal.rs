//! The journal of a transaction: its changes of the graph with their origins, and savepoints.

use std::sync::Arc;

use super::Tx;
use crate::error::Result;
use crate::model::{AccessRecord, Caller, Change, JournalEntry, Origin, Outcome};

/// The changes of a transaction, in order.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The origin of the next changes; unset while no journal is kept.
    origin: Option<Arc<Origin>>,
    taken: TakenJournal,
    /// The number of entries and of shared writes at each savepoint.
    at_savepoints: Vec<(usize, usize)>,
}

/// What a transaction has changed.
#[derive(Debug, Default)]
pub struct TakenJournal {
    pub entries: Vec<JournalEntry>,
    /// The requests whose writes share changes of `entries`.
    pub shared: Vec<AccessRecord>,
}

impl Tx {
    /// Enables the journal and sets the origin of the next changes.
    pub fn set_origin(&mut self, origin: &Origin) {
        self.journal.origin = Some(Arc::new(origin.clone()));
    }

    /// Sets the caller of the next changes, if the journal is enabled.
    pub fn set_caller(&mut self, caller: &Caller) {
        if let Some(origin) = &self.journal.origin
            && origin.caller != *caller
        {
            self.journal.origin = Some(Arc::new(caller.at(origin.time)));
        }
    }

    /// Adds the request of a caller whose write is part of the last changes.
    pub fn note_shared_write(&mut self, caller: &Caller) {
        let Some(origin) = &self.journal.origin else {
            return;
        };
        let shared = &mut self.journal.taken.shared;
        let is_noted = shared.iter().any(|noted| noted.origin.caller == *caller);
        if origin.caller == *caller || is_noted {
            return;
        }
        shared.push(AccessRecord {
            origin: Arc::new(caller.at(origin.time)),
            outcome: Outcome::Stored,
            reason: format!("stored with the request {}", origin.caller.request_id),
            count: 1,
        });
    }

    /// The changes in the journal.
    #[must_use]
    pub fn noted(&self) -> &[JournalEntry] {
        &self.journal.taken.entries
    }

    /// The number of changes in the journal.
    #[must_use]
    pub const fn noted_changes(&self) -> usize {
        self.journal.taken.entries.len()
    }

    /// Adds changes of the graph to the journal, if it is enabled.
    pub fn note_change<C: IntoIterator<Item = Change>>(&mut self, changes: impl FnOnce() -> C) {
        if let Some(origin) = &self.journal.origin {
            let entry = |change| JournalEntry {
                origin: origin.clone(),
                change,
            };
            let entries = changes().into_iter().map(entry);
            self.journal.taken.entries.extend(entries);
        }
    }

    /// Takes everything out of the journal.
    pub fn take_journal(&mut self) -> TakenJournal {
        std::mem::take(&mut self.journal.taken)
    }

    /// Begins a savepoint, to which the transaction can be rolled back. Savepoints nest.
    ///
    /// # Errors
    ///
    /// Those of the database, as for the two methods that end a savepoint.
    pub async fn savepoint(&mut self) -> Result<()> {
        let taken = &self.journal.taken;
        let noted = (taken.entries.len(), taken.shared.len());
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
        let (entries, shared) = noted.unwrap_or_default();
        self.journal.taken.entries.truncate(entries);
        self.journal.taken.shared.truncate(shared);
        self.control("ROLLBACK TO SAVEPOINT part").await?;
        self.release().await
    }
}
