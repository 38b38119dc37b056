//! What is refused: with the path of what is wrong, and nothing of it is stored.

use serde_json::{Value, json};

use super::{BATCH_PATH, PATH, dataset, event, gzip, lineage, post, post_with, tell};
use crate::support::prelude::*;

on_every_database! {
    bad_events_are_refused_with_the_path,
    bad_texts_are_refused,
    long_names_are_stored_whole,
    a_thousand_inputs_are_stored,
    other_content_is_refused,
    a_body_is_limited_by_its_decompressed_size,
}

/// Sends what must be refused with this status and a message that starts so.
async fn refused(store: &Store, body: &[u8], status: u16, lead: &str) {
    let before = store.dump().await;
    let answer = post(store.port(), PATH, body).await;
    assert_eq!(answer.status, status, "{lead}: {answer:?}");
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["code"], status, "{told}");
    let message = told["message"].as_str().unwrap();
    assert!(
        message.starts_with(lead),
        "{message} does not start with {lead}"
    );
    assert_eq!(store.dump().await, before, "{lead}: something was written");
}

async fn bad_events_are_refused_with_the_path(store: Store) {
    let with = |path: &str, value: Value| {
        let mut event = event("START", 1);
        event["inputs"] = json!([dataset("n", "a"), dataset("n", "b")]);
        *event.pointer_mut(path).unwrap() = value;
        event.to_string()
    };
    let long = "x".repeat(10_000);
    for (path, value, lead) in [
        ("/eventTime", json!("yesterday"), "eventTime: "),
        ("/eventTime", json!(1_764_212_401), "eventTime: "),
        ("/eventTime", Value::Null, "eventTime: missing"),
        (
            "/eventTime",
            json!("1970-01-01T00:00:00Z"),
            "The event time 0 ",
        ),
        (
            "/eventTime",
            json!("9999-01-01T00:00:00Z"),
            "The event time 253370764800000 ",
        ),
        ("/eventType", json!("PAUSE"), "eventType: "),
        ("/eventType", json!(1), "eventType: "),
        ("/run", json!({}), "run.runId: "),
        ("/run", json!("r"), "run: "),
        ("/run/runId", json!(""), "run.runId: "),
        ("/run/runId", json!({}), "run.runId: "),
        ("/run/runId", json!(long), "run.runId: "),
        ("/job", Value::Null, "job: "),
        ("/job/namespace", json!(""), "job.namespace: "),
        ("/job/name", json!("a\0b"), "job.name: "),
        ("/job/name", json!(long), "job.name: "),
        ("/inputs", json!({}), "inputs: "),
        ("/inputs/1", Value::Null, "inputs[1]: "),
        ("/inputs/1/name", json!(""), "inputs[1].name: "),
        ("/inputs/1/namespace", json!([]), "inputs[1].namespace: "),
    ] {
        refused(&store, with(path, value).as_bytes(), 400, lead).await;
    }
}

async fn bad_texts_are_refused(store: Store) {
    let event = event("START", 1).to_string();
    let with_facet = |facet: &str| {
        event.replace(
            r#""run":{"#,
            &format!(r#""run":{{"facets":{{"f":{facet}}},"#),
        )
    };
    for (text, lead) in [
        (String::new(), ""),
        ("{".into(), ""),
        ("7".into(), ""),
        (format!(" [{event}]"), "an event is an object"),
        ("null".into(), "invalid type: null, expected an event"),
        ("{}".into(), "eventTime: missing"),
        (
            r#"{"eventTime":"2025-11-27T03:00:00Z"}"#.into(),
            "the event has none of",
        ),
        (format!("{event} x"), ""),
        (with_facet("NaN"), "run.facets.f: "),
        (with_facet(r#"{"loss":-Infinity}"#), "run.facets.f: "),
    ] {
        refused(&store, text.as_bytes(), 400, lead).await;
    }
    let mut broken = event.into_bytes();
    broken[10] = 0xff;
    refused(&store, &broken, 400, "").await;
    for text in ["{}", "", "[1,]", "NaN"] {
        let answer = post(store.port(), BATCH_PATH, text.as_bytes()).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
}

/// Names that no column of a name can hold keep their beginning, and are whole in a property.
async fn long_names_are_stored_whole(store: Store) {
    let name = "n".repeat(4000);
    for run in ["a", "b"] {
        let mut start = event("START", 1);
        start["run"]["runId"] = json!(format!("{name}{run}"));
        start["job"]["name"] = json!(format!("{name}{run}"));
        start["outputs"] = json!([dataset("s3://lake", &format!("{name}{run}"))]);
        tell(&store, &start).await;
        tell(&store, &start).await;
    }
    let runs = store
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    assert_eq!(runs.len(), 2);
    let contexts = store.ask(pb::GetContextsRequest::default()).await.contexts;
    assert_eq!(contexts.len(), 4);
    let job = contexts.iter().find(|it| it.r#type() == "openlineage.Job");
    let kept = job.unwrap().custom_properties["name"].clone();
    assert_eq!(kept, text(format!("{name}a")));
}

async fn a_thousand_inputs_are_stored(store: Store) {
    let mut start = event("START", 1);
    let inputs = (0..1000).map(|number| dataset("s3://lake", &format!("part-{number}")));
    start["inputs"] = inputs.collect();
    tell(&store, &start).await;
    assert_eq!(lineage::lines(&store).await.len(), 1001);
}

async fn other_content_is_refused(store: Store) {
    let body = event("START", 1).to_string();
    for (headers, status) in [
        ("Accept: */*", 415),
        ("Content-Type: text/plain", 415),
        (
            "Content-Type: application/json\r\nContent-Encoding: br",
            415,
        ),
        (
            "Content-Type: application/json\r\nContent-Encoding: gzip",
            400,
        ),
        ("Content-Type: APPLICATION/JSON;charset=utf-8", 201),
    ] {
        let answer = post_with(store.port(), PATH, headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{headers}: {answer:?}");
    }
}

async fn a_body_is_limited_by_its_decompressed_size(store: Store) {
    let headers = "Content-Type: application/json\r\nContent-Encoding: gzip";
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let answer = post_with(store.port(), PATH, headers, &bomb).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(answer.header("retry-after"), None);
}
