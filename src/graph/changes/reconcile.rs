//! Reconciliation: adds to the history what other programs wrote to the tables of ML Metadata.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::types;
use crate::model::{
    Caller, Change, JournalEntry, Kind, Membership, Node, NodeType, Operation, OrderBy,
    PagePosition, Side, Subject,
};
use crate::storage::tables::changes::{self, PageRows};
use crate::storage::tables::events::{self, EventKey};
use crate::storage::tables::lists::{self, Page, Scope};
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::{TakenJournal, Tx};

/// The nodes that are compared in one transaction.
const NODES_PER_TRANSACTION: i64 = 1000;

/// Which nodes are compared with the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileScope {
    /// Those last updated after the oldest change in the history, and their edges.
    SinceOldestChange,
    All,
}

/// The state of the graph that the history ends in.
#[derive(Default)]
struct KnownNodes {
    /// The update times of nodes, in milliseconds since epoch.
    nodes: HashMap<(Kind, i64), i64>,
    types: HashMap<(Kind, i64), NodeType>,
    events: HashSet<EventKey>,
    memberships: HashSet<(Kind, Membership)>,
    /// The time of the oldest row, in milliseconds since epoch.
    oldest: Option<i64>,
}

impl KnownNodes {
    /// Reads the changes that a watch can read.
    async fn read(history: &History) -> Result<Self> {
        let mut known = Self::default();
        let mut tx = history.database.single_read().await?;
        let retention = history.retention.changes;
        let mut position = history.first_position(&mut tx, retention, 1).await? - 1;
        drop(tx);
        let mut size = PageRows::default();
        loop {
            let mut tx = history.database.read().await?;
            let page = changes::page_after(&mut tx, position, size).await?;
            size = size.after(&page);
            let rows = page.rows;
            let Some(last) = rows.last() else {
                return Ok(known);
            };
            position = last.position;
            known.oldest = known.oldest.or(rows.first().map(|first| first.time));
            let entries = rows.into_iter().flat_map(|row| row.changes);
            entries.for_each(|entry| known.add(entry.change.subject));
        }
    }

    fn add(&mut self, subject: Subject) {
        match subject {
            Subject::Node(kind, node) => {
                self.nodes.insert((kind, node.id), node.update_time);
            }
            Subject::Type(kind, found) => {
                self.types.insert((kind, found.id), found.value);
            }
            Subject::Event(event) => _ = self.events.insert(events::key(&event)),
            Subject::Membership(kind, member) => _ = self.memberships.insert((kind, member)),
        }
    }

    fn contains(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Node(kind, node) => {
                self.nodes.get(&(*kind, node.id)) == Some(&node.update_time)
            }
            Subject::Type(kind, found) => self.types.get(&(*kind, found.id)) == Some(&found.value),
            Subject::Event(event) => self.events.contains(&events::key(event)),
            Subject::Membership(kind, member) => self.memberships.contains(&(*kind, *member)),
        }
    }
}

/// Adds what the history lacks, as changes of this caller, and returns the number of changes.
///
/// Writes of other programs during the call may be seen in part. Concurrent writes of servers are
/// all in the history, some of them possibly twice.
///
/// # Errors
///
/// `FailedPrecondition` when no history is kept; those of the database.
pub(in crate::graph) async fn reconcile(
    history: &History,
    caller: &Caller,
    scope: ReconcileScope,
) -> Result<usize> {
    History::require(history.retention.changes)?;
    history.sequence_outbox().await?;
    let known = KnownNodes::read(history).await?;
    let since = match scope {
        ReconcileScope::All => None,
        ReconcileScope::SinceOldestChange => known.oldest,
    };
    let mut added = 0;
    let types = all_types(history).await?;
    added += add(history, caller, types, &known).await?;
    for kind in Kind::ALL {
        let mut after = None;
        loop {
            let mut tx = history.database.read().await?;
            let nodes = nodes_after(&mut tx, kind, after).await?;
            after = nodes.last().map(|node| node.id);
            if after.is_none() {
                break;
            }
            let found = with_edges(&mut tx, kind, nodes, since).await?;
            drop(tx);
            added += add(history, caller, found, &known).await?;
        }
    }
    history.sequence_outbox().await?;
    Ok(added)
}

/// All types. They have no times: each that the history lacks is added.
async fn all_types(history: &History) -> Result<Vec<Subject>> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let types = types::read::all(&history.database, kind).await?;
        found.extend(types.into_iter().map(|found| Subject::Type(kind, found)));
    }
    Ok(found)
}

/// The next nodes of a kind, ascending by id.
async fn nodes_after(tx: &mut Tx, kind: Kind, after: Option<i64>) -> Result<Vec<Node>> {
    let after = after.map(PagePosition::Id);
    let page = Page {
        scope: Scope::All,
        filter: None,
        order_by: OrderBy::Id,
        ascending: true,
        after: after.as_ref(),
        limit: NODES_PER_TRANSACTION,
    };
    lists::page(tx, kind, &page).await
}

/// Those of the nodes that were updated since a time in milliseconds since epoch, and their edges.
async fn with_edges(
    tx: &mut Tx,
    kind: Kind,
    mut nodes: Vec<Node>,
    since: Option<i64>,
) -> Result<Vec<Subject>> {
    let is_older = |time: i64| since.is_some_and(|since| time < since);
    nodes.retain(|node| !is_older(node.update_time));
    let ids: Vec<i64> = nodes.iter().map(|node| node.id).collect();
    let node = |node: Node| Subject::Node(kind, node);
    let mut found: Vec<Subject> = nodes.into_iter().map(node).collect();
    found.extend(edges(tx, kind, &ids).await?);
    Ok(found)
}

/// The edges of nodes, each at one of its ends only: events at their executions, memberships at
/// the members of contexts.
pub(in crate::graph) async fn edges(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<Subject>> {
    let members = memberships::find(tx, kind, MembershipEnd::Node, ids).await?;
    let member = |member| Subject::Membership(kind, member);
    let mut found: Vec<Subject> = members.into_iter().map(member).collect();
    if kind == Kind::Execution {
        let stored = events::whole_of_nodes(tx, Side::Execution, ids).await?;
        let events = stored.into_iter();
        found.extend(events.map(|stored| Subject::Event(stored.value)));
    }
    Ok(found)
}

/// Adds those subjects that the history lacks, and returns their number.
async fn add(
    history: &History,
    caller: &Caller,
    found: Vec<Subject>,
    known: &KnownNodes,
) -> Result<usize> {
    let now = history.clock.now();
    let origin = Arc::new(caller.at(now));
    let entry = |subject| JournalEntry {
        origin: origin.clone(),
        change: Change {
            operation: Operation::Reconciled,
            subject,
        },
    };
    let new = found.into_iter().filter(|subject| !known.contains(subject));
    let entries: Vec<JournalEntry> = new.map(entry).collect();
    let count = entries.len();
    if count > 0 {
        let tx = history.database.write().await?;
        let journal = TakenJournal {
            entries,
            ..TakenJournal::default()
        };
        changes::commit(tx, journal, now).await?;
    }
    Ok(count)
}
