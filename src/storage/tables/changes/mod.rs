//! The tables `PedigreeChange`, `PedigreeOutbox`, `PedigreeLargeValue` and `PedigreeStore`: the
//! history of the graph.
//!
//! The history has every change, at positions in the order of the commits. A number that a
//! transaction draws before it commits says nothing about that order. Databases with concurrent
//! writers therefore use a transactional outbox: as the last statement before its commit, a
//! transaction inserts its changes into `PedigreeOutbox`, and [`assign_positions`] moves committed
//! rows to `PedigreeChange`, in one transaction at a time. It keeps the order of the outbox ids
//! among the rows that it finds: of two transactions that touch the same rows, the later one has
//! waited for the commit of the earlier one before it drew its id.

mod codec;
mod large;
mod origins;
mod page;
mod subject;

pub use page::{
    HistoryPage, HistoryRow, PageRows, RowDigest, digest_at, newest, outbox_after, page_after,
    page_before,
};

use self::codec::EncodedRow;
use super::nodes;
use crate::error::{Error, Result};
use crate::model::{AccessRecord, Change, Kind, Operation, Subject};
use crate::storage::bulk::ColumnType::{Bytes as BytesColumn, Int as IntColumn};
use crate::storage::bulk::{Rows, Table};
use crate::storage::{TakenJournal, Tx};

/// The largest row, in bytes, that is inlined as a hexadecimal literal into the round trip of the
/// commit. A separate INSERT costs one more round trip.
const MAX_INLINE_BYTES: usize = 8 << 10;

/// The most rows that one transaction moves out of the outbox.
const MAX_MOVED_ROWS: i64 = 256;

/// The most rows with parts that one transaction deletes.
const MAX_PRUNED_ROWS_WITH_PARTS: i64 = 16;

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
pub async fn commit(tx: Tx, journal: TakenJournal, now: i64) -> Result<()> {
    let encoded = codec::encode_rows(journal)?;
    let has_outbox = tx.dialect().has_row_locks();
    if let [only] = encoded.as_slice()
        && has_outbox
        && only.parts().is_none()
        && only.bytes.len() <= MAX_INLINE_BYTES
    {
        let mut last = tx.sql(
            "PedigreeOutbox",
            "INSERT INTO PedigreeOutbox (time_since_epoch, changes) VALUES (",
        );
        last.push_int(now)
            .push(", ")
            .push_bytes(&only.bytes)
            .push(")");
        return tx.commit_with(last).await;
    }
    insert(tx, encoded, now).await
}

/// Commits a transaction together with the records of requests that changed nothing.
///
/// # Errors
///
/// As [`Tx::commit`].
pub async fn commit_accesses(tx: Tx, accesses: Vec<AccessRecord>, now: i64) -> Result<()> {
    insert(tx, vec![codec::encode_accesses(accesses)?], now).await
}

/// Inserts rows with their parts and commits.
async fn insert(mut tx: Tx, encoded: Vec<EncodedRow>, now: i64) -> Result<()> {
    large::insert(&mut tx, encoded.iter().filter_map(EncodedRow::parts)).await?;
    let has_outbox = tx.dialect().has_row_locks();
    let mut rows = Rows::new(if has_outbox { &OUTBOX } else { &CHANGE });
    for row in encoded {
        rows.push([now.into(), row.bytes.into()]);
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

/// The id of this database, which no other one has, and the range of positions in its history.
/// Servers that created the schema at different nodes of a cluster at once left an id each: the
/// least counts.
///
/// # Errors
///
/// Those of the database; `Internal` when the id is missing.
pub async fn store(tx: &mut Tx) -> Result<(String, Option<PositionRange>)> {
    let query = tx.sql(
        "changes::store",
        "SELECT store_id, \
         (SELECT MIN(position) FROM PedigreeChange), \
         (SELECT MAX(position) FROM PedigreeChange) \
         FROM PedigreeStore \
         ORDER BY store_id \
         LIMIT 1",
    );
    let found: Option<(String, Option<i64>, Option<i64>)> = tx.first(query).await?;
    let (id, oldest, newest) =
        found.ok_or_else(|| Error::internal("the table PedigreeStore is empty"))?;
    let range = oldest.zip(newest);
    Ok((
        id,
        range.map(|(oldest, newest)| PositionRange { oldest, newest }),
    ))
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

/// The position of the first row since a time in milliseconds since epoch, or of the newest row;
/// `None` before the first change. Rows have the order of their times, so that it is found by
/// bisection.
///
/// # Errors
///
/// Those of the database.
pub async fn first_since(tx: &mut Tx, time: i64) -> Result<Option<i64>> {
    let mut query = tx.sql(
        "changes::first_since",
        "WITH RECURSIVE span (low, high) AS ( \
         SELECT \
         (SELECT MIN(position) FROM PedigreeChange), \
         (SELECT MAX(position) FROM PedigreeChange) \
         UNION ALL \
         SELECT \
         CASE WHEN time_since_epoch < ? THEN position + 1 ELSE low END, \
         CASE WHEN time_since_epoch < ? THEN high ELSE position END \
         FROM span JOIN PedigreeChange ON position = (low + high) >> 1 \
         WHERE low < high) \
         SELECT MAX(low) FROM span",
    );
    query.bind(time).bind(time);
    let first: Option<Option<i64>> = tx.first(query).await?;
    Ok(first.flatten())
}

/// Deletes the oldest rows if they were committed before a time in milliseconds since epoch, except
/// the newest row, and the parts of large values with them. Returns the number of deleted rows:
/// unless it is 0, there may be more to delete.
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
    let (last, with_parts) = up_to(tx, last.min(range.newest - 1)).await?;
    // Where the history is append-only, no other rows can be deleted, and no parts of others.
    let mut give_up = tx.sql(
        "changes::give_up",
        "UPDATE PedigreeLock SET counter = ? WHERE name = 'retention'",
    );
    give_up.bind(last);
    tx.run(give_up).await?;
    large::delete(tx, &with_parts).await?;
    let mut query = tx.sql(
        "changes::prune",
        "DELETE FROM PedigreeChange WHERE position <= ?",
    );
    query.bind(last).takes_long();
    tx.run(query).await
}

/// The position up to which one transaction deletes rows, which is at most `last`, and the ids of
/// their parts: values can be large, so that it deletes those of few rows.
async fn up_to(tx: &mut Tx, last: i64) -> Result<(i64, Vec<Vec<u8>>)> {
    let mut query = tx.sql(
        "changes::with_parts",
        "SELECT position, SUBSTR(changes, 3, 16) FROM PedigreeChange \
         WHERE position <= ? AND SUBSTR(changes, 1, 2) = ? \
         ORDER BY position \
         LIMIT ?",
    );
    query.bind(last).bind(&large::ID_PREFIX[..]);
    query.bind(MAX_PRUNED_ROWS_WITH_PARTS + 1);
    let mut rows: Vec<(i64, Vec<u8>)> = tx.all(query).await?;
    let more = usize::try_from(MAX_PRUNED_ROWS_WITH_PARTS).ok();
    let more = more.and_then(|most| rows.drain(most.min(rows.len())..).next());
    let ids = rows.into_iter().map(|(_, id)| id).collect();
    Ok((more.map_or(last, |(position, _)| position - 1), ids))
}
