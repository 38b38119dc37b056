//! Many calls at once: one of them wins where only one can, the others are told why, and nobody is
//! told to try again.

use std::time::Duration;

use pb::{put_artifacts_request, put_execution_request};
use tonic::Status;

use crate::support::prelude::*;

on_every_database! {
    f26_concurrent_creators_make_one_type,
    concurrent_additions_to_a_type_are_all_kept,
    one_context_is_created_and_reused_by_all,
    one_context_is_created_and_others_are_refused,
    one_artifact_is_created_and_reused_by_all,
    one_external_id_is_given_once,
    one_update_wins_for_each_stored_time,
    no_update_is_lost_to_those_who_check_the_time,
    a_ring_of_parents_is_never_closed,
    f29_concurrent_writers_are_not_aborted,
    cancelled_calls_leave_nothing_behind,
}

// Reads and writes at once share one connection.
in_memory_too! {
    one_context_is_created_and_reused_by_all,
    no_update_is_lost_to_those_who_check_the_time,
    cancelled_calls_leave_nothing_behind,
}

const TASKS: usize = 50;

/// Sends all requests at once and returns the answers in their order.
async fn all_at_once<A: Ask>(store: &Store, requests: Vec<A>) -> Vec<Result<A::Answer, Status>>
where
    A::Answer: 'static,
{
    let start = |request| {
        let store = store.clone();
        tokio::spawn(async move { store.send(request).await })
    };
    let mut answers = Vec::with_capacity(requests.len());
    for task in requests.into_iter().map(start).collect::<Vec<_>>() {
        answers.push(task.await.unwrap());
    }
    answers
}

/// The answer of the one call that succeeded; all others were refused with this code and a text
/// that starts so.
#[track_caller]
fn only_winner<T>(answers: Vec<Result<T, Status>>, code: Code, lead: &str) -> T {
    let mut winners = Vec::new();
    for answer in answers {
        match answer {
            Ok(answer) => winners.push(answer),
            Err(status) => {
                assert_eq!(status.code(), code, "{status:?}");
                assert!(status.message().starts_with(lead), "{status:?}");
            }
        }
    }
    assert_eq!(winners.len(), 1, "not one winner");
    winners.remove(0)
}

async fn f26_concurrent_creators_make_one_type(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let puts = (0..TASKS).map(|_| N::put_type("T", &[("p", PropertyType::Int)]));
        let answers = all_at_once(store, puts.collect()).await;
        let ids: Vec<i64> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(ids, [ids[0]; TASKS]);
    }
    for_every_kind!(check(&store));
    let types = store
        .ask(pb::GetArtifactTypesRequest::default())
        .await
        .artifact_types;
    assert_eq!(types.len(), 1);
}

async fn concurrent_additions_to_a_type_are_all_kept(store: Store) {
    let put = |number: usize| pb::PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some("T".to_owned()),
            properties: declared(&[(&format!("p{number}"), PropertyType::Int)]),
            ..Default::default()
        }),
        can_add_fields: Some(true),
        can_omit_fields: Some(true),
        ..Default::default()
    };
    for answer in all_at_once(&store, (0..TASKS).map(put).collect()).await {
        answer.unwrap();
    }
    let types = store
        .ask(pb::GetArtifactTypesRequest::default())
        .await
        .artifact_types;
    assert_eq!((types.len(), types[0].properties.len()), (1, TASKS));
}

/// As many executions as there are tasks, each of which is to be put with the same new context.
async fn executions_of_one_context(store: &Store, reuse: bool) -> Vec<pb::PutExecutionRequest> {
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let request = pb::PutExecutionRequest {
        execution: Some(Execution::default().with_type(execution_type)),
        contexts: vec![Context::new(context_type, "c")],
        options: Some(put_execution_request::Options {
            reuse_context_if_already_exist: Some(reuse),
            ..Default::default()
        }),
        ..Default::default()
    };
    vec![request; TASKS]
}

async fn one_context_is_created_and_reused_by_all(store: Store) {
    let requests = executions_of_one_context(&store, true).await;
    let answers = all_at_once(&store, requests).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let contexts = store.ask(Context::list(None)).await.ids();
    assert_eq!(contexts.len(), 1);
    assert!(answers.iter().all(|answer| answer.context_ids == contexts));
    let mut executions: Vec<i64> = answers
        .iter()
        .map(pb::PutExecutionResponse::execution_id)
        .collect();
    executions.sort_unstable();
    assert_eq!(
        store.find::<Execution>("contexts_a.name = 'c'").await,
        executions
    );
}

async fn one_context_is_created_and_others_are_refused(store: Store) {
    let requests = executions_of_one_context(&store, false).await;
    let answers = all_at_once(&store, requests).await;
    let winner = only_winner(answers, Code::AlreadyExists, "Given node already exists: ");
    assert_eq!(
        store.ask(Context::list(None)).await.ids(),
        winner.context_ids
    );
    assert_eq!(
        store.ask(Execution::list(None)).await.ids(),
        [winner.execution_id()]
    );
}

/// Executions that each bring an artifact with the same new external id.
async fn executions_of_one_artifact(store: &Store, reuse: bool) -> Vec<pb::PutExecutionRequest> {
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let artifact = Artifact::default()
        .with_type(artifact_type)
        .with_external_id("x");
    let request = pb::PutExecutionRequest {
        execution: Some(Execution::default().with_type(execution_type)),
        artifact_event_pairs: vec![pair(Some(artifact), None)],
        options: Some(put_execution_request::Options {
            reuse_artifact_if_already_exist_by_external_id: Some(reuse),
            ..Default::default()
        }),
        ..Default::default()
    };
    vec![request; TASKS]
}

async fn one_artifact_is_created_and_reused_by_all(store: Store) {
    let requests = executions_of_one_artifact(&store, true).await;
    let answers = all_at_once(&store, requests).await;
    let artifacts = store.ask(Artifact::list(None)).await.ids();
    assert_eq!(artifacts.len(), 1);
    for answer in answers {
        assert_eq!(answer.unwrap().artifact_ids, artifacts);
    }
    assert_eq!(store.ask(Execution::list(None)).await.nodes.len(), TASKS);
}

async fn one_external_id_is_given_once(store: Store) {
    let requests = executions_of_one_artifact(&store, false).await;
    let answers = all_at_once(&store, requests).await;
    let winner = only_winner(answers, Code::AlreadyExists, "Given node already exists: ");
    assert_eq!(
        store.ask(Artifact::list(None)).await.ids(),
        winner.artifact_ids
    );
    assert_eq!(
        store.ask(Execution::list(None)).await.ids(),
        [winner.execution_id()]
    );
}

/// An update that is refused when the artifact is not as it was read.
fn update_if_unchanged(artifact: Artifact) -> pb::PutArtifactsRequest {
    pb::PutArtifactsRequest {
        artifacts: vec![artifact],
        options: Some(put_artifacts_request::Options {
            abort_if_latest_updated_time_changed: Some(true),
        }),
        ..Default::default()
    }
}

const CHANGED: &str =
    "`abort_if_latest_updated_time_changed` is set, and the stored artifact with id = ";

async fn one_update_wins_for_each_stored_time(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let id = store.put(Artifact::new(type_id, "n")).await;
    for round in 0..3 {
        let stored: Artifact = store.get(id).await;
        // No two updates are the same: one that changes nothing would leave the time to another.
        let update = |number: i64| {
            update_if_unchanged(stored.clone().with_custom("k", int(50 * round + number)))
        };
        let answers = all_at_once(&store, (1..=50).map(update).collect()).await;
        only_winner(answers, Code::FailedPrecondition, CHANGED);
        assert!(store.get::<Artifact>(id).await.update_time() > stored.update_time());
    }
}

async fn no_update_is_lost_to_those_who_check_the_time(store: Store) {
    async fn count_up(store: Store, id: i64) {
        loop {
            let stored: Artifact = store.get(id).await;
            let Some(pb::value::Value::IntValue(count)) = stored.custom_properties["k"].value
            else {
                panic!("{stored:?}");
            };
            let update = update_if_unchanged(stored.with_custom("k", int(count + 1)));
            match store.send(update).await {
                Ok(_) => return,
                Err(status) => assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}"),
            }
        }
    }
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let id = store
        .put(Artifact::new(type_id, "n").with_custom("k", int(0)))
        .await;
    let tasks = (0..10).map(|_| tokio::spawn(count_up(store.clone(), id)));
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(
        store.get::<Artifact>(id).await.custom_properties["k"],
        int(10)
    );
}

async fn a_ring_of_parents_is_never_closed(store: Store) {
    let type_id = store.put_type::<Context>("C", &[]).await;
    let names: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ids = store.put_named::<Context>(type_id, &names).await;
    let next = ids.iter().cycle().skip(1);
    let links = ids
        .iter()
        .zip(next)
        .map(|(&parent, &child)| put_parents(&[(parent, child)]));
    let answers = all_at_once(&store, links.collect()).await;
    let refused: Vec<Status> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].code(), Code::InvalidArgument);
    let text = "There is a cycle detected of the given relationship.";
    assert_eq!(refused[0].message(), text);
}

async fn f29_concurrent_writers_are_not_aborted(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let id = store.put(Artifact::new(type_id, "n")).await;
    let update = |number: i64| {
        let update = Artifact::default()
            .with_id(id)
            .with_custom("k", int(number));
        Artifact::put(vec![Artifact::default().with_type(type_id), update])
    };
    for answer in all_at_once(&store, (0..50).map(update).collect()).await {
        assert_eq!(answer.unwrap()[1], id);
    }
    assert_eq!(store.ask(Artifact::list(None)).await.nodes.len(), 51);
}

async fn cancelled_calls_leave_nothing_behind(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    let artifact: Artifact = store.get(artifacts[0]).await;
    let execution: Execution = store.get(executions[0]).await;
    let put = || pb::PutExecutionRequest {
        execution: Some(Execution {
            id: None,
            name: None,
            ..execution.clone()
        }),
        artifact_event_pairs: vec![
            pair(
                Some(Artifact {
                    id: None,
                    name: None,
                    ..artifact.clone()
                }),
                None,
            );
            2
        ],
        ..Default::default()
    };
    // The calls end at all stages of their work: some before it begins, some after it is done. Few
    // of them at a time, as HTTP/2 servers hang up on a client that cancels many calls which they
    // have not even seen.
    for wave in 0..20 {
        let calls = (0..10).map(|number| {
            let (store, put) = (store.clone(), put());
            let patience = Duration::from_micros(100 * (10 * wave + number));
            tokio::spawn(async move {
                tokio::time::timeout(patience, store.send(put))
                    .await
                    .is_ok()
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        assert_eq!(store.get::<Artifact>(artifacts[0]).await, artifact);
    }
    let stored = store.ask(put()).await;
    store
        .ask(put_members(&[(stored.artifact_ids[0], contexts[0])], &[]))
        .await;
    assert_eq!(
        store.find::<Context>("artifacts_a.id > 2").await,
        [contexts[0]]
    );
    // What is there of a call is there entirely.
    let executions = store.ask(Execution::list(None)).await.nodes.len();
    let artifacts = store.ask(Artifact::list(None)).await.nodes.len();
    assert_eq!(artifacts - 2, 2 * (executions - 2));
}
