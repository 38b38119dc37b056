//! The table `PedigreeExperiment`: the experiments by their numbers.

use super::search::SearchSql;
use crate::error::Result;
use crate::model::{ExperimentField, Kind, LifecycleView, TrackingQuery};
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bool, Int as IntColumn};
use crate::storage::bulk::{Rows, Table};
use crate::storage::tables::joins::NODE_ID;

static EXPERIMENT: Table = Table {
    name: "PedigreeExperiment",
    columns: &[
        ("experiment_id", IntColumn),
        ("context_id", IntColumn),
        ("is_deleted", Bool),
    ],
    unwritten: &[],
    key: 1,
};

/// The next free number. It holds as long as the structure is locked.
///
/// # Errors
///
/// Those of the database.
pub async fn next_number(tx: &mut Tx) -> Result<i64> {
    let query = tx.sql(
        "experiments::next_number",
        "SELECT MAX(experiment_id) FROM PedigreeExperiment",
    );
    let last: Option<Option<i64>> = tx.first(query).await?;
    Ok(last.flatten().map_or(0, |last| last + 1))
}

/// Stores that an experiment with this number is a context, and whether it is deleted.
///
/// # Errors
///
/// Those of the database.
pub async fn put(tx: &mut Tx, number: i64, context_id: i64, is_deleted: bool) -> Result<()> {
    let mut rows = Rows::new(&EXPERIMENT);
    rows.push([number.into(), context_id.into(), is_deleted.into()]);
    tx.upsert_rows(&rows).await
}

/// The contexts of a page of the experiments in a view that a search finds, in its order.
/// Experiments with higher numbers come first where the order leaves it open.
///
/// # Errors
///
/// Those of the database.
pub async fn search(
    tx: &mut Tx,
    view: LifecycleView,
    asked: &TrackingQuery<ExperimentField>,
) -> Result<Vec<i64>> {
    let begin = tx.sql(
        "experiments::search",
        "SELECT n.id FROM PedigreeExperiment e JOIN Context n ON n.id = e.context_id",
    );
    let mut sql = SearchSql::new(begin, Kind::Context, NODE_ID);
    sql.push_view(view, "e.is_deleted");
    tx.all(sql.finish(asked, "e.experiment_id DESC")).await
}
