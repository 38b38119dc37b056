//! Nodes side by side, and curves of metrics. The number of statements does not depend on how many
//! nodes are compared.

use std::collections::{BTreeMap, HashMap};

use crate::error::Result;
use crate::graph::nodes::read::in_order;
use crate::model::{CurveAxis, Event, EventType, MetricPoint, Node, Side, Stored, distinct_ids};
use crate::storage::tables::tracking::curves::{self, SeriesBucket, SeriesExtent};
use crate::storage::tables::tracking::metrics::MetricSeries;
use crate::storage::tables::{browse, nodes};
use crate::storage::{Database, Tx};

/// The most series that are read of nodes that are compared.
const MAX_SERIES: i64 = 20_000;

/// The most points of series that are read to say what they lie between.
const MAX_READ_POINTS: i64 = 5_000_000;

/// The most events that are read of nodes that are compared.
const MAX_EVENTS: i64 = 5000;

/// The most buckets of a series, and of all series of a chart together.
const MAX_SERIES_BUCKETS: u64 = 512;
const MAX_CHART_BUCKETS: u64 = 8192;

/// The fewest buckets of a series.
const MIN_SERIES_BUCKETS: u64 = 64;

/// A metric of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSummary {
    pub execution_id: i64,
    pub latest: MetricPoint,
    series_id: i64,
    /// `None` if there were too many points to read them.
    extent: Option<SeriesExtent>,
}

impl MetricSummary {
    /// How many points there are; `None` if there were too many to read them.
    #[must_use]
    pub fn points(&self) -> Option<i64> {
        self.extent.map(|extent| extent.points)
    }

    /// The smallest and the greatest value that is no NaN.
    #[must_use]
    pub fn values(&self) -> Option<(f64, f64)> {
        self.extent.and_then(|extent| extent.values)
    }
}

/// Nodes of a kind, side by side.
#[derive(Clone, Debug, Default)]
pub struct ComparedNodes {
    /// In the order in which they were asked for.
    pub nodes: Vec<Node>,
    pub metrics: Vec<MetricSummary>,
    /// The inputs of executions, or the outputs that artifacts are.
    pub events: Vec<Event>,
    /// The nodes at the other ends of the events, by id.
    pub others: BTreeMap<i64, Node>,
    /// Whether there are more events or metrics.
    pub is_cut: bool,
}

/// Points of a curve that are close together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurveBucket {
    /// The first and the last place on the axis.
    pub places: (i64, i64),
    /// The smallest and the greatest value. They are finite.
    pub values: (f64, f64),
}

/// The curve of a metric of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricCurve {
    pub execution_id: i64,
    /// Ascending.
    pub buckets: Vec<CurveBucket>,
    /// The place of the first point, which may have no finite value.
    pub origin: i64,
}

/// The reads.
#[derive(Clone, Debug)]
pub struct GraphComparison(pub(in crate::graph) Database);

impl GraphComparison {
    /// Artifacts or executions with what they have to do with others. Unknown ids are left out.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn of(&self, side: Side, ids: &[i64]) -> Result<ComparedNodes> {
        let mut tx = self.0.read().await?;
        let nodes = in_order(&mut tx, side.kind(), ids).await?;
        let known: Vec<i64> = nodes.iter().map(|node| node.id).collect();
        if known.is_empty() {
            return Ok(ComparedNodes::default());
        }
        let event_types: &[EventType] = match side {
            Side::Execution => &[EventType::Input, EventType::DeclaredInput],
            Side::Artifact => &[EventType::Output, EventType::DeclaredOutput],
        };
        let of = (side, known.as_slice());
        let mut events = browse::events_among(&mut tx, of, event_types, MAX_EVENTS).await?;
        events.sort_by_key(|event| event.id);
        let is_cut = has_reached(&events, MAX_EVENTS);
        let events: Vec<Event> = events
            .into_iter()
            .map(|Stored { value, .. }| value)
            .collect();
        let others = distinct_ids(events.iter().map(|event| match side {
            Side::Execution => event.artifact_id,
            Side::Artifact => event.execution_id,
        }));
        let others = nodes::by_ids(&mut tx, side.opposite().kind(), &others).await?;
        let mut compared = ComparedNodes {
            nodes,
            metrics: Vec::new(),
            events,
            others: others.into_iter().map(|node| (node.id, node)).collect(),
            is_cut,
        };
        if side == Side::Execution {
            add_metrics(&mut tx, &known, &mut compared).await?;
        }
        Ok(compared)
    }

    /// The curves of a metric of several executions, thinned so that they fit into a chart.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn curves(
        &self,
        metrics: &[&MetricSummary],
        axis: CurveAxis,
    ) -> Result<Vec<MetricCurve>> {
        let executions = metrics.iter().map(|it| (it.series_id, it.execution_id));
        let executions: HashMap<i64, i64> = executions.collect();
        let ids: Vec<i64> = metrics.iter().map(|metric| metric.series_id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.0.read().await?;
        // All metrics together may have had too many points, and these not.
        let extents = match metrics.iter().map(|metric| metric.extent).collect() {
            Some(known) => Some(known),
            None => curves::extents(&mut tx, &ids, MAX_READ_POINTS).await?,
        };
        let Some(extents): Option<Vec<SeriesExtent>> = extents else {
            return Ok(Vec::new());
        };
        let ends = |extent: &SeriesExtent| match axis {
            CurveAxis::Step => (extent.first_step, extent.last_step),
            CurveAxis::Time => (extent.first_time, extent.last_time),
        };
        let span = extents.iter().map(|extent| {
            let (first, last) = ends(extent);
            last.abs_diff(first)
        });
        let (bits, most) = bucket_bits(span.max().unwrap_or_default(), ids.len());
        let buckets = curves::buckets(&mut tx, &ids, (axis, bits), most).await?;
        let mut of_series: HashMap<i64, Vec<CurveBucket>> = HashMap::new();
        for SeriesBucket {
            series_id,
            places,
            values,
        } in buckets
        {
            let of_series = of_series.entry(series_id).or_default();
            of_series.push(CurveBucket { places, values });
        }
        let curve = |extent: &SeriesExtent| {
            let mut buckets = of_series.remove(&extent.series_id).unwrap_or_default();
            buckets.sort_by_key(|bucket| bucket.places);
            MetricCurve {
                execution_id: executions
                    .get(&extent.series_id)
                    .copied()
                    .unwrap_or_default(),
                buckets,
                origin: ends(extent).0,
            }
        };
        Ok(extents.iter().map(curve).collect())
    }

    /// The most points of a metric of all executions of a chart together.
    pub const MAX_CHART_POINTS: i64 = MAX_READ_POINTS;
}

/// Whether so many were found that there may be more.
fn has_reached<T>(found: &[T], limit: i64) -> bool {
    i64::try_from(found.len()).is_ok_and(|found| found >= limit)
}

async fn add_metrics(tx: &mut Tx, executions: &[i64], compared: &mut ComparedNodes) -> Result<()> {
    let mut series = curves::series_among(tx, executions, MAX_SERIES).await?;
    if series.is_empty() {
        return Ok(());
    }
    compared.is_cut |= has_reached(&series, MAX_SERIES);
    series.sort_unstable_by_key(|series| series.id);
    let ids: Vec<i64> = series.iter().map(|series| series.id).collect();
    let extents = curves::extents(tx, &ids, MAX_READ_POINTS).await?;
    let extents = extents.unwrap_or_default().into_iter();
    let extents: HashMap<i64, _> = extents.map(|extent| (extent.series_id, extent)).collect();
    let summary = |series: MetricSeries| MetricSummary {
        execution_id: series.execution_id,
        latest: series.latest,
        series_id: series.id,
        extent: extents.get(&series.id).copied(),
    };
    compared.metrics = series.into_iter().map(summary).collect();
    Ok(())
}

/// How many places a bucket has, as a power of 2, for series that go over a span of places; and the
/// most buckets of all of them.
fn bucket_bits(span: u64, series: usize) -> (u32, i64) {
    let series = u64::try_from(series).unwrap_or(u64::MAX).max(1);
    let of_series = (MAX_CHART_BUCKETS / series).clamp(MIN_SERIES_BUCKETS, MAX_SERIES_BUCKETS);
    let mut bits = 0;
    while bits < 63 && span >> bits >= of_series {
        bits += 1;
    }
    // A span may begin and end within a bucket.
    let most = series.saturating_mul(of_series + 2);
    (bits, i64::try_from(most).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod bucket_tests {
    use super::*;

    #[test]
    fn buckets_are_few_and_as_small_as_they_can_be() {
        assert_eq!(bucket_bits(0, 1).0, 0);
        assert_eq!(bucket_bits(511, 1).0, 0);
        assert_eq!(bucket_bits(512, 1).0, 1);
        assert_eq!(bucket_bits(u64::MAX, 1).0, 55);
        for (span, series) in [(1_000_000, 1), (1_000_000, 100), (7, 1000)] {
            let (bits, most) = bucket_bits(span, series);
            let of_one = (span >> bits) + 2;
            assert!(of_one * u64::try_from(series).unwrap() <= u64::try_from(most).unwrap());
            assert!(of_one >= MIN_SERIES_BUCKETS / 2 || bits == 0, "{span}");
        }
    }
}
