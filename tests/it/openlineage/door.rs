//! The requests that producers send, and the answers.

use serde_json::{Value, json};

use super::scenarios::{graph, recorded};
use super::{BATCH_PATH, PATH, dataset, event, gzip, lineage, post, post_with, tell};
use crate::support::prelude::*;

on_every_database! {
    an_event_is_stored_when_it_is_answered,
    a_compressed_event_is_one_with_the_plain_one,
    chunks_are_put_together,
    an_event_that_is_sent_again_changes_nothing,
    the_events_of_an_array_are_stored_or_refused_alone,
    what_is_absent_may_be_null,
    of_facets_with_one_key_the_last_counts,
    a_facet_that_cannot_be_read_costs_no_event,
    facets_are_facts_of_their_nodes,
}

async fn an_event_is_stored_when_it_is_answered(store: Store) {
    tell(&store, &event("START", 1)).await;
    assert_eq!(
        lineage::lines(&store).await,
        ["run\tteam/train\tRUNNING\t1"]
    );
    tell(&store, &event("complete", 2)).await;
    assert_eq!(
        lineage::lines(&store).await,
        ["run\tteam/train\tCOMPLETE\t1"]
    );
}

async fn a_compressed_event_is_one_with_the_plain_one(store: Store) {
    let headers = "Content-Type: application/json; charset=UTF-8\r\nContent-Encoding: gzip";
    let text = event("START", 1).to_string();
    let answer = post_with(store.port(), PATH, headers, &gzip(text.as_bytes())).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let before = store.dump().await;
    store.tick();
    let answer = post(store.port(), PATH, text.as_bytes()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(store.dump().await, before);
}

async fn chunks_are_put_together(store: Store) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let body = gzip(event("START", 1).to_string().as_bytes());
    let (first, second) = body.split_at(body.len() / 2);
    let mut request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Encoding: gzip\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in [first, second, b""] {
        request.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    let address = ("127.0.0.1", store.port());
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(
        lineage::lines(&store).await,
        ["run\tteam/train\tRUNNING\t1"]
    );
}

async fn an_event_that_is_sent_again_changes_nothing(store: Store) {
    let mut start = event("START", 1);
    start["inputs"] = json!([dataset("s3://lake", "raw")]);
    tell(&store, &start).await;
    tell(&store, &event("COMPLETE", 3)).await;
    let before = store.dump().await;
    store.tick();
    tell(&store, &start).await;
    let answer = post(
        store.port(),
        BATCH_PATH,
        json!([start]).to_string().as_bytes(),
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(store.dump().await, before);
}

async fn the_events_of_an_array_are_stored_or_refused_alone(store: Store) {
    let mut nameless = event("START", 1);
    nameless["job"]["name"] = json!("");
    let events = json!([event("START", 1), nameless, 7, event("COMPLETE", 2)]);
    let answer = post(store.port(), BATCH_PATH, events.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["status"], "partial_success");
    let summary = json!({
        "received": 4, "successful": 2, "failed": 2, "retriable": 0, "non_retriable": 2,
    });
    assert_eq!(told["summary"], summary);
    assert_eq!(told["failed_events"][0]["index"], 1);
    assert_eq!(told["failed_events"][0]["retriable"], false);
    assert_eq!(
        told["failed_events"][0]["reason"],
        "job.name: missing or empty"
    );
    assert_eq!(told["failed_events"][1]["index"], 2);
    assert_eq!(
        lineage::lines(&store).await,
        ["run\tteam/train\tCOMPLETE\t1"]
    );

    let answer = post(store.port(), BATCH_PATH, b"[]").await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &told["status"]), (200, &json!("success")));

    let together = Store::open(store.backend()).await;
    let events = recorded("dbt-run");
    let body = format!("[{}]", events.join(","));
    let answer = post(together.port(), BATCH_PATH, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let alone = Store::open(store.backend()).await;
    for event in events {
        post(alone.port(), PATH, event.as_bytes()).await;
    }
    assert_eq!(graph(&together).await, graph(&alone).await);
}

async fn what_is_absent_may_be_null(store: Store) {
    let mut start = event("START", 1);
    start["run"]["facets"] = json!({"parent": null});
    start["job"]["facets"] = Value::Null;
    start["inputs"] = Value::Null;
    start["outputs"] = json!([{
        "namespace": "s3://lake", "name": "raw", "facets": {"schema": null}, "outputFacets": null,
    }]);
    start["dataset"] = Value::Null;
    tell(&store, &start).await;
    let expected = [
        "run\tteam/train\tRUNNING\t1",
        "writes\tteam/train\ts3://lake/raw\t1",
    ];
    assert_eq!(lineage::lines(&store).await, expected);
}

async fn of_facets_with_one_key_the_last_counts(store: Store) {
    let facets = r#"{"processing_engine":{"name":"a"},"processing_engine":{"name":"b"}}"#;
    let text = event("START", 1).to_string();
    let text = text.replace(r#""run":{"#, &format!(r#""run":{{"facets":{facets},"#));
    let answer = post(store.port(), PATH, text.as_bytes()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(lineage::text(&run(&store).await, "engine"), Some("b"));
}

async fn a_facet_that_cannot_be_read_costs_no_event(store: Store) {
    let mut start = event("START", 1);
    start["run"]["facets"] = json!({
        "parent": {"run": 7},
        "errorMessage": [],
        "tags": {"tags": [{"key": 3}]},
        "nominalTime": {"nominalStartTime": "soon"},
        "executionParameters": {"parameters": [{"key": "k", "value": "mlmd-struct::no"}]},
        "": {"a": 1},
        "weird key: \u{1F600}": 12,
    });
    start["job"]["facets"] = json!({"jobType": "BATCH"});
    start["inputs"] = json!([{
        "namespace": "n", "name": "d", "facets": {"version": {"datasetVersion": ["1"]}},
    }]);
    tell(&store, &start).await;
    let expected = ["reads\tteam/train\tn:d\t1", "run\tteam/train\tRUNNING\t1"];
    assert_eq!(lineage::lines(&store).await, expected);
}

async fn facets_are_facts_of_their_nodes(store: Store) {
    for event in recorded("client-full") {
        let answer = post(store.port(), PATH, event.as_bytes()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let executions = store.ask(pb::GetExecutionsRequest::default()).await;
    let is_train = |run: &&Execution| run.name().contains("churn_pipeline.train");
    let run = executions.executions.iter().find(is_train).unwrap();
    let facts = |text: &str| lineage::text(run, text).map(str::to_owned);
    assert!(facts("producer").is_some());
    assert!(facts("code.commit").is_some(), "{run:?}");
    let names: Vec<&String> = run.custom_properties.keys().collect();
    assert!(
        names.iter().any(|name| name.starts_with("param.")),
        "{names:?}"
    );
    let contexts = store.ask(pb::GetContextsRequest::default()).await.contexts;
    let features = contexts
        .iter()
        .find(|context| context.name() == "s3://lake/features/v1")
        .unwrap();
    assert_eq!(features.r#type(), "pedigree.Dataset");
    let names: Vec<&str> = features
        .custom_properties
        .keys()
        .map(String::as_str)
        .collect();
    for fact in [
        "description",
        "owners",
        "field_count",
        "schema_digest",
        "catalog",
        "format",
    ] {
        assert!(names.contains(&fact), "{fact} in {names:?}");
    }
}

/// The only run.
async fn run(store: &Store) -> Execution {
    let mut executions = store
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    assert_eq!(executions.len(), 1);
    executions.remove(0)
}
