//! The sequences behind generated ids on PostgreSQL. Logical replication copies rows, but not
//! sequences: a subscriber that becomes the database gives ids again that are taken.

use crate::error::Result;
use crate::storage::Database;

/// Names of tables with a sequence that is behind the newest id. `pg_sequence_last_value` is NULL
/// for a sequence that was never used. A column without a sequence of its own is left alone.
macro_rules! behind {
    ($select:literal) => {
        concat!(
            "SELECT ",
            $select,
            " FROM (VALUES
                ('PedigreeOutbox', (SELECT MAX(id) FROM PedigreeOutbox)),
                ('PedigreeMetricSeries', (SELECT MAX(id) FROM PedigreeMetricSeries)),
                ('Type', (SELECT MAX(id) FROM Type)),
                ('Artifact', (SELECT MAX(id) FROM Artifact)),
                ('Execution', (SELECT MAX(id) FROM Execution)),
                ('Context', (SELECT MAX(id) FROM Context)),
                ('Event', (SELECT MAX(id) FROM Event)),
                ('Association', (SELECT MAX(id) FROM Association)),
                ('Attribution', (SELECT MAX(id) FROM Attribution))
            ) AS newest (name, id)
            CROSS JOIN LATERAL (
                SELECT CAST(pg_catalog.pg_get_serial_sequence(newest.name, 'id') AS regclass)
            ) AS behind (sequence)
            WHERE behind.sequence IS NOT NULL
            AND newest.id > COALESCE(pg_catalog.pg_sequence_last_value(behind.sequence), 0)
            ORDER BY newest.name"
        )
    };
}

/// The tables whose sequences are behind: new rows there would get ids that are taken.
///
/// # Errors
///
/// Those of the database.
pub async fn behind(database: &Database) -> Result<Vec<String>> {
    if !database.dialect().has_sequences() {
        return Ok(Vec::new());
    }
    let mut tx = database.single_read().await?;
    tx.all(tx.sql("sequences::behind", behind!("CAST(newest.name AS TEXT)")))
        .await
}

/// Sets sequences that are behind to the newest ids, and returns their tables.
///
/// # Errors
///
/// Those of the database.
pub async fn advance(database: &Database) -> Result<Vec<String>> {
    if !database.dialect().has_sequences() {
        return Ok(Vec::new());
    }
    let mut tx = database.write().await?;
    // The comparison makes the row depend on `setval`.
    let advance = behind!(
        "CASE WHEN pg_catalog.setval(behind.sequence, newest.id) = newest.id
         THEN CAST(newest.name AS TEXT) END"
    );
    let tables = tx.all(tx.sql("sequences::advance", advance)).await?;
    tx.commit().await?;
    Ok(tables)
}
