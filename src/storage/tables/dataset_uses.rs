//! The tables `PedigreeDatasetWrite` and `PedigreeDatasetRead`: which version of a dataset was
//! present when, and which one a run read that did not name it.

use std::collections::HashSet;

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bool, Int as IntColumn};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};
use crate::storage::query::Query;

static WRITE: Table = Table {
    name: "PedigreeDatasetWrite",
    columns: &[
        ("dataset_id", IntColumn),
        ("execution_id", IntColumn),
        ("artifact_id", IntColumn),
        ("microseconds", IntColumn),
        ("tie_rank", IntColumn),
        ("is_abandoned", Bool),
    ],
    unwritten: &[],
    key: 3,
};

static READ: Table = Table {
    name: "PedigreeDatasetRead",
    columns: &[
        ("dataset_id", IntColumn),
        ("execution_id", IntColumn),
        ("unknown_id", IntColumn),
        ("artifact_id", IntColumn),
        ("microseconds", IntColumn),
    ],
    unwritten: &[],
    key: 3,
};

/// A version of a dataset that a run wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatasetWrite {
    /// The context of the dataset.
    pub dataset_id: i64,
    pub execution_id: i64,
    /// The version.
    pub artifact_id: i64,
    /// From when on it is present, since epoch; the greatest number if it is not.
    pub microseconds: i64,
    /// Of two versions from one time on, the one with the greater rank counts.
    pub tie_rank: i64,
    /// Whether the run has failed.
    pub is_abandoned: bool,
}

/// A dataset that a run read without naming a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatasetRead {
    /// The context of the dataset.
    pub dataset_id: i64,
    pub execution_id: i64,
    /// The version of which no producer is known.
    pub unknown_id: i64,
    /// The version that it read as far as is known, to which it has an edge; 0 before the first.
    pub artifact_id: i64,
    /// When it read, since epoch; the least number if that is not known.
    pub microseconds: i64,
}

impl FromRow for DatasetWrite {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            dataset_id: row.get(0)?,
            execution_id: row.get(1)?,
            artifact_id: row.get(2)?,
            microseconds: row.get(3)?,
            tie_rank: row.get(4)?,
            is_abandoned: row.get(5)?,
        })
    }
}

impl FromRow for DatasetRead {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            dataset_id: row.get(0)?,
            execution_id: row.get(1)?,
            unknown_id: row.get(2)?,
            artifact_id: row.get(3)?,
            microseconds: row.get(4)?,
        })
    }
}

/// A read, and the version that was present then.
struct PresentAtRead(DatasetRead, i64);

impl FromRow for PresentAtRead {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self(DatasetRead::from_row(row)?, row.get(5)?))
    }
}

/// The rows of a query whose text ends with the column of these ids.
async fn with_ids<R: FromRow>(
    tx: &mut Tx,
    name: &'static str,
    text: &'static str,
    ids: &[i64],
) -> Result<Vec<R>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(name, text);
    query.push_in(ids);
    tx.all(query).await
}

/// The writes of runs.
///
/// # Errors
///
/// Those of the database.
pub async fn writes_of(tx: &mut Tx, executions: &[i64]) -> Result<Vec<DatasetWrite>> {
    let text = "SELECT dataset_id, execution_id, artifact_id, microseconds, tie_rank, is_abandoned \
         FROM PedigreeDatasetWrite WHERE execution_id";
    with_ids(tx, "dataset_uses::writes_of", text, executions).await
}

/// The reads of runs.
///
/// # Errors
///
/// Those of the database.
pub async fn reads_of(tx: &mut Tx, executions: &[i64]) -> Result<Vec<DatasetRead>> {
    let text = "SELECT dataset_id, execution_id, unknown_id, artifact_id, microseconds \
         FROM PedigreeDatasetRead WHERE execution_id";
    with_ids(tx, "dataset_uses::reads_of", text, executions).await
}

/// Those of the versions that a run wrote and has not abandoned.
///
/// # Errors
///
/// Those of the database.
pub async fn kept_versions(tx: &mut Tx, artifacts: &[i64]) -> Result<HashSet<i64>> {
    let text =
        "SELECT artifact_id FROM PedigreeDatasetWrite WHERE NOT is_abandoned AND artifact_id";
    let found = with_ids(tx, "dataset_uses::kept_versions", text, artifacts).await?;
    Ok(found.into_iter().collect())
}

/// The artifacts among these that are in a dataset and not of the type of this name, each with the
/// version that was present when it was created. What is removed stands for no version.
///
/// # Errors
///
/// Those of the database.
pub async fn present_at_creation(
    tx: &mut Tx,
    artifacts: &[i64],
    other_type: &str,
) -> Result<Vec<(i64, Option<i64>)>> {
    if artifacts.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "dataset_uses::present_at_creation",
        "SELECT a.id, (SELECT w.artifact_id FROM PedigreeDatasetWrite w \
         WHERE w.dataset_id = COALESCE(n.dataset_id, m.context_id) \
         AND w.microseconds <= a.create_time_since_epoch * 1000 + 999 \
         ORDER BY w.microseconds DESC, w.tie_rank DESC LIMIT 1) \
         FROM Artifact a JOIN Attribution m ON m.artifact_id = a.id \
         LEFT JOIN PedigreeDatasetName n ON n.context_id = m.context_id \
         WHERE a.type_id NOT IN (SELECT t.id FROM Type t WHERE t.name = ?) AND a.id",
    );
    query.bind(other_type).push_in(artifacts);
    tx.all(query).await
}

/// The artifacts that are in a dataset which one of these runs wrote, and not of the type of this
/// name, as far as they were created while a version of that run was present.
///
/// # Errors
///
/// Those of the database.
pub async fn created_after_writes(
    tx: &mut Tx,
    executions: &[i64],
    other_type: &str,
) -> Result<Vec<i64>> {
    if executions.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "dataset_uses::created_after_writes",
        "SELECT DISTINCT a.id FROM PedigreeDatasetWrite w \
         LEFT JOIN PedigreeDatasetName n ON n.dataset_id = w.dataset_id \
         JOIN Attribution m ON m.context_id = COALESCE(n.context_id, w.dataset_id) \
         JOIN Artifact a ON a.id = m.artifact_id \
         WHERE a.type_id NOT IN (SELECT t.id FROM Type t WHERE t.name = ?) \
         AND w.microseconds <= a.create_time_since_epoch * 1000 + 999 \
         AND NOT EXISTS (SELECT 1 FROM PedigreeDatasetWrite l \
         WHERE l.dataset_id = w.dataset_id AND l.microseconds > w.microseconds \
         AND l.microseconds <= a.create_time_since_epoch * 1000 + 999) \
         AND w.execution_id",
    );
    query.bind(other_type).push_in(executions);
    tx.all(query).await
}

/// Whether any run is known to have written a dataset.
///
/// # Errors
///
/// Those of the database.
pub async fn has_writes(tx: &mut Tx) -> Result<bool> {
    let text = "SELECT dataset_id FROM PedigreeDatasetWrite LIMIT 1";
    let query = tx.sql("dataset_uses::has_writes", text);
    Ok(tx.first::<i64>(query).await?.is_some())
}

/// Stores writes, in the place of those with the same dataset, run and version.
///
/// # Errors
///
/// Those of the database.
pub async fn put_writes(tx: &mut Tx, writes: &[DatasetWrite]) -> Result<()> {
    let mut rows = Rows::new(&WRITE);
    for write in writes {
        rows.push([
            write.dataset_id.into(),
            write.execution_id.into(),
            write.artifact_id.into(),
            write.microseconds.into(),
            write.tie_rank.into(),
            write.is_abandoned.into(),
        ]);
    }
    tx.upsert_rows(&rows).await
}

/// Stores reads, in the place of those with the same dataset, run and unknown version.
///
/// # Errors
///
/// Those of the database.
pub async fn put_reads(tx: &mut Tx, reads: &[DatasetRead]) -> Result<()> {
    let mut rows = Rows::new(&READ);
    for read in reads {
        rows.push([
            read.dataset_id.into(),
            read.execution_id.into(),
            read.unknown_id.into(),
            read.artifact_id.into(),
            read.microseconds.into(),
        ]);
    }
    tx.upsert_rows(&rows).await
}

/// Those of the reads of these datasets since a time, in microseconds since epoch, that have
/// another version than the one that was present then, with that one. A run does not read what it
/// wrote.
///
/// # Errors
///
/// Those of the database.
pub async fn outdated_since(
    tx: &mut Tx,
    datasets: &[i64],
    since: i64,
) -> Result<Vec<(DatasetRead, i64)>> {
    if datasets.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql("dataset_uses::outdated_since", PRESENT_AT_READS);
    query.push("r.dataset_id").push_in(datasets);
    query.push(" AND r.microseconds >= ?").bind(since);
    outdated(tx, query).await
}

/// As [`outdated_since`], those of the reads of these runs.
///
/// # Errors
///
/// Those of the database.
pub async fn outdated_of(tx: &mut Tx, executions: &[i64]) -> Result<Vec<(DatasetRead, i64)>> {
    if executions.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql("dataset_uses::outdated_of", PRESENT_AT_READS);
    query.push("r.execution_id").push_in(executions);
    outdated(tx, query).await
}

/// Reads, each with the version that was present then. The condition follows.
const PRESENT_AT_READS: &str = "SELECT r.dataset_id, r.execution_id, r.unknown_id, \
     r.artifact_id, r.microseconds, \
     COALESCE((SELECT w.artifact_id FROM PedigreeDatasetWrite w \
     WHERE w.dataset_id = r.dataset_id AND w.microseconds <= r.microseconds \
     AND w.execution_id <> r.execution_id \
     ORDER BY w.microseconds DESC, w.tie_rank DESC LIMIT 1), r.unknown_id) \
     FROM PedigreeDatasetRead r WHERE ";

async fn outdated(tx: &mut Tx, query: Query) -> Result<Vec<(DatasetRead, i64)>> {
    let reads: Vec<PresentAtRead> = tx.all(query).await?;
    let reads = reads
        .into_iter()
        .map(|PresentAtRead(read, present)| (read, present));
    let is_outdated = |(read, present): &(DatasetRead, i64)| read.artifact_id != *present;
    Ok(reads.filter(is_outdated).collect())
}
