//! Events, attributions and associations by themselves.

use pb::event::path::{Step, step};
use pb::{Event, event};

use crate::support::prelude::*;

on_every_database! {
    events_come_back_with_time_and_path,
    events_are_found_from_both_ends,
    members_may_be_put_again,
}

fn step(value: step::Value) -> Step {
    Step { value: Some(value) }
}

async fn events_come_back_with_time_and_path(store: Store) {
    let [artifacts, executions, _] = store.put_two_of_each().await;
    let steps = vec![
        step(step::Value::Key("k".to_owned())),
        step(step::Value::Index(2)),
        step(step::Value::Index(i64::MAX)),
        step(step::Value::Key(String::new())),
        step(step::Value::Index(0)),
    ];
    let with_path = Event {
        path: Some(event::Path { steps }),
        milliseconds_since_epoch: Some(5),
        ..event(artifacts[0], executions[0], event::Type::Input)
    };
    let no_steps = Event {
        path: Some(event::Path::default()),
        milliseconds_since_epoch: Some(0),
        ..event(artifacts[0], executions[0], event::Type::Output)
    };
    let empty_step = Event {
        path: Some(event::Path {
            steps: vec![Step::default(), step(step::Value::Index(1))],
        }),
        ..event(artifacts[1], executions[0], event::Type::PendingOutput)
    };
    let given = vec![with_path.clone(), no_steps.clone(), empty_step.clone()];
    store.ask(put_events(given)).await;
    let request = pb::GetEventsByExecutionIDsRequest {
        execution_ids: executions,
        ..Default::default()
    };
    let found = store.ask(request).await.events;
    let time = found[2].milliseconds_since_epoch;
    assert!(time.is_some_and(|time| time > 1_600_000_000_000));
    let expected = [
        with_path,
        Event {
            path: None,
            ..no_steps
        },
        Event {
            path: Some(event::Path {
                steps: vec![step(step::Value::Index(1))],
            }),
            milliseconds_since_epoch: time,
            ..empty_step
        },
    ];
    assert_eq!(found, expected);
}

async fn events_are_found_from_both_ends(store: Store) {
    let [artifacts, executions, _] = store.put_two_of_each().await;
    let pairs = [(1, 1), (0, 0), (0, 1)];
    let given: Vec<Event> = pairs
        .iter()
        .map(|&(a, e)| Event {
            milliseconds_since_epoch: Some(1),
            ..event(artifacts[a], executions[e], event::Type::DeclaredInput)
        })
        .collect();
    store.ask(put_events(given.clone())).await;
    let of_artifacts = |artifact_ids: &[i64]| pb::GetEventsByArtifactIDsRequest {
        artifact_ids: artifact_ids.to_vec(),
        ..Default::default()
    };
    let of_executions = |execution_ids: &[i64]| pb::GetEventsByExecutionIDsRequest {
        execution_ids: execution_ids.to_vec(),
        ..Default::default()
    };
    for (ids, expected) in [
        (vec![], vec![]),
        (vec![77], vec![]),
        (vec![artifacts[0], 77, artifacts[0]], given[1..].to_vec()),
        (artifacts.clone(), given.clone()),
    ] {
        assert_eq!(store.ask(of_artifacts(&ids)).await.events, expected);
    }
    let found = store
        .ask(of_executions(&[executions[1], executions[1]]))
        .await
        .events;
    assert_eq!(found, [given[0].clone(), given[2].clone()]);
    assert!(store.ask(of_executions(&[])).await.events.is_empty());
}

async fn members_may_be_put_again(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    let (artifact, execution, context) = (artifacts[0], executions[0], contexts[0]);
    let put = put_members(&[(artifact, context); 2], &[(execution, context); 2]);
    store.ask(put.clone()).await;
    let before = store.dump().await;
    store.ask(put).await;
    assert_eq!(store.dump().await, before);
    store.ask(put_members(&[], &[])).await;
    store.ask(put_parents(&[])).await;
    store.ask(put_events(vec![])).await;
}
