//! Earlier states of nodes, found by reading the history backward.

use std::collections::HashMap;

use crate::error::Result;
use crate::model::{Kind, Node, Subject};
use crate::storage::Tx;
use crate::storage::tables::changes::{self, HistoryRow, PageRows};

/// How much later than a write the row of its commit may be dated, by a long transaction or by the
/// clock of another server, in milliseconds.
const MAX_COMMIT_DELAY: i64 = 10_000;

/// The most rows of the history that one search reads, and that one for a page of the web reads.
const MAX_SEARCHED_ROWS: usize = 1_000_000;
const MAX_PAGE_SEARCHED_ROWS: usize = 100_000;

/// The most memory that the states of one search take, in bytes.
const MAX_STATES_BYTES: usize = 64 << 20;

/// A time as of which the graph is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// Milliseconds since epoch.
    pub time: i64,
    /// The most rows of the history in which earlier states are searched.
    max_rows: usize,
}

impl AsOf {
    /// For an answer that may take a while.
    #[must_use]
    pub const fn at(time: i64) -> Self {
        Self {
            time,
            max_rows: MAX_SEARCHED_ROWS,
        }
    }

    /// For a page of the web, which a person waits for.
    #[must_use]
    pub const fn for_page(time: i64) -> Self {
        Self {
            time,
            max_rows: MAX_PAGE_SEARCHED_ROWS,
        }
    }
}

/// Nodes by their kinds and ids.
pub(in crate::graph) type StatesByNode = HashMap<(Kind, i64), Node>;

/// The states that nodes had at a time: of each the newest one in the history whose time of change
/// is not later. `wanted` are the nodes with the times of their creation. Nodes of which the
/// history has none, or that lie beyond the bounds of a search, are left out.
///
/// # Errors
///
/// Those of the database; `DataLoss` for a row that cannot be decoded.
pub(in crate::graph) async fn states_as_of(
    tx: &mut Tx,
    mut wanted: HashMap<(Kind, i64), i64>,
    AsOf { time, max_rows }: AsOf,
) -> Result<StatesByNode> {
    let mut found = StatesByNode::new();
    let Some(created) = wanted.values().min().copied() else {
        return Ok(found);
    };
    let end = changes::first_since(tx, time.saturating_add(MAX_COMMIT_DELAY)).await?;
    // That row may be the newest one, which counts.
    let mut position = end.map_or(0, |end| end.saturating_add(1));
    let mut rows = PageRows::default();
    let (mut read_rows, mut bytes) = (0, 0);
    while !wanted.is_empty() && read_rows < max_rows && bytes < MAX_STATES_BYTES {
        let page = changes::page_before(tx, position, rows).await?;
        let Some(oldest) = page.rows.last() else {
            break;
        };
        position = oldest.position;
        let is_before_all = oldest.time.saturating_add(MAX_COMMIT_DELAY) < created;
        read_rows += page.rows.len();
        rows = rows.after(&page);
        for (kind, node) in page.rows.into_iter().flat_map(newest_nodes) {
            if node.update_time <= time && wanted.remove(&(kind, node.id)).is_some() {
                bytes += node.content.memory_bytes();
                found.insert((kind, node.id), node);
            }
        }
        if is_before_all {
            break;
        }
    }
    Ok(found)
}

/// The nodes that a row has, the newest state first.
fn newest_nodes(row: HistoryRow) -> impl Iterator<Item = (Kind, Node)> {
    let changes = row.changes.into_iter().rev();
    changes.filter_map(|entry| match entry.change.subject {
        Subject::Node(kind, node) => Some((kind, node)),
        _ => None,
    })
}
