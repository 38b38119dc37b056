//! The tables `PedigreeChange`, `PedigreeOutbox` and `PedigreeStore`: the history of the graph.
//!
//! The history has every change, at positions in the order of the commits. A number that a
//! transaction draws before it commits says nothing about that order. Databases with concurrent
//! writers therefore use a transactional outbox: as the last statement before its commit, a
//! transaction inserts its changes into `PedigreeOutbox`, and [`assign_positions`] moves committed
//! rows to `PedigreeChange`, in one transaction at a time. It keeps the order of the outbox ids
//! among the rows that it finds: of two transactions that touch the same rows, the later one has
//! waited for the commit of the earlier one before it drew its id.

mod codec;
mod subject;

use super::nodes;
use crate::error::{Error, Result};
use crate::model::{Change, JournalEntry, Kind, Operation, Subject};
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bytes as BytesColumn, Int as IntColumn};
use crate::storage::bulk::{Rows, Table};
use codec::DecodedChange;

/// The largest row, in bytes, that is inlined as a hexadecimal literal into the round trip of the
/// commit. A separate INSERT costs one more round trip.
const MAX_INLINE_BYTES: usize = 8 << 10;

/// The most rows that one transaction moves out of the outbox.
const MAX_MOVED_ROWS: i64 = 256;

static OUTBOX: Table = Table {
    name: "PedigreeOutbox",
    columns: &[("time_since_epoch", IntColumn), ("changes", BytesColumn)],
    unwritten: &["id"],
    key: 0,
};

/// On a database with a single writer, rows are inserted here directly: positions then have the
/// order of the commits.
static CHANGE: Table = Table {
    name: "PedigreeChange",
    unwritten: &["position"],
    ..OUTBOX
};

/// A row of the history: the changes of a commit, or a part of them.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRow {
    /// Its place in the order of the commits, from 1 on. There may be gaps.
    pub position: i64,
    /// The time of the commit, in milliseconds since epoch.
    pub time: i64,
    /// The stored size, in bytes.
    pub bytes: usize,
    pub changes: Vec<JournalEntry>,
}

/// The first and the last position in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionRange {
    pub oldest: i64,
    pub newest: i64,
}

/// Commits a transaction together with its changes at a time in milliseconds since epoch.
///
/// # Errors
///
/// As [`Tx::commit`].
pub async fn commit(mut tx: Tx, entries: Vec<JournalEntry>, now: i64) -> Result<()> {
    let encoded = codec::encode_rows(entries);
    let has_outbox = tx.dialect().has_row_locks();
    if let [only] = encoded.as_slice()
        && has_outbox
        && only.len() <= MAX_INLINE_BYTES
    {
        let mut last = tx.sql(
            "PedigreeOutbox",
            "INSERT INTO PedigreeOutbox (time_since_epoch, changes) VALUES (",
        );
        last.push_int(now).push(", ").push_bytes(only).push(")");
        return tx.commit_with(last).await;
    }
    let mut rows = Rows::new(if has_outbox { &OUTBOX } else { &CHANGE });
    for row in encoded {
        rows.push([now.into(), row.into()]);
    }
    tx.insert_rows(&rows).await?;
    tx.commit().await
}

/// Moves committed rows from the outbox to the history, and returns whether there may be more.
/// Concurrent calls wait for each other.
///
/// # Errors
///
/// Those of the database; `Contention` when the wait takes too long.
pub async fn assign_positions(tx: &mut Tx) -> Result<bool> {
    if !tx.dialect().has_row_locks() {
        return Ok(false);
    }
    let lock = "SELECT store_id FROM PedigreeStore FOR UPDATE";
    tx.all::<String>(tx.sql("changes::lock", lock)).await?;
    let mut query = tx.sql(
        "changes::outbox_ids",
        "SELECT id FROM PedigreeOutbox ORDER BY id LIMIT ?",
    );
    query.bind(MAX_MOVED_ROWS);
    let ids: Vec<i64> = tx.all(query).await?;
    if ids.is_empty() {
        return Ok(false);
    }
    let newest = positions(tx).await?.map_or(0, |range| range.newest);
    let mut insert = tx.sql(
        "changes::assign_positions",
        "INSERT INTO PedigreeChange (position, time_since_epoch, changes) \
         SELECT ? + ROW_NUMBER() OVER (ORDER BY id), time_since_epoch, changes \
         FROM PedigreeOutbox \
         WHERE id",
    );
    insert.bind(newest).push_in(&ids);
    tx.run(insert).await?;
    let mut delete = tx.sql(
        "changes::clear_outbox",
        "DELETE FROM PedigreeOutbox WHERE id",
    );
    delete.push_in(&ids);
    tx.run(delete).await?;
    tx.notify().await?;
    Ok(i64::try_from(ids.len()) == Ok(MAX_MOVED_ROWS))
}

/// Whether the outbox has committed rows.
///
/// # Errors
///
/// Those of the database.
pub async fn has_outbox_rows(tx: &mut Tx) -> Result<bool> {
    let query = tx.sql(
        "changes::has_outbox_rows",
        "SELECT id FROM PedigreeOutbox LIMIT 1",
    );
    Ok(tx.first::<i64>(query).await?.is_some())
}

/// The range of positions in the history; `None` before the first change.
///
/// # Errors
///
/// Those of the database.
pub async fn positions(tx: &mut Tx) -> Result<Option<PositionRange>> {
    let query = tx.sql(
        "changes::positions",
        // Two subqueries read the two ends of the index. With both aggregates in one SELECT,
        // SQLite scans the table.
        "SELECT \
         (SELECT MIN(position) FROM PedigreeChange), \
         (SELECT MAX(position) FROM PedigreeChange)",
    );
    let ends: Option<(Option<i64>, Option<i64>)> = tx.first(query).await?;
    Ok(ends.and_then(|(oldest, newest)| {
        Some(PositionRange {
            oldest: oldest?,
            newest: newest?,
        })
    }))
}

/// The id of this database, which no other one has.
///
/// # Errors
///
/// Those of the database; `Internal` when the id is missing.
pub async fn store_id(tx: &mut Tx) -> Result<String> {
    let query = tx.sql("changes::store_id", "SELECT store_id FROM PedigreeStore");
    let id: Option<String> = tx.first(query).await?;
    id.ok_or_else(|| Error::internal("the table PedigreeStore is empty"))
}

/// The rows after a position, in order, at most `limit`. A node that was too large to be stored
/// with its change is read from its own table, as it is now.
///
/// # Errors
///
/// Those of the database; `DataLoss` for a row that cannot be decoded.
pub async fn rows_after(tx: &mut Tx, position: i64, limit: i64) -> Result<Vec<HistoryRow>> {
    let mut query = tx.sql(
        "changes::rows_after",
        "SELECT position, time_since_epoch, changes \
         FROM PedigreeChange \
         WHERE position > ? \
         ORDER BY position \
         LIMIT ?",
    );
    query.bind(position).bind(limit);
    let rows: Vec<(i64, i64, Vec<u8>)> = tx.all(query).await?;
    let mut history = Vec::with_capacity(rows.len());
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
                    current_node(tx, operation, kind, id).await?
                }
            };
            let origin = decoded.origin;
            changes.extend(change.map(|change| JournalEntry { origin, change }));
        }
        history.push(HistoryRow {
            position,
            time,
            bytes: bytes.len(),
            changes,
        });
    }
    Ok(history)
}

async fn current_node(
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

/// Deletes the oldest rows if they were committed before a time in milliseconds since epoch, except
/// the newest row. Returns the number of deleted rows: unless it is 0, there may be more to delete.
///
/// # Errors
///
/// Those of the database.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64> {
    let Some(range) = positions(tx).await? else {
        return Ok(0);
    };
    let mut query = tx.sql(
        "changes::prunable",
        "SELECT MAX(position) FROM \
         (SELECT position, time_since_epoch FROM PedigreeChange ORDER BY position LIMIT 1000) AS oldest \
         WHERE time_since_epoch < ?",
    );
    query.bind(before);
    let last: Option<Option<i64>> = tx.first(query).await?;
    let Some(Some(last)) = last else {
        return Ok(0);
    };
    let last = last.min(range.newest - 1);
    let mut query = tx.sql(
        "changes::prune",
        "DELETE FROM PedigreeChange WHERE position <= ?",
    );
    query.bind(last).takes_long();
    tx.run(query).await
}
