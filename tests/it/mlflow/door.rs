//! What the API takes and refuses, beside what was recorded.

use serde_json::{Value, json};

use super::{PREFIX, code, experiment, get, post, run, tell};
use crate::serving::{self, http};
use crate::support::Store;

on_every_database! {
    both_prefixes_are_one_api,
    what_is_not_served_has_a_code_of_its_own,
    a_refused_batch_stores_nothing,
    long_keys_and_values_come_back,
    metrics_are_exact,
    clients_that_log_at_once_lose_nothing,
    runs_of_a_large_experiment_are_deleted_with_it,
    a_read_is_the_first_request,
    first_requests_may_come_at_once,
}

once! {
    the_server_says_what_it_is,
}

async fn the_server_says_what_it_is() {
    let store = Store::open(crate::support::Backend::SqliteFile).await;
    let port = store.port();
    for path in [
        "/api/3.0/mlflow/server-info",
        "/ajax-api/3.0/mlflow/server-info",
    ] {
        let answer = serving::get(port, path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"));
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told["workspaces_enabled"], false);
    }
}

async fn both_prefixes_are_one_api(store: Store) {
    let number = experiment(&store, "e").await;
    let path = format!("/ajax-api/2.0/mlflow/experiments/get?experiment_id={number}");
    let answer = serving::get(store.port(), &path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["experiment"]["name"], "e");
}

async fn what_is_not_served_has_a_code_of_its_own(store: Store) {
    for path in [
        "/api/2.0/mlflow/users/create",
        "/api/3.0/mlflow/traces",
        "/ajax-api/3.0/mlflow/traces/search",
        "/api/2.0/mlflow-artifacts/others",
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json");
        let answer = http(store.port(), &head, b"{}").await;
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (404, "ENDPOINT_NOT_FOUND"),
            "{path}"
        );
    }
}

/// The parameters, the tags and the metrics of a run, by key.
async fn data(store: &Store, run: &str) -> [Vec<(String, Value)>; 3] {
    let found = get(store, &format!("/runs/get?run_id={run}")).await;
    ["params", "tags", "metrics"].map(|list| {
        let entries = found["run"]["data"][list].as_array();
        let entry = |entry: &Value| {
            let key = entry["key"].as_str().unwrap().to_owned();
            (key, entry["value"].clone())
        };
        let mut entries: Vec<_> = entries.into_iter().flatten().map(entry).collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries
    })
}

async fn a_refused_batch_stores_nothing(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 1).await;
    let param = |value| json!([{"key": "p", "value": value}]);
    tell(
        &store,
        "/runs/log-batch",
        json!({"run_id": id, "params": param("1")}),
    )
    .await;
    let before = data(&store, &id).await;
    let metric = json!([{"key": "m", "value": 1, "timestamp": 1}]);
    let tags = json!([{"key": "t", "value": "1"}]);
    for (metrics, params, tags) in [
        (&metric, param("2"), &tags),
        (&metric, param("1"), &json!([{"key": "a(b", "value": ""}])),
        (
            &json!([metric[0], {"key": "n", "timestamp": 1}]),
            param("1"),
            &tags,
        ),
    ] {
        let body = json!({"run_id": id, "metrics": metrics, "params": params, "tags": tags});
        let answer = post(&store, "/runs/log-batch", &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(code(&answer), "INVALID_PARAMETER_VALUE");
    }
    assert_eq!(data(&store, &id).await, before);
    let history = get(
        &store,
        &format!("/metrics/get-history?run_id={id}&metric_key=m"),
    )
    .await;
    assert_eq!(history, json!({}));
}

async fn long_keys_and_values_come_back(store: Store) {
    let number = experiment(&store, &"e".repeat(255)).await;
    let too_long = json!({"name": "e".repeat(256)});
    let answer = post(&store, "/experiments/create", &too_long).await;
    assert_eq!(answer.status, 400);
    let id = run(&store, &number, "r", 1).await;
    let (param, key) = ("k".repeat(249), "ключ".to_owned() + &"/k".repeat(123));
    let short = "ключ 1".to_owned();
    let body = json!({
        "run_id": id,
        "params": [{"key": param, "value": "é".repeat(6001)}],
        "tags": [{"key": short, "value": "ü".repeat(8001)}],
        "metrics": [{"key": key, "value": 0.5, "timestamp": 1}],
    });
    tell(&store, "/runs/log-batch", body).await;
    let [params, tags, metrics] = data(&store, &id).await;
    assert_eq!(params, [(param, json!("é".repeat(6000)))]);
    let tag = (short, json!("ü".repeat(8000)));
    assert!(tags.contains(&tag), "{tags:?}");
    assert_eq!(metrics, [(key, json!(0.5))]);
}

async fn metrics_are_exact(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 1).await;
    let values = [
        json!(-1.5),
        json!("-Infinity"),
        json!(0.1),
        json!("Infinity"),
        json!("NaN"),
        json!(f64::MAX),
        json!(f64::MIN_POSITIVE),
        json!(-0.0),
    ];
    for (time, value) in (0..).zip(&values) {
        let body =
            json!({"run_id": id, "key": "m", "value": value, "timestamp": time, "step": -time});
        tell(&store, "/runs/log-metric", body).await;
    }
    let history = get(
        &store,
        &format!("/metrics/get-history?run_id={id}&metric_key=m"),
    )
    .await;
    let history = history["metrics"].as_array().unwrap();
    let found: Vec<&Value> = history.iter().map(|point| &point["value"]).collect();
    let expected: Vec<Value> = values
        .iter()
        .map(|value| {
            if value == &json!(-0.0) {
                json!(0.0)
            } else {
                value.clone()
            }
        })
        .collect();
    assert_eq!(found, expected.iter().collect::<Vec<_>>());
    // The latest point has the greatest step.
    let [_, _, metrics] = data(&store, &id).await;
    assert_eq!(metrics, [("m".to_owned(), json!(-1.5))]);
}

async fn clients_that_log_at_once_lose_nothing(store: Store) {
    const CLIENTS: i64 = 6;
    const POINTS: i64 = 20;
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 1).await;
    let client = async |client: i64| {
        for point in 0..POINTS {
            let step = client * POINTS + point;
            let body = json!({
                "run_id": id,
                "metrics": [{"key": "m", "value": step, "timestamp": 7, "step": step}],
                "params": [{"key": format!("p{step}"), "value": "1"}],
            });
            let answer = post(&store, "/runs/log-batch", &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    };
    tokio::join!(
        client(0),
        client(1),
        client(2),
        client(3),
        client(4),
        client(5)
    );
    let [params, _, metrics] = data(&store, &id).await;
    let all = CLIENTS * POINTS;
    assert_eq!(all, 120);
    assert_eq!(params.len(), usize::try_from(all).unwrap());
    assert_eq!(metrics, [("m".to_owned(), json!(119.0))]);
    let history = get(
        &store,
        &format!("/metrics/get-history?run_id={id}&metric_key=m"),
    )
    .await;
    let steps = history["metrics"].as_array().unwrap().iter();
    let steps: Vec<i64> = steps.map(|point| point["step"].as_i64().unwrap()).collect();
    assert_eq!(steps, (0..all).collect::<Vec<_>>());
}

async fn runs_of_a_large_experiment_are_deleted_with_it(store: Store) {
    let number = experiment(&store, "e").await;
    let ids = [
        run(&store, &number, "a", 1).await,
        run(&store, &number, "b", 2).await,
    ];
    tell(&store, "/runs/delete", json!({"run_id": ids[0]})).await;
    let stage = async |id: &str| {
        let found = get(&store, &format!("/runs/get?run_id={id}")).await;
        let stage = found["run"]["info"]["lifecycle_stage"].as_str();
        stage.unwrap().to_owned()
    };
    tell(
        &store,
        "/experiments/delete",
        json!({"experiment_id": number}),
    )
    .await;
    assert_eq!(
        [stage(&ids[0]).await, stage(&ids[1]).await],
        ["deleted", "deleted"]
    );
    let refused = post(&store, "/runs/create", &json!({"experiment_id": number})).await;
    assert_eq!(
        (refused.status, code(&refused).as_str()),
        (400, "INVALID_PARAMETER_VALUE")
    );
    tell(
        &store,
        "/experiments/restore",
        json!({"experiment_id": number}),
    )
    .await;
    assert_eq!(
        [stage(&ids[0]).await, stage(&ids[1]).await],
        ["active", "active"]
    );
}

async fn a_read_is_the_first_request(store: Store) {
    let found = get(&store, "/experiments/get-by-name?experiment_name=Default").await;
    assert_eq!(found["experiment"]["experiment_id"], "0");
    let body = json!({"max_results": 5});
    let all = tell(&store, "/experiments/search", body).await;
    assert_eq!(all["experiments"].as_array().unwrap().len(), 1);
    let answer = serving::get(store.port(), &format!("{PREFIX}/runs/get?run_id=x")).await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (404, "RESOURCE_DOES_NOT_EXIST")
    );
}

async fn first_requests_may_come_at_once(store: Store) {
    let create = async |name: &str| experiment(&store, name).await;
    let (a, b, c, d) = tokio::join!(create("a"), create("b"), create("c"), create("d"));
    let mut numbers = [a, b, c, d];
    numbers.sort();
    assert_eq!(numbers, ["1", "2", "3", "4"]);
}
