//! A run, as the API of Kubeflow Pipelines has it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::web::JsonApi;
use crate::cli::Failure;
use crate::cli::output::printable;

/// The version of the API, which is the first part of its paths.
const API: [&str; 2] = ["apis", "v2beta1"];

/// A run with its specification.
#[derive(Debug)]
pub(super) struct PipelineRun {
    pub spec: Json,
    /// By the ids of the executions that the API names.
    pub tasks: BTreeMap<i64, ApiTask>,
}

/// What the API says about an execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ApiTask {
    /// The task, as it is called for people.
    pub name: String,
    /// The pod that ran the task; empty if it is not known.
    pub pod: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RunAnswer {
    pipeline_spec: Option<Json>,
    pipeline_version_reference: Option<VersionReference>,
    run_details: Option<RunDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VersionReference {
    pipeline_id: String,
    pipeline_version_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RunDetails {
    task_details: Vec<TaskDetail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TaskDetail {
    display_name: String,
    /// Digits: JSON has no integers of this size.
    execution_id: String,
    pod_name: String,
    child_tasks: Vec<ChildTask>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChildTask {
    pod_name: String,
}

impl PipelineRun {
    /// Reads a run, and the version of its pipeline if it only names that.
    ///
    /// # Errors
    ///
    /// If the API does not know the run, or has no specification of it.
    pub(super) async fn read(api: &JsonApi, run: &str) -> Result<Self, Failure> {
        let [root, version] = API;
        let found = api.get(&[root, version, "runs", run]).await?;
        let missing =
            |what: &str, id: &str| Failure(printable(&format!("the API has no {what} {id}")));
        let found = found.ok_or_else(|| missing("run", run))?;
        let answer = RunAnswer::deserialize(found);
        let answer = answer.map_err(|error| Failure(format!("the run {run}: {error}")))?;
        let details = answer.run_details.unwrap_or_default();
        let spec = match (answer.pipeline_spec, answer.pipeline_version_reference) {
            (Some(spec), _) => spec,
            (None, Some(of)) => {
                let id = &of.pipeline_version_id;
                let path = [root, version, "pipelines", &of.pipeline_id, "versions", id];
                let mut found = api
                    .get(&path)
                    .await?
                    .ok_or_else(|| missing("version", id))?;
                found["pipeline_spec"].take()
            }
            (None, None) => Json::Null,
        };
        if spec.is_null() {
            return Err(missing("specification of the run", run));
        }
        Ok(Self {
            spec,
            tasks: tasks(details.task_details),
        })
    }
}

/// What the API says about executions that it names. It often names none.
fn tasks(details: Vec<TaskDetail>) -> BTreeMap<i64, ApiTask> {
    let tasks = details.into_iter().filter_map(|task| {
        let id = task.execution_id.parse().ok().filter(|id| *id > 0)?;
        let mut pods = task.child_tasks.into_iter().map(|child| child.pod_name);
        // That of an execution is among those below the task, of which there is one.
        let child = pods.next().filter(|_| pods.next().is_none());
        let pod = [Some(task.pod_name), child].into_iter().flatten();
        let pod = pod.into_iter().find(|pod| !pod.is_empty());
        Some((
            id,
            ApiTask {
                name: task.display_name,
                pod: pod.unwrap_or_default(),
            },
        ))
    });
    tasks.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tasks_of_named_executions_have_names_and_pods() {
        let details = json!([
            { "task_id": "0", "display_name": "root" },
            { "task_id": "1", "display_name": "train", "execution_id": "7", "child_tasks": [
                { "pod_name": "train-7" },
            ] },
            { "task_id": "2", "display_name": "other", "execution_id": "8", "pod_name": "other-8" },
            { "task_id": "3", "display_name": "two", "execution_id": "9", "child_tasks": [
                { "pod_name": "two-1" }, { "pod_name": "two-2" },
            ] },
            { "task_id": "4", "display_name": "none", "execution_id": "0" },
        ]);
        let found = tasks(serde_json::from_value(details).unwrap());
        let task = |name: &str, pod: &str| ApiTask {
            name: name.to_owned(),
            pod: pod.to_owned(),
        };
        let expected = [
            (7, task("train", "train-7")),
            (8, task("other", "other-8")),
            (9, task("two", "")),
        ];
        assert_eq!(found, expected.into());
    }
}
