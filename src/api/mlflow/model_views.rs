//! Logged models as `MLflow` shows them.

use serde::Serialize;

use super::views::{MetricView, Pair, pairs};
use crate::graph::tracking::{LoggedModel, ModelMetric};
use crate::model::ArtifactState;

/// The states of artifacts, with the numbers and the names of those of models.
pub(super) const MODEL_STATES: [(i64, &str, ArtifactState); 3] = [
    (1, "LOGGED_MODEL_PENDING", ArtifactState::Pending),
    (2, "LOGGED_MODEL_READY", ArtifactState::Live),
    (3, "LOGGED_MODEL_UPLOAD_FAILED", ArtifactState::Abandoned),
];

/// The numbers of states of artifacts, with the names of states of models in filters.
pub(super) const MODEL_STATE_NAMES: [(i64, &str); 3] = [
    (ArtifactState::Pending.number(), "PENDING"),
    (ArtifactState::Live.number(), "READY"),
    (ArtifactState::Abandoned.number(), "UPLOAD_FAILED"),
];

const UNSPECIFIED_STATE: &str = "LOGGED_MODEL_STATUS_UNSPECIFIED";

#[derive(Serialize)]
pub(super) struct LoggedModelView {
    info: ModelInfo,
    data: ModelData,
}

#[derive(Serialize)]
struct ModelInfo {
    model_id: String,
    experiment_id: String,
    name: String,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: String,
    status: &'static str,
    model_type: String,
    source_run_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
}

#[derive(Serialize)]
struct ModelData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<ModelMetricView>,
}

#[derive(Serialize)]
struct ModelMetricView {
    #[serde(flatten)]
    metric: MetricView,
    #[serde(skip_serializing_if = "String::is_empty")]
    dataset_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    dataset_digest: String,
    model_id: String,
    run_id: String,
}

impl ModelMetricView {
    fn of(model_id: &str, metric: ModelMetric) -> Self {
        let (dataset_name, dataset_digest) = metric.dataset;
        Self {
            metric: metric.point.into(),
            dataset_name,
            dataset_digest,
            model_id: model_id.to_owned(),
            run_id: metric.run,
        }
    }
}

impl From<LoggedModel> for LoggedModelView {
    fn from(model: LoggedModel) -> Self {
        let of_state = |state| {
            let known = MODEL_STATES.iter().find(|(.., of)| *of == state);
            known.map(|(_, name, _)| *name)
        };
        let metrics = model.metrics.into_iter();
        let metrics = metrics.map(|metric| ModelMetricView::of(&model.id, metric));
        Self {
            data: ModelData {
                params: pairs(model.params),
                metrics: metrics.collect(),
            },
            info: ModelInfo {
                experiment_id: model.experiment.to_string(),
                name: model.name,
                creation_timestamp_ms: model.create_time,
                last_updated_timestamp_ms: model.update_time,
                artifact_uri: model.artifact_uri,
                status: model.state.and_then(of_state).unwrap_or(UNSPECIFIED_STATE),
                model_type: model.model_type,
                source_run_id: model.source_run,
                tags: pairs(model.tags),
                model_id: model.id,
            },
        }
    }
}
