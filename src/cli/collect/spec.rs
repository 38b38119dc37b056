//! The specification of a pipeline, as the compiler of Kubeflow Pipelines writes it (version 2).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

/// What is run, and in which order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PipelineSpec {
    /// By their names.
    #[serde(default)]
    pub components: BTreeMap<String, PipelineComponent>,
    #[serde(default)]
    pub deployment_spec: DeploymentSpec,
    /// The component that is the whole pipeline.
    pub root: PipelineComponent,
}

/// A step, or a graph of tasks.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PipelineComponent {
    /// The executor of a step.
    pub executor_label: String,
    pub dag: Option<TaskGraph>,
    pub input_definitions: Definitions,
    pub output_definitions: Definitions,
}

/// Tasks of a component that is not a single step.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskGraph {
    /// By their names.
    pub tasks: BTreeMap<String, TaskSpec>,
}

/// A use of a component.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TaskSpec {
    /// The component.
    pub component_ref: SpecName,
    /// What the task is called for people.
    pub task_info: SpecName,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpecName {
    pub name: String,
}

/// Inputs or outputs of a component, by their names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Definitions {
    pub artifacts: BTreeMap<String, ArtifactDefinition>,
    pub parameters: BTreeMap<String, ParameterDefinition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ArtifactDefinition {
    /// The type, as executors read it.
    pub artifact_type: Json,
    /// It stands for any number of artifacts.
    pub is_artifact_list: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ParameterDefinition {
    pub default_value: Option<Json>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeploymentSpec {
    /// By their labels.
    pub executors: BTreeMap<String, ExecutorSpec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ExecutorSpec {
    /// `None` for what is no container, such as an importer.
    pub container: Option<ContainerSpec>,
}

/// What a step runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerSpec {
    pub image: String,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub env: Vec<EnvVariable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EnvVariable {
    pub name: String,
    pub value: String,
}

impl PipelineSpec {
    /// Reads a specification, which may stand beside that of its platform.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn of(json: &Json) -> Result<Self, String> {
        let inner = json.get("pipeline_spec").unwrap_or(json);
        let read = Self::deserialize(inner);
        read.map_err(|error| format!("it is no specification of Kubeflow Pipelines 2: {error}"))
    }

    /// The container that a component runs; `None` for a graph of tasks, or an importer.
    pub(super) fn container(&self, component: &PipelineComponent) -> Option<&ContainerSpec> {
        let executor = self
            .deployment_spec
            .executors
            .get(&component.executor_label);
        executor?.container.as_ref()
    }
}

#[cfg(test)]
pub(super) fn training() -> PipelineSpec {
    let text = include_str!("../../../tests/data/kfp/pipeline.json");
    PipelineSpec::of(&serde_json::from_str(text).unwrap()).unwrap()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_specification_may_stand_beside_that_of_its_platform() {
        let spec = json!({ "root": { "dag": { "tasks": { "a": {} } } } });
        for json in [
            spec.clone(),
            json!({ "pipeline_spec": spec, "platform_spec": {} }),
        ] {
            let read = PipelineSpec::of(&json).unwrap();
            assert_eq!(read.root.dag.unwrap().tasks.len(), 1);
        }
        for wrong in [
            json!(null),
            json!({}),
            json!({ "spec": { "templates": [] } }),
        ] {
            PipelineSpec::of(&wrong).unwrap_err();
        }
    }

    #[test]
    fn steps_have_containers_and_importers_have_none() {
        let spec = training();
        let container = |name: &str| spec.container(&spec.components[name]);
        assert_eq!(container("comp-train").unwrap().image, "python:3.11");
        assert!(container("comp-importer").is_none());
        assert!(container("comp-fit").is_none());
    }
}
