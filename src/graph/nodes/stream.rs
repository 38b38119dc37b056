//! Unpaged lists: all nodes of a scope, in parts, because a list may exceed the memory of the
//! server.

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::nodes::scope::ListScope;
use crate::model::{Kind, Node, OrderBy};
use crate::storage::tables::lists::{self, Page, Scope};
use crate::storage::tables::nodes;
use crate::storage::{LongReadPermit, Tx};

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

/// The first part of a list, and if there may be more, where the rest is.
async fn read_first_part(
    tx: &mut Tx,
    kind: Kind,
    scope: &ListScope,
) -> Result<(Vec<Node>, Option<Scope>)> {
    let Some(scope) = scope.resolve(tx, kind).await? else {
        return Ok((Vec::new(), None));
    };
    let page = Page {
        scope,
        filter: None,
        order_by: OrderBy::Id,
        ascending: true,
        after: None,
        limit: FIRST_PART_NODES,
    };
    let first_part = lists::page(tx, kind, &page).await?;
    let is_full = i64::try_from(first_part.len()) == Ok(FIRST_PART_NODES);
    Ok((first_part, is_full.then_some(scope)))
}

impl NodeStream {
    pub(in crate::graph) async fn open(
        history: &History,
        kind: Kind,
        scope: &ListScope,
    ) -> Result<Self> {
        let mut tx = history.database.read().await?;
        let (mut first_part, mut rest) = read_first_part(&mut tx, kind, scope).await?;
        if rest.is_some() && history.standby.is_usable() {
            // The connection is given back before another one is asked for.
            drop(tx);
            tx = history.read_long().await?;
            (first_part, rest) = read_first_part(&mut tx, kind, scope).await?;
        }
        let ids = match rest {
            Some(scope) => lists::all_ids(&mut tx, kind, scope).await?,
            None => Vec::new(),
        };
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
        history: &History,
        kind: Kind,
        scope: &ListScope,
    ) -> Result<Self> {
        let permit = history.database.long_read_permit().await?;
        let stream = Self::open(history, kind, scope).await?;
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
