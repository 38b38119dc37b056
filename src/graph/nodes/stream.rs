//! Lists without options: all that there is, part by part, as such a list may be larger than the memory of the server.

use crate::error::Result;
use crate::graph::nodes::scope::Within;
use crate::model::{Kind, Node, OrderBy};
use crate::storage::tables::lists::{self, Page};
use crate::storage::tables::nodes;
use crate::storage::{Database, LongReadPermit, Tx};

/// The most nodes of the first part, which comes from one statement. Most lists have no other.
const FIRST: i64 = 512;

/// All nodes of a list, ascending by id, under way. It sees one state of the graph, and holds a connection to the database as long
/// as it is there. Beside the nodes of a part it keeps eight bytes a node.
pub struct Whole {
    tx: Tx,
    permit: Option<LongReadPermit>,
    kind: Kind,
    first: Vec<Node>,
    /// Of all nodes, unless the first part is all.
    ids: Vec<i64>,
    /// How many of the ids were told.
    told: usize,
}

impl Whole {
    pub(in crate::graph) async fn open(
        database: &Database,
        kind: Kind,
        within: &Within,
    ) -> Result<Self> {
        let mut tx = database.read().await?;
        let (mut first, mut ids) = (Vec::new(), Vec::new());
        if let Some(scope) = within.scope(&mut tx, kind).await? {
            let page = Page {
                scope,
                filter: None,
                order_by: OrderBy::Id,
                ascending: true,
                after: None,
                limit: FIRST,
            };
            first = lists::page(&mut tx, kind, &page).await?;
            if i64::try_from(first.len()) == Ok(FIRST) {
                ids = lists::all_ids(&mut tx, kind, scope).await?;
            }
        }
        Ok(Self {
            tx,
            permit: None,
            kind,
            first,
            ids,
            told: 0,
        })
    }

    /// As [`Self::open`], with a permit to hold the connection for long.
    pub(in crate::graph) async fn open_long(
        database: &Database,
        kind: Kind,
        within: &Within,
    ) -> Result<Self> {
        let permit = database.long_read_permit().await?;
        let whole = Self::open(database, kind, within).await?;
        Ok(Self {
            permit: Some(permit),
            ..whole
        })
    }

    /// The next nodes, so many at most, but for the first part, which is there already; nothing at the end.
    ///
    /// # Errors
    ///
    /// Those of the database, and of stored values that cannot be decoded.
    pub async fn next(&mut self, most: usize) -> Result<Option<Vec<Node>>> {
        let first = std::mem::take(&mut self.first);
        if !first.is_empty() {
            self.told = first.len();
            return Ok(Some(first));
        }
        let rest = self.ids.get(self.told..).unwrap_or_default();
        let part = &rest[..most.min(rest.len())];
        if part.is_empty() {
            return Ok(None);
        }
        self.told += part.len();
        nodes::by_ids(&mut self.tx, self.kind, part).await.map(Some)
    }

    /// How many nodes are to come, once the first were told.
    #[must_use]
    pub const fn rest(&self) -> usize {
        self.ids.len().saturating_sub(self.told)
    }

    /// Begins again, with the same nodes as before.
    pub fn rewind(&mut self) {
        self.told = 0;
    }

    /// Whether everybody else waits for the connection that this holds.
    #[must_use]
    pub fn blocks_other_readers(&self) -> bool {
        let permit = self.permit.as_ref();
        permit.is_some_and(LongReadPermit::is_exclusive)
    }
}
