//! The tables `PedigreeMetricSeries` and `PedigreeMetricPoint`: the values of metrics.
//!
//! A series is a metric of a run. Values are stored as integers of the same order, so that every
//! database keeps and compares NaN and the infinities alike.

use std::collections::BTreeMap;

use super::runs;
use crate::error::Result;
use crate::model::{MetricPoint, OffsetPage, RunPoint};
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Int as IntColumn, Text};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};

static SERIES: Table = Table {
    name: "PedigreeMetricSeries",
    columns: &[
        ("execution_id", IntColumn),
        ("metric_key", Text),
        ("step", IntColumn),
        ("time_since_epoch", IntColumn),
        ("value_rank", IntColumn),
        ("experiment_id", IntColumn),
        ("start_time", IntColumn),
    ],
    unwritten: &["id"],
    key: 2,
};

static POINT: Table = Table {
    name: "PedigreeMetricPoint",
    columns: &[
        ("series_id", IntColumn),
        ("time_since_epoch", IntColumn),
        ("step", IntColumn),
        ("value_rank", IntColumn),
    ],
    unwritten: &[],
    key: 4,
};

/// The integer for a value. Integers have the order of values; NaN comes last, and a zero has no
/// sign.
pub(super) const fn rank_of(value: f64) -> i64 {
    let value = if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0
    };
    flip_negatives(value.to_bits().cast_signed())
}

/// The value of an integer.
pub(super) const fn value_of(rank: i64) -> f64 {
    f64::from_bits(flip_negatives(rank).cast_unsigned())
}

/// The bits of negative numbers have the opposite order.
const fn flip_negatives(bits: i64) -> i64 {
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

/// What is less than the rank of NaN is the rank of a number or of an infinity.
pub(super) const NAN_RANK: i64 = rank_of(f64::NAN);

/// The ranks of the smallest and the greatest number, which is finite.
pub(super) const FINITE_RANKS: [i64; 2] = [rank_of(f64::MIN), rank_of(f64::MAX)];

/// A series with its latest point: the one with the greatest step, time and value, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSeries {
    pub id: i64,
    pub execution_id: i64,
    pub latest: MetricPoint,
}

impl FromRow for MetricSeries {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            id: row.get(0)?,
            execution_id: row.get(1)?,
            latest: MetricPoint {
                key: row.get(2)?,
                step: row.get(3)?,
                time: row.get(4)?,
                value: value_of(row.get(5)?),
            },
        })
    }
}

/// What decides which of two points of a series is later.
pub(super) fn lateness(point: &MetricPoint) -> (i64, i64, i64) {
    (point.step, point.time, rank_of(point.value))
}

/// The series of runs, in the order in which they were created.
///
/// # Errors
///
/// Those of the database.
pub async fn series_of(tx: &mut Tx, executions: &[i64]) -> Result<Vec<MetricSeries>> {
    if executions.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "metrics::series_of",
        "SELECT id, execution_id, metric_key, step, time_since_epoch, value_rank \
         FROM PedigreeMetricSeries WHERE execution_id",
    );
    query.push_in(executions);
    let mut series: Vec<MetricSeries> = tx.all(query).await?;
    series.sort_unstable_by_key(|series| series.id);
    Ok(series)
}

/// Stores points of a run that is locked, each once, and returns the latest points that have
/// changed.
///
/// # Errors
///
/// Those of the database.
pub async fn put(
    tx: &mut Tx,
    execution_id: i64,
    points: &[MetricPoint],
) -> Result<Vec<MetricPoint>> {
    let mut latest: BTreeMap<&str, &MetricPoint> = BTreeMap::new();
    for point in points {
        let known = latest.entry(&point.key).or_insert(point);
        if lateness(point) > lateness(known) {
            *known = point;
        }
    }
    let keys: Vec<&str> = latest.keys().copied().collect();
    let stored = series_with_keys(tx, execution_id, &keys).await?;
    let known = stored.values().next();
    let (experiment, start) = match known {
        Some(known) => known.experiment_and_start,
        None => runs::experiment_and_start(tx, execution_id).await?,
    };
    let is_later = |point: &MetricPoint| {
        let known = stored.get(point.key.as_str());
        known.is_none_or(|known| lateness(point) > lateness(&known.series.latest))
    };
    let mut new = Rows::new(&SERIES);
    let mut moved = Rows::new(&SERIES);
    let changed: Vec<&MetricPoint> = latest.values().copied().filter(|it| is_later(it)).collect();
    let mut new_keys = Vec::new();
    for point in &changed {
        let is_new = !stored.contains_key(point.key.as_str());
        let rows = if is_new { &mut new } else { &mut moved };
        rows.push([
            execution_id.into(),
            point.key.as_str().into(),
            point.step.into(),
            point.time.into(),
            rank_of(point.value).into(),
            experiment.into(),
            start.into(),
        ]);
        if is_new {
            new_keys.push(point.key.as_str());
        }
    }
    let new_ids = tx.insert_rows_for_ids(&new).await?;
    tx.upsert_rows(&moved).await?;
    let mut ids: BTreeMap<&str, i64> = new_keys.into_iter().zip(new_ids).collect();
    ids.extend(stored.iter().map(|(key, it)| (key.as_str(), it.series.id)));
    let mut rows = Rows::new(&POINT);
    for point in points {
        let id = ids.get(point.key.as_str()).copied().unwrap_or_default();
        rows.push([
            id.into(),
            point.time.into(),
            point.step.into(),
            rank_of(point.value).into(),
        ]);
    }
    tx.insert_missing_rows(&rows).await?;
    Ok(changed.into_iter().cloned().collect())
}

/// A series, with what it has of its run.
struct StoredSeries {
    series: MetricSeries,
    experiment_and_start: (i64, i64),
}

impl FromRow for StoredSeries {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            series: MetricSeries::from_row(row)?,
            experiment_and_start: (row.get(6)?, row.get(7)?),
        })
    }
}

async fn series_with_keys(
    tx: &mut Tx,
    execution_id: i64,
    keys: &[&str],
) -> Result<BTreeMap<String, StoredSeries>> {
    let mut query = tx.sql(
        "metrics::series_with_keys",
        "SELECT id, execution_id, metric_key, step, time_since_epoch, value_rank, experiment_id, \
         start_time FROM PedigreeMetricSeries WHERE execution_id = ? AND metric_key",
    );
    query.bind(execution_id).push_in_texts(keys);
    let stored: Vec<StoredSeries> = tx.all(query).await?;
    let by_key = |it: StoredSeries| (it.series.latest.key.clone(), it);
    Ok(stored.into_iter().map(by_key).collect())
}

/// A page of the points of a metric of a run, by time, step and value, each as time, step and
/// value.
///
/// # Errors
///
/// Those of the database.
pub async fn points(
    tx: &mut Tx,
    execution_id: i64,
    key: &str,
    page: OffsetPage,
) -> Result<Vec<MetricPoint>> {
    let mut query = tx.sql(
        "metrics::points",
        "SELECT p.time_since_epoch, p.step, p.value_rank FROM PedigreeMetricPoint p \
         WHERE p.series_id = (SELECT s.id FROM PedigreeMetricSeries s \
         WHERE s.execution_id = ? AND s.metric_key = ?) \
         ORDER BY p.time_since_epoch, p.step, p.value_rank LIMIT ? OFFSET ?",
    );
    query.bind(execution_id).bind(key);
    query.bind(page.limit).bind(page.offset);
    let rows: Vec<(i64, i64, i64)> = tx.all(query).await?;
    let point = |(time, step, rank)| MetricPoint {
        key: key.to_owned(),
        value: value_of(rank),
        time,
        step,
    };
    Ok(rows.into_iter().map(point).collect())
}

impl FromRow for RunPoint {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            run: row.get(0)?,
            point: MetricPoint {
                key: row.get(1)?,
                time: row.get(2)?,
                step: row.get(3)?,
                value: value_of(row.get(4)?),
            },
        })
    }
}

/// The first points of a metric of runs, by run, time, step and value.
///
/// # Errors
///
/// Those of the database.
pub async fn points_of_runs(
    tx: &mut Tx,
    runs: &[&str],
    key: &str,
    limit: i64,
) -> Result<Vec<RunPoint>> {
    let mut query = tx.sql(
        "metrics::points_of_runs",
        "SELECT r.run_id, s.metric_key, p.time_since_epoch, p.step, p.value_rank FROM PedigreeRun r \
         JOIN PedigreeMetricSeries s ON s.execution_id = r.execution_id AND s.metric_key = ? \
         JOIN PedigreeMetricPoint p ON p.series_id = s.id WHERE r.run_id",
    );
    query.bind(key).push_in_texts(runs);
    query.push(" ORDER BY r.run_id, p.time_since_epoch, p.step, p.value_rank LIMIT ?");
    query.bind(limit);
    tx.all(query).await
}

/// A selection of the points of a metric of runs whose steps are in a range, by run, step, time and
/// value. Of each run there are so many, evenly spread over its points, and the last one.
///
/// # Errors
///
/// Those of the database.
pub async fn samples_of_runs(
    tx: &mut Tx,
    runs: &[&str],
    key: &str,
    (first_step, last_step): (i64, i64),
    samples: i64,
) -> Result<Vec<RunPoint>> {
    let mut query = tx.sql(
        "metrics::samples_of_runs",
        "SELECT run_id, metric_key, time_since_epoch, step, value_rank FROM \
         (SELECT r.run_id, s.metric_key, p.time_since_epoch, p.step, p.value_rank, \
         ROW_NUMBER() OVER (PARTITION BY p.series_id \
         ORDER BY p.time_since_epoch, p.step, p.value_rank) AS place, \
         COUNT(*) OVER (PARTITION BY p.series_id) AS points FROM PedigreeRun r \
         JOIN PedigreeMetricSeries s ON s.execution_id = r.execution_id AND s.metric_key = ? \
         JOIN PedigreeMetricPoint p ON p.series_id = s.id \
         WHERE p.step >= ? AND p.step <= ? AND r.run_id",
    );
    query.bind(key).bind(first_step).bind(last_step);
    query.push_in_texts(runs);
    // Of as many places as there are points, the remainders below the number of samples belong to
    // as many places, at even distances.
    query.push(
        ") q WHERE (place - 1) * ? % points < ? OR place = points \
         ORDER BY run_id, step, time_since_epoch, value_rank",
    );
    query.bind(samples).bind(samples).takes_long();
    tx.all(query).await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_have_the_order_of_values(a in any::<f64>(), b in any::<f64>()) {
            prop_assert_eq!(value_of(rank_of(a)).to_bits() , if a.is_nan() { f64::NAN } else { a + 0.0 }.to_bits());
            if let Some(order) = a.partial_cmp(&b) {
                prop_assert_eq!(rank_of(a).cmp(&rank_of(b)), order);
            }
        }
    }

    #[test]
    fn nan_is_behind_everything() {
        assert!(rank_of(f64::NAN) > rank_of(f64::INFINITY));
        assert!(rank_of(f64::INFINITY) > rank_of(f64::MAX));
        assert!(rank_of(f64::NEG_INFINITY) < rank_of(f64::MIN));
        assert_eq!(rank_of(-f64::NAN), rank_of(f64::NAN));
        assert_eq!(rank_of(-0.0), rank_of(0.0));
    }
}
