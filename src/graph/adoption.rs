//! Adoption: adds to the history what is older than it, so that every node, edge and type has a
//! record.
//!
//! The records of the history show what is adopted. Adoption that was interrupted, or that two
//! servers do at once, writes nothing twice: each batch is a write, which waits for the one before,
//! reads what got a record meanwhile, and leaves that out.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use metrics::counter;
use tokio::sync::Mutex;

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::changes::reconcile::edges;
use crate::graph::commit::engine::Engine;
use crate::graph::write::Write;
use crate::model::{Caller, Change, Door, Kind, Membership, Operation, Origin, Subject};
use crate::storage::Tx;
use crate::storage::tables::changes::{self, HistoryPage, PageRows};
use crate::storage::tables::events::{self, EventKey};
use crate::storage::tables::lists::{self, Scope};
use crate::storage::tables::{adoption, locks, nodes, types};

/// The most nodes of one batch, which are locked until its commit.
const MAX_BATCH_NODES: usize = 1000;

/// The order of the kinds. An edge has its record with the node at which [`edges`] finds it, after
/// those of its ends.
const ADOPTED_KINDS: [Kind; 3] = [Kind::Context, Kind::Artifact, Kind::Execution];

/// The pauses before adoption goes on that has failed.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(1);
const MAX_RETRY_DELAY: Duration = Duration::from_mins(1);

/// What is older than the history. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GraphAdoption {
    history: History,
    engine: Arc<Engine>,
}

impl GraphAdoption {
    pub(in crate::graph) const fn new(history: History, engine: Arc<Engine>) -> Self {
        Self { history, engine }
    }

    /// Adds what the history lacks, as changes of this caller, and returns the number of changes.
    ///
    /// What servers write meanwhile has records of its own. What other programs write meanwhile is
    /// added or not.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` when no history is kept; those of the database.
    pub async fn adopt(&self, caller: &Caller) -> Result<usize> {
        let history = &self.history;
        History::require(history.retention.changes)?;
        let recorded = Arc::new(Mutex::new(RecordedSubjects::read(history).await?));
        let mut adopted = 0;
        for kind in ADOPTED_KINDS {
            let mut tx = history.database.read().await?;
            let ids = lists::all_ids(&mut tx, kind, Scope::All).await?;
            drop(tx);
            let nodes = ids.chunks(MAX_BATCH_NODES);
            let nodes = nodes.map(|ids| AdoptedPart::Nodes(kind, ids.to_vec()));
            for part in [AdoptedPart::Types(kind)].into_iter().chain(nodes) {
                let recorded = recorded.clone();
                let batch = AdoptionBatch { part, recorded };
                let added = self.engine.write(caller, batch).await?;
                let count = u64::try_from(added).unwrap_or(u64::MAX);
                counter!("pedigree_adopted_records_total").increment(count);
                adopted += added;
                // The next batch reads it there.
                history.sequence_outbox().await?;
            }
        }
        let mut tx = history.database.write().await?;
        adoption::set_done(&mut tx).await?;
        tx.commit().await?;
        Ok(adopted)
    }

    /// Adopts where all changes are kept and no adoption was completed. Goes on after errors.
    pub(in crate::graph) async fn adopt_once(&self) {
        if self.history.retention.changes != Duration::MAX {
            return;
        }
        let delays = ExponentialBuilder::default()
            .with_min_delay(MIN_RETRY_DELAY)
            .with_max_delay(MAX_RETRY_DELAY)
            .with_jitter()
            .without_max_times();
        let done = (|| self.adopt_unless_done())
            .retry(delays)
            .notify(|error, _| {
                let error = error.chain();
                tracing::warn!(
                    error,
                    "cannot adopt what is older than the history; trying again"
                );
            });
        if let Ok(Some(records)) = done.await {
            tracing::info!(records, "adopted what is older than the history");
        }
    }

    async fn adopt_unless_done(&self) -> Result<Option<usize>> {
        let mut tx = self.history.database.single_read().await?;
        let is_done = adoption::is_done(&mut tx).await?;
        drop(tx);
        if is_done {
            return Ok(None);
        }
        self.adopt(&Caller::anonymous(Door::Command))
            .await
            .map(Some)
    }
}

/// What has a record in the history.
#[derive(Debug, Default)]
struct RecordedSubjects {
    subjects: HashSet<SubjectKey>,
    /// The last position that was read.
    position: i64,
    size: PageRows,
}

/// The identity of a subject.
#[derive(Debug, PartialEq, Eq, Hash)]
enum SubjectKey {
    Node(Kind, i64),
    Type(Kind, i64),
    Event(EventKey),
    Membership(Kind, Membership),
}

impl SubjectKey {
    fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Node(kind, node) => Self::Node(*kind, node.id),
            Subject::Type(kind, found) => Self::Type(*kind, found.id),
            Subject::Event(event) => Self::Event(events::key(event)),
            Subject::Membership(kind, member) => Self::Membership(*kind, *member),
        }
    }
}

impl RecordedSubjects {
    /// Reads the whole history.
    async fn read(history: &History) -> Result<Self> {
        let mut recorded = Self::default();
        loop {
            // A transaction each: a long one holds up the maintenance of the database.
            let mut tx = history.database.single_read().await?;
            if !recorded.read_page(&mut tx).await? {
                return Ok(recorded);
            }
        }
    }

    /// Reads what was recorded since the last call, as far as it was committed before, and in this
    /// transaction.
    async fn read_on(&mut self, tx: &mut Tx) -> Result<()> {
        // Rows go from the outbox into the history: what leaves the one is found in the other.
        let (mut after, mut size) = (0, PageRows::default());
        loop {
            let page = changes::outbox_after(tx, after, size).await?;
            let Some(last) = page.rows.last() else { break };
            (after, size) = (last.position, size.after(&page));
            self.add(&page);
        }
        while self.read_page(tx).await? {}
        let noted = tx.noted().iter().map(|entry| &entry.change.subject);
        self.subjects.extend(noted.map(SubjectKey::of));
        Ok(())
    }

    /// Reads the next page of the history. Returns whether there was one.
    async fn read_page(&mut self, tx: &mut Tx) -> Result<bool> {
        let page = changes::page_after(tx, self.position, self.size).await?;
        let Some(last) = page.rows.last() else {
            return Ok(false);
        };
        self.position = last.position;
        self.size = self.size.after(&page);
        self.add(&page);
        Ok(true)
    }

    fn add(&mut self, page: &HistoryPage) {
        let entries = page.rows.iter().flat_map(|row| &row.changes);
        let subjects = entries.map(|entry| SubjectKey::of(&entry.change.subject));
        self.subjects.extend(subjects);
    }
}

/// What one batch looks at.
#[derive(Debug)]
enum AdoptedPart {
    /// All types of a kind.
    Types(Kind),
    /// Nodes, and the edges that [`edges`] finds at them.
    Nodes(Kind, Vec<i64>),
}

impl AdoptedPart {
    /// Reads it, and locks it against other writers: what they do comes later in the history.
    async fn lock(&self, tx: &mut Tx) -> Result<Vec<Subject>> {
        match self {
            Self::Types(kind) => {
                locks::structure(tx).await?;
                let found = types::all(tx, *kind).await?.into_iter();
                Ok(found.map(|found| Subject::Type(*kind, found)).collect())
            }
            Self::Nodes(kind, ids) => {
                locks::nodes(tx, *kind, ids).await?;
                if *kind == Kind::Execution {
                    locks::events(tx, ids).await?;
                }
                let found = nodes::by_ids(tx, *kind, ids).await?.into_iter();
                let mut found: Vec<_> = found.map(|node| Subject::Node(*kind, node)).collect();
                found.extend(edges(tx, *kind, ids).await?);
                Ok(found)
            }
        }
    }
}

/// Adds a part of the graph to the history, as far as it has no records.
struct AdoptionBatch {
    part: AdoptedPart,
    recorded: Arc<Mutex<RecordedSubjects>>,
}

impl Write for AdoptionBatch {
    /// How much was added.
    type Answer = usize;

    async fn apply(&self, tx: &mut Tx, _: &Origin) -> Result<usize> {
        adoption::lock(tx).await?;
        let mut found = self.part.lock(tx).await?;
        let mut recorded = self.recorded.lock().await;
        recorded.read_on(tx).await?;
        found.retain(|subject| !recorded.subjects.contains(&SubjectKey::of(subject)));
        let count = found.len();
        let adopted = |subject| Change {
            operation: Operation::Adopted,
            subject,
        };
        tx.note_change(|| found.into_iter().map(adopted));
        Ok(count)
    }
}
