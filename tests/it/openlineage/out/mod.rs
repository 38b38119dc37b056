//! Events out: lineage that is sent to targets.

mod delivery;
mod forwarded;
mod loops;
mod secured;
mod servers;
mod target;
mod valid;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pedigree::proto::ml_metadata::{event, execution};
use serde_json::json;
use tempfile::TempDir;

use super::{dataset, of_run, tell};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

/// How long a condition may take to become true. Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(150);

/// The pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The doors of a target that gets everything.
const ALL_DOORS: &str = "doors = ['ml_metadata', 'pedigree', 'openlineage', 'command']\n";

/// A file of targets in a folder of its own.
struct TargetsFile {
    folder: TempDir,
}

impl TargetsFile {
    fn new(entries: &[String]) -> Self {
        let file = Self {
            folder: TempDir::new().unwrap(),
        };
        file.write(entries);
        file
    }

    fn write(&self, entries: &[String]) {
        std::fs::write(self.path(), entries.concat()).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("targets.toml")
    }

    /// A server that sends to these targets.
    async fn serve(&self, backend: Backend) -> Store {
        self.serve_on(TestDatabase::new(backend)).await
    }

    async fn serve_on(&self, database: TestDatabase) -> Store {
        let path = Some(self.path());
        Store::on(database, |config| config.openlineage_targets = path).await
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// An entry for a server on this machine.
fn entry(name: &str, port: u16, more: &str) -> String {
    format!("[[target]]\nname = '{name}'\nurl = 'http://127.0.0.1:{port}'\n{more}\n")
}

/// Waits until an attempt gives something.
async fn wait_for<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Waits until a store has the lineage, and fails with the difference.
async fn has_lineage(store: &Store, expected: &[String]) {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = super::lineage::lines(store).await;
        if found == expected {
            return;
        }
        assert!(Instant::now() < end, "{found:#?} is not {expected:#?}");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn lines(expected: &[&str]) -> Vec<String> {
    expected.iter().map(|line| (*line).to_owned()).collect()
}

/// A run of the job `team/NAME` that reads and writes a dataset each.
async fn tell_run(store: &Store, name: &str, second: u32) {
    let mut start = of_run("START", name, second);
    start["inputs"] = json!([dataset("s3://lake", "raw")]);
    tell(store, &start).await;
    let mut end = of_run("COMPLETE", name, second + 1);
    end["outputs"] = json!([dataset("s3://lake", name)]);
    tell(store, &end).await;
}

/// Two steps of a run of Kubeflow Pipelines, as its driver and its launcher store them, below a
/// graph: the second one reads what the first one wrote.
async fn pipeline(store: &Store) {
    let types = (
        store.put_type::<Context>("system.Pipeline", &[]).await,
        store.put_type::<Context>("system.PipelineRun", &[]).await,
    );
    let run_id = "0198fd6e-7a5f-7c3e-9d3b-1f2a3b4c5d6e";
    let contexts = vec![
        Context::new(types.0, "churn"),
        Context::new(types.1, run_id),
    ];
    let graph = store
        .put_type::<Execution>("system.DAGExecution", &[])
        .await;
    let step = store
        .put_type::<Execution>("system.ContainerExecution", &[])
        .await;
    let data = store.put_type::<Artifact>("system.Dataset", &[]).await;
    let put = |execution: Execution, pairs| pb::PutExecutionRequest {
        execution: Some(execution),
        artifact_event_pairs: pairs,
        contexts: contexts.clone(),
        options: Some(pb::put_execution_request::Options {
            reuse_context_if_already_exist: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    let graph = Execution::new(graph, "run/1");
    let graph = store.ask(put(graph, vec![])).await.execution_id();
    let step = |name: &str, state: execution::State| {
        let mut execution = Execution::new(step, name);
        execution.set_last_known_state(state);
        let custom = &mut execution.custom_properties;
        custom.insert("task_name".into(), text(name));
        custom.insert("param.rate".into(), text("0.1"));
        custom.insert("code.repository".into(), text("https://example.com/churn"));
        custom.insert("code.commit".into(), text("4f3c"));
        let parent = pb::value::Value::IntValue(graph);
        let parent = Value {
            value: Some(parent),
        };
        custom.insert("parent_dag_id".into(), parent);
        execution
    };
    let of_type = |of: event::Type| {
        let mut event = pb::Event::default();
        event.set_type(of);
        event
    };
    let mut images = Artifact::new(data, "images");
    images.uri = Some("minio://mlpipeline/v2/images".into());
    let prepare = step("prepare", execution::State::Running);
    let prepared = store.ask(put(prepare, vec![])).await.execution_id();
    let mut prepare = step("prepare", execution::State::Complete);
    prepare.id = Some(prepared);
    let pairs = vec![pair(Some(images), Some(of_type(event::Type::Output)))];
    store.tick();
    let stored = store.ask(put(prepare, pairs)).await;
    let read = pb::Event {
        artifact_id: Some(stored.artifact_ids[0]),
        ..of_type(event::Type::Input)
    };
    let model = Artifact::new(data, "model");
    let train = step("train", execution::State::Failed);
    let pairs = vec![
        pair(None, Some(read)),
        pair(Some(model), Some(of_type(event::Type::Output))),
    ];
    store.ask(put(train, pairs)).await;
}
