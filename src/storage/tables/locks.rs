//! Locks that a transaction holds until its end. SQLite has one writer and needs none of them.

use super::schema::NodeTables;
use crate::error::Result;
use crate::model::Kind;
use crate::storage::Tx;

/// Locks nodes against other writers, in the order of their ids, and tells whether this database has such locks: what was
/// read before may be out of date then.
///
/// # Errors
///
/// `Contention` when the locks cannot be had in time or two transactions wait for each other.
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

/// Locks what no unique key guards, the set of types and the hierarchy of contexts, against other writers of them. The return
/// value is that of [`nodes`].
///
/// # Errors
///
/// As [`nodes`].
pub async fn structure(tx: &mut Tx) -> Result<bool> {
    if !tx.dialect().has_row_locks() {
        return Ok(false);
    }
    let query = tx.sql(
        "locks::structure",
        "SELECT schema_version FROM MLMDEnv FOR UPDATE",
    );
    tx.all::<i64>(query).await?;
    Ok(true)
}
