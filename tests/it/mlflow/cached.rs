//! Runs that have not changed for a while are cached. Each change of such a run is seen.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PREFIX, experiment, get, run, tell};
use crate::serving::http;
use crate::sql::run_sql;
use crate::support::prelude::*;

on_every_database! {
    changes_of_cached_runs_are_seen,
    changes_at_one_time_are_seen,
    the_time_of_the_last_update_decides,
}

/// After this time, a run is cached when it is read.
const SETTLED: Duration = Duration::from_mins(2);

/// The runs that a search finds, deleted ones too.
async fn found(store: &Store, number: &str) -> Vec<Value> {
    let body = json!({"experiment_ids": [number], "run_view_type": "ALL"});
    let page = tell(store, "/runs/search", body).await;
    page["runs"].as_array().unwrap().clone()
}

/// What a search finds, which must be what a read of the run finds.
async fn the_run(store: &Store, number: &str, id: &str) -> Value {
    let told = get(store, &format!("/runs/get?run_id={id}")).await;
    assert_eq!(found(store, number).await, [told["run"].clone()]);
    told["run"].clone()
}

async fn changes_of_cached_runs_are_seen(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 5).await;
    let (this, other) = (store.port(), store.replica().await);
    let point = |value: f64, step: i64| json!({"run_id": id, "key": "acc", "value": value, "timestamp": 7, "step": step});
    let keyed = |key: &str, value: &str| json!({"run_id": id, "key": key, "value": value});
    let dataset = json!({"name": "d", "digest": "1", "source_type": "s3", "source": "{}"});
    let inputs = json!({"run_id": id, "datasets": [{"dataset": dataset, "tags": []}]});
    let end = json!({"run_id": id, "status": "FINISHED", "end_time": 9, "run_name": "s"});
    for (port, path, body) in [
        (this, "/runs/log-metric", point(0.5, 1)),
        // The property of the metric stays as it is.
        (this, "/runs/log-metric", point(0.5, 2)),
        (other.port, "/runs/log-metric", point(0.5, 3)),
        (this, "/runs/log-metric", point(0.75, 4)),
        (other.port, "/runs/log-parameter", keyed("lr", "0.1")),
        (this, "/runs/set-tag", keyed("team", "red")),
        (other.port, "/runs/set-tag", keyed("team", "blue")),
        (
            this,
            "/runs/delete-tag",
            json!({"run_id": id, "key": "team"}),
        ),
        (this, "/runs/log-inputs", inputs),
        (other.port, "/runs/update", end),
        (this, "/runs/delete", json!({"run_id": id})),
        (this, "/runs/restore", json!({"run_id": id})),
    ] {
        store.wait(SETTLED);
        let before = the_run(&store, &number, &id).await;
        // The first read has filled the cache, which answers the second one.
        assert_eq!(the_run(&store, &number, &id).await, before);
        let head = format!("POST {PREFIX}{path} HTTP/1.1\r\nContent-Type: application/json");
        let answer = http(port, &head, body.to_string().as_bytes()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let after = the_run(&store, &number, &id).await;
        assert_ne!(after, before, "{path} {body}");
    }
    // Other doors change it too.
    let filter = "type = 'mlflow.Run'";
    let execution = store.find::<Execution>(filter).await;
    let execution = store.get::<Execution>(execution[0]).await;
    store.wait(SETTLED);
    let before = the_run(&store, &number, &id).await;
    let execution = execution.with_custom("tag.team", text("green"));
    store.ask(Execution::put(vec![execution])).await;
    let after = the_run(&store, &number, &id).await;
    assert_ne!(before, after);
    let tags = after["data"]["tags"].as_array().unwrap();
    assert!(
        tags.contains(&json!({"key": "team", "value": "green"})),
        "{tags:?}"
    );
}

/// The clock stands still: times do not tell changes apart.
async fn changes_at_one_time_are_seen(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 5).await;
    for value in ["a", "b", "c"] {
        let body = json!({"run_id": id, "key": "k", "value": value});
        tell(&store, "/runs/set-tag", body).await;
        let told = the_run(&store, &number, &id).await;
        let tag = json!({"key": "k", "value": value});
        assert!(told["data"]["tags"].as_array().unwrap().contains(&tag));
    }
}

/// The cache is in use: what changes without a new time is not seen.
async fn the_time_of_the_last_update_decides(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 5).await;
    let name_of = |runs: Vec<Value>| runs[0]["info"]["run_name"].clone();
    store.wait(SETTLED);
    assert_eq!(name_of(found(&store, &number).await), "r");
    let rename = "UPDATE ExecutionProperty SET string_value = 's' WHERE name = 'run_name'";
    run_sql(store.url(), rename).await;
    assert_eq!(name_of(found(&store, &number).await), "r");
    let update =
        "UPDATE Execution SET last_update_time_since_epoch = last_update_time_since_epoch + 1";
    run_sql(store.url(), update).await;
    assert_eq!(name_of(found(&store, &number).await), "s");
    the_run(&store, &number, &id).await;
}
