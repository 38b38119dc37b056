//! `pedigree collect`: adds to executions what the system that ran them knows about them.
//!
//! * `run`: a run of Kubeflow Pipelines, as its API has it; `pods`: the images that pods ran;
//!   `web`: both over HTTP.
//! * `graph`: the run, as the graph has it, and writes to it.
//! * `spec`: the specification of a pipeline; `tasks`: which task an execution is; `command`: what
//!   a step ran; `facts`: all facts of a step. These are pure functions.

mod command;
mod facts;
mod graph;
mod pods;
mod run;
mod spec;
mod tasks;
mod web;

use std::collections::BTreeSet;
use std::fmt;
use std::io::stdout;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Map;
use url::Url;

use self::facts::{FactChanges, IMAGE, StepFacts};
use self::graph::{CONTAINER_TYPE, GraphRun, int_of, text_of};
use self::pods::{KubernetesArgs, Pods, StepPod};
use self::run::PipelineRun;
use self::spec::{ContainerSpec, PipelineSpec};
use self::tasks::{FoundTask, TaskPlace};
use self::web::{ApiAccess, JsonApi};
use super::blob_store::{BlobStoreArgs, StoredBlob};
use super::client::{ServerArgs, StoreClient};
use super::output::{printable, report};
use super::{Failure, json};
use crate::config::parse_duration;
use crate::proto::ml_metadata::Execution;
use crate::proto::ml_metadata::execution::State;
use crate::reproduce::{CODE_SPEC, is_image};

#[derive(Debug, Args)]
pub struct CollectArgs {
    #[command(subcommand)]
    from: CollectFrom,
}

/// Which system knows more.
#[derive(Debug, Subcommand)]
enum CollectFrom {
    /// Add the commands, the code and the images of a run of Kubeflow Pipelines to its executions
    Kfp(Box<KfpArgs>),
}

#[derive(Debug, Args)]
struct KfpArgs {
    /// The id of the run
    #[arg(value_name = "RUN")]
    run: String,

    /// URL of the API of Kubeflow Pipelines
    #[arg(long, value_name = "URL")]
    api: Url,

    /// File of a token to send to that API, which is read once
    #[arg(long, value_name = "FILE")]
    api_token_file: Option<PathBuf>,

    /// Certificate authority of that API, a PEM file; otherwise those of browsers
    #[arg(long, value_name = "FILE")]
    api_ca_cert: Option<PathBuf>,

    #[command(flatten)]
    kubernetes: KubernetesArgs,

    /// How long an answer of either API may take, such as 30s
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    api_timeout: Duration,

    #[command(flatten)]
    blobs: BlobStoreArgs,

    #[command(flatten)]
    server: ServerArgs,
}

impl CollectArgs {
    /// Runs the command. It prints a line for each execution, and in the end how much was added.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        match &self.from {
            CollectFrom::Kfp(args) => args.run().await,
        }
    }
}

/// How many facts there were.
#[derive(Debug, Default)]
struct Collected {
    executions: usize,
    added: usize,
    known: usize,
    kept: usize,
    missing: usize,
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            executions,
            added,
            known,
            kept,
            missing,
        } = self;
        write!(
            f,
            "executions: {executions}; facts: {added} added, {known} known, {kept} kept although they \
             differ, {missing} missing"
        )
    }
}

impl KfpArgs {
    async fn run(&self) -> Result<(), Failure> {
        let api = JsonApi::open(&ApiAccess {
            url: self.api.clone(),
            token_file: self.api_token_file.clone(),
            ca_file: self.api_ca_cert.clone(),
            timeout: self.api_timeout,
        })?;
        let pods = self.kubernetes.pods(self.api_timeout)?;
        let run = PipelineRun::read(&api, &self.run).await?;
        let wrong = |why: String| Failure(printable(&format!("the run {}: {why}", self.run)));
        let spec = PipelineSpec::of(&run.spec).map_err(wrong)?;
        let mut store = self.server.store_client()?;
        let found = graph::read(&mut store, &self.run).await?;
        let blob = self.blobs.put(&serde_json::to_vec(&run.spec)?)?;
        let mut collection = Collection {
            run: &run,
            spec: &spec,
            found: &found,
            blob,
            pods,
            store,
            spec_artifact: None,
            collected: Collected::default(),
        };
        collection.collect().await?;
        report(&mut stdout(), &collection.collected);
        collection.pods.failure.map_or(Ok(()), Err)
    }
}

/// A run whose executions get facts.
struct Collection<'a> {
    run: &'a PipelineRun,
    spec: &'a PipelineSpec,
    found: &'a GraphRun,
    blob: StoredBlob,
    pods: Pods,
    store: StoreClient,
    /// The artifact of the specification, once an execution needed it.
    spec_artifact: Option<i64>,
    collected: Collected,
}

impl Collection<'_> {
    async fn collect(&mut self) -> Result<(), Failure> {
        let executions = &self.found.executions;
        let places: Vec<TaskPlace> = executions.iter().filter_map(|it| self.place(it)).collect();
        let tasks = tasks::find(self.spec, &places);
        let steps = executions.iter().filter_map(|execution| {
            let is_step = execution.r#type() == CONTAINER_TYPE;
            is_step.then_some((execution.id?, execution))
        });
        for (id, execution) in steps {
            self.collected.executions += 1;
            let line = self.step(id, execution, tasks.get(&id)).await?;
            report(&mut stdout(), printable(&format!("execution {id}{line}")));
        }
        Ok(())
    }

    fn place(&self, execution: &Execution) -> Option<TaskPlace> {
        let id = execution.id?;
        let properties = &execution.custom_properties;
        let by_api = self.run.tasks.get(&id).map(|task| task.name.as_str());
        let by_driver = ["task_name", "display_name"].map(|name| text_of(properties, name));
        let names = by_api.into_iter().chain(by_driver);
        Some(TaskPlace {
            execution: id,
            parent: int_of(properties, "parent_dag_id"),
            is_loop: int_of(properties, "iteration_count").is_some(),
            names: names.map(str::to_owned).collect(),
        })
    }

    /// Adds facts to the execution of a step. Returns what was added, known and missing.
    async fn step(
        &mut self,
        id: i64,
        execution: &Execution,
        task: Option<&FoundTask<'_>>,
    ) -> Result<String, Failure> {
        if execution.last_known_state() == State::Cached {
            let properties = &execution.custom_properties;
            let from = text_of(properties, "cached_execution_id");
            return Ok(format!(
                ": it was skipped, and execution {from} has the facts"
            ));
        }
        let container = task.and_then(|task| self.spec.container(task.component));
        let Some((task, container)) = task.zip(container) else {
            self.collected.missing += 1;
            let names = self.place(execution).map(|place| place.names);
            let mut names = names.into_iter().flatten();
            let name = names.find(|name| !name.is_empty()).unwrap_or_default();
            return Ok(format!(": its task `{name}` is not in the specification"));
        };
        let mut step = self.facts(id, execution, task, container)?;
        let known = &execution.custom_properties;
        let image = self.image(id, execution, container).await;
        match image {
            Ok(image) => drop(step.facts.insert(IMAGE.to_owned(), image)),
            Err(why) => step.missing.push(format!("{IMAGE}: {why}")),
        }
        let has = |name: &str| known.contains_key(name).then(|| text_of(known, name));
        let changes = facts::changes(step.facts, has);
        if !changes.added.is_empty() {
            let spec = if changes.added.contains_key(CODE_SPEC) {
                Some(self.spec_artifact().await?)
            } else {
                None
            };
            graph::add(&mut self.store, execution, &changes.added, spec).await?;
        }
        self.collected.added += changes.added.len();
        self.collected.known += changes.known.len();
        self.collected.kept += changes.kept.len();
        self.collected.missing += step.missing.len();
        Ok(line(&task.path, &changes, &step.missing))
    }

    /// The facts that the specification has.
    fn facts(
        &self,
        id: i64,
        execution: &Execution,
        task: &FoundTask<'_>,
        container: &ContainerSpec,
    ) -> Result<StepFacts, Failure> {
        let written = json::write("ml_metadata.Execution", execution)?;
        let inputs = written["customProperties"]["inputs"]["structValue"].as_object();
        let (none, no_artifacts) = (Map::new(), BTreeSet::new());
        let artifacts = self.found.inputs.get(&id).unwrap_or(&no_artifacts);
        let inputs = inputs.unwrap_or(&none);
        let mut step = facts::of_step(task.component, container, inputs, artifacts);
        let spec = self.blob.digest.clone();
        step.facts.insert(CODE_SPEC.to_owned(), spec);
        Ok(step)
    }

    /// The image with its digest. A pod is asked only if nothing else has it.
    async fn image(
        &mut self,
        id: i64,
        execution: &Execution,
        container: &ContainerSpec,
    ) -> Result<String, String> {
        let properties = &execution.custom_properties;
        let images = [
            &container.image,
            text_of(properties, "image"),
            text_of(properties, IMAGE),
        ];
        if let Some(image) = images.into_iter().find(|image| is_image(image)) {
            return Ok(image.to_owned());
        }
        let by_api = self.run.tasks.get(&id).map(|task| task.pod.as_str());
        let first = |name: &str, other: &str| {
            let texts = [text_of(properties, name), other];
            let found = texts.into_iter().find(|text| !text.is_empty());
            found.unwrap_or_default().to_owned()
        };
        let pod = StepPod {
            namespace: first("namespace", &self.found.namespace),
            name: first("pod_name", by_api.unwrap_or_default()),
            uid: first("pod_uid", ""),
        };
        self.pods.image(&pod).await
    }

    async fn spec_artifact(&mut self) -> Result<i64, Failure> {
        if let Some(id) = self.spec_artifact {
            return Ok(id);
        }
        let id = graph::put_spec(&mut self.store, &self.blob).await?;
        self.spec_artifact = Some(id);
        Ok(id)
    }
}

/// What became of the facts of a task.
fn line(task: &str, changes: &FactChanges, missing: &[String]) -> String {
    let added: Vec<&str> = changes.added.keys().map(String::as_str).collect();
    let parts = [
        ("added", added.join(", ")),
        ("known", changes.known.join(", ")),
        ("kept although it differs", changes.kept.join(", ")),
        ("missing", missing.join("; ")),
    ];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts
        .map(|(what, names)| format!("{what} {names}"))
        .collect();
    format!(" {task}: {}", parts.join("; "))
}
