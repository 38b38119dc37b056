//! `MLflow`'s tracking API over HTTP.
//!
//! `tests/data/mlflow/examples.jsonl` has requests of `MLflow`'s client with the answers of its own
//! server, see [`replay`].

pub mod artifacts;
mod bucket;
mod cached;
pub mod client;
mod door;
mod environment;
mod graph;
mod history;
mod import;
mod kubeflow;
mod large;
mod made;
mod many;
pub mod models;
mod registry;
mod replay;
mod search;
mod sweep;

pub use models::send;
use serde_json::{Value, json};

use crate::serving::{Http, http};
use crate::support::Store;

/// What paths of the API begin with.
pub const PREFIX: &str = "/api/2.0/mlflow";

/// Posts JSON to a path of the API.
pub async fn post(store: &Store, path: &str, body: &Value) -> Http {
    let head = format!("POST {PREFIX}{path} HTTP/1.1\r\nContent-Type: application/json");
    http(store.port(), &head, body.to_string().as_bytes()).await
}

/// [`post`], which must be answered with 200.
pub async fn tell(store: &Store, path: &str, body: Value) -> Value {
    let answer = post(store, path, &body).await;
    assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// The answer to a GET of a path of the API with a query, which must be 200.
pub async fn get(store: &Store, path: &str) -> Value {
    let answer = http(store.port(), &format!("GET {PREFIX}{path} HTTP/1.1"), b"").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Creates an experiment, and returns its id.
pub async fn experiment(store: &Store, name: &str) -> String {
    let created = tell(store, "/experiments/create", json!({"name": name})).await;
    created["experiment_id"].as_str().unwrap().to_owned()
}

/// Creates a run of an experiment, and returns its id.
pub async fn run(store: &Store, experiment: &str, name: &str, start_time: i64) -> String {
    let body = json!({"experiment_id": experiment, "run_name": name, "start_time": start_time});
    let created = tell(store, "/runs/create", body).await;
    created["run"]["info"]["run_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The code of an error.
pub fn code(answer: &Http) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["error_code"].as_str().unwrap_or_default().to_owned()
}
