//! Locks that a transaction holds until its end. SQLite has one writer and needs none.
//!
//! `SELECT … FOR UPDATE` locks a row against the writers of one server. In a cluster where every
//! node takes writes, such as Galera, another node does not see that lock: of two transactions
//! there, the one that commits second fails only if both have changed the same row.

use super::schema::NodeTables;
use crate::error::{Error, Result};
use crate::model::Kind;
use crate::storage::Tx;

/// Locks nodes against other writers, in the order of their ids. Returns whether this database has
/// row locks: if so, what was read before may be out of date.
///
/// # Errors
///
/// `Contention` when a lock is not acquired in time, or on a deadlock.
pub async fn nodes(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<bool> {
    if ids.is_empty() || !tx.dialect().has_row_locks() {
        return Ok(false);
    }
    let mut query = tx.sql("locks::nodes", "SELECT id FROM ");
    query
        .push(NodeTables::of(kind).nodes.name)
        .push(" WHERE id")
        .push_in(ids)
        .push(" ORDER BY id FOR UPDATE");
    tx.all::<i64>(query).await?;
    Ok(true)
}

/// Locks the events of executions against deletion, in the order of their ids.
///
/// # Errors
///
/// As [`nodes`].
pub async fn events(tx: &mut Tx, execution_ids: &[i64]) -> Result<()> {
    if execution_ids.is_empty() || !tx.dialect().has_row_locks() {
        return Ok(());
    }
    let mut query = tx.sql("locks::events", "SELECT id FROM Event WHERE execution_id");
    query.push_in(execution_ids).push(" ORDER BY id FOR UPDATE");
    tx.all::<i64>(query).await.map(|_| ())
}

/// Locks the set of types and the hierarchy of contexts, which no unique key guards, against other
/// writers on any node: by a change of a row, not by a row lock alone. Returns the same as
/// [`nodes`].
///
/// # Errors
///
/// As [`nodes`]; `Internal` when the row is missing.
pub async fn structure(tx: &mut Tx) -> Result<bool> {
    if !tx.dialect().has_row_locks() {
        return Ok(false);
    }
    let query = tx.sql(
        "locks::structure",
        "UPDATE PedigreeLock SET counter = counter + 1 WHERE name = 'structure'",
    );
    if tx.run(query).await? == 0 {
        return Err(Error::internal(
            "the table PedigreeLock has no row `structure`",
        ));
    }
    Ok(true)
}

/// Locks the row of [`structure`] without waiting for another transaction, where the database can:
/// MySQL before version 8 and MariaDB before version 10.3 wait.
///
/// # Errors
///
/// `Contention` when another transaction has locked it.
pub async fn structure_at_once(tx: &mut Tx) -> Result<()> {
    let mut query = tx.sql(
        "locks::structure_at_once",
        "SELECT counter FROM PedigreeLock WHERE name = 'structure'",
    );
    query.push(tx.dialect().for_update_nowait());
    tx.all::<i64>(query).await.map(|_| ())
}
