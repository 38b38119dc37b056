//! The table `PedigreeModelMetric`: the metrics of logged models.
//!
//! A metric of a model has a value on each dataset, which is the latest one, and one without a
//! dataset. Name and digest of a missing dataset are empty.

use std::collections::{BTreeMap, BTreeSet};

use super::metrics::{lateness, rank_of, value_of};
use crate::error::Result;
use crate::model::MetricPoint;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Bool, Int as IntColumn, Text};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};

static MODEL_METRIC: Table = Table {
    name: "PedigreeModelMetric",
    columns: &[
        ("artifact_id", IntColumn),
        ("metric_key", Text),
        ("dataset_name", Text),
        ("dataset_digest", Text),
        ("execution_id", IntColumn),
        ("step", IntColumn),
        ("time_since_epoch", IntColumn),
        ("value_rank", IntColumn),
        ("is_latest", Bool),
    ],
    unwritten: &[],
    key: 4,
};

/// The latest point of a metric of a model on a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelMetricRow {
    /// The model.
    pub artifact_id: i64,
    /// Empty without a dataset, as is the digest.
    pub dataset_name: String,
    pub dataset_digest: String,
    /// The run that logged it.
    pub execution_id: i64,
    pub point: MetricPoint,
}

impl FromRow for ModelMetricRow {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            artifact_id: row.get(0)?,
            dataset_name: row.get(2)?,
            dataset_digest: row.get(3)?,
            execution_id: row.get(4)?,
            point: MetricPoint {
                key: row.get(1)?,
                step: row.get(5)?,
                time: row.get(6)?,
                value: value_of(row.get(7)?),
            },
        })
    }
}

/// What identifies a row: model, key, name and digest of the dataset.
type RowKey = (i64, String, String, String);

impl ModelMetricRow {
    fn key(&self) -> RowKey {
        (
            self.artifact_id,
            self.point.key.clone(),
            self.dataset_name.clone(),
            self.dataset_digest.clone(),
        )
    }
}

/// Stores points of models that are locked, and returns the latest point of each metric that
/// was given, on whichever dataset, with its model.
///
/// # Errors
///
/// Those of the database.
pub async fn put(tx: &mut Tx, given: &[ModelMetricRow]) -> Result<Vec<(i64, MetricPoint)>> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let models: BTreeSet<i64> = given.iter().map(|row| row.artifact_id).collect();
    let models: Vec<i64> = models.into_iter().collect();
    let metrics: BTreeSet<(i64, &str)> = given
        .iter()
        .map(|row| (row.artifact_id, row.point.key.as_str()))
        .collect();
    let mut rows: BTreeMap<RowKey, ModelMetricRow> = of_models(tx, &models)
        .await?
        .into_iter()
        .filter(|row| metrics.contains(&(row.artifact_id, row.point.key.as_str())))
        .map(|row| (row.key(), row))
        .collect();
    for row in given {
        let known = rows.entry(row.key()).or_insert_with(|| row.clone());
        if lateness(&row.point) > lateness(&known.point) {
            *known = row.clone();
        }
    }
    let mut latest: BTreeMap<(i64, &str), &ModelMetricRow> = BTreeMap::new();
    for row in rows.values() {
        let known = latest.entry((row.artifact_id, &row.point.key));
        let known = known.or_insert(row);
        if lateness(&row.point) > lateness(&known.point) {
            *known = row;
        }
    }
    let mut cells = Rows::new(&MODEL_METRIC);
    for row in rows.values() {
        let is_latest = latest.values().any(|of| std::ptr::eq(*of, row));
        cells.push([
            row.artifact_id.into(),
            row.point.key.as_str().into(),
            row.dataset_name.as_str().into(),
            row.dataset_digest.as_str().into(),
            row.execution_id.into(),
            row.point.step.into(),
            row.point.time.into(),
            rank_of(row.point.value).into(),
            is_latest.into(),
        ]);
    }
    tx.upsert_rows(&cells).await?;
    let latest = latest.into_values();
    Ok(latest
        .map(|row| (row.artifact_id, row.point.clone()))
        .collect())
}

/// The metrics of models, by key and dataset.
///
/// # Errors
///
/// Those of the database.
pub async fn of_models(tx: &mut Tx, models: &[i64]) -> Result<Vec<ModelMetricRow>> {
    if models.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "model_metrics::of_models",
        "SELECT artifact_id, metric_key, dataset_name, dataset_digest, execution_id, step, \
         time_since_epoch, value_rank FROM PedigreeModelMetric WHERE artifact_id",
    );
    query.push_in(models);
    query.push(" ORDER BY artifact_id, metric_key, dataset_name, dataset_digest");
    tx.all(query).await
}
