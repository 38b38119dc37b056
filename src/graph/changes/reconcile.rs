//! What other programs wrote to the database and the history does not know.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::Result;
use crate::graph::Graph;
use crate::model::{
    Caller, Change, Door, JournalEntry, Kind, Membership, Node, NodeType, Operation, OrderBy,
    PagePosition, Side, Subject,
};
use crate::storage::Tx;
use crate::storage::tables::changes;
use crate::storage::tables::events::{self, EventKey};
use crate::storage::tables::lists::{self, Page, Scope};
use crate::storage::tables::memberships::{self, End};

/// How many nodes are looked at in one transaction.
const NODES: i64 = 1000;

/// How many entries of the history are read at once.
const ENTRIES: i64 = 256;

/// What the history knows.
#[derive(Default)]
struct Known {
    /// The update times of nodes, in milliseconds since epoch.
    nodes: HashMap<(Kind, i64), i64>,
    types: HashMap<(Kind, i64), NodeType>,
    events: HashSet<EventKey>,
    memberships: HashSet<(Kind, Membership)>,
    /// When the oldest entry was written, in milliseconds since epoch.
    begins: Option<i64>,
}

impl Known {
    fn learn(&mut self, change: Change) {
        match change.subject {
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

    fn knows(&self, subject: &Subject) -> bool {
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

impl Graph {
    /// Adds to the history what it does not know of the graph, and returns how many changes that was. Without `all`, what was last
    /// written before the history begins is left out, with the edges of such nodes.
    ///
    /// Another program that writes meanwhile may be seen in part; a server's writes are all seen, some of them perhaps twice.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` where no history is kept; those of the database.
    pub async fn reconcile(&self, all: bool) -> Result<usize> {
        self.require_history()?;
        self.advance().await?;
        let known = self.known().await?;
        let since = if all {
            i64::MIN
        } else {
            known.begins.unwrap_or(i64::MIN)
        };
        let mut added = self.reconcile_types(&known).await?;
        for kind in Kind::ALL {
            let mut after = None;
            while let Some(last) = self
                .reconcile_nodes(kind, after, since, &known, &mut added)
                .await?
            {
                after = Some(PagePosition::Id(last));
            }
        }
        self.advance().await?;
        Ok(added)
    }

    /// Reads the history.
    async fn known(&self) -> Result<Known> {
        let mut known = Known::default();
        let mut position = 0;
        loop {
            let mut tx = self.read().await?;
            let entries = changes::after(&mut tx, position, ENTRIES).await?;
            let Some(last) = entries.last() else {
                return Ok(known);
            };
            position = last.position;
            known.begins = known.begins.or(entries.first().map(|first| first.time));
            let changes = entries.into_iter().flat_map(|entry| entry.changes);
            changes.for_each(|entry| known.learn(entry.change));
        }
    }

    /// Types have no time: all that the history does not know are new to it.
    async fn reconcile_types(&self, known: &Known) -> Result<usize> {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            let types = self.types(kind).await?;
            found.extend(types.into_iter().map(|found| Subject::Type(kind, found)));
        }
        self.add(found, known).await
    }

    /// The next nodes of a kind and their edges. Returns the last id, while there is one.
    async fn reconcile_nodes(
        &self,
        kind: Kind,
        after: Option<PagePosition>,
        since: i64,
        known: &Known,
        added: &mut usize,
    ) -> Result<Option<i64>> {
        let mut tx = self.read().await?;
        let page = Page {
            scope: Scope::All,
            filter: None,
            order_by: OrderBy::Id,
            ascending: true,
            after: after.as_ref(),
            limit: NODES,
        };
        let mut nodes = lists::page(&mut tx, kind, &page).await?;
        let last = nodes.last().map(|node| node.id);
        nodes.retain(|node| node.update_time >= since);
        let ids: Vec<i64> = nodes.iter().map(|node| node.id).collect();
        let node = |node: Node| Subject::Node(kind, node);
        let mut found: Vec<Subject> = nodes.into_iter().map(node).collect();
        found.extend(edges(&mut tx, kind, &ids).await?);
        drop(tx);
        *added += self.add(found, known).await?;
        Ok(last)
    }

    /// Adds those that the history does not know.
    async fn add(&self, found: Vec<Subject>, known: &Known) -> Result<usize> {
        let new = found.into_iter().filter(|subject| !known.knows(subject));
        let now = self.clock.now();
        let origin = Arc::new(Caller::anonymous(Door::Command).at(now));
        let entry = |subject| JournalEntry {
            origin: origin.clone(),
            change: Change {
                operation: Operation::Reconciled,
                subject,
            },
        };
        let new: Vec<JournalEntry> = new.map(entry).collect();
        let count = new.len();
        if count > 0 {
            let tx = self.database.write().await?;
            changes::commit(tx, new, now).await?;
        }
        Ok(count)
    }
}

/// The edges of nodes, each at one of its ends: events at their executions, memberships at the nodes that are in a context.
async fn edges(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<Subject>> {
    let members = memberships::find(tx, kind, End::Node, ids).await?;
    let members = members.into_iter();
    let mut found: Vec<Subject> = members
        .map(|member| Subject::Membership(kind, member))
        .collect();
    if kind == Kind::Execution {
        let stored = events::whole_of_nodes(tx, Side::Execution, ids).await?;
        found.extend(
            stored
                .into_iter()
                .map(|stored| Subject::Event(stored.value)),
        );
    }
    Ok(found)
}
