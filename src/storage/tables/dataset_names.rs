//! The table `PedigreeDatasetName`: which contexts are names of one dataset.

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::Int as IntColumn;
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};

static NAME: Table = Table {
    name: "PedigreeDatasetName",
    columns: &[("context_id", IntColumn), ("dataset_id", IntColumn)],
    unwritten: &[],
    key: 1,
};

/// A name of a dataset that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatasetName {
    /// The context that is the name.
    pub context_id: i64,
    /// The id of the dataset: that of one of its names.
    pub dataset_id: i64,
}

impl FromRow for DatasetName {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            context_id: row.get(0)?,
            dataset_id: row.get(1)?,
        })
    }
}

/// All names of the datasets of which these contexts are names. Those of datasets with one name are
/// left out.
///
/// # Errors
///
/// Those of the database.
pub async fn of_contexts(tx: &mut Tx, contexts: &[i64]) -> Result<Vec<DatasetName>> {
    if contexts.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "dataset_names::of_contexts",
        "SELECT DISTINCT n.context_id, n.dataset_id FROM PedigreeDatasetName g \
         JOIN PedigreeDatasetName n ON n.dataset_id = g.dataset_id WHERE g.context_id",
    );
    query.push_in(contexts);
    tx.all(query).await
}

/// The URIs of artifacts that have one.
///
/// # Errors
///
/// Those of the database.
pub async fn uris_of(tx: &mut Tx, artifacts: &[i64]) -> Result<Vec<(i64, String)>> {
    if artifacts.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "dataset_names::uris_of",
        "SELECT id, uri FROM Artifact WHERE uri IS NOT NULL AND id",
    );
    query.push_in(artifacts);
    tx.all(query).await
}

/// The artifacts with these URIs that are not known as versions that a run wrote, and their URIs.
///
/// # Errors
///
/// Those of the database.
pub async fn unwritten_at(tx: &mut Tx, uris: &[&str]) -> Result<Vec<(i64, String)>> {
    if uris.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "dataset_names::unwritten_at",
        "SELECT n.id, n.uri FROM Artifact n WHERE NOT EXISTS \
         (SELECT 1 FROM PedigreeDatasetWrite w WHERE w.artifact_id = n.id) AND ",
    );
    query.push_in_long_texts(|query| _ = query.push("n.uri"), uris);
    tx.all(query).await
}

/// Stores names, in the place of those with the same context.
///
/// # Errors
///
/// Those of the database.
pub async fn put(tx: &mut Tx, names: &[DatasetName]) -> Result<()> {
    let mut rows = Rows::new(&NAME);
    for name in names {
        rows.push([name.context_id.into(), name.dataset_id.into()]);
    }
    tx.upsert_rows(&rows).await
}

/// Gives what runs wrote and read of datasets that are part of another one by now to that one.
///
/// # Errors
///
/// Those of the database.
pub async fn move_uses(tx: &mut Tx, datasets: &[i64]) -> Result<()> {
    if datasets.is_empty() {
        return Ok(());
    }
    let mut writes = tx.sql(
        "dataset_names::move_writes",
        "UPDATE PedigreeDatasetWrite SET dataset_id = (SELECT n.dataset_id \
         FROM PedigreeDatasetName n WHERE n.context_id = PedigreeDatasetWrite.dataset_id) \
         WHERE dataset_id",
    );
    writes.push_in(datasets);
    tx.run(writes).await?;
    let mut reads = tx.sql(
        "dataset_names::move_reads",
        "UPDATE PedigreeDatasetRead SET dataset_id = (SELECT n.dataset_id \
         FROM PedigreeDatasetName n WHERE n.context_id = PedigreeDatasetRead.dataset_id) \
         WHERE dataset_id",
    );
    reads.push_in(datasets);
    tx.run(reads).await.map(|_| ())
}
