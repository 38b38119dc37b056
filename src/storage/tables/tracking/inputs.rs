//! The table `PedigreeInputTag`: tags of the artifacts that runs used, a set for each use.

use crate::error::Result;
use crate::model::EventType;
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

/// An artifact that runs of an experiment used: the number of the experiment, the artifact, and the
/// value of a tag of the use, if it has it.
pub type UsedInput = (i64, i64, Option<String>);

/// The first different uses of artifacts of a type in experiments that are not deleted, ascending.
/// Uses differ by the value of the tag with this key.
///
/// # Errors
///
/// Those of the database.
pub async fn used_in(
    tx: &mut Tx,
    experiments: &[i64],
    type_id: i64,
    tag_key: &str,
    limit: i64,
) -> Result<Vec<UsedInput>> {
    let mut query = tx.sql(
        "inputs::used_in",
        "SELECT DISTINCT e.experiment_id, n.id, g.tag_value FROM PedigreeExperiment e \
         JOIN Attribution a ON a.context_id = e.context_id \
         JOIN Artifact n ON n.id = a.artifact_id \
         JOIN Event v ON v.artifact_id = n.id \
         LEFT JOIN PedigreeInputTag g ON g.execution_id = v.execution_id \
         AND g.artifact_id = v.artifact_id AND g.tag_key = ? \
         WHERE n.type_id = ? AND e.is_deleted = ? AND v.type = ",
    );
    query.push_int(EventType::Input.number()).bind(tag_key);
    query.bind(type_id).bind(false);
    query.push(" AND e.experiment_id").push_in(experiments);
    query.push(" ORDER BY 1, 2, 3 LIMIT ?").bind(limit);
    query.takes_long();
    tx.all(query).await
}
