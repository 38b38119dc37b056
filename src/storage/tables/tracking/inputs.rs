//! The table `PedigreeInputTag`: tags of the artifacts that runs used, a set for each use.

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Int as IntColumn, Text};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};

static INPUT_TAG: Table = Table {
    name: "PedigreeInputTag",
    columns: &[
        ("execution_id", IntColumn),
        ("artifact_id", IntColumn),
        ("tag_key", Text),
        ("tag_value", Text),
    ],
    unwritten: &[],
    key: 3,
};

/// A tag of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputTag {
    pub execution_id: i64,
    pub artifact_id: i64,
    pub key: String,
    pub value: String,
}

impl FromRow for InputTag {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            execution_id: row.get(0)?,
            artifact_id: row.get(1)?,
            key: row.get(2)?,
            value: row.get(3)?,
        })
    }
}

/// Stores tags, in the place of those with the same keys.
///
/// # Errors
///
/// Those of the database.
pub async fn put(tx: &mut Tx, tags: &[InputTag]) -> Result<()> {
    let mut rows = Rows::new(&INPUT_TAG);
    for tag in tags {
        rows.push([
            tag.execution_id.into(),
            tag.artifact_id.into(),
            tag.key.as_str().into(),
            tag.value.as_str().into(),
        ]);
    }
    tx.upsert_rows(&rows).await
}

/// The tags of the inputs of runs.
///
/// # Errors
///
/// Those of the database.
pub async fn of_runs(tx: &mut Tx, executions: &[i64]) -> Result<Vec<InputTag>> {
    if executions.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "inputs::of_runs",
        "SELECT execution_id, artifact_id, tag_key, tag_value FROM PedigreeInputTag \
         WHERE execution_id",
    );
    query.push_in(executions);
    tx.all(query).await
}
