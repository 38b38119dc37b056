//! The table `PedigreeTarget`: how far the history has been sent to each target, and by whom.

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Int as IntColumn, Text as TextColumn};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};

static TARGET: Table = Table {
    name: "PedigreeTarget",
    columns: &[
        ("name", TextColumn),
        ("history_cursor", TextColumn),
        ("sender", TextColumn),
        ("beats", IntColumn),
    ],
    unwritten: &[],
    key: 1,
};

/// What is known of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetProgress {
    /// After what it has got; empty before that.
    pub cursor: String,
    /// The server that sends to it; empty if none does.
    pub sender: String,
    /// Counted by the sender for as long as it lives.
    pub beats: i64,
}

impl FromRow for TargetProgress {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            cursor: row.get(0)?,
            sender: row.get(1)?,
            beats: row.get(2)?,
        })
    }
}

/// The target of a name, if there is one.
///
/// # Errors
///
/// Those of the database.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<TargetProgress>> {
    let mut query = tx.sql(
        "targets::find",
        "SELECT history_cursor, sender, beats FROM PedigreeTarget WHERE name = ?",
    );
    query.bind(name);
    tx.first(query).await
}

/// Adds a target that has got nothing.
///
/// # Errors
///
/// `AlreadyExists` when there is one of the name.
pub async fn insert(tx: &mut Tx, name: &str, sender: &str) -> Result<()> {
    let mut rows = Rows::new(&TARGET);
    rows.push([name.into(), "".into(), sender.into(), 0.into()]);
    tx.insert_rows(&rows).await
}

/// Makes a server the sender in the place of that which was found, and returns whether it is: the
/// other one may have given a sign of life.
///
/// # Errors
///
/// Those of the database.
pub async fn claim(tx: &mut Tx, name: &str, found: &TargetProgress, sender: &str) -> Result<bool> {
    let mut query = tx.sql(
        "targets::claim",
        "UPDATE PedigreeTarget SET sender = ?, beats = beats + 1 \
         WHERE name = ? AND sender = ? AND beats = ?",
    );
    query.bind(sender).bind(name);
    query.bind(found.sender.as_str()).bind(found.beats);
    Ok(tx.run(query).await? > 0)
}

/// Counts a beat of the sender, and returns whether it is that still.
///
/// # Errors
///
/// Those of the database.
pub async fn beat(tx: &mut Tx, name: &str, sender: &str) -> Result<bool> {
    let mut query = tx.sql(
        "targets::beat",
        "UPDATE PedigreeTarget SET beats = beats + 1 WHERE name = ? AND sender = ?",
    );
    query.bind(name).bind(sender);
    Ok(tx.run(query).await? > 0)
}

/// Stores what a target has got, and returns whether the server is its sender still.
///
/// # Errors
///
/// Those of the database.
pub async fn save(tx: &mut Tx, name: &str, sender: &str, cursor: &str) -> Result<bool> {
    let mut query = tx.sql(
        "targets::save",
        "UPDATE PedigreeTarget SET history_cursor = ?, beats = beats + 1 \
         WHERE name = ? AND sender = ?",
    );
    query.bind(cursor).bind(name).bind(sender);
    Ok(tx.run(query).await? > 0)
}

/// Lets another server be the sender.
///
/// # Errors
///
/// Those of the database.
pub async fn release(tx: &mut Tx, name: &str, sender: &str) -> Result<()> {
    let mut query = tx.sql(
        "targets::release",
        "UPDATE PedigreeTarget SET sender = '', beats = beats + 1 WHERE name = ? AND sender = ?",
    );
    query.bind(name).bind(sender);
    tx.run(query).await.map(|_| ())
}
