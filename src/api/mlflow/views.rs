//! Experiments and runs as `MLflow` shows them.

use serde::{Serialize, Serializer};

use crate::graph::tracking::{Experiment, RunData, RunInput, RunSnapshot, TrackedRun};
use crate::model::{ExecutionState, MetricPoint, RunPoint};
use crate::policy::TenantName;

/// The states of executions, with the numbers and the names of states of runs.
pub(super) const RUN_STATES: [(i64, &str, ExecutionState); 5] = [
    (1, "RUNNING", ExecutionState::Running),
    (2, "SCHEDULED", ExecutionState::New),
    (3, "FINISHED", ExecutionState::Complete),
    (4, "FAILED", ExecutionState::Failed),
    (5, "KILLED", ExecutionState::Canceled),
];

/// The numbers of states of executions, with the names of states of runs.
pub(super) const STATE_NAMES: [(i64, &str); 6] = [
    (ExecutionState::New.number(), "SCHEDULED"),
    (ExecutionState::Running.number(), "RUNNING"),
    (ExecutionState::Complete.number(), "FINISHED"),
    (ExecutionState::Cached.number(), "FINISHED"),
    (ExecutionState::Failed.number(), "FAILED"),
    (ExecutionState::Canceled.number(), "KILLED"),
];

#[derive(Serialize)]
pub(super) struct ExperimentView {
    experiment_id: String,
    name: String,
    artifact_location: String,
    lifecycle_stage: &'static str,
    last_update_time: i64,
    creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    /// The tenant.
    workspace: TenantName,
}

impl ExperimentView {
    /// An experiment of a tenant.
    pub(super) fn of(experiment: Experiment, tenant: &TenantName) -> Self {
        Self {
            experiment_id: experiment.number.to_string(),
            name: experiment.name,
            artifact_location: experiment.artifact_location,
            lifecycle_stage: stage(experiment.is_deleted),
            last_update_time: experiment.update_time,
            creation_time: experiment.create_time,
            tags: pairs(experiment.tags),
            workspace: tenant.clone(),
        }
    }
}

const fn stage(is_deleted: bool) -> &'static str {
    if is_deleted { "deleted" } else { "active" }
}

/// A parameter or a tag.
#[derive(Serialize)]
pub(super) struct Pair<T = String> {
    key: T,
    value: T,
}

pub(super) fn pairs(texts: Vec<(String, String)>) -> Vec<Pair> {
    let pair = |(key, value)| Pair { key, value };
    texts.into_iter().map(pair).collect()
}

fn pairs_of(texts: &[(String, String)]) -> Vec<Pair<&str>> {
    let texts = texts.iter();
    let texts = texts.map(|(key, value)| (key.as_str(), value.as_str()));
    texts.map(|(key, value)| Pair { key, value }).collect()
}

/// A run.
pub(super) enum TrackedRunAnswer {
    /// One that has been created now.
    Created(TrackedRun),
    Found(RunData),
}

impl Serialize for TrackedRunAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = match self {
            Self::Created(run) => TrackedRunView::created(run),
            Self::Found(run) => TrackedRunView::of(run),
        };
        view.serialize(serializer)
    }
}

/// What a run is without its data.
pub(super) struct RunInfo(pub TrackedRun);

impl Serialize for RunInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RunInfoView::of(&self.0).serialize(serializer)
    }
}

#[derive(Serialize)]
struct TrackedRunView<'r> {
    info: RunInfoView<'r>,
    data: RunDataView<'r>,
    inputs: RunInputsView<'r>,
    /// The answer to the creation of a run has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<RunOutputsView<'r>>,
}

#[derive(Serialize)]
struct RunInfoView<'r> {
    run_uuid: &'r str,
    run_id: &'r str,
    run_name: &'r str,
    experiment_id: String,
    user_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    artifact_uri: &'r str,
    lifecycle_stage: &'static str,
}

#[derive(Default, Serialize)]
struct RunDataView<'r> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricView<&'r str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair<&'r str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<&'r str>>,
}

#[derive(Default, Serialize)]
struct RunInputsView<'r> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInput<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelInput<'r>>,
}

#[derive(Serialize)]
struct ModelInput<'r> {
    model_id: &'r str,
}

#[derive(Serialize)]
struct RunOutputsView<'r> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelOutput<'r>>,
}

#[derive(Serialize)]
struct ModelOutput<'r> {
    model_id: &'r str,
    step: i64,
}

#[derive(Serialize)]
struct DatasetInput<'r> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair<&'r str>>,
    dataset: TrackedDatasetView<'r>,
}

#[derive(Serialize)]
struct TrackedDatasetView<'r> {
    name: &'r str,
    digest: &'r str,
    source_type: &'r str,
    source: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'r str>,
}

impl<'r> From<&'r RunInput> for DatasetInput<'r> {
    fn from(input: &'r RunInput) -> Self {
        Self {
            tags: pairs_of(&input.tags),
            dataset: TrackedDatasetView {
                name: &input.name,
                digest: &input.digest,
                source_type: &input.source_type,
                source: &input.source,
                schema: input.schema.as_deref(),
                profile: input.profile.as_deref(),
            },
        }
    }
}

impl<'r> TrackedRunView<'r> {
    fn created(run: &'r TrackedRun) -> Self {
        Self {
            info: RunInfoView::of(run),
            data: RunDataView {
                tags: pairs_of(&run.tags),
                ..RunDataView::default()
            },
            inputs: RunInputsView::default(),
            outputs: None,
        }
    }

    fn of(found: &'r RunData) -> Self {
        let RunSnapshot { run, metrics } = &*found.snapshot;
        let models = found.model_inputs.iter();
        let outputs = found.model_outputs.iter();
        let output = |(model_id, step): &'r (String, i64)| ModelOutput {
            model_id,
            step: *step,
        };
        Self {
            info: RunInfoView::of(run),
            data: RunDataView {
                metrics: metrics.iter().map(Into::into).collect(),
                params: pairs_of(&run.params),
                tags: pairs_of(&run.tags),
            },
            inputs: RunInputsView {
                dataset_inputs: found.inputs.iter().map(Into::into).collect(),
                model_inputs: models.map(|model_id| ModelInput { model_id }).collect(),
            },
            outputs: Some(RunOutputsView {
                model_outputs: outputs.map(output).collect(),
            }),
        }
    }
}

impl<'r> RunInfoView<'r> {
    fn of(run: &'r TrackedRun) -> Self {
        let name = |state: ExecutionState| {
            let number = state.number();
            let named = STATE_NAMES.iter().find(|(of, _)| *of == number);
            named.map(|(_, name)| *name)
        };
        Self {
            run_uuid: &run.id,
            run_id: &run.id,
            run_name: &run.name,
            experiment_id: run.experiment.to_string(),
            user_id: &run.owner,
            status: run.state.and_then(name),
            start_time: run.started.unwrap_or_default(),
            end_time: run.ended,
            artifact_uri: &run.artifact_uri,
            lifecycle_stage: stage(run.is_deleted),
        }
    }
}

/// A point of a metric.
#[derive(Serialize)]
pub(super) struct MetricView<K = String> {
    key: K,
    value: MetricNumber,
    timestamp: i64,
    step: i64,
}

impl From<MetricPoint> for MetricView {
    fn from(point: MetricPoint) -> Self {
        Self {
            key: point.key,
            value: MetricNumber(point.value),
            timestamp: point.time,
            step: point.step,
        }
    }
}

impl<'p> From<&'p MetricPoint> for MetricView<&'p str> {
    fn from(point: &'p MetricPoint) -> Self {
        Self {
            key: &point.key,
            value: MetricNumber(point.value),
            timestamp: point.time,
            step: point.step,
        }
    }
}

/// A point of a metric of one of several runs.
#[derive(Serialize)]
pub(super) struct RunMetricView {
    #[serde(flatten)]
    metric: MetricView,
    run_id: String,
}

impl From<RunPoint> for RunMetricView {
    fn from(RunPoint { run, point }: RunPoint) -> Self {
        Self {
            metric: point.into(),
            run_id: run,
        }
    }
}

/// A number. NaN and the infinities are texts, as protocol buffers have them in JSON.
struct MetricNumber(f64);

impl Serialize for MetricNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_finite() => serializer.serialize_f64(number),
            number if number.is_nan() => serializer.serialize_str("NaN"),
            number if number > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}
