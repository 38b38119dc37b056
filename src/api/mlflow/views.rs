//! Experiments and runs as `MLflow` shows them.

use serde::{Serialize, Serializer};

use crate::graph::tracking::{Experiment, RunData, RunInput, TrackedRun};
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
pub(super) struct Pair {
    key: String,
    value: String,
}

pub(super) fn pairs(texts: Vec<(String, String)>) -> Vec<Pair> {
    let pair = |(key, value)| Pair { key, value };
    texts.into_iter().map(pair).collect()
}

#[derive(Serialize)]
pub(super) struct TrackedRunView {
    info: RunInfo,
    data: RunDataView,
    inputs: RunInputsView,
    /// The answer to the creation of a run has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<RunOutputsView>,
}

#[derive(Serialize)]
pub(super) struct RunInfo {
    run_uuid: String,
    run_id: String,
    run_name: String,
    experiment_id: String,
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: &'static str,
}

#[derive(Serialize)]
struct RunDataView {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
}

#[derive(Serialize)]
struct RunInputsView {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInput>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelInput>,
}

#[derive(Serialize)]
struct ModelInput {
    model_id: String,
}

#[derive(Serialize)]
struct RunOutputsView {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelOutput>,
}

#[derive(Serialize)]
struct ModelOutput {
    model_id: String,
    step: i64,
}

#[derive(Serialize)]
struct DatasetInput {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    dataset: TrackedDatasetView,
}

#[derive(Serialize)]
struct TrackedDatasetView {
    name: String,
    digest: String,
    source_type: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
}

impl From<RunInput> for DatasetInput {
    fn from(input: RunInput) -> Self {
        Self {
            tags: pairs(input.tags),
            dataset: TrackedDatasetView {
                name: input.name,
                digest: input.digest,
                source_type: input.source_type,
                source: input.source,
                schema: input.schema,
                profile: input.profile,
            },
        }
    }
}

impl TrackedRunView {
    /// A run that has been created now.
    pub(super) fn created(mut run: TrackedRun) -> Self {
        Self {
            data: RunDataView {
                metrics: Vec::new(),
                params: Vec::new(),
                tags: pairs(std::mem::take(&mut run.tags)),
            },
            info: run.into(),
            inputs: RunInputsView {
                dataset_inputs: Vec::new(),
                model_inputs: Vec::new(),
            },
            outputs: None,
        }
    }
}

impl From<RunData> for TrackedRunView {
    fn from(found: RunData) -> Self {
        let mut run = found.run;
        let inputs = found.inputs.into_iter();
        let models = found.model_inputs.into_iter();
        let outputs = found.model_outputs.into_iter();
        let output = |(model_id, step)| ModelOutput { model_id, step };
        Self {
            data: RunDataView {
                metrics: found.metrics.into_iter().map(Into::into).collect(),
                params: pairs(std::mem::take(&mut run.params)),
                tags: pairs(std::mem::take(&mut run.tags)),
            },
            info: run.into(),
            inputs: RunInputsView {
                dataset_inputs: inputs.map(Into::into).collect(),
                model_inputs: models.map(|model_id| ModelInput { model_id }).collect(),
            },
            outputs: Some(RunOutputsView {
                model_outputs: outputs.map(output).collect(),
            }),
        }
    }
}

impl From<TrackedRun> for RunInfo {
    fn from(run: TrackedRun) -> Self {
        let name = |state: ExecutionState| {
            let number = state.number();
            let named = STATE_NAMES.iter().find(|(of, _)| *of == number);
            named.map(|(_, name)| *name)
        };
        Self {
            run_uuid: run.id.clone(),
            run_id: run.id,
            run_name: run.name,
            experiment_id: run.experiment.to_string(),
            user_id: run.owner,
            status: run.state.and_then(name),
            start_time: run.started.unwrap_or_default(),
            end_time: run.ended,
            artifact_uri: run.artifact_uri,
            lifecycle_stage: stage(run.is_deleted),
        }
    }
}

/// A point of a metric.
#[derive(Serialize)]
pub(super) struct MetricView {
    key: String,
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
