//! The table `PedigreeMessage`: which messages were recorded, and what was answered.

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

/// The answers to those of the messages that were recorded, by the ids of the messages.
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

/// Keeps others from recording messages with these ids, which none has recorded, until the transaction ends. Needs [`insert`] for
/// each that is recorded, and [`release`] for the others.
///
/// # Errors
///
/// `AlreadyExists` when one of them was recorded meanwhile.
pub async fn claim(tx: &mut Tx, ids: &[&str], now: i64) -> Result<()> {
    if !tx.dialect().has_row_locks() {
        return Ok(());
    }
    // In one order, so that two that claim the same ids wait for each other in one direction only.
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let mut rows = Rows::new(&MESSAGE);
    for id in ids {
        rows.push([id.into(), now.into(), "".into()]);
    }
    tx.insert_rows(&rows).await
}

/// Notes messages, pairs of id and answer, as recorded now, in milliseconds since epoch.
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

/// Gives up the claim on these ids.
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

/// Forgets the messages that were recorded before this time, in milliseconds since epoch.
///
/// # Errors
///
/// Those of the database.
pub async fn trim(tx: &mut Tx, before: i64) -> Result<u64> {
    let mut query = tx.sql(
        "messages::trim",
        "DELETE FROM PedigreeMessage WHERE time_since_epoch < ?",
    );
    query.bind(before).takes_long();
    tx.run(query).await
}
