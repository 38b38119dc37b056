//! Searches of experiments, runs and datasets.

use axum::Json;
use serde::Serialize;

use super::experiments::searched_experiments;
use super::fields::Fields;
use super::page::AskedPage;
use super::refusal::MlflowRefusal;
use super::views::{ExperimentView, TrackedRunAnswer};
use super::{Answer, TrackingRequest, filter};
use crate::graph::tracking::InputSummary;
use crate::model::{LifecycleView, TrackingQuery};

const VIEWS: [(i64, &str, LifecycleView); 3] = [
    (1, "ACTIVE_ONLY", LifecycleView::Active),
    (2, "DELETED_ONLY", LifecycleView::Deleted),
    (3, "ALL", LifecycleView::All),
];

#[derive(Serialize)]
pub(super) struct ExperimentPage {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiments: Vec<ExperimentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
pub(super) struct RunPage {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<TrackedRunAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// The most datasets of an answer.
const MAX_DATASETS: i64 = 1000;

#[derive(Serialize)]
pub(super) struct DatasetSummaries {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_summaries: Vec<DatasetSummaryView>,
}

/// A dataset of an experiment.
#[derive(Serialize)]
struct DatasetSummaryView {
    experiment_id: String,
    name: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
}

impl From<InputSummary> for DatasetSummaryView {
    fn from(summary: InputSummary) -> Self {
        Self {
            experiment_id: summary.experiment.to_string(),
            name: summary.name,
            digest: summary.digest,
            context: summary.context,
        }
    }
}

fn view(fields: &Fields, name: &str) -> LifecycleView {
    fields.choice(name, &VIEWS).unwrap_or_default()
}

fn filter_text(fields: &Fields) -> Result<&str, MlflowRefusal> {
    Ok(fields.text("filter")?.unwrap_or_default())
}

pub(super) async fn experiments(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<ExperimentPage> {
    let page = AskedPage::of_experiments(&fields)?;
    let query = TrackingQuery {
        conditions: filter::experiment_conditions(filter_text(&fields)?)?,
        order: filter::experiment_orders(&fields.texts("order_by")?)?,
        page: page.with_next(),
    };
    let mut found = call
        .graph
        .tracking()
        .experiments(view(&fields, "view_type"), &query)
        .await?;
    let next_page_token = page.next(&mut found);
    let view = |experiment| ExperimentView::of(experiment, &call.tenant);
    Ok(Json(ExperimentPage {
        experiments: found.into_iter().map(view).collect(),
        next_page_token,
    }))
}

pub(super) async fn runs(TrackingRequest(call, fields): TrackingRequest) -> Answer<RunPage> {
    let page = AskedPage::of_runs(&fields)?;
    let query = TrackingQuery {
        conditions: filter::run_conditions(filter_text(&fields)?)?,
        order: filter::run_orders(&fields.texts("order_by")?)?,
        page: page.with_next(),
    };
    let numbers = searched_experiments(&fields)?;
    let view = view(&fields, "run_view_type");
    let mut found = call.graph.tracking().runs(&numbers, view, &query).await?;
    let next_page_token = page.next(&mut found);
    Ok(Json(RunPage {
        runs: found.into_iter().map(TrackedRunAnswer::Found).collect(),
        next_page_token,
    }))
}

pub(super) async fn datasets(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<DatasetSummaries> {
    let numbers = searched_experiments(&fields)?;
    let found = call.graph.tracking().inputs(&numbers, MAX_DATASETS).await?;
    Ok(Json(DatasetSummaries {
        dataset_summaries: found.into_iter().map(Into::into).collect(),
    }))
}
