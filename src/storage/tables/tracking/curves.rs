//! Series of metrics as a whole, and thinned for charts.

use super::metrics::{FINITE_RANKS, MetricSeries, NAN_RANK, value_of};
use crate::error::Result;
use crate::model::CurveAxis;
use crate::storage::Tx;
use crate::storage::column::{FromRow, Row};

/// Series of runs with their latest points, and no more than a limit.
///
/// # Errors
///
/// Those of the database.
pub async fn series_among(
    tx: &mut Tx,
    executions: &[i64],
    limit: i64,
) -> Result<Vec<MetricSeries>> {
    let mut query = tx.sql(
        "curves::series_among",
        "SELECT id, execution_id, metric_key, step, time_since_epoch, value_rank \
         FROM PedigreeMetricSeries WHERE execution_id",
    );
    query.push_in(executions).push(" LIMIT ?").bind(limit);
    tx.all(query).await
}

/// What the points of a series lie between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesExtent {
    pub series_id: i64,
    pub points: i64,
    pub first_step: i64,
    pub last_step: i64,
    /// Milliseconds since epoch.
    pub first_time: i64,
    /// Milliseconds since epoch.
    pub last_time: i64,
    /// The smallest and the greatest value that is no NaN.
    pub values: Option<(f64, f64)>,
}

impl FromRow for SeriesExtent {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        let least: Option<i64> = row.get(6)?;
        let greatest: Option<i64> = row.get(7)?;
        Ok(Self {
            series_id: row.get(0)?,
            points: row.get(1)?,
            first_step: row.get(2)?,
            last_step: row.get(3)?,
            first_time: row.get(4)?,
            last_time: row.get(5)?,
            values: least.map(value_of).zip(greatest.map(value_of)),
        })
    }
}

/// The extents of series, if they have no more points than `max_points` together. Otherwise `None`.
///
/// # Errors
///
/// Those of the database.
pub async fn extents(
    tx: &mut Tx,
    series: &[i64],
    max_points: i64,
) -> Result<Option<Vec<SeriesExtent>>> {
    let mut query = tx.sql(
        "curves::count_points",
        "SELECT COUNT(*) FROM (SELECT p.series_id FROM PedigreeMetricPoint p WHERE p.series_id",
    );
    query.push_in(series);
    query.push(" LIMIT ?").bind(max_points.saturating_add(1));
    query.push(") q").takes_long();
    if tx.first::<i64>(query).await?.unwrap_or_default() > max_points {
        return Ok(None);
    }
    // The primary key has the points of a series together: nothing is sorted.
    let mut query = tx.sql(
        "curves::extents",
        "SELECT p.series_id, COUNT(*), MIN(p.step), MAX(p.step), MIN(p.time_since_epoch), \
         MAX(p.time_since_epoch), MIN(CASE WHEN p.value_rank < ? THEN p.value_rank END), \
         MAX(CASE WHEN p.value_rank < ? THEN p.value_rank END) \
         FROM PedigreeMetricPoint p WHERE p.series_id",
    );
    query.bind(NAN_RANK).bind(NAN_RANK).push_in(series);
    query.push(" GROUP BY p.series_id").takes_long();
    tx.all(query).await.map(Some)
}

/// Points of a series that are close together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesBucket {
    pub series_id: i64,
    /// The first and the last place on the axis.
    pub places: (i64, i64),
    /// The smallest and the greatest value.
    pub values: (f64, f64),
}

impl FromRow for SeriesBucket {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            series_id: row.get(0)?,
            places: (row.get(1)?, row.get(2)?),
            values: (value_of(row.get(3)?), value_of(row.get(4)?)),
        })
    }
}

/// The points of series whose values are finite, in buckets of 2 to the power of `bucket_bits`
/// places on an axis, and no more buckets than a limit.
///
/// # Errors
///
/// Those of the database.
pub async fn buckets(
    tx: &mut Tx,
    series: &[i64],
    (axis, bucket_bits): (CurveAxis, u32),
    limit: i64,
) -> Result<Vec<SeriesBucket>> {
    let place = match axis {
        CurveAxis::Step => "p.step",
        CurveAxis::Time => "p.time_since_epoch",
    };
    let [least, greatest] = FINITE_RANKS;
    let mut query = tx.sql("curves::buckets", "SELECT p.series_id, MIN(");
    query.push(place).push("), MAX(").push(place);
    query.push(
        "), MIN(p.value_rank), MAX(p.value_rank) FROM PedigreeMetricPoint p \
         WHERE p.series_id",
    );
    query.push_in(series);
    query.push(" AND p.value_rank >= ?").bind(least);
    query.push(" AND p.value_rank <= ?").bind(greatest);
    query.push(" GROUP BY p.series_id, ").push(place);
    // A shift keeps the order of negative places on every database, or at least keeps them apart.
    query.push(" >> ").push_int(i64::from(bucket_bits));
    query.push(" LIMIT ?").bind(limit);
    query.takes_long();
    tx.all(query).await
}
