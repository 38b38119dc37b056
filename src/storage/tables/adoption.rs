//! Whether what is older than the history was added to it, in the table `PedigreeLock`.

use crate::error::{Error, Result};
use crate::storage::Tx;

/// Has adoptions wait for each other, on any node, by a change of a row.
///
/// # Errors
///
/// `Contention` when the lock is not acquired in time; `Internal` when the row is missing.
pub async fn lock(tx: &mut Tx) -> Result<()> {
    if !tx.dialect().has_row_locks() {
        return Ok(());
    }
    let query = tx.sql(
        "adoption::lock",
        "UPDATE PedigreeLock SET counter = counter + 1 WHERE name = 'adoption'",
    );
    if tx.run(query).await? == 0 {
        return Err(Error::internal(
            "the table PedigreeLock has no row `adoption`",
        ));
    }
    Ok(())
}

/// Whether an adoption has ended.
///
/// # Errors
///
/// Those of the database.
pub async fn is_done(tx: &mut Tx) -> Result<bool> {
    let query = tx.sql(
        "adoption::is_done",
        "SELECT counter FROM PedigreeLock WHERE name = 'adopted'",
    );
    Ok(tx.first::<i64>(query).await?.is_some_and(|done| done > 0))
}

/// Notes that an adoption has ended.
///
/// # Errors
///
/// Those of the database.
pub async fn set_done(tx: &mut Tx) -> Result<()> {
    let query = tx.sql(
        "adoption::set_done",
        "UPDATE PedigreeLock SET counter = 1 WHERE name = 'adopted'",
    );
    tx.run(query).await.map(|_| ())
}
