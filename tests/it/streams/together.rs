//! Writes that come at once, which a database with one writer stores together: each is whole or not
//! there, whatever the others are.

use pb::{PutExecutionRequest, PutExecutionResponse, put_execution_request::ArtifactAndEvent};
use tonic::Status;

use super::{Watcher, brief, from_the_beginning};
use crate::support::prelude::*;

on_every_database! {
    of_writes_at_once_the_refused_leave_nothing,
}

// The group of writes and the history share one connection.
in_memory_too!(of_writes_at_once_the_refused_leave_nothing);

const WRITES: usize = 60;

/// A new execution with a new output and an input: one that exists, or not.
fn put(types: [i64; 2], number: usize, input: i64) -> PutExecutionRequest {
    let [artifact_type, execution_type] = types;
    let name = |what: &str| format!("{what} {number}");
    let event = |kind: pb::event::Type| pb::Event {
        r#type: Some(kind.into()),
        ..pb::Event::default()
    };
    PutExecutionRequest {
        execution: Some(Execution::new(execution_type, &name("run"))),
        artifact_event_pairs: vec![
            ArtifactAndEvent {
                artifact: Some(Artifact::new(artifact_type, &name("output"))),
                event: Some(event(pb::event::Type::Output)),
            },
            ArtifactAndEvent {
                artifact: None,
                event: Some(pb::Event {
                    artifact_id: Some(input),
                    ..event(pb::event::Type::Input)
                }),
            },
        ],
        ..PutExecutionRequest::default()
    }
}

/// Every third write names an artifact that does not exist, after it has put an execution and an
/// artifact.
async fn of_writes_at_once_the_refused_leave_nothing(store: Store) {
    let types = [
        store.put_type::<Artifact>("Data", &[]).await,
        store.put_type::<Execution>("Run", &[]).await,
    ];
    let input = store.put(Artifact::new(types[0], "input")).await;
    let send = |number: usize| {
        let store = store.clone();
        let missing = number.is_multiple_of(3);
        let put = put(types, number, if missing { 77_777 } else { input });
        tokio::spawn(async move { store.send(put).await })
    };
    let mut stored = Vec::new();
    for (number, task) in (0..WRITES)
        .map(send)
        .collect::<Vec<_>>()
        .into_iter()
        .enumerate()
    {
        let answer: Result<PutExecutionResponse, Status> = task.await.unwrap();
        if number.is_multiple_of(3) {
            assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument);
        } else {
            stored.push((number, answer.unwrap()));
        }
    }
    for (number, answer) in &stored {
        let id = answer.execution_id.unwrap();
        let run = &store.ask(Execution::by_ids(&[id])).await[0];
        assert_eq!(run.name(), format!("run {number}"));
    }
    let runs = store.ask(Execution::list(None)).await.nodes;
    assert_eq!(runs.len(), stored.len());
    let artifacts = store.ask(Artifact::list(None)).await.nodes;
    assert_eq!(artifacts.len(), stored.len() + 1);

    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    let seen: Vec<String> = watcher.until_quiet().await.iter().map(brief).collect();
    let mut expected: Vec<String> = stored
        .iter()
        .flat_map(|(_, answer)| {
            let (run, output) = (answer.execution_id.unwrap(), answer.artifact_ids[0]);
            [
                format!("created execution {run}"),
                format!("created artifact {output}"),
                format!("created event {output} {run}"),
                format!("created event {input} {run}"),
            ]
        })
        .collect();
    let mut seen = seen[3..].to_vec(); // The types and the input come first.
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}
