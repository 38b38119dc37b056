//! `OpenLineage` events over HTTP: what is taken, what is refused, and the graph that they make.
//!
//! The events in `tests/data/openlineage/` are what released producers sent, one on a line. Beside
//! them is the lineage that they tell, see [`lineage`].

mod bad_input;
mod chain;
mod client;
mod columns;
mod dbt;
mod door;
mod explicit;
mod facets;
mod killed;
mod lifecycle;
mod lineage;
mod names;
mod out;
mod overload;
mod producer;
mod producers;
mod scenarios;
mod uses;
mod versions;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::serving::{Http, http};
use crate::support::Store;

pub use scenarios::recorded;

pub const PATH: &str = "/api/v1/lineage";

pub const BATCH_PATH: &str = "/api/v1/lineage/batch";

/// Sends a body of JSON.
pub async fn post(port: u16, path: &str, body: &[u8]) -> Http {
    post_with(port, path, "Content-Type: application/json", body).await
}

async fn post_with(port: u16, path: &str, headers: &str, body: &[u8]) -> Http {
    http(port, &format!("POST {path} HTTP/1.1\r\n{headers}"), body).await
}

/// Sends an event, which must be stored.
pub async fn tell(store: &Store, event: &Value) {
    let answer = post(store.port(), PATH, event.to_string().as_bytes()).await;
    assert_eq!(answer.status, 201, "{answer:?} {event}");
    assert_eq!(answer.body, b"");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An event about a run of the job of the same name.
pub fn of_run(event_type: &str, run: &str, second: u32) -> Value {
    let mut event = event(event_type, second);
    event["run"]["runId"] = json!(run);
    event["job"]["name"] = json!(run);
    event
}

/// An event about the run `r1` of the job `team/train`.
pub fn event(event_type: &str, second: u32) -> Value {
    json!({
        "eventType": event_type,
        "eventTime": format!("2025-11-27T03:00:{second:02}Z"),
        "producer": "https://example.com/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "r1"},
        "job": {"namespace": "team", "name": "train"},
    })
}

/// A time in seconds since epoch, as events have it.
fn at_second(seconds: i64) -> Value {
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let format = &time::format_description::well_known::Rfc3339;
    json!(time.format(format).unwrap())
}

pub fn dataset(namespace: &str, name: &str) -> Value {
    json!({"namespace": namespace, "name": name})
}
