//! Pages of the history, and the digests by which its rows are known again.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};

use super::codec::{self, DecodedChange, DecodedRow, RowDefect};
use super::{current_node, large};
use crate::error::{Error, Result};
use crate::model::{AccessRecord, JournalEntry, Subject};
use crate::storage::column::{FromRow, FromRows, Row};
use crate::storage::{Query, Tx};

/// The leading bytes of a row that its digest covers. They have the ids and the times of the first
/// changes in it. The statements have this number too.
const DIGEST_INPUT_BYTES: usize = 4096;

/// The length of a digest, in bytes.
const DIGEST_BYTES: usize = 8;

/// The most bytes of a page that has more than one row.
const MAX_PAGE_BYTES: usize = 256 << 10;

/// The most rows of a page.
const MAX_PAGE_ROWS: i64 = 64;

/// A short digest of the time and the changes of a row in the history. It differs between two rows
/// that had the same position.
///
/// A position is given again when a database goes back to an earlier state: after a restore, or
/// when a standby without the newest commits takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowDigest([u8; DIGEST_BYTES]);

impl RowDigest {
    fn of(time: i64, changes: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&time.to_be_bytes());
        context.update(&changes[..changes.len().min(DIGEST_INPUT_BYTES)]);
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&context.finish().as_ref()[..DIGEST_BYTES]);
        Self(digest)
    }
}

impl fmt::Display for RowDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for RowDigest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_whole = text.len() == 2 * DIGEST_BYTES && text.bytes().all(is_digit);
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_whole);
        let number = number.ok_or_else(|| Error::invalid("is no digest of a row"))?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// A row of the history: the changes of a commit, or a part of them.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRow {
    /// Its place in the order of the commits, from 1 on. There may be gaps.
    pub position: i64,
    /// The time of the commit, in milliseconds since epoch.
    pub time: i64,
    pub digest: RowDigest,
    pub changes: Vec<JournalEntry>,
    /// Requests that changed nothing.
    pub accesses: Vec<AccessRecord>,
    /// How many rows before this one have changes of its first origin.
    pub part: u32,
}

/// Rows of the history, and the row before them.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPage {
    /// The digest of the row at the position after which the page begins; `None` without that row.
    pub before: Option<RowDigest>,
    /// In the order of their positions, or in the opposite one.
    pub rows: Vec<HistoryRow>,
    /// About how much memory the rows take.
    pub bytes: usize,
    /// Whether the size cut the page short.
    is_full: bool,
}

/// How many rows to ask for: fewer while they are large, because a database sends all of them
/// before the size of a page is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRows(i64);

impl Default for PageRows {
    fn default() -> Self {
        Self(MAX_PAGE_ROWS)
    }
}

impl PageRows {
    /// The number for the page after this one.
    #[must_use]
    pub fn after(self, page: &HistoryPage) -> Self {
        let had = i64::try_from(page.rows.len()).unwrap_or(MAX_PAGE_ROWS);
        let next = if page.is_full { had } else { self.0 };
        Self((2 * next).clamp(1, MAX_PAGE_ROWS))
    }
}

/// A row as it is stored.
struct StoredRow {
    position: i64,
    time: i64,
    changes: Vec<u8>,
}

impl FromRow for StoredRow {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            position: row.get(0)?,
            time: row.get(1)?,
            changes: row.get(2)?,
        })
    }
}

/// Rows of at most [`MAX_PAGE_BYTES`], but one at least. Those behind are dropped as they arrive.
#[derive(Default)]
struct StoredRows {
    rows: Vec<StoredRow>,
    bytes: usize,
    is_full: bool,
}

impl FromRows for StoredRows {
    fn add_row<R: Row>(&mut self, row: &R) -> Result<(), R::Error> {
        if self.is_full {
            return Ok(());
        }
        let row = StoredRow::from_row(row)?;
        self.bytes += row.changes.len();
        // The row before the page and one in it are kept in any case.
        self.is_full = self.rows.len() >= 2 && self.bytes > MAX_PAGE_BYTES;
        if !self.is_full {
            self.rows.push(row);
        }
        Ok(())
    }
}

/// The rows after a position, with their large values. A node of which an older version stored only
/// the id is read from its own table, as it is now.
///
/// # Errors
///
/// Those of the database; `DataLoss` for a row that cannot be decoded.
pub async fn page_after(tx: &mut Tx, position: i64, rows: PageRows) -> Result<HistoryPage> {
    let mut query = tx.sql(
        "changes::page_after",
        "SELECT position, time_since_epoch, \
         CASE WHEN position = ? THEN SUBSTR(changes, 1, 4096) ELSE changes END \
         FROM PedigreeChange \
         WHERE position >= ? \
         ORDER BY position \
         LIMIT ?",
    );
    query.bind(position).bind(position).bind(rows.0 + 1);
    fetch(tx, query, position).await
}

/// The rows of the outbox after an id, which stands for their position.
///
/// # Errors
///
/// As [`page_after`].
pub async fn outbox_after(tx: &mut Tx, id: i64, rows: PageRows) -> Result<HistoryPage> {
    let mut query = tx.sql(
        "changes::outbox_after",
        "SELECT id, time_since_epoch, changes FROM PedigreeOutbox WHERE id > ? ORDER BY id LIMIT ?",
    );
    query.bind(id).bind(rows.0);
    fetch(tx, query, id).await
}

/// The rows before a position, the newest first, as far as they are in one page.
///
/// # Errors
///
/// As [`page_after`].
pub async fn page_before(tx: &mut Tx, position: i64, rows: PageRows) -> Result<HistoryPage> {
    let mut query = tx.sql(
        "changes::page_before",
        "SELECT position, time_since_epoch, changes FROM PedigreeChange \
         WHERE position < ? ORDER BY position DESC LIMIT ?",
    );
    query.bind(position).bind(rows.0);
    fetch(tx, query, position).await
}

/// The rows that a query finds after a position, and the digest of the row at it.
async fn fetch(tx: &mut Tx, query: Query, position: i64) -> Result<HistoryPage> {
    let stored: StoredRows = tx.gather(query).await?;
    let mut page = HistoryPage {
        before: None,
        rows: Vec::with_capacity(stored.rows.len()),
        bytes: stored.bytes,
        is_full: stored.is_full,
    };
    for row in stored.rows {
        if row.position == position {
            page.before = Some(RowDigest::of(row.time, &row.changes));
            continue;
        }
        let parts = match large::parts_id(&row.changes) {
            Some(id) => large::parts(tx, id).await?,
            None => Vec::new(),
        };
        let decoded = match codec::decode_row(&row.changes, row.time, &parts) {
            Ok(decoded) => decoded,
            // Its retention has just ended.
            Err(RowDefect::MissingPart) if digest_at(tx, row.position).await?.is_none() => break,
            Err(defect) => return Err(unreadable(row.position, &defect)),
        };
        let (row, read_bytes) = whole(tx, row, decoded).await?;
        page.rows.push(row);
        page.bytes += read_bytes + parts.iter().map(Vec::len).sum::<usize>();
        // Large values of one row are enough for a page.
        if !parts.is_empty() {
            page.is_full = true;
            break;
        }
    }
    Ok(page)
}

fn unreadable(position: i64, defect: &RowDefect) -> Error {
    Error::DataLoss(format!(
        "PedigreeChange, position {position}: it cannot be read: {defect}"
    ))
}

/// The digest of the row at a position, if there is that row.
///
/// # Errors
///
/// Those of the database.
pub async fn digest_at(tx: &mut Tx, position: i64) -> Result<Option<RowDigest>> {
    let mut query = tx.sql(
        "changes::digest_at",
        "SELECT time_since_epoch, SUBSTR(changes, 1, 4096) \
         FROM PedigreeChange \
         WHERE position = ?",
    );
    query.bind(position);
    let row: Option<(i64, Vec<u8>)> = tx.first(query).await?;
    Ok(row.map(|(time, changes)| RowDigest::of(time, &changes)))
}

/// The position and the digest of the newest row, if there is one.
///
/// # Errors
///
/// Those of the database.
pub async fn newest(tx: &mut Tx) -> Result<Option<(i64, RowDigest)>> {
    let query = tx.sql(
        "changes::newest",
        "SELECT position, time_since_epoch, SUBSTR(changes, 1, 4096) \
         FROM PedigreeChange \
         ORDER BY position DESC \
         LIMIT 1",
    );
    let row: Option<StoredRow> = tx.first(query).await?;
    Ok(row.map(|row| (row.position, RowDigest::of(row.time, &row.changes))))
}

/// A row, and about how much memory the nodes take that are read from their own tables, in bytes.
async fn whole(tx: &mut Tx, row: StoredRow, decoded: DecodedRow) -> Result<(HistoryRow, usize)> {
    let mut changes = Vec::with_capacity(decoded.changes.len());
    let mut read_bytes = 0;
    for decoded in decoded.changes {
        let change = match decoded.change {
            DecodedChange::Whole(change) => Some(*change),
            DecodedChange::IdOnly(operation, kind, id) => {
                let change = current_node(tx, operation, kind, id).await?;
                if let Some(Subject::Node(_, node)) = change.as_ref().map(|it| &it.subject) {
                    read_bytes += node.content.memory_bytes();
                }
                change
            }
        };
        let origin = decoded.origin;
        changes.extend(change.map(|change| JournalEntry { origin, change }));
    }
    let row = HistoryRow {
        position: row.position,
        time: row.time,
        digest: RowDigest::of(row.time, &row.changes),
        changes,
        accesses: decoded.accesses,
        part: decoded.part,
    };
    Ok((row, read_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_time_and_changes_and_is_read_back() {
        let digest = RowDigest::of(1, b"changes");
        assert_ne!(digest, RowDigest::of(2, b"changes"));
        assert_ne!(digest, RowDigest::of(1, b"others"));
        assert_eq!(digest.to_string().parse::<RowDigest>().unwrap(), digest);
        for wrong in ["", "12", "+123456789012345", "ABCDEF0123456789", "x"] {
            assert!(wrong.parse::<RowDigest>().is_err(), "{wrong}");
        }
    }
}
