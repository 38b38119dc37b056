//! Fan-out: many clients write around the same nodes, all of them succeed, and the database sees no
//! more connections than it was promised.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pb::{event, put_execution_request};
use tonic::Status;

use crate::python::sized;
use crate::sql::query;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    executions_around_one_artifact_and_two_contexts,
    updates_of_overlapping_nodes_in_any_order,
}

// 64 clients wait for one connection.
in_memory_too!(executions_around_one_artifact_and_two_contexts);

const CLIENTS: usize = 64;

/// The default of `--database-connections`.
const CONNECTIONS: usize = 16;

/// Has 64 clients make calls until all are made; returns the answers.
async fn at_most_64_at_once<A: Ask>(
    store: &Store,
    calls: usize,
    call: impl Fn(usize) -> A + Send + Sync + 'static,
) -> Vec<Result<A::Answer, Status>>
where
    A::Answer: 'static,
{
    let (next, call) = (Arc::new(AtomicUsize::new(0)), Arc::new(call));
    let client = |_| {
        let (store, next, call) = (store.clone(), next.clone(), call.clone());
        tokio::spawn(async move {
            let mut answers = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return answers;
                }
                answers.push(store.send(call(number)).await);
            }
        })
    };
    let mut answers = Vec::new();
    for client in (0..CLIENTS).map(client).collect::<Vec<_>>() {
        answers.extend(client.await.unwrap());
    }
    answers
}

/// Looks at how many connections the server has to its database, until it is told to stop. Returns
/// the most that were seen.
async fn most_connections(store: Store, stop: Arc<AtomicBool>) -> usize {
    let sql = match store.backend() {
        Backend::SqliteFile | Backend::SqliteMemory => return 0,
        Backend::Postgres => {
            "SELECT CAST(COUNT(*) AS TEXT) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        Backend::MySql => {
            "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    let mut most = 0;
    while !stop.load(Ordering::Relaxed) {
        let now = query(store.url(), sql).await;
        most = most.max(now[0].parse().unwrap());
    }
    most
}

/// Requests for executions that share an artifact and contexts.
pub fn executions_around(
    shared: Artifact,
    execution_type: i64,
    contexts: Vec<Context>,
) -> impl Fn(usize) -> pb::PutExecutionRequest + Clone + Send + Sync + 'static {
    move |number: usize| {
        // Some name the contexts, as clients do that do not know their ids, and some change the
        // artifact.
        let mut contexts = contexts.clone();
        if number.is_multiple_of(2) {
            for context in &mut contexts {
                context.id = None;
            }
        }
        if number.is_multiple_of(3) {
            contexts.reverse();
        }
        let mut shared = shared.clone();
        if number.is_multiple_of(5) {
            shared = shared.with_custom("seen", int(i64::try_from(number).unwrap()));
        }
        let output = Artifact::new(shared.type_id(), &format!("output {number}"));
        let touched = |kind: event::Type| pb::Event {
            r#type: Some(kind.into()),
            ..Default::default()
        };
        pb::PutExecutionRequest {
            execution: Some(Execution::new(execution_type, &format!("run {number}"))),
            artifact_event_pairs: vec![
                pair(Some(shared), Some(touched(event::Type::Input))),
                pair(Some(output), Some(touched(event::Type::Output))),
            ],
            contexts,
            options: Some(put_execution_request::Options {
                reuse_context_if_already_exist: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

async fn executions_around_one_artifact_and_two_contexts(store: Store) {
    let calls = sized(400, 2000);
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    let shared: Artifact = store.get(artifacts[0]).await;
    let execution: Execution = store.get(executions[0]).await;
    let contexts: Vec<Context> = store.ask(Context::by_ids(&contexts)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(most_connections(store.clone(), stop.clone()));

    let put = executions_around(shared, execution.type_id(), contexts);
    for answer in at_most_64_at_once(&store, calls, put).await {
        answer.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let most = watch.await.unwrap();
    assert!(most <= CONNECTIONS, "{most} connections");
    println!(
        "{:?}: {calls} calls, at most {most} connections",
        store.backend()
    );

    if store.backend() != Backend::SqliteMemory {
        let counts = query(store.url(), COUNTS).await;
        let expected = [
            calls + 2,
            2 + calls,
            2,
            2 * calls,
            2 * calls,
            2 * (calls + 1),
        ];
        assert_eq!(counts, expected.map(|count| count.to_string()));
    }
}

/// How many executions, artifacts, contexts, events, associations and attributions there are.
pub const COUNTS: &str = "
    SELECT CONCAT(n, '') FROM (
        SELECT 1 AS place, COUNT(*) AS n FROM Execution
        UNION ALL SELECT 2, COUNT(*) FROM Artifact
        UNION ALL SELECT 3, COUNT(*) FROM Context
        UNION ALL SELECT 4, COUNT(*) FROM Event
        UNION ALL SELECT 5, COUNT(*) FROM Association
        UNION ALL SELECT 6, COUNT(*) FROM Attribution
    ) AS counts ORDER BY place";

/// Some of the ids, which depend on the number alone, in an order that does too.
fn some(ids: &[i64], number: usize) -> Vec<i64> {
    let mut random = number as u64;
    let mut some = Vec::new();
    for _ in 0..5 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let id = ids[(random >> 33) as usize % ids.len()];
        if !some.contains(&id) {
            some.push(id);
        }
    }
    some
}

fn changed<N: TestNode>(nodes: &[i64], number: usize) -> Vec<N> {
    let value = int(i64::try_from(number).unwrap());
    let change = |id| N::default().with_id(id).with_custom("k", value.clone());
    some(nodes, number).into_iter().map(change).collect()
}

async fn updates_of_overlapping_nodes_in_any_order(store: Store) {
    let names: Vec<String> = (0..12).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let artifacts = store.put_named::<Artifact>(artifact_type, &names).await;
    let executions = store.put_named::<Execution>(execution_type, &names).await;
    let contexts = store.put_named::<Context>(context_type, &names).await;

    let all = artifacts.clone();
    let put = move |number: usize| pb::PutExecutionRequest {
        execution: changed(&executions, number).pop(),
        artifact_event_pairs: changed(&artifacts, number)
            .into_iter()
            .map(|artifact: Artifact| pair(Some(artifact.with_type(artifact_type)), None))
            .collect(),
        contexts: changed(&contexts, number)
            .into_iter()
            .map(|context: Context| {
                let name = names_of(context.id.unwrap(), &contexts);
                context.with_type(context_type).with_name(&name)
            })
            .collect(),
        ..Default::default()
    };
    for answer in at_most_64_at_once(&store, sized(300, 2000), put).await {
        answer.unwrap();
    }
    let put = move |number: usize| Artifact::put(changed(&all, number));
    for answer in at_most_64_at_once(&store, sized(300, 2000), put).await {
        answer.unwrap();
    }
}

fn names_of(id: i64, ids: &[i64]) -> String {
    let place = ids.iter().position(|other| *other == id).unwrap();
    format!("n{place}")
}
