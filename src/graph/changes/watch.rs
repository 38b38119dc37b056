//! Watches: the changes of the graph from a position in the history on, without end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::graph::changes::feed::Subscription;
use crate::graph::changes::history::History;
use crate::graph::changes::memory::SentMemory;
use crate::graph::changes::pages::{HistoryPlace, expired, rewound};
use crate::graph::filters::parse_filter;
use crate::model::{Change, JournalEntry, Kind, Membership, Operation, Subject};
use crate::storage::Tx;
use crate::storage::tables::changes::{self, HistoryPage, HistoryRow, PageRows};
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::tables::{lists, nodes};

/// Where a watch begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Since {
    #[default]
    Now,
    /// At the oldest change in the history.
    Beginning,
    /// As many commits before the newest one, as far as they are in the history.
    Newest(i64),
    /// After the changes up to this cursor.
    Cursor(String),
}

/// The kind of subject that a change has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    Node(Kind),
    Type(Kind),
    Event,
    Membership(Kind),
}

impl Topic {
    const fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Node(kind, _) => Self::Node(*kind),
            Subject::Type(kind, _) => Self::Type(*kind),
            Subject::Event(_) => Self::Event,
            Subject::Membership(kind, _) => Self::Membership(*kind),
        }
    }
}

/// Which changes a watch returns (`Watch`): those that match each field that is not empty.
#[derive(Clone, Debug, Default)]
pub struct WatchQuery {
    pub since: Since,
    pub topics: Vec<Topic>,
    /// Empty for all but [`Operation::Adopted`], which is no news.
    pub operations: Vec<Operation>,
    /// Names of types.
    pub types: Vec<String>,
    pub context_ids: Vec<i64>,
    pub filter_query: String,
}

impl WatchQuery {
    fn wants(&self, operation: Operation) -> bool {
        match self.operations.as_slice() {
            [] => operation != Operation::Adopted,
            named => named.contains(&operation),
        }
    }
}

/// Changes, and the cursor after them.
#[derive(Debug)]
pub struct Changes {
    pub cursor: String,
    /// Empty in a heartbeat.
    pub changes: Vec<JournalEntry>,
    /// Held until the changes were sent.
    pub memory: SentMemory,
}

/// A watch in progress.
#[derive(Debug)]
pub struct Watch {
    history: History,
    subscription: Subscription,
    query: WatchQuery,
    /// The filter for each kind whose columns it fits; empty when the query has none.
    filters: HashMap<Kind, Filter>,
    store_id: String,
    /// After the last row that was read.
    place: HistoryPlace,
    rows: PageRows,
}

/// The filter for each kind whose columns it fits. If it fits none, the error of the first.
fn filters(text: &str) -> Result<HashMap<Kind, Filter>> {
    let mut filters = HashMap::new();
    let mut wrong = None;
    for kind in Kind::ALL {
        match parse_filter(kind, Some(text)) {
            Ok(filter) => filters.extend(filter.map(|filter| (kind, filter))),
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    match wrong {
        Some(error) if filters.is_empty() => Err(error),
        _ => Ok(filters),
    }
}

/// The cursor of a place in this store: `position@store@digest`, without the digest where there is
/// no row.
fn cursor(place: HistoryPlace, store_id: &str) -> String {
    let position = place.position;
    match place.digest {
        Some(digest) => format!("{position}@{store_id}@{digest}"),
        None => format!("{position}@{store_id}"),
    }
}

/// The place of a cursor, which must be of this store. Cursors of older versions have no digest.
fn place(cursor: &str, store_id: &str) -> Result<HistoryPlace> {
    let read = || {
        let (position, rest) = cursor.split_once('@')?;
        let (store, digest) = match rest.split_once('@') {
            Some((store, digest)) => (store, Some(digest.parse().ok()?)),
            None => (rest, None),
        };
        let position = position.parse().ok().filter(|position| *position >= 0)?;
        (store == store_id).then_some(HistoryPlace { position, digest })
    };
    read().ok_or_else(|| Error::invalid("the cursor is not one of this database"))
}

/// The newest changes.
#[derive(Debug, Default)]
pub struct NewestChanges {
    /// The oldest of them first.
    pub changes: Vec<JournalEntry>,
    /// After the last of them.
    pub cursor: String,
}

impl History {
    /// The newest changes, at most so many.
    pub(in crate::graph) async fn newest_changes(&self, most: usize) -> Result<NewestChanges> {
        let query = WatchQuery {
            since: Since::Newest(i64::try_from(most).unwrap_or(i64::MAX)),
            ..WatchQuery::default()
        };
        let mut watch = Watch::begin(self, query).await?;
        let mut changes = Vec::new();
        let mut commits = 0;
        // A row is a commit, or a part of one. Those after as many are newer than this read.
        while commits < most {
            let page = watch.read_page().await?;
            watch.advance(&page);
            if page.rows.is_empty() {
                break;
            }
            commits += page.rows.len();
            changes.extend(page.rows.iter().flat_map(|row| row.changes.iter().cloned()));
            let older = changes.len().saturating_sub(most);
            changes.drain(..older);
        }
        let cursor = watch.cursor();
        Ok(NewestChanges { changes, cursor })
    }
}

impl Watch {
    /// Begins a watch.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a cursor of another database and for a malformed filter; `OutOfRange`
    /// for a cursor from before the oldest change in the history, from after the newest one, or of
    /// a change that another one has replaced; `FailedPrecondition` when no history is kept.
    pub(in crate::graph) async fn begin(history: &History, query: WatchQuery) -> Result<Self> {
        Self::begin_within(history, query, history.retention.changes).await
    }

    /// As [`Self::begin`], of the changes whose retention, which is this one, has not ended.
    pub(super) async fn begin_within(
        history: &History,
        query: WatchQuery,
        retention: Duration,
    ) -> Result<Self> {
        History::require(retention)?;
        let filters = filters(&query.filter_query)?;
        let subscription = history.feed.subscribe();
        history.sequence_outbox().await?;
        let mut tx = history.database.read().await?;
        let (store_id, range) = changes::store(&mut tx).await?;
        let (oldest, newest) = range.map_or((1, 0), |range| (range.oldest, range.newest));
        let oldest = history.first_position(&mut tx, retention, oldest).await?;
        let at = |position| HistoryPlace {
            position,
            digest: None,
        };
        let given = match &query.since {
            Since::Now => at(newest),
            Since::Beginning => at(oldest - 1),
            Since::Newest(commits) => at((newest - commits).max(oldest - 1)),
            Since::Cursor(cursor) => place(cursor, &store_id)?,
        };
        if given.position < oldest - 1 {
            return Err(expired());
        }
        if given.position > newest {
            return Err(rewound());
        }
        let digest = changes::digest_at(&mut tx, given.position).await?;
        if given.digest.is_some() && digest.is_some() && given.digest != digest {
            return Err(rewound());
        }
        let place = HistoryPlace {
            digest: digest.or(given.digest),
            ..given
        };
        Ok(Self {
            history: history.clone(),
            subscription,
            query,
            filters,
            store_id,
            place,
            rows: PageRows::default(),
        })
    }

    /// The next changes. After `heartbeat` without any, or without memory for them, a cursor
    /// alone.
    ///
    /// # Errors
    ///
    /// `OutOfRange` when the next changes were pruned, because the watch was not read for too long,
    /// and when the database has gone back to a state before the last change that was read; those
    /// of the database.
    pub async fn next(&mut self, heartbeat: Duration) -> Result<Changes> {
        let deadline = Instant::now() + heartbeat;
        loop {
            let page = self.read_page().await?;
            // What waits has no copy of the page.
            let memory = self.history.watch_memory.reserve(page.bytes);
            let Ok(memory) = timeout_at(deadline, memory).await else {
                return Ok(self.answer(Vec::new(), SentMemory::default()));
            };
            let changes = self.filter(&page.rows).await?;
            self.advance(&page);
            if !changes.is_empty() || Instant::now() >= deadline {
                return Ok(self.answer(changes, memory));
            }
            if page.rows.is_empty() {
                let position = self.place.position;
                self.subscription.wait_past(position, deadline).await;
            }
        }
    }

    fn answer(&self, changes: Vec<JournalEntry>, memory: SentMemory) -> Changes {
        Changes {
            cursor: self.cursor(),
            changes,
            memory,
        }
    }

    /// The rows after the place.
    pub(super) async fn read_page(&mut self) -> Result<Arc<HistoryPage>> {
        let History {
            database,
            pages,
            standby,
            ..
        } = &self.history;
        let page = pages.after(database, standby, self.place, self.rows);
        let page = page.await?;
        self.rows = self.rows.after(&page);
        Ok(page)
    }

    /// Moves the place after the rows of a page.
    pub(super) fn advance(&mut self, page: &HistoryPage) {
        if let Some(last) = page.rows.last() {
            self.place = HistoryPlace {
                position: last.position,
                digest: Some(last.digest),
            };
        }
    }

    /// The cursor of the place.
    pub(super) fn cursor(&self) -> String {
        cursor(self.place, &self.store_id)
    }

    /// The changes that match the query.
    async fn filter(&self, rows: &[HistoryRow]) -> Result<Vec<JournalEntry>> {
        let query = &self.query;
        let wanted = |change: &Change| {
            (query.topics.is_empty() || query.topics.contains(&Topic::of(&change.subject)))
                && query.wants(change.operation)
        };
        let mut changes: Vec<JournalEntry> = rows
            .iter()
            .flat_map(|row| &row.changes)
            .filter(|entry| wanted(&entry.change))
            .cloned()
            .collect();
        if changes.is_empty() || !self.matches_nodes() {
            return Ok(changes);
        }
        let tx = &mut self.history.database.read().await?;
        let mut matching = HashSet::new();
        for kind in Kind::ALL {
            let mut ids: Vec<i64> = changes
                .iter()
                .flat_map(|entry| ends(&entry.change.subject))
                .flatten()
                .filter_map(|(of, id)| (of == kind).then_some(id))
                .collect();
            ids.sort_unstable();
            ids.dedup();
            let ids = self.matching(tx, kind, ids).await?;
            matching.extend(ids.into_iter().map(|id| (kind, id)));
        }
        changes.retain(|entry| self.matches(&entry.change.subject, &matching));
        Ok(changes)
    }

    /// Whether the query has conditions on nodes.
    fn matches_nodes(&self) -> bool {
        !self.query.types.is_empty()
            || !self.query.context_ids.is_empty()
            || !self.filters.is_empty()
    }

    /// Those of the nodes that match the query now.
    async fn matching(&self, tx: &mut Tx, kind: Kind, mut ids: Vec<i64>) -> Result<Vec<i64>> {
        let query = &self.query;
        if !self.filters.is_empty() {
            let Some(filter) = self.filters.get(&kind) else {
                return Ok(Vec::new());
            };
            if !ids.is_empty() {
                let filter = filter.predicate(tx.dialect());
                ids = lists::ids(tx, kind, Some(&ids), Some(&filter), None).await?;
            }
        }
        if !query.types.is_empty() {
            let types: Vec<&str> = query.types.iter().map(String::as_str).collect();
            ids = nodes::of_types(tx, kind, &ids, &types).await?;
        }
        if !query.context_ids.is_empty() {
            let members: HashSet<i64> = match kind {
                Kind::Context => query.context_ids.iter().copied().collect(),
                Kind::Artifact | Kind::Execution => {
                    let members = memberships::find(tx, kind, MembershipEnd::Node, &ids).await?;
                    let inside =
                        |member: &Membership| query.context_ids.contains(&member.context_id);
                    let members = members.into_iter().filter(inside);
                    members.map(|member| member.node_id).collect()
                }
            };
            ids.retain(|id| members.contains(id));
        }
        Ok(ids)
    }

    /// Whether a subject matches, given the nodes that do. An edge matches with one of its ends.
    fn matches(&self, subject: &Subject, matching: &HashSet<(Kind, i64)>) -> bool {
        match subject {
            Subject::Type(_, found) => {
                self.query.types.contains(&found.value.name)
                    && self.query.context_ids.is_empty()
                    && self.filters.is_empty()
            }
            Subject::Event(_) | Subject::Membership(..) if !self.filters.is_empty() => false,
            subject => {
                let mut ends = ends(subject).into_iter().flatten();
                ends.any(|end| matching.contains(&end))
            }
        }
    }
}

/// The nodes of a subject: itself, or the ends of an edge.
fn ends(subject: &Subject) -> [Option<(Kind, i64)>; 2] {
    match subject {
        Subject::Node(kind, node) => [Some((*kind, node.id)), None],
        Subject::Type(..) => [None, None],
        Subject::Event(event) => [
            Some((Kind::Artifact, event.artifact_id)),
            Some((Kind::Execution, event.execution_id)),
        ],
        Subject::Membership(kind, member) => [
            Some((Kind::Context, member.context_id)),
            Some((*kind, member.node_id)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::changes::history::Retention;
    use crate::graph::clock::Clock;
    use crate::model::{Caller, Door, Node, NodeContent};
    use crate::storage::migrate::{Migration, prepare};
    use crate::storage::{Database, TakenJournal};

    #[tokio::test]
    async fn a_watch_without_memory_has_heartbeats() {
        let database = Database::open("sqlite::memory:", 2).await.unwrap();
        prepare(&database, &Migration::default()).await.unwrap();
        let node = Node {
            id: 1,
            type_id: 1,
            type_name: None,
            content: NodeContent {
                name: Some("n".repeat(100 << 10)),
                ..NodeContent::default()
            },
            create_time: 0,
            update_time: 0,
        };
        let change = Change::created(Subject::Node(Kind::Artifact, node));
        let origin = Arc::new(Caller::anonymous(Door::Pedigree).at(0));
        let journal = TakenJournal {
            entries: vec![JournalEntry { origin, change }],
            ..TakenJournal::default()
        };
        let tx = database.write().await.unwrap();
        changes::commit(tx, journal, 0).await.unwrap();
        let history = History::new(database, Retention::default(), Clock::default());
        let all = history.watch_memory.reserve(usize::MAX).await;
        let query = WatchQuery {
            since: Since::Beginning,
            ..WatchQuery::default()
        };
        let mut watch = Watch::begin(&history, query).await.unwrap();
        let heartbeat = Duration::from_millis(1);
        for _ in 0..2 {
            assert!(watch.next(heartbeat).await.unwrap().changes.is_empty());
        }
        drop(all);
        assert_eq!(watch.next(heartbeat).await.unwrap().changes.len(), 1);
    }

    proptest! {
        #[test]
        fn noise_is_no_cursor(noise in any::<String>()) {
            prop_assert!(place(&noise, "store").is_err());
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_store_alone() {
        let digest = "0123456789abcdef".parse().ok();
        for digest in [None, digest] {
            let position = 42;
            let here = HistoryPlace { position, digest };
            let text = cursor(here, "here");
            assert_eq!(place(&text, "here").unwrap(), here);
            assert!(place(&text, "there").is_err());
        }
        for wrong in [
            "-1@here",
            "1@here@",
            "1@here@0123",
            "1@here@0123456789abcdef@",
        ] {
            assert!(place(wrong, "here").is_err(), "{wrong}");
        }
    }
}
