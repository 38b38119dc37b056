//! Watching the graph change: from some point in history on, without end.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::graph::Graph;
use crate::graph::changes::feed::Watching;
use crate::graph::nodes::filters::parse_filter;
use crate::model::{Change, JournalEntry, Kind, Membership, Operation, Subject};
use crate::storage::Tx;
use crate::storage::tables::changes::{self, Entry};
use crate::storage::tables::memberships::{self, End};
use crate::storage::tables::{lists, nodes};

/// How many entries are read at once.
const ENTRIES: i64 = 64;

/// About how many bytes of changes are sent together.
const BATCH_BYTES: usize = 512 << 10;

/// Where to begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Since {
    #[default]
    Now,
    /// With the oldest change that is kept.
    Beginning,
    /// Behind a cursor.
    Cursor(String),
}

/// What a change is about.
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

/// Which changes to watch (`Watch`): those that pass everything that is given.
#[derive(Clone, Debug, Default)]
pub struct WatchQuery {
    pub since: Since,
    pub topics: Vec<Topic>,
    pub operations: Vec<Operation>,
    /// Names of types.
    pub types: Vec<String>,
    pub context_ids: Vec<i64>,
    pub filter_query: String,
}

/// Changes, and where to go on behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    pub cursor: String,
    /// With the origin of each. Empty when nothing happened for a while.
    pub changes: Vec<JournalEntry>,
}

/// A watch under way.
#[derive(Debug)]
pub struct Watch {
    graph: Graph,
    watching: Watching,
    query: WatchQuery,
    /// The filter for each kind for which it has a meaning; none is set when no filter is.
    filters: HashMap<Kind, Filter>,
    store_id: String,
    position: i64,
}

impl Graph {
    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a cursor that is none of this database and for a wrong filter; `OutOfRange` for a cursor from
    /// before the history that is kept, or from behind its end; `FailedPrecondition` where none is kept.
    pub async fn watch(&self, query: WatchQuery) -> Result<Watch> {
        self.require_history()?;
        let filters = filters(&query.filter_query)?;
        let watching = self.feed.join();
        self.advance().await?;
        let mut tx = self.read().await?;
        let store_id = changes::store_id(&mut tx).await?;
        let span = changes::span(&mut tx).await?;
        let (oldest, newest) = span.map_or((1, 0), |span| (span.oldest, span.newest));
        let position = match &query.since {
            Since::Now => newest,
            Since::Beginning => oldest - 1,
            Since::Cursor(cursor) => position(cursor, &store_id)?,
        };
        if position < oldest - 1 {
            return Err(expired());
        }
        if position > newest {
            return Err(Error::OutOfRange(
                "the cursor is from a later state of this database, which was restored since; read the graph anew and \
                 watch from now on"
                    .into(),
            ));
        }
        Ok(Watch {
            graph: self.clone(),
            watching,
            query,
            filters,
            store_id,
            position,
        })
    }
}

fn expired() -> Error {
    Error::OutOfRange(
        "the history since the cursor is not kept any more; read the graph anew and watch from now on, and let the server \
         keep a longer history"
            .into(),
    )
}

/// The filter as each kind understands it. One that none does is wrong.
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

/// A position of this store, as clients keep it.
fn cursor(position: i64, store_id: &str) -> String {
    format!("{position}@{store_id}")
}

fn position(cursor: &str, store_id: &str) -> Result<i64> {
    let read = cursor.split_once('@').and_then(|(position, store)| {
        let position = position.parse().ok().filter(|position| *position >= 0)?;
        (store == store_id).then_some(position)
    });
    read.ok_or_else(|| Error::invalid("the cursor is not one of this database"))
}

impl Watch {
    /// The next changes. When there are none for as long as `heartbeat`, a cursor alone.
    ///
    /// # Errors
    ///
    /// `OutOfRange` when the watch is so slow that what would come next is not kept any more; those of the database.
    pub async fn next(&mut self, heartbeat: Duration) -> Result<Changes> {
        let end = Instant::now() + heartbeat;
        loop {
            let mut tx = self.graph.read().await?;
            let mut entries = changes::after(&mut tx, self.position, ENTRIES).await?;
            if entries
                .first()
                .is_some_and(|first| first.position != self.position + 1)
            {
                return Err(expired());
            }
            let mut bytes = 0;
            let fits = entries.iter().take_while(|entry| {
                bytes += entry.bytes;
                bytes <= BATCH_BYTES
            });
            let fits = fits.count().max(1);
            entries.truncate(fits);
            let read = !entries.is_empty();
            self.position = entries.last().map_or(self.position, |last| last.position);
            let changes = self.filter(&mut tx, entries).await?;
            drop(tx);
            if !changes.is_empty() || (Instant::now() >= end) {
                return Ok(Changes {
                    cursor: cursor(self.position, &self.store_id),
                    changes,
                });
            }
            if !read {
                self.watching.wait(self.position, end).await;
            }
        }
    }

    /// The changes that pass.
    async fn filter(&self, tx: &mut Tx, entries: Vec<Entry>) -> Result<Vec<JournalEntry>> {
        let query = &self.query;
        let wanted = |change: &Change| {
            (query.topics.is_empty() || query.topics.contains(&Topic::of(&change.subject)))
                && (query.operations.is_empty() || query.operations.contains(&change.operation))
        };
        let mut changes: Vec<JournalEntry> = entries
            .into_iter()
            .flat_map(|entry| entry.changes)
            .filter(|entry| wanted(&entry.change))
            .collect();
        if changes.is_empty() || !self.asks_for_nodes() {
            return Ok(changes);
        }
        let mut passing = HashSet::new();
        for kind in Kind::ALL {
            let mut ids: Vec<i64> = changes
                .iter()
                .flat_map(|entry| ends(&entry.change.subject))
                .flatten()
                .filter_map(|(of, id)| (of == kind).then_some(id))
                .collect();
            ids.sort_unstable();
            ids.dedup();
            let ids = self.passing(tx, kind, ids).await?;
            passing.extend(ids.into_iter().map(|id| (kind, id)));
        }
        changes.retain(|entry| self.passes(&entry.change.subject, &passing));
        Ok(changes)
    }

    /// Whether it matters which nodes a change is about.
    fn asks_for_nodes(&self) -> bool {
        !self.query.types.is_empty()
            || !self.query.context_ids.is_empty()
            || !self.filters.is_empty()
    }

    /// Those of the nodes that pass.
    async fn passing(&self, tx: &mut Tx, kind: Kind, mut ids: Vec<i64>) -> Result<Vec<i64>> {
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
                    let members = memberships::find(tx, kind, End::Node, &ids).await?;
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

    fn passes(&self, subject: &Subject, passing: &HashSet<(Kind, i64)>) -> bool {
        match subject {
            Subject::Type(_, found) => {
                self.query.types.contains(&found.value.name)
                    && self.query.context_ids.is_empty()
                    && self.filters.is_empty()
            }
            Subject::Event(_) | Subject::Membership(..) if !self.filters.is_empty() => false,
            subject => {
                let mut ends = ends(subject).into_iter().flatten();
                ends.any(|end| passing.contains(&end))
            }
        }
    }
}

/// The nodes that a change is about: itself, or the ends of an edge.
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

    proptest! {
        #[test]
        fn noise_is_no_cursor(noise in any::<String>()) {
            prop_assert!(position(&noise, "store").is_err());
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_store_alone() {
        let here = cursor(42, "here");
        assert_eq!(position(&here, "here").unwrap(), 42);
        assert!(position(&here, "there").is_err());
        assert!(position("-1@here", "here").is_err());
    }
}
