//! The same things created by many at once are created once, and nobody is refused.

use pedigree::graph::ArtifactIdentity::ExternalId;
use pedigree::graph::RunEventType::{Complete, Start};
use pedigree::graph::{RecordRuns, RunEvent};
use pedigree::model::{Kind, Value};

use super::{
    START_OF_TIME, artifact, at, context, milliseconds, named, properties, run, with_content,
};
use crate::support::{TestGraph, anonymous};

on_every_database! {
    one_run_is_created_by_many,
    runs_that_share_everything_else_are_created_by_many,
}

// Batches at once share one connection.
in_memory_too!(runs_that_share_everything_else_are_created_by_many);

const TASKS: usize = 20;

/// An event that needs something new of each sort.
fn event(name: &str) -> RunEvent {
    let mut pipeline = context("pipeline");
    pipeline.parents = vec![context("team")];
    RunEvent {
        contexts: vec![pipeline],
        inputs: vec![
            named("a"),
            artifact(ExternalId("x".into())),
            with_content("u", "d"),
        ],
        properties: properties(&[("p", Value::Int(1))]),
        ..run(Start, name, 1)
    }
}

async fn one_run_is_created_by_many(store: TestGraph) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let graph = store.graph.clone();
            tokio::spawn(async move {
                let events = vec![event("r")];
                graph.write(&anonymous(), RecordRuns { events }).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.unwrap().unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let counts = [Kind::Context, Kind::Execution, Kind::Artifact];
    for (kind, expected) in counts.into_iter().zip([2, 1, 3]) {
        assert_eq!(store.all(kind).await.len(), expected, "{kind}");
        assert_eq!(store.graph.types(kind).await.unwrap().len(), 1, "{kind}");
    }
}

async fn runs_that_share_everything_else_are_created_by_many(store: TestGraph) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let graph = store.graph.clone();
            tokio::spawn(async move {
                let mut mine = event(&format!("run {number}"));
                let mut shared = event("shared");
                shared.event_type = Some(Complete);
                let number = i64::try_from(number).unwrap();
                shared.time = Some(milliseconds(START_OF_TIME + 2 + number));
                let mut events = vec![mine.clone(), shared.clone()];
                if number % 2 == 0 {
                    events.reverse();
                }
                graph
                    .write(&anonymous(), RecordRuns { events })
                    .await
                    .unwrap();
                mine.inputs.reverse();
                mine.properties = properties(&[(&format!("p{number}"), Value::Int(1))]);
                graph
                    .write(
                        &anonymous(),
                        RecordRuns {
                            events: vec![shared, mine],
                        },
                    )
                    .await
                    .unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let counts = [Kind::Context, Kind::Execution, Kind::Artifact];
    for (kind, expected) in counts.into_iter().zip([2, 1 + TASKS, 3]) {
        assert_eq!(store.all(kind).await.len(), expected, "{kind}");
    }
    let types = store.graph.types(Kind::Execution).await.unwrap();
    assert_eq!(
        (types.len(), types[0].value.properties.len()),
        (1, 1 + TASKS)
    );
    let runs = store.all(Kind::Execution).await;
    let shared = runs
        .iter()
        .find(|run| run.content.name.as_deref() == Some("shared"))
        .unwrap();
    let ended = i64::try_from(TASKS).unwrap() + 1;
    assert_eq!(shared.content.custom_properties["ended_at"], at(ended));
}
