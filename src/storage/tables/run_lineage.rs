//! The table `PedigreeRunLineage`: the datasets from which a run made each dataset that it wrote,
//! where a facet says it.

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::Int as IntColumn;
use crate::storage::bulk::{Rows, Table};

static LINEAGE: Table = Table {
    name: "PedigreeRunLineage",
    columns: &[
        ("execution_id", IntColumn),
        ("facet_id", IntColumn),
        ("output_id", IntColumn),
        ("input_id", IntColumn),
    ],
    unwritten: &[],
    // The rows of one facet are replaced together.
    key: 2,
};

/// What a facet of a run says, by the ids of contexts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLineage {
    pub execution_id: i64,
    /// Names the facet among those of the run.
    pub facet_id: i64,
    /// Outputs, each with an input; with `None` where it was made from no dataset.
    pub edges: Vec<(i64, Option<i64>)>,
}

/// Stores what facets say, in the place of what they said before.
///
/// # Errors
///
/// Those of the database.
pub async fn replace(tx: &mut Tx, facets: &[RunLineage]) -> Result<()> {
    let mut keys = Rows::keys(&LINEAGE);
    let mut rows = Rows::new(&LINEAGE);
    for facet in facets {
        let (execution, id) = (facet.execution_id, facet.facet_id);
        keys.push([execution.into(), id.into()]);
        for (output, input) in &facet.edges {
            let input = input.unwrap_or(0);
            rows.push([execution.into(), id.into(), (*output).into(), input.into()]);
        }
    }
    tx.delete_rows(&keys).await?;
    tx.insert_rows(&rows).await
}

/// The runs among these of which a facet says something, each with an output and with an input, or
/// with 0.
///
/// # Errors
///
/// Those of the database.
pub async fn of_runs(tx: &mut Tx, executions: &[i64]) -> Result<Vec<(i64, i64, i64)>> {
    if executions.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "run_lineage::of_runs",
        "SELECT execution_id, output_id, input_id FROM PedigreeRunLineage WHERE execution_id",
    );
    query.push_in(executions);
    tx.all(query).await
}

/// Whether any facet of any run says something.
///
/// # Errors
///
/// Those of the database.
pub async fn exists(tx: &mut Tx) -> Result<bool> {
    let query = tx.sql(
        "run_lineage::exists",
        "SELECT execution_id FROM PedigreeRunLineage LIMIT 1",
    );
    Ok(tx.first::<i64>(query).await?.is_some())
}
