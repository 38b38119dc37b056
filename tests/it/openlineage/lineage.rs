//! The lineage that a store has of events, as lines: the form of the expected ones in
//! `tests/data/openlineage/`.
//!
//! | line | |
//! | --- | --- |
//! | `run JOB STATE N` | N runs of a job are in a state; `NONE` is none |
//! | `below JOB PARENT N` | N runs of a job were begun by runs of another one |
//! | `reads JOB URI N`, `writes JOB URI N` | N runs of a job used or wrote a dataset |

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pedigree::proto::ml_metadata::{event, execution, value};

use crate::support::prelude::*;

/// Words of a line without the number at its end.
type Words = Vec<String>;

/// The lines that a store has.
pub async fn lines(store: &Store) -> Vec<String> {
    let executions = store.ask(pb::GetExecutionsRequest::default()).await;
    let executions: Vec<Execution> = executions.executions;
    let jobs = jobs(store, &executions).await;
    let artifacts = store.ask(pb::GetArtifactsRequest::default()).await;
    let uris: HashMap<Option<i64>, String> = artifacts
        .artifacts
        .into_iter()
        .map(|artifact| (artifact.id, artifact.uri.unwrap()))
        .collect();
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
    let mut seen = BTreeSet::new();
    for edge in store.ask(events).await.events {
        let verb = match edge.r#type() {
            event::Type::Input => "reads",
            event::Type::Output => "writes",
            other => panic!("{other:?}"),
        };
        let uri = &uris[&edge.artifact_id];
        if seen.insert((verb, edge.execution_id, uri.clone())) {
            count([verb, &jobs[&edge.execution_id], uri]);
        }
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
