//! Lists without options: all that there is, part by part, as such a list may be larger than the memory of the server.

use crate::error::Result;
use crate::graph::Graph;
use crate::model::{Kind, Node, OrderBy};
use crate::storage::tables::lists::{self, Page, Scope};
use crate::storage::tables::{nodes, types};
use crate::storage::{LongReadPermit, Tx};

/// The most nodes of the first part, which comes from one statement. Most lists have no other.
const FIRST: i64 = 512;

/// What a list is about.
#[derive(Clone, Debug)]
pub enum Within {
    All,
    /// Nodes of the type with this name and version, of none when there is no such type. An empty version is none.
    Type(String, Option<String>),
    /// Nodes in the context with this id, of none when there is no such context.
    Context(i64),
}

impl Within {
    /// The same as the database knows it; `None` when there can be no such nodes.
    pub(in crate::graph) async fn scope(&self, tx: &mut Tx, kind: Kind) -> Result<Option<Scope>> {
        Ok(match self {
            Self::All => Some(Scope::All),
            Self::Type(name, version) => {
                let version = version.as_deref().filter(|version| !version.is_empty());
                types::id(tx, kind, name, version).await?.map(Scope::Type)
            }
            Self::Context(id) => Some(Scope::Context(*id)),
        })
    }
}

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

impl Graph {
    /// Begins to list all nodes of a kind within something. What there is comes from [`Whole::next`].
    ///
    /// # Errors
    ///
    /// Those of the database, and of stored values that cannot be decoded.
    pub async fn whole(&self, kind: Kind, within: &Within) -> Result<Whole> {
        let mut tx = self.read().await?;
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
        Ok(Whole {
            tx,
            permit: None,
            kind,
            first,
            ids,
            told: 0,
        })
    }

    /// As [`Self::whole`], for a list that is read as slowly as a client likes.
    ///
    /// # Errors
    ///
    /// As [`Self::whole`]; `Exhausted` when as much that is slow is under way as may be, and none of it ends in time.
    pub async fn slow_whole(&self, kind: Kind, within: &Within) -> Result<Whole> {
        let permit = self.long_read_permit().await?;
        let mut whole = self.whole(kind, within).await?;
        whole.permit = Some(permit);
        Ok(whole)
    }
}

impl Whole {
    /// The next nodes, so many at most, but for the first part, which is there already; nothing at the end.
    ///
    /// # Errors
    ///
    /// As [`Graph::whole`].
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
        self.permit
            .as_ref()
            .is_some_and(LongReadPermit::is_exclusive)
    }
}
