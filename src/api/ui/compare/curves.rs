//! The curves of a comparison: a chart for each metric, with the curves of all nodes.

use std::collections::{BTreeMap, HashMap};

use super::query::{CompareQuery, CurveX};
use crate::api::ui::choices::ValueChoice;
use crate::api::ui::text;
use crate::api::ui::visit::Visit;
use crate::error::Result;
use crate::graph::{ComparedNodes, CurveBucket, GraphComparison, MetricCurve};
use crate::model::CurveAxis;
use crate::picture::chart::{Chart, ChartCurve, ChartPoint};
use crate::picture::ticks::TickSort;

/// The most charts that are drawn unless metrics are asked for.
const MAX_UNASKED_CHARTS: usize = 4;

/// A chart.
pub struct CurveChart {
    pub metric: String,
    /// An `svg` element, made of escaped texts only; empty with nothing to draw.
    pub picture: String,
    /// Why something is not drawn; empty if all is.
    pub note: String,
    /// The comparison with this chart alone; empty if it is alone.
    pub alone: String,
}

/// The metrics that have curves: those that most nodes have, first.
fn metrics_with_curves(compared: &ComparedNodes) -> Vec<&str> {
    let mut nodes: BTreeMap<&str, usize> = BTreeMap::new();
    for metric in &compared.metrics {
        if metric.points().is_none_or(|points| points > 1) {
            *nodes.entry(&metric.latest.key).or_default() += 1;
        }
    }
    let mut found: Vec<(&str, usize)> = nodes.into_iter().collect();
    found.sort_by_key(|(_, nodes)| std::cmp::Reverse(*nodes));
    found.into_iter().map(|(key, _)| key).collect()
}

/// The metrics that have curves, of which those that are drawn are taken.
pub fn choices(query: &CompareQuery, compared: &ComparedNodes) -> Vec<ValueChoice> {
    let known = metrics_with_curves(compared);
    let drawn = drawn(query, &known);
    let choice = |key: &&str| ValueChoice {
        value: (*key).to_owned(),
        word: text::cell(key),
        is_taken: drawn.iter().any(|it| it == key),
    };
    let mut choices: Vec<ValueChoice> = known.iter().map(choice).collect();
    choices.sort_by(|one, other| one.value.cmp(&other.value));
    choices
}

fn drawn<'q>(query: &'q CompareQuery, known: &[&'q str]) -> Vec<&'q str> {
    if query.metrics.is_empty() {
        return known.iter().take(MAX_UNASKED_CHARTS).copied().collect();
    }
    let asked = query.metrics.iter().map(String::as_str);
    asked.filter(|key| known.contains(key)).collect()
}

/// The charts. Each takes the same number of statements, however many nodes there are.
///
/// # Errors
///
/// Those of the database.
pub async fn charts(
    visit: &Visit,
    query: &CompareQuery,
    compared: &ComparedNodes,
    labels: &[String],
) -> Result<Vec<CurveChart>> {
    let known = metrics_with_curves(compared);
    let drawn = drawn(query, &known);
    let ids: Vec<i64> = compared.nodes.iter().map(|node| node.id).collect();
    let axis = match query.x {
        CurveX::Step => CurveAxis::Step,
        CurveX::Time | CurveX::Relative => CurveAxis::Time,
    };
    let comparison = visit.call.graph.comparison();
    let mut charts = Vec::new();
    for key in &drawn {
        let metrics = compared.metrics.iter();
        let metrics: Vec<_> = metrics.filter(|it| it.latest.key == *key).collect();
        let curves = comparison.curves(&metrics, axis).await?;
        let alone = CompareQuery {
            metrics: vec![(*key).to_owned()],
            ..query.clone()
        };
        let chart = chart(key, query, &curves, (&ids, labels));
        charts.push(CurveChart {
            metric: text::cell(key),
            note: note(&chart, curves.is_empty(), query.is_log),
            picture: chart.element().unwrap_or_default(),
            alone: if drawn.len() > 1 {
                visit.links().to(&format!("/compare?{}", alone.write()))
            } else {
                String::new()
            },
        });
    }
    Ok(charts)
}

fn note(chart: &Chart, is_too_long: bool, is_log: bool) -> String {
    let mut points = chart.curves.iter().flat_map(|curve| &curve.points);
    if is_too_long {
        let most = text::number(GraphComparison::MAX_CHART_POINTS);
        format!("It has more than {most} points. Compare fewer runs.")
    } else if is_log && points.any(|point| point.values.0 <= 0.0) {
        "A logarithmic axis leaves out what is not positive.".to_owned()
    } else {
        String::new()
    }
}

fn chart(
    key: &str,
    query: &CompareQuery,
    curves: &[MetricCurve],
    (ids, labels): (&[i64], &[String]),
) -> Chart {
    let places: HashMap<i64, usize> = ids.iter().copied().zip(0..).collect();
    let curve = |curve: &MetricCurve| {
        let place = *places.get(&curve.execution_id)?;
        let origin = match query.x {
            CurveX::Relative => curve.origin,
            CurveX::Step | CurveX::Time => 0,
        };
        let point = |bucket: &CurveBucket| point(bucket, origin);
        Some(ChartCurve {
            label: labels.get(place).cloned().unwrap_or_default(),
            place,
            points: curve.buckets.iter().map(point).collect(),
        })
    };
    let mut found: Vec<ChartCurve> = curves.iter().filter_map(curve).collect();
    found.sort_by_key(|curve| curve.place);
    Chart {
        title: text::cell(key),
        curves: found,
        places: match query.x {
            CurveX::Step => TickSort::Number,
            CurveX::Time => TickSort::Time,
            CurveX::Relative => TickSort::Duration,
        },
        is_log: query.is_log,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a pixel of a chart is wider than what is lost"
)]
fn point(bucket: &CurveBucket, origin: i64) -> ChartPoint {
    let (first, last) = bucket.places;
    let place = |it: i64| it.saturating_sub(origin) as f64;
    ChartPoint {
        places: (place(first), place(last)),
        values: bucket.values,
    }
}
