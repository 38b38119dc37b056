//! The tables `PedigreeColumnLineage` and `PedigreeColumnEdge`: from which columns others were
//! made.
//!
//! What a facet says is a set of edges. Facets of many runs say the same: a set is stored once.

use std::collections::{BTreeMap, HashSet};

use crate::error::Result;
use crate::model::Transformation;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bool, Int as IntColumn, Text as TextColumn};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};

static LINEAGE: Table = Table {
    name: "PedigreeColumnLineage",
    columns: &[
        ("execution_id", IntColumn),
        ("facet_id", IntColumn),
        ("output_id", IntColumn),
        ("set_id", IntColumn),
    ],
    unwritten: &[],
    // The rows of one facet are replaced together.
    key: 2,
};

static EDGE: Table = Table {
    name: "PedigreeColumnEdge",
    columns: &[
        ("set_id", IntColumn),
        ("edge_number", IntColumn),
        ("output_column", TextColumn),
        ("input_id", IntColumn),
        ("input_column", TextColumn),
        ("transformation", TextColumn),
        ("subtype", TextColumn),
        ("description", TextColumn),
        ("is_masking", Bool),
    ],
    unwritten: &[],
    key: 2,
};

/// An edge between columns, without the dataset of the output.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoredColumnEdge {
    /// Empty for all columns of the output.
    pub output_column: String,
    /// The dataset of the input, a context.
    pub input_id: i64,
    /// Empty for the dataset as a whole.
    pub input_column: String,
    pub transformation: Transformation,
}

/// What a facet says.
#[derive(Clone, Debug, Default)]
pub struct ColumnFacet {
    /// The run that it is about; 0 for what is said of a dataset or a job.
    pub execution_id: i64,
    /// Names the facet among those of the run, or among all that are not of a run.
    pub facet_id: i64,
    /// The outputs, as contexts, each with the id of its set.
    pub outputs: Vec<(i64, i64)>,
}

/// An edge with the datasets at both ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundColumnEdge {
    /// The run that made the output; 0 where it is not known or not asked for.
    pub execution_id: i64,
    pub output_id: i64,
    pub edge: StoredColumnEdge,
}

impl FromRow for FoundColumnEdge {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            execution_id: row.get(0)?,
            output_id: row.get(1)?,
            edge: StoredColumnEdge {
                output_column: row.get(2)?,
                input_id: row.get(3)?,
                input_column: row.get(4)?,
                transformation: Transformation {
                    kind: row.get(5)?,
                    subtype: row.get(6)?,
                    description: row.get(7)?,
                    is_masking: row.get(8)?,
                },
            },
        })
    }
}

/// Stores what facets say, in the place of what they said before, with the sets that are new.
///
/// # Errors
///
/// Those of the database.
pub async fn replace(
    tx: &mut Tx,
    facets: &[ColumnFacet],
    sets: &BTreeMap<i64, Vec<StoredColumnEdge>>,
) -> Result<()> {
    let mut keys = Rows::keys(&LINEAGE);
    let mut rows = Rows::new(&LINEAGE);
    for facet in facets {
        let (execution, id) = (facet.execution_id, facet.facet_id);
        keys.push([execution.into(), id.into()]);
        for (output, set) in &facet.outputs {
            rows.push([execution.into(), id.into(), (*output).into(), (*set).into()]);
        }
    }
    tx.delete_rows(&keys).await?;
    put_sets(tx, sets).await?;
    tx.insert_rows(&rows).await
}

async fn put_sets(tx: &mut Tx, sets: &BTreeMap<i64, Vec<StoredColumnEdge>>) -> Result<()> {
    if sets.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = sets.keys().copied().collect();
    let mut query = tx.sql(
        "column_lineage::known_sets",
        "SELECT set_id FROM PedigreeColumnEdge WHERE edge_number = 0 AND set_id",
    );
    query.push_in(&ids);
    let known: Vec<i64> = tx.all(query).await?;
    let known: HashSet<i64> = known.into_iter().collect();
    let mut rows = Rows::new(&EDGE);
    for (set, edges) in sets.iter().filter(|(set, _)| !known.contains(set)) {
        for (number, edge) in (0_i64..).zip(edges) {
            let made = &edge.transformation;
            rows.push([
                (*set).into(),
                number.into(),
                edge.output_column.as_str().into(),
                edge.input_id.into(),
                edge.input_column.as_str().into(),
                made.kind.as_str().into(),
                made.subtype.as_str().into(),
                made.description.as_str().into(),
                made.is_masking.into(),
            ]);
        }
    }
    // Another transaction may put the same set at the same time.
    tx.upsert_rows(&rows).await
}

/// The end of an edge at which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnEnd {
    Output,
    Input,
}

/// The edges at datasets, which are contexts: those that runs among these made, and those that are
/// not of a run; of all runs, without them, when these are `None`. Of more than `most`, some.
///
/// # Errors
///
/// Those of the database.
pub async fn edges_at(
    tx: &mut Tx,
    end: ColumnEnd,
    datasets: &[i64],
    runs: Option<&[i64]>,
    most: i64,
) -> Result<Vec<FoundColumnEdge>> {
    if datasets.is_empty() {
        return Ok(Vec::new());
    }
    // The sets are distinct, not the edges: a collation can take two names for equal.
    let mut query = tx.sql(
        "column_lineage::edges_at",
        "SELECT u.execution_id, u.output_id, e.output_column, e.input_id, e.input_column, \
         e.transformation, e.subtype, e.description, e.is_masking FROM (SELECT DISTINCT ",
    );
    query.push(match runs {
        Some(_) => "l.execution_id",
        // A number of the width of the others.
        None => "l.output_id * 0 AS execution_id",
    });
    query.push(", l.output_id, l.set_id FROM PedigreeColumnLineage l WHERE ");
    match end {
        ColumnEnd::Output => query.push("l.output_id").push_in(datasets),
        ColumnEnd::Input => query
            .push("l.set_id IN (SELECT i.set_id FROM PedigreeColumnEdge i WHERE i.input_id")
            .push_in(datasets)
            .push(")"),
    };
    if let Some(runs) = runs {
        query.push(" AND l.execution_id").push_in(runs);
    }
    query.push(") u JOIN PedigreeColumnEdge e ON e.set_id = u.set_id LIMIT ?");
    query.bind(most);
    tx.all(query).await
}

/// The datasets whose columns a run made, as contexts.
///
/// # Errors
///
/// Those of the database.
pub async fn outputs_of(tx: &mut Tx, execution: i64) -> Result<Vec<i64>> {
    let mut query = tx.sql(
        "column_lineage::outputs_of",
        "SELECT DISTINCT output_id FROM PedigreeColumnLineage WHERE execution_id = ?",
    );
    query.bind(execution);
    tx.all(query).await
}
