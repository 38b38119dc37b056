//! What cannot be stored in time is answered 503 with `Retry-After`: clients send it again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{BATCH_PATH, PATH, dataset, event, lineage, post};
use crate::serving::Http;
use crate::sql::TableLock;
use crate::support::Store;

on_every_database! {
    a_late_event_is_sent_again,
    too_many_events_wait,
}

/// What clients of `OpenLineage` wait for an answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

fn assert_to_be_sent_again(answer: &Http) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["code"], 503, "{answer:?}");
}

async fn a_late_event_is_sent_again(store: Store) {
    let mut event = event("COMPLETE", 10);
    event["outputs"] = json!([dataset("s3://lake", "a")]);
    let event = event.to_string();
    let lock = TableLock::of(store.backend(), store.url(), "Execution").await;
    let began = Instant::now();
    let answer = post(store.port(), PATH, event.as_bytes()).await;
    assert!(began.elapsed() < CLIENT_TIMEOUT, "{:?}", began.elapsed());
    assert_to_be_sent_again(&answer);
    lock.release().await;

    let answer = post(store.port(), PATH, event.as_bytes()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let expected = [
        "run\tteam/train\tCOMPLETE\t1",
        "writes\tteam/train\ts3://lake/a\t1",
    ];
    assert_eq!(lineage::lines(&store).await, expected);
}

async fn too_many_events_wait(store: Store) {
    let events = |folder: &str| {
        let event = |number: usize| {
            let mut event = event("", 0);
            let fields = event.as_object_mut().unwrap();
            fields.retain(|key, _| !matches!(key.as_str(), "eventType" | "run" | "job"));
            event["dataset"] = dataset("s3://lake", &format!("{folder}/{number}"));
            event
        };
        (0..10_000).map(event).collect::<Value>().to_string()
    };
    let lock = TableLock::of(store.backend(), store.url(), "Context").await;
    let mut batches = JoinSet::new();
    for folder in ["a", "b"] {
        let (port, events) = (store.port(), events(folder));
        batches.spawn(async move { post(port, BATCH_PATH, events.as_bytes()).await });
    }
    let refused = batches.join_next().await.unwrap().unwrap();
    assert_to_be_sent_again(&refused);
    lock.release().await;
    let stored = batches.join_next().await.unwrap().unwrap();
    assert_eq!(stored.status, 200, "{stored:?}");
    let body: Value = serde_json::from_slice(&stored.body).unwrap();
    assert_eq!(body["summary"]["successful"], 10_000, "{body}");
}
