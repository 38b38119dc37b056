//! The table `PedigreeRun`: the runs of experiments.

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bool, Int as IntColumn, Text};
use crate::storage::bulk::{Rows, Table};

static RUN: Table = Table {
    name: "PedigreeRun",
    columns: &[
        ("execution_id", IntColumn),
        ("run_id", Text),
        ("experiment_id", IntColumn),
        ("is_deleted", Bool),
        ("start_time", IntColumn),
    ],
    unwritten: &[],
    key: 1,
};

/// A run of an experiment.
#[derive(Clone, Copy, Debug)]
pub struct RunRow<'r> {
    pub execution_id: i64,
    pub run_id: &'r str,
    /// The number of the experiment.
    pub experiment: i64,
    /// Milliseconds since epoch, or 0.
    pub start_time: i64,
}

/// Stores a new run.
///
/// # Errors
///
/// `AlreadyExists` when the id of the run is taken.
pub async fn insert(tx: &mut Tx, run: &RunRow<'_>) -> Result<()> {
    let mut rows = Rows::new(&RUN);
    rows.push([
        run.execution_id.into(),
        run.run_id.into(),
        run.experiment.into(),
        false.into(),
        run.start_time.into(),
    ]);
    tx.insert_rows(&rows).await
}

/// The experiment of a run and its start, in milliseconds since epoch, or zeros for an unknown run.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn experiment_and_start(tx: &mut Tx, execution_id: i64) -> Result<(i64, i64)> {
    let mut query = tx.sql(
        "runs::experiment_and_start",
        "SELECT experiment_id, start_time FROM PedigreeRun WHERE execution_id = ?",
    );
    query.bind(execution_id);
    Ok(tx.first(query).await?.unwrap_or_default())
}

/// Sets whether runs are deleted.
///
/// # Errors
///
/// Those of the database.
pub async fn set_deleted(tx: &mut Tx, executions: &[i64], is_deleted: bool) -> Result<()> {
    let mut query = tx.sql(
        "runs::set_deleted",
        "UPDATE PedigreeRun SET is_deleted = ? WHERE execution_id",
    );
    query.bind(is_deleted).push_in(executions);
    tx.run(query).await.map(|_| ())
}

/// The first runs of an experiment that are deleted, or are not, ascending by execution.
///
/// # Errors
///
/// Those of the database.
pub async fn first_of(
    tx: &mut Tx,
    experiment: i64,
    is_deleted: bool,
    limit: i64,
) -> Result<Vec<i64>> {
    let mut query = tx.sql(
        "runs::first_of",
        "SELECT execution_id FROM PedigreeRun WHERE experiment_id = ? AND is_deleted = ? \
         ORDER BY execution_id LIMIT ?",
    );
    query.bind(experiment).bind(is_deleted).bind(limit);
    tx.all(query).await
}
