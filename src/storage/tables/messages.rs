//! The table `PedigreeMessage`: the ids of stored messages and their answers.

use std::collections::HashMap;

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Int as IntColumn, Text as TextColumn};
use crate::storage::bulk::{Rows, Table};

static MESSAGE: Table = Table {
    name: "PedigreeMessage",
    columns: &[
        ("id", TextColumn),
        ("time_since_epoch", IntColumn),
        ("answer", TextColumn),
    ],
    unwritten: &[],
    key: 1,
};

/// The answers of the messages with these ids, as far as they were stored, by id.
///
/// # Errors
///
/// Those of the database.
pub async fn answers(tx: &mut Tx, ids: &[&str]) -> Result<HashMap<String, String>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut query = tx.sql(
        "messages::answers",
        "SELECT id, answer FROM PedigreeMessage WHERE id",
    );
    query.push_in_texts(ids);
    let rows: Vec<(String, String)> = tx.all(query).await?;
    Ok(rows.into_iter().collect())
}

/// Locks new ids until the end of the transaction, so that no concurrent one stores messages with
/// them. Needs [`insert`] for each message that is stored, and [`release`] for the others.
///
/// # Errors
///
/// `AlreadyExists` when a concurrent transaction has stored one of them.
pub async fn claim(tx: &mut Tx, ids: &[&str], now: i64) -> Result<()> {
    if !tx.dialect().has_row_locks() {
        return Ok(());
    }
    // Sorted, so that transactions that claim the same ids do not deadlock.
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let mut rows = Rows::new(&MESSAGE);
    for id in ids {
        rows.push([id.into(), now.into(), "".into()]);
    }
    tx.insert_rows(&rows).await
}

/// Stores messages, as pairs of id and answer, at a time in milliseconds since epoch.
///
/// # Errors
///
/// Those of the database.
pub async fn insert(tx: &mut Tx, messages: &[(&str, String)], now: i64) -> Result<()> {
    let mut rows = Rows::new(&MESSAGE);
    for (id, answer) in messages {
        rows.push([(*id).into(), now.into(), answer.as_str().into()]);
    }
    tx.upsert_rows(&rows).await
}

/// Deletes the claims of these ids.
///
/// # Errors
///
/// Those of the database.
pub async fn release(tx: &mut Tx, ids: &[&str]) -> Result<()> {
    if ids.is_empty() || !tx.dialect().has_row_locks() {
        return Ok(());
    }
    let mut query = tx.sql("messages::release", "DELETE FROM PedigreeMessage WHERE id");
    query.push_in_texts(ids);
    tx.run(query).await?;
    Ok(())
}

/// Deletes the messages that were stored before a time in milliseconds since epoch.
///
/// # Errors
///
/// Those of the database.
pub async fn prune(tx: &mut Tx, before: i64) -> Result<u64> {
    let mut query = tx.sql(
        "messages::prune",
        "DELETE FROM PedigreeMessage WHERE time_since_epoch < ?",
    );
    query.bind(before).takes_long();
    tx.run(query).await
}
