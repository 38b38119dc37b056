//! The audit: the history read by who did what, with the requests that changed nothing.

use std::sync::Arc;

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::changes::watch::{Since, Watch, WatchQuery};
use crate::model::{AccessRecord, Change, Origin};
use crate::storage::tables::changes::{self, HistoryRow};

/// Records of the audit, and the cursor after them.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditPage {
    pub cursor: String,
    /// Empty at the end of the history.
    pub records: Vec<AuditRecord>,
}

/// One request, or equal ones that came together.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// Its place in the history.
    pub position: i64,
    /// Its place among the records at the position.
    pub place: usize,
    pub entry: AuditEntry,
}

#[derive(Clone, Debug, PartialEq)]
pub enum AuditEntry {
    /// A write and what it changed.
    Write {
        origin: Arc<Origin>,
        /// A write of many changes has several records: this is the number of those before.
        part: u32,
        changes: Vec<Change>,
    },
    Access(AccessRecord),
}

impl History {
    /// Stores records of requests that changed nothing.
    pub(in crate::graph) async fn store_accesses(&self, records: Vec<AccessRecord>) -> Result<()> {
        if !self.is_kept() || records.is_empty() {
            return Ok(());
        }
        let tx = self.database.write().await?;
        changes::commit_accesses(tx, records, self.clock.now()).await?;
        self.feed.notify_commit();
        Ok(())
    }

    /// The next records from a place on.
    pub(in crate::graph) async fn audit(&self, since: Since) -> Result<AuditPage> {
        let query = WatchQuery {
            since,
            ..WatchQuery::default()
        };
        let mut watch = Watch::begin_within(self, query, self.retention.rows()).await?;
        loop {
            let page = watch.read_page().await?;
            watch.advance(&page);
            let records: Vec<_> = page.rows.iter().flat_map(records).collect();
            if !records.is_empty() || page.rows.is_empty() {
                let cursor = watch.cursor();
                return Ok(AuditPage { cursor, records });
            }
        }
    }
}

/// The records of a row: one for each origin of changes, and those without changes.
fn records(row: &HistoryRow) -> Vec<AuditRecord> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    for changed in &row.changes {
        if let Some(AuditEntry::Write {
            origin, changes, ..
        }) = entries.last_mut()
            && Arc::ptr_eq(origin, &changed.origin)
        {
            changes.push(changed.change.clone());
            continue;
        }
        entries.push(AuditEntry::Write {
            origin: changed.origin.clone(),
            part: if entries.is_empty() { row.part } else { 0 },
            changes: vec![changed.change.clone()],
        });
    }
    entries.extend(row.accesses.iter().cloned().map(AuditEntry::Access));
    let record = |(place, entry)| AuditRecord {
        position: row.position,
        place,
        entry,
    };
    entries.into_iter().enumerate().map(record).collect()
}
