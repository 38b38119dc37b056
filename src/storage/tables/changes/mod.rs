//! The tables `PedigreeChange`, `PedigreeOutbox` and `PedigreeStore`: every change of the graph, in the order of the commits.
//!
//! A number that a transaction draws before it commits says nothing about the order of the commits. So where writers overlap,
//! a transaction leaves its changes in the outbox, as the last thing before its commit, and [`order`] moves what is committed
//! there to `PedigreeChange`, one mover at a time. It keeps the order of the outbox's ids among what it finds at once: of two
//! transactions that touch the same rows, the later one waited for the commit of the other before it drew its id.

mod codec;
mod subject;

use super::nodes;
use crate::error::{Error, Result};
use crate::model::{Change, JournalEntry, Kind, Operation, Subject};
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bytes as BytesColumn, Int as IntColumn};
use crate::storage::bulk::{Rows, Table};
use codec::DecodedChange;

/// Up to how many bytes of changes are a literal of the text that commits: a statement of its own is dearer than to read twice as
/// many digits.
const SHORT: usize = 8 << 10;

/// How many rows are moved from the outbox at once.
const MOVED: i64 = 256;

static OUTBOX: Table = Table {
    name: "PedigreeOutbox",
    columns: &[("time_since_epoch", IntColumn), ("changes", BytesColumn)],
    unwritten: &["id"],
    key: 0,
};

/// Where changes get their positions by themselves, in the order of the commits.
static CHANGE: Table = Table {
    name: "PedigreeChange",
    unwritten: &["position"],
    ..OUTBOX
};

/// Changes that were written together, or a part of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place in the order of the commits, from 1 on. Places may be left out.
    pub position: i64,
    /// When it was written, in milliseconds since epoch.
    pub time: i64,
    /// About how much there is of it.
    pub bytes: usize,
    /// With the origin of each, which is unknown in rows of older versions.
    pub changes: Vec<JournalEntry>,
}

/// The first and the last position that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub oldest: i64,
    pub newest: i64,
}

/// Commits a transaction together with its changes. `now` is in milliseconds since epoch.
///
/// # Errors
///
/// As [`Tx::commit`].
pub async fn commit(mut tx: Tx, entries: Vec<JournalEntry>, now: i64) -> Result<()> {
    let parts = codec::encode_rows(entries);
    let has_outbox = tx.dialect().has_row_locks();
    if let [only] = parts.as_slice()
        && has_outbox
        && only.len() <= SHORT
    {
        let mut last = tx.sql(
            "PedigreeOutbox",
            "INSERT INTO PedigreeOutbox (time_since_epoch, changes) VALUES (",
        );
        last.push_int(now).push(", ").push_bytes(only).push(")");
        return tx.commit_with(last).await;
    }
    let mut rows = Rows::new(if has_outbox { &OUTBOX } else { &CHANGE });
    for part in parts {
        rows.push([now.into(), part.into()]);
    }
    tx.insert_rows(&rows).await?;
    tx.commit().await
}

/// Gives positions to changes that are committed and have none, and tells whether there may be more of them. Of several that do so
/// at once, one works and the others wait.
///
/// # Errors
///
/// Those of the database; `Contention` when the wait is too long.
pub async fn order(tx: &mut Tx) -> Result<bool> {
    if !tx.dialect().has_row_locks() {
        return Ok(false);
    }
    let lock = "SELECT store_id FROM PedigreeStore FOR UPDATE";
    tx.all::<String>(tx.sql("changes::lock", lock)).await?;
    let mut query = tx.sql(
        "changes::waiting",
        "SELECT id FROM PedigreeOutbox ORDER BY id LIMIT ?",
    );
    query.bind(MOVED);
    let ids: Vec<i64> = tx.all(query).await?;
    if ids.is_empty() {
        return Ok(false);
    }
    let newest = span(tx).await?.map_or(0, |span| span.newest);
    let mut placed = tx.sql(
        "changes::placed",
        "INSERT INTO PedigreeChange (position, time_since_epoch, changes) \
         SELECT ? + ROW_NUMBER() OVER (ORDER BY id), time_since_epoch, changes FROM PedigreeOutbox WHERE id",
    );
    placed.bind(newest).push_in(&ids);
    tx.run(placed).await?;
    let mut moved = tx.sql("changes::moved", "DELETE FROM PedigreeOutbox WHERE id");
    moved.push_in(&ids);
    tx.run(moved).await?;
    tx.notify().await?;
    Ok(i64::try_from(ids.len()) == Ok(MOVED))
}

/// Whether changes wait for their positions.
///
/// # Errors
///
/// Those of the database.
pub async fn are_waiting(tx: &mut Tx) -> Result<bool> {
    let query = tx.sql(
        "changes::are_waiting",
        "SELECT id FROM PedigreeOutbox LIMIT 1",
    );
    Ok(tx.first::<i64>(query).await?.is_some())
}

/// The positions that are kept; `None` before the first change.
///
/// # Errors
///
/// Those of the database.
pub async fn span(tx: &mut Tx) -> Result<Option<Span>> {
    let query = tx.sql(
        "changes::span",
        // Each on its own is an end of the index; SQLite reads the whole table for both at once.
        "SELECT (SELECT MIN(position) FROM PedigreeChange), (SELECT MAX(position) FROM PedigreeChange)",
    );
    let span: Option<(Option<i64>, Option<i64>)> = tx.first(query).await?;
    Ok(span.and_then(|(oldest, newest)| {
        Some(Span {
            oldest: oldest?,
            newest: newest?,
        })
    }))
}

/// What tells this database from others.
///
/// # Errors
///
/// Those of the database; `Internal` when it has no such thing.
pub async fn store_id(tx: &mut Tx) -> Result<String> {
    let query = tx.sql("changes::store_id", "SELECT store_id FROM PedigreeStore");
    let id: Option<String> = tx.first(query).await?;
    id.ok_or_else(|| Error::internal("the table PedigreeStore is empty"))
}

/// The entries behind a position, in order, at most `limit` of them. Nodes that were too large to be kept are as they are now.
///
/// # Errors
///
/// Those of the database; `DataLoss` for an entry that cannot be read.
pub async fn after(tx: &mut Tx, position: i64, limit: i64) -> Result<Vec<Entry>> {
    let mut query = tx.sql(
        "changes::after",
        "SELECT position, time_since_epoch, changes FROM PedigreeChange WHERE position > ? ORDER BY position LIMIT ?",
    );
    query.bind(position).bind(limit);
    let rows: Vec<(i64, i64, Vec<u8>)> = tx.all(query).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for (position, time, bytes) in rows {
        let decoded = codec::decode_row(&bytes, time).map_err(|error| {
            Error::DataLoss(format!(
                "PedigreeChange, position {position}: it cannot be read: {error}"
            ))
        })?;
        let mut changes = Vec::with_capacity(decoded.len());
        for decoded in decoded {
            let change = match decoded.change {
                DecodedChange::Whole(change) => Some(*change),
                DecodedChange::IdOnly(operation, kind, id) => {
                    as_it_is_now(tx, operation, kind, id).await?
                }
            };
            let origin = decoded.origin;
            changes.extend(change.map(|change| JournalEntry { origin, change }));
        }
        entries.push(Entry {
            position,
            time,
            bytes: bytes.len(),
            changes,
        });
    }
    Ok(entries)
}

async fn as_it_is_now(
    tx: &mut Tx,
    operation: Operation,
    kind: Kind,
    id: i64,
) -> Result<Option<Change>> {
    let found = nodes::by_ids(tx, kind, &[id]).await?.pop();
    Ok(found.map(|node| Change {
        operation,
        subject: Subject::Node(kind, node),
    }))
}

/// Deletes entries written before this time, in milliseconds since epoch, but for the newest one. Returns how many; there may be
/// more when there are any.
///
/// # Errors
///
/// Those of the database.
pub async fn trim(tx: &mut Tx, before: i64) -> Result<u64> {
    let Some(span) = span(tx).await? else {
        return Ok(0);
    };
    let mut query = tx.sql(
        "changes::trim",
        "SELECT MAX(position) FROM \
         (SELECT position, time_since_epoch FROM PedigreeChange ORDER BY position LIMIT 1000) AS oldest \
         WHERE time_since_epoch < ?",
    );
    query.bind(before);
    let last: Option<Option<i64>> = tx.first(query).await?;
    let Some(Some(last)) = last else {
        return Ok(0);
    };
    let last = last.min(span.newest - 1);
    let mut query = tx.sql(
        "changes::trim",
        "DELETE FROM PedigreeChange WHERE position <= ?",
    );
    query.bind(last).takes_long();
    tx.run(query).await
}
