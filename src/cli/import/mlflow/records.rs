//! What answers of a server of `MLflow` have.

use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use crate::cli::import::target::RunEnd;
use crate::graph::tracking::RunInput;
use crate::model::{ArtifactState, ExecutionState, MetricPoint};

/// A tag or a parameter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourcePair {
    key: String,
    value: String,
}

/// The keys and values of tags or parameters.
pub(super) fn pairs(pairs: Vec<SourcePair>) -> Vec<(String, String)> {
    let pair = |pair: SourcePair| (pair.key, pair.value);
    pairs.into_iter().map(pair).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceExperiment {
    pub experiment_id: String,
    pub name: String,
    pub artifact_location: String,
    lifecycle_stage: String,
    pub tags: Vec<SourcePair>,
}

impl SourceExperiment {
    pub(super) fn is_deleted(&self) -> bool {
        self.lifecycle_stage == "deleted"
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceRun {
    pub info: SourceRunInfo,
    pub data: SourceData,
    inputs: SourceInputs,
    outputs: SourceOutputs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceRunInfo {
    pub run_id: String,
    pub run_name: String,
    pub user_id: String,
    status: String,
    pub start_time: i64,
    pub end_time: Option<i64>,
    pub artifact_uri: String,
    lifecycle_stage: String,
}

/// The parameters, tags and latest metrics of a run or a model.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceData {
    pub metrics: Vec<SourceMetric>,
    pub params: Vec<SourcePair>,
    pub tags: Vec<SourcePair>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceInputs {
    dataset_inputs: Vec<SourceInput>,
    model_inputs: Vec<SourceModelLink>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceInput {
    tags: Vec<SourcePair>,
    dataset: SourceDataset,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceDataset {
    name: String,
    digest: String,
    source_type: String,
    source: String,
    schema: Option<String>,
    profile: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceOutputs {
    model_outputs: Vec<SourceModelLink>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceModelLink {
    model_id: String,
    step: i64,
}

impl SourceRun {
    /// How it ended.
    pub(super) fn end(&self) -> RunEnd {
        RunEnd {
            id: self.info.run_id.clone(),
            state: self.state(),
            end_time: self.info.end_time,
            is_deleted: self.info.lifecycle_stage == "deleted",
        }
    }

    /// The state of its execution.
    fn state(&self) -> ExecutionState {
        match self.info.status.as_str() {
            "SCHEDULED" => ExecutionState::New,
            "FINISHED" => ExecutionState::Complete,
            "FAILED" => ExecutionState::Failed,
            "KILLED" => ExecutionState::Canceled,
            _ => ExecutionState::Running,
        }
    }

    /// The datasets that it used.
    pub(super) fn take_inputs(&mut self) -> Vec<RunInput> {
        let inputs = std::mem::take(&mut self.inputs.dataset_inputs).into_iter();
        let input = |SourceInput { tags, dataset }| RunInput {
            name: dataset.name,
            digest: dataset.digest,
            source_type: dataset.source_type,
            source: dataset.source,
            schema: dataset.schema,
            profile: dataset.profile,
            tags: pairs(tags),
        };
        inputs.map(input).collect()
    }

    /// The ids of models that it used.
    pub(super) fn used_models(&self) -> Vec<String> {
        let models = self.inputs.model_inputs.iter();
        models.map(|model| model.model_id.clone()).collect()
    }

    /// The ids of models that it made, with their steps.
    pub(super) fn made_models(&self) -> Vec<(String, i64)> {
        let models = self.outputs.model_outputs.iter();
        let model = |model: &SourceModelLink| (model.model_id.clone(), model.step);
        models.map(model).collect()
    }
}

/// A file or a folder, with its path below the files of its run or model.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceFile {
    pub path: String,
    pub is_dir: bool,
    /// Of a file that is not empty.
    pub file_size: Option<u64>,
}

/// A point of a metric; one of a model says of which run and dataset.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceMetric {
    pub key: String,
    #[serde(deserialize_with = "number")]
    value: f64,
    timestamp: i64,
    step: i64,
    pub run_id: String,
    pub dataset_name: String,
    pub dataset_digest: String,
}

/// A number, or a text that is none.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(match Json::deserialize(deserializer)? {
        Json::String(text) => text.parse().unwrap_or(f64::NAN),
        other => other.as_f64().unwrap_or(f64::NAN),
    })
}

impl SourceMetric {
    pub(super) fn point(&self) -> MetricPoint {
        MetricPoint {
            key: self.key.clone(),
            value: self.value,
            time: self.timestamp,
            step: self.step,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceModel {
    pub info: SourceModelInfo,
    pub data: SourceData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceModelInfo {
    pub model_id: String,
    pub name: String,
    pub model_type: String,
    pub source_run_id: String,
    pub artifact_uri: String,
    status: String,
    pub tags: Vec<SourcePair>,
}

impl SourceModel {
    /// The state of its artifact.
    pub(super) fn state(&self) -> Option<ArtifactState> {
        match self.info.status.as_str() {
            "LOGGED_MODEL_PENDING" => Some(ArtifactState::Pending),
            "LOGGED_MODEL_READY" => Some(ArtifactState::Live),
            "LOGGED_MODEL_UPLOAD_FAILED" => Some(ArtifactState::Abandoned),
            _ => None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceRegisteredModel {
    pub name: String,
    pub description: Option<String>,
    pub tags: Vec<SourcePair>,
    pub aliases: Vec<SourceAlias>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceAlias {
    pub alias: String,
    pub version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceVersion {
    pub version: String,
    pub description: String,
    pub source: String,
    pub run_id: String,
    pub run_link: String,
    pub current_stage: String,
    pub tags: Vec<SourcePair>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_metrics_are_numbers_or_texts() {
        for (text, bits) in [
            ("0.5", 0.5f64.to_bits()),
            ("7", 7f64.to_bits()),
            ("\"NaN\"", f64::NAN.to_bits()),
            ("\"-Infinity\"", f64::NEG_INFINITY.to_bits()),
        ] {
            let json = format!("{{\"key\": \"m\", \"value\": {text}, \"timestamp\": 3}}");
            let metric: SourceMetric = serde_json::from_str(&json).unwrap();
            assert_eq!(metric.point().value.to_bits(), bits, "{text}");
        }
    }
}
