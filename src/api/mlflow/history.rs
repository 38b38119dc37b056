//! The points of metrics of runs.

use axum::Json;
use serde::Serialize;

use super::fields::Fields;
use super::page::AskedPage;
use super::refusal::MlflowRefusal;
use super::runs::required_id;
use super::views::{MetricView, RunMetricView};
use super::{Answer, TrackingRequest};

/// The most points of metrics that one answer has.
const MAX_HISTORY_POINTS: i64 = 25_000;

/// The most points of each run that a selection has, and how many it has if that is not said.
const MAX_SAMPLES: i64 = 2500;

/// The most runs of a request.
const MAX_RUNS: usize = 100;

#[derive(Serialize)]
pub(super) struct MetricHistory {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
pub(super) struct RunMetrics {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<RunMetricView>,
}

/// `GET /metrics/get-history`: a page of the points of a run.
pub(super) async fn of_run(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<MetricHistory> {
    let id = required_id(&fields)?;
    let key = fields.required_text("metric_key")?;
    let page = AskedPage::of(&fields, MAX_HISTORY_POINTS)?.limited(MAX_HISTORY_POINTS);
    let tracking = call.graph.tracking();
    let mut points = tracking.metric_history(&id, key, page.with_next()).await?;
    let next_page_token = page.next(&mut points);
    Ok(Json(MetricHistory {
        metrics: points.into_iter().map(Into::into).collect(),
        next_page_token,
    }))
}

/// `GET /metrics/get-history-bulk`: the first points of several runs.
pub(super) async fn of_runs(TrackingRequest(call, fields): TrackingRequest) -> Answer<RunMetrics> {
    let ids = run_ids(&fields, "run_id")?;
    let key = fields.required_text("metric_key")?;
    let limit = AskedPage::of(&fields, MAX_HISTORY_POINTS)?.limited(MAX_HISTORY_POINTS);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let tracking = call.graph.tracking();
    let points = tracking
        .metric_histories(&ids, key, limit.entries())
        .await?;
    Ok(Json(RunMetrics {
        metrics: points.into_iter().map(Into::into).collect(),
    }))
}

/// `GET /metrics/get-history-bulk-interval`: a selection of the points of several runs between two
/// steps.
pub(super) async fn samples(TrackingRequest(call, fields): TrackingRequest) -> Answer<RunMetrics> {
    let ids = run_ids(&fields, "run_ids")?;
    let key = fields.required_text("metric_key")?;
    let steps = match (fields.int("start_step")?, fields.int("end_step")?) {
        (None, None) => (i64::MIN, i64::MAX),
        (Some(first), Some(last)) if first <= last => (first, last),
        (Some(first), Some(last)) => {
            return Err(MlflowRefusal::invalid(format!(
                "end_step must be greater than start_step. Found start_step={first} and \
                 end_step={last}."
            )));
        }
        _ => {
            return Err(MlflowRefusal::invalid(
                "If either start step or end step are specified, both must be specified.",
            ));
        }
    };
    let samples = AskedPage::of(&fields, MAX_SAMPLES)?.entries();
    if samples > MAX_SAMPLES {
        return Err(fields.refuse("max_results"));
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let tracking = call.graph.tracking();
    let points = tracking.metric_samples(&ids, key, steps, samples).await?;
    Ok(Json(RunMetrics {
        metrics: points.into_iter().map(Into::into).collect(),
    }))
}

fn run_ids(fields: &Fields, name: &str) -> Result<Vec<String>, MlflowRefusal> {
    let ids = fields.texts(name)?;
    match ids.len() {
        0 => Err(fields.missing(name)),
        1..=MAX_RUNS => Ok(ids),
        given => Err(MlflowRefusal::invalid(format!(
            "a request can have at most {MAX_RUNS} runs. It has {given}."
        ))),
    }
}
