//! Searches, beside those that were recorded.

use serde_json::{Value, json};

use super::{code, experiment, get, post, run, tell};
use crate::support::Store;

on_every_database! {
    inputs_are_found,
    texts_are_compared_alike,
    pages_have_every_run_once,
    a_search_has_a_limited_number_of_terms,
    experiments_are_found_by_lists_and_tags,
}

async fn names(store: &Store, number: &str, filter: &str) -> Vec<String> {
    let body = json!({
        "experiment_ids": [number],
        "filter": filter,
        "order_by": ["start_time ASC"],
    });
    let found = tell(store, "/runs/search", body).await;
    let runs = found["runs"].as_array();
    let name = |run: &Value| run["info"]["run_name"].as_str().unwrap().to_owned();
    runs.into_iter().flatten().map(name).collect()
}

async fn inputs_are_found(store: Store) {
    let number = experiment(&store, "e").await;
    for (time, (name, digest, context)) in (1..).zip([
        ("train", "d1", "training"),
        ("test", "d2", "eval"),
        ("train", "d3", "eval"),
    ]) {
        let id = run(&store, &number, &format!("r{time}"), time).await;
        let dataset = json!({
            "name": name, "digest": digest, "source_type": "s3", "source": "{}", "schema": "{}",
        });
        let tags = json!([{"key": "mlflow.data.context", "value": context}]);
        let body = json!({"run_id": id, "datasets": [{"dataset": dataset, "tags": tags}]});
        tell(&store, "/runs/log-inputs", body).await;
    }
    for (filter, expected) in [
        ("datasets.name = 'train'", vec!["r1", "r3"]),
        ("dataset.digest IN ('d1', 'd2')", vec!["r1", "r2"]),
        (
            "dataset.digest LIKE 'd%' AND dataset.context = 'eval'",
            vec!["r2", "r3"],
        ),
        (
            "datasets.name = 'train' AND datasets.context != 'training'",
            vec!["r3"],
        ),
    ] {
        assert_eq!(names(&store, &number, filter).await, expected, "{filter}");
    }
    let asked = json!({"experiment_ids": [number, "77"]});
    let found = tell(&store, "/experiments/search-datasets", asked.clone()).await;
    let summary = |name: &str, digest: &str, context: &str| json!({"experiment_id": number, "name": name, "digest": digest, "context": context});
    let expected = [
        summary("test", "d2", "eval"),
        summary("train", "d1", "training"),
        summary("train", "d3", "eval"),
    ];
    assert_eq!(found, json!({"dataset_summaries": expected}));
    let delete = json!({"experiment_id": number});
    tell(&store, "/experiments/delete", delete).await;
    let found = tell(&store, "/experiments/search-datasets", asked).await;
    assert_eq!(found, json!({}));
}

async fn texts_are_compared_alike(store: Store) {
    let number = experiment(&store, "e").await;
    for (time, value) in (1..).zip(["Straße", "strasse", "a!b", "a_b", "axb", "a%b", "x "]) {
        let id = run(&store, &number, value, time).await;
        let body = json!({"run_id": id, "key": "t", "value": value});
        tell(&store, "/runs/set-tag", body).await;
    }
    for (filter, expected) in [
        ("tags.t LIKE 'Stra%e'", vec!["Straße"]),
        ("tags.t ILIKE 'STRA%'", vec!["Straße", "strasse"]),
        ("tags.t LIKE 'a_b'", vec!["a!b", "a_b", "axb", "a%b"]),
        ("tags.t LIKE 'a!b'", vec!["a!b"]),
        ("tags.t = 'x'", vec![]),
        ("tags.t = 'x '", vec!["x "]),
        ("run_name ILIKE 'A!B'", vec!["a!b"]),
    ] {
        assert_eq!(names(&store, &number, filter).await, expected, "{filter}");
    }
}

async fn pages_have_every_run_once(store: Store) {
    let number = experiment(&store, "e").await;
    let mut ids = Vec::new();
    for index in 0..7 {
        ids.push(run(&store, &number, "r", 5 - index / 3).await);
    }
    let mut found = Vec::new();
    let mut body = json!({"experiment_ids": [number], "max_results": 2});
    loop {
        let page = tell(&store, "/runs/search", body.clone()).await;
        let runs = page["runs"].as_array().unwrap().iter();
        found.extend(runs.map(|run| run["info"]["run_id"].as_str().unwrap().to_owned()));
        match &page["next_page_token"] {
            Value::Null => break,
            token => body["page_token"] = token.clone(),
        }
    }
    ids[..3].sort();
    ids[3..6].sort();
    assert_eq!(found, ids);
}

async fn a_search_has_a_limited_number_of_terms(store: Store) {
    let number = experiment(&store, "e").await;
    run(&store, &number, "r", 1).await;
    let filter = |terms: usize| vec!["metrics.m > 1"; terms].join(" AND ");
    assert!(names(&store, &number, &filter(16)).await.is_empty());
    let body = json!({"experiment_ids": [number], "filter": filter(17)});
    let answer = post(&store, "/runs/search", &body).await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (400, "INVALID_PARAMETER_VALUE")
    );
}

async fn experiments_are_found_by_lists_and_tags(store: Store) {
    let ids = [experiment(&store, "a").await, experiment(&store, "b").await];
    let body = json!({"experiment_id": ids[1], "key": "team", "value": "red"});
    tell(&store, "/experiments/set-experiment-tag", body).await;
    let found = async |filter: String| {
        let body = json!({"max_results": 9, "filter": filter, "order_by": ["experiment_id"]});
        let found = tell(&store, "/experiments/search", body).await;
        let experiments = found["experiments"].as_array();
        let name = |it: &Value| it["name"].as_str().unwrap().to_owned();
        experiments
            .into_iter()
            .flatten()
            .map(name)
            .collect::<Vec<_>>()
    };
    let list = format!("experiment_id IN ('0', '{}')", ids[0]);
    assert_eq!(found(list).await, ["Default", "a"]);
    assert_eq!(found("experiment_id != '0'".to_owned()).await, ["a", "b"]);
    assert_eq!(found("tags.team IS NOT NULL".to_owned()).await, ["b"]);
    assert_eq!(
        found("tags.team IS NULL".to_owned()).await,
        ["Default", "a"]
    );
    let one = get(
        &store,
        &format!("/experiments/get?experiment_id={}", ids[1]),
    )
    .await;
    assert_eq!(
        one["experiment"]["tags"],
        json!([{"key": "team", "value": "red"}])
    );
}
