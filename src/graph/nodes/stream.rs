//! Unpaged lists: all nodes of a scope, in parts, because a list may exceed the memory of the
//! server.

use crate::error::Result;
use crate::graph::nodes::scope::ListScope;
use crate::model::{Kind, Node, OrderBy};
use crate::storage::tables::lists::{self, Page};
use crate::storage::tables::nodes;
use crate::storage::{Database, LongReadPermit, Tx};

/// The most nodes of the first part, which one statement reads. Most lists have no second part.
const FIRST_PART_NODES: i64 = 512;

/// All nodes of a list, ascending by id, in parts. It sees one state of the graph, and holds a
/// database connection until it is dropped. Besides a part, it keeps eight bytes per node.
pub struct NodeStream {
    tx: Tx,
    permit: Option<LongReadPermit>,
    kind: Kind,
    first_part: Vec<Node>,
    /// The ids of all nodes; empty if the first part has all of them.
    ids: Vec<i64>,
    /// The number of ids whose nodes were returned.
    emitted: usize,
}

impl NodeStream {
    pub(in crate::graph) async fn open(
        database: &Database,
        kind: Kind,
        scope: &ListScope,
    ) -> Result<Self> {
        let mut tx = database.read().await?;
        let (mut first_part, mut ids) = (Vec::new(), Vec::new());
        if let Some(scope) = scope.resolve(&mut tx, kind).await? {
            let page = Page {
                scope,
                filter: None,
                order_by: OrderBy::Id,
                ascending: true,
                after: None,
                limit: FIRST_PART_NODES,
            };
            first_part = lists::page(&mut tx, kind, &page).await?;
            if i64::try_from(first_part.len()) == Ok(FIRST_PART_NODES) {
                ids = lists::all_ids(&mut tx, kind, scope).await?;
            }
        }
        Ok(Self {
            tx,
            permit: None,
            kind,
            first_part,
            ids,
            emitted: 0,
        })
    }

    /// As [`Self::open`], with a permit to hold the connection for long.
    ///
    /// # Errors
    ///
    /// `Exhausted` when no permit becomes free in time.
    pub(in crate::graph) async fn open_long(
        database: &Database,
        kind: Kind,
        scope: &ListScope,
    ) -> Result<Self> {
        let permit = database.long_read_permit().await?;
        let stream = Self::open(database, kind, scope).await?;
        Ok(Self {
            permit: Some(permit),
            ..stream
        })
    }

    /// The next part, with at most `max_nodes` nodes; `None` at the end. The first part ignores
    /// the limit: it is read already.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn next(&mut self, max_nodes: usize) -> Result<Option<Vec<Node>>> {
        let first_part = std::mem::take(&mut self.first_part);
        if !first_part.is_empty() {
            self.emitted = first_part.len();
            return Ok(Some(first_part));
        }
        let rest = self.ids.get(self.emitted..).unwrap_or_default();
        let part = &rest[..max_nodes.min(rest.len())];
        if part.is_empty() {
            return Ok(None);
        }
        self.emitted += part.len();
        nodes::by_ids(&mut self.tx, self.kind, part).await.map(Some)
    }

    /// The number of nodes in the parts to come. Unknown, and 0, before the first part.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.ids.len().saturating_sub(self.emitted)
    }

    /// Starts again with the first node, of those that were found at the start.
    pub fn rewind(&mut self) {
        self.emitted = 0;
    }

    /// Whether other readers wait for the connection that this holds.
    #[must_use]
    pub fn blocks_other_readers(&self) -> bool {
        let permit = self.permit.as_ref();
        permit.is_some_and(LongReadPermit::is_exclusive)
    }
}
