//! The lineage that a store has of events, as lines: the form of the expected ones in
//! `tests/data/openlineage/`.
//!
//! | line | |
//! | --- | --- |
//! | `run JOB STATE N` | N runs of a job are in a state; `NONE` is none |
//! | `below JOB PARENT N` | N runs of a job were begun by runs of another one |
//! | `follows JOB WRITER N` | runs of a job read versions that runs of another one wrote: N pairs |
//! | `reads JOB URI N`, `writes JOB URI N` | N runs of a job used or wrote a dataset |
//! | `abandons JOB URI N` | N runs of a job would have written a dataset, but failed |

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pedigree::proto::ml_metadata::{artifact, event, execution, value};

use crate::support::prelude::*;

/// Words of a line without the number at its end.
type Words = Vec<String>;

/// The lines that a store has.
pub async fn lines(store: &Store) -> Vec<String> {
    let executions = store.ask(pb::GetExecutionsRequest::default()).await;
    let executions: Vec<Execution> = executions.executions;
    let jobs = jobs(store, &executions).await;
    let by_run: HashMap<&str, &Execution> =
        executions.iter().map(|run| (run_id(run), run)).collect();
    let mut counts: BTreeMap<Words, usize> = BTreeMap::new();
    let mut count = |words: [&str; 3]| {
        let words = words.map(str::to_owned).to_vec();
        *counts.entry(words).or_default() += 1;
    };
    for run in &executions {
        let job = &jobs[&run.id];
        count(["run", job, state(run)]);
        if let Some(parent) = text(run, "parent_run") {
            count(["below", job, &jobs[&by_run[parent].id]]);
        }
    }
    let execution_ids: Vec<i64> = executions.iter().filter_map(|run| run.id).collect();
    let events = pb::GetEventsByExecutionIDsRequest {
        execution_ids,
        ..Default::default()
    };
    let events = store.ask(events).await.events;
    // After the events, each of which has its artifact.
    let artifacts = store.ask(pb::GetArtifactsRequest::default()).await;
    let artifacts: HashMap<Option<i64>, Artifact> = artifacts
        .artifacts
        .into_iter()
        .map(|artifact| (artifact.id, artifact))
        .collect();
    let is_output = |edge: &&pb::Event| edge.r#type() == event::Type::Output;
    let mut writers: HashMap<Option<i64>, BTreeSet<Option<i64>>> = HashMap::new();
    for edge in events.iter().filter(is_output) {
        let of_version = writers.entry(edge.artifact_id).or_default();
        of_version.insert(edge.execution_id);
    }
    let mut follows = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for edge in events {
        let artifact = &artifacts[&edge.artifact_id];
        let is_abandoned = artifact.state() == artifact::State::Abandoned;
        let verb = match edge.r#type() {
            event::Type::Input => "reads",
            event::Type::Output if is_abandoned => "abandons",
            event::Type::Output => "writes",
            other => panic!("{other:?}"),
        };
        if verb == "reads" {
            let writers = writers.get(&edge.artifact_id).into_iter().flatten();
            follows.extend(writers.map(|writer| (edge.execution_id, *writer)));
        }
        let uri = artifact.uri();
        if seen.insert((verb, edge.execution_id, uri.to_owned())) {
            count([verb, &jobs[&edge.execution_id], uri]);
        }
    }
    for (run, writer) in follows {
        count(["follows", &jobs[&run], &jobs[&writer]]);
    }
    let line = |(words, count): (Words, usize)| format!("{}\t{count}", words.join("\t"));
    counts.into_iter().map(line).collect()
}

/// The names of the jobs of runs.
async fn jobs(store: &Store, executions: &[Execution]) -> HashMap<Option<i64>, String> {
    let mut jobs = HashMap::new();
    for run in executions {
        let of_run = pb::GetContextsByExecutionRequest {
            execution_id: run.id,
            ..Default::default()
        };
        let contexts = store.ask(of_run).await.contexts;
        let is_job = |context: &Context| context.r#type() == "openlineage.Job";
        let mut of_run = contexts.into_iter().filter(is_job);
        let job = of_run.next().unwrap().name.unwrap();
        assert!(of_run.next().is_none(), "{job}");
        jobs.insert(run.id, job);
    }
    jobs
}

/// The id by which the producer knows a run.
fn run_id(run: &Execution) -> &str {
    run.external_id().strip_prefix("openlineage:run:").unwrap()
}

fn state(run: &Execution) -> &'static str {
    match run.last_known_state() {
        execution::State::Unknown => "NONE",
        other => other.as_str_name(),
    }
}

/// A custom property of a run that is a text.
pub fn text<'a>(run: &'a Execution, name: &str) -> Option<&'a str> {
    match run.custom_properties.get(name)?.value.as_ref()? {
        value::Value::StringValue(text) => Some(text),
        other => panic!("{other:?}"),
    }
}
