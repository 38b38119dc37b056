//! Logged models, beside what was recorded.

use serde_json::{Value, json};

use super::{PREFIX, code, experiment, get, post, run, tell};
use crate::cli;
use crate::openlineage;
use crate::serving::http;
use crate::support::prelude::*;

on_every_database! {
    a_model_is_the_artifact_that_its_run_made,
    a_model_leads_back_to_the_run_of_spark,
    a_step_comes_with_the_outputs_of_a_run,
    metrics_are_of_a_model_and_a_dataset,
    models_are_found_by_their_metrics,
    what_is_no_model_is_refused,
    a_refused_change_stores_nothing,
    a_deleted_model_is_gone_for_clients,
}

/// Creates a model of an experiment that a run logs, and returns its id.
pub async fn model(store: &Store, experiment: &str, name: &str, run: &str) -> String {
    let body = json!({"experiment_id": experiment, "name": name, "source_run_id": run});
    let created = tell(store, "/logged-models", body).await;
    let id = &created["model"]["info"]["model_id"];
    id.as_str().unwrap().to_owned()
}

/// Sends a request with this method, and a body unless it is null.
pub async fn send(store: &Store, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let json = "\r\nContent-Type: application/json";
    let (json, body) = match body {
        Value::Null => ("", String::new()),
        body => (json, body.to_string()),
    };
    let head = format!("{method} {PREFIX}{path} HTTP/1.1{json}");
    let answer = http(store.port(), &head, body.as_bytes()).await;
    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body)
}

async fn a_model_is_the_artifact_that_its_run_made(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let body = json!({
        "experiment_id": number, "name": "forest", "model_type": "sk", "source_run_id": run_id,
        "params": [{"key": "trees", "value": "10"}], "tags": [{"key": "team", "value": "red"}],
    });
    let created = tell(&store, "/logged-models", body).await;
    let id = created["model"]["info"]["model_id"].as_str().unwrap();
    let metric = json!({
        "run_id": run_id, "key": "acc", "value": 0.9, "timestamp": 1, "model_id": id,
    });
    tell(&store, "/runs/log-metric", metric).await;
    let path = format!("/logged-models/{id}");
    let ready = json!({"model_id": id, "status": "LOGGED_MODEL_READY"});
    assert_eq!(send(&store, "PATCH", &path, &ready).await.0, 200);
    for filter in [
        "type = 'mlflow.LoggedModel' AND state = LIVE",
        "custom_properties.`param.trees`.string_value = '10'",
        "custom_properties.`tag.team`.string_value = 'red'",
        "custom_properties.`metric.acc`.double_value = 0.9",
        "contexts_a.type = 'mlflow.Experiment' AND contexts_a.name = 'e'",
        "events_0.type = OUTPUT AND properties.name.string_value = 'forest'",
    ] {
        let found = store.find::<Artifact>(filter).await;
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(store.get::<Artifact>(found[0]).await.name(), id);
    }
    // What a client of ML Metadata says of the state is that of the model.
    let found = store.find::<Artifact>("type = 'mlflow.LoggedModel'").await;
    let mut artifact = store.get::<Artifact>(found[0]).await;
    artifact.state = Some(pb::artifact::State::Abandoned.into());
    store.ask(Artifact::put(vec![artifact])).await;
    let told = get(&store, &path).await;
    assert_eq!(
        told["model"]["info"]["status"],
        "LOGGED_MODEL_UPLOAD_FAILED"
    );
}

async fn a_model_leads_back_to_the_run_of_spark(store: Store) {
    let mut end = openlineage::of_run("COMPLETE", "spark", 1);
    end["outputs"] = json!([openlineage::dataset("s3://bucket", "data/images")]);
    openlineage::tell(&store, &end).await;
    store.tick();
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "train", 5).await;
    let dataset =
        json!({"name": "d", "digest": "1", "source": "{\"uri\": \"s3://bucket/data/images\"}"});
    let body = json!({"run_id": run_id, "datasets": [{"dataset": dataset}]});
    tell(&store, "/runs/log-inputs", body).await;
    let id = model(&store, &number, "forest", &run_id).await;
    let filter = format!("name = '{id}'");
    let ended = cli::ask(store.port(), &["trace", "--artifacts", &filter], "").await;
    let found = ended.stdout;
    for expected in [
        format!("mlflow.Run {run_id}"),
        "openlineage.Run team/spark/spark".into(),
    ] {
        assert!(found.contains(&expected), "{expected}: {found}");
    }
}

async fn a_step_comes_with_the_outputs_of_a_run(store: Store) {
    let number = experiment(&store, "e").await;
    let made = run(&store, &number, "made", 5).await;
    let used = run(&store, &number, "used", 6).await;
    let id = model(&store, &number, "forest", &made).await;
    let of = |run: &str| format!("/runs/get?run_id={run}");
    let told = get(&store, &of(&made)).await;
    assert_eq!(told["run"]["outputs"], json!({}));
    // The first step stays.
    for step in [4, 5] {
        let body = json!({"run_id": made, "models": [{"model_id": id, "step": step}]});
        tell(&store, "/runs/outputs", body).await;
        let told = get(&store, &of(&made)).await;
        let expected = json!({"model_outputs": [{"model_id": id, "step": 4}]});
        assert_eq!(told["run"]["outputs"], expected);
    }
    let body = json!({"run_id": used, "models": [{"model_id": id}]});
    tell(&store, "/runs/log-inputs", body.clone()).await;
    tell(&store, "/runs/log-inputs", body).await;
    let told = get(&store, &of(&used)).await;
    let expected = json!({"model_inputs": [{"model_id": id}]});
    assert_eq!(told["run"]["inputs"], expected);
    let filter = format!("events_0.artifact_id = {}", {
        let named = format!("name = '{id}'");
        store.find::<Artifact>(&named).await[0]
    });
    assert_eq!(store.find::<Execution>(&filter).await.len(), 2);
}

async fn metrics_are_of_a_model_and_a_dataset(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let id = model(&store, &number, "forest", &run_id).await;
    let point = |value: f64, step: i64, dataset: &str| {
        let mut point = json!({
            "key": "acc", "value": value, "timestamp": 1, "step": step, "model_id": id,
        });
        if !dataset.is_empty() {
            point["dataset_name"] = json!(dataset);
            point["dataset_digest"] = json!("d");
        }
        point
    };
    let metrics = [
        point(0.1, 1, "train"),
        point(0.3, 3, "train"),
        point(0.2, 2, "train"),
        point(0.5, 5, "test"),
        point(0.4, 4, ""),
    ];
    let body = json!({"run_id": run_id, "metrics": metrics});
    tell(&store, "/runs/log-batch", body.clone()).await;
    tell(&store, "/runs/log-batch", body).await;
    let told = get(&store, &format!("/logged-models/{id}")).await;
    let metrics = told["model"]["data"]["metrics"].as_array().unwrap();
    let latest: Vec<_> = metrics
        .iter()
        .map(|it| (it["dataset_name"].as_str(), it["value"].as_f64().unwrap()))
        .collect();
    let expected = [(None, 0.4), (Some("test"), 0.5), (Some("train"), 0.3)];
    assert_eq!(latest, expected);
    // Clients of ML Metadata see the latest of all.
    let filter =
        "type = 'mlflow.LoggedModel' AND custom_properties.`metric.acc`.double_value = 0.5";
    assert_eq!(store.find::<Artifact>(filter).await.len(), 1);
}

async fn names(store: &Store, query: Value) -> Vec<String> {
    let found = tell(store, "/logged-models/search", query).await;
    let models = found["models"].as_array().cloned().unwrap_or_default();
    let name = |model: &Value| model["info"]["name"].as_str().unwrap().to_owned();
    models.iter().map(name).collect()
}

async fn models_are_found_by_their_metrics(store: Store) {
    let number = experiment(&store, "e").await;
    let other = experiment(&store, "other").await;
    let run_id = run(&store, &number, "r", 5).await;
    for (name, train, test) in [("a", 0.1, 0.9), ("b", 0.5, 0.5), ("c", 0.9, 0.1)] {
        let id = model(&store, &number, name, &run_id).await;
        for (dataset, value, step) in [("train", train, 1), ("test", test, 2)] {
            let body = json!({
                "run_id": run_id, "key": "acc", "value": value, "timestamp": 1, "step": step,
                "model_id": id, "dataset_name": dataset, "dataset_digest": "d",
            });
            tell(&store, "/runs/log-metric", body).await;
        }
        store.tick();
    }
    model(&store, &number, "none", "").await;
    model(&store, &other, "elsewhere", "").await;
    let train = json!({"dataset_name": "train", "dataset_digest": "d"});
    let by_acc = json!({"field_name": "metrics.acc"});
    let by_train = json!({
        "field_name": "metrics.acc", "ascending": false, "dataset_name": "train",
        "dataset_digest": "d",
    });
    let named = json!({"field_name": "name"});
    for (query, expected) in [
        (json!({"order_by": [by_acc]}), vec!["c", "b", "a", "none"]),
        (json!({"order_by": [by_train]}), vec!["c", "b", "a", "none"]),
        (
            json!({"filter": "metrics.acc > 0.4", "order_by": [named]}),
            vec!["a", "b"],
        ),
        (
            json!({"filter": "metrics.acc > 0.4", "datasets": [train], "order_by": [named]}),
            vec!["b", "c"],
        ),
        (
            json!({"datasets": [{"dataset_name": "test"}]}),
            vec!["c", "b", "a"],
        ),
        (json!({"datasets": [{"dataset_name": "no"}]}), vec![]),
        (
            json!({"filter": "name NOT IN ('a', 'b')"}),
            vec!["none", "c"],
        ),
        (
            json!({"filter": "name ILIKE 'NON%' AND status = 'PENDING'"}),
            vec!["none"],
        ),
        (
            json!({"filter": "tags.t IS NULL AND name = 'a'"}),
            vec!["a"],
        ),
    ] {
        let mut query = query;
        query["experiment_ids"] = json!([number]);
        assert_eq!(names(&store, query.clone()).await, expected, "{query}");
    }
    let both = json!({"experiment_ids": [number, other], "max_results": 2});
    let page = tell(&store, "/logged-models/search", both.clone()).await;
    let mut rest = both;
    rest["page_token"] = page["next_page_token"].clone();
    rest["max_results"] = json!(10);
    assert_eq!(names(&store, rest).await, ["c", "b", "a"]);
}

/// Sends a request that is refused with this status and code.
async fn refused(store: &Store, (method, path): (&str, &str), body: Value, expected: (u16, &str)) {
    let (status, answer) = send(store, method, path, &body).await;
    let given = (status, answer["error_code"].as_str().unwrap_or_default());
    assert_eq!(given, expected, "{method} {path} {body}: {answer}");
}

async fn what_is_no_model_is_refused(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let missing = (404, "RESOURCE_DOES_NOT_EXIST");
    let invalid = (400, "INVALID_PARAMETER_VALUE");
    let of_run = |models: Value| json!({"run_id": run_id, "models": models});
    let unknown = of_run(json!([{"model_id": "m-0"}]));
    for path in ["/runs/outputs", "/runs/log-inputs"] {
        refused(&store, ("POST", path), unknown.clone(), missing).await;
        refused(&store, ("POST", path), of_run(json!([{}])), invalid).await;
        refused(&store, ("POST", path), json!({"run_id": "no"}), missing).await;
    }
    let create = ("POST", "/logged-models");
    let unnamed = json!({"experiment_id": number, "name": ""});
    refused(&store, create, unnamed, invalid).await;
    refused(&store, create, json!({"experiment_id": "x"}), invalid).await;
    let of_unknown = ("DELETE", "/logged-models/m-0");
    refused(&store, of_unknown, Value::Null, missing).await;
    for (key, expected) in [("a", missing), ("a(b", invalid)] {
        let tags = json!({"tags": [{"key": key}]});
        refused(&store, ("PATCH", "/logged-models/m-0/tags"), tags, expected).await;
    }
    let many = (0..17).map(|it| json!({"dataset_name": format!("{it}")}));
    for search in [
        json!({"order_by": [{"field_name": "metrics.a", "dataset_name": "d"}]}),
        json!({"order_by": [{"field_name": "params.a"}]}),
        json!({"datasets": many.collect::<Vec<_>>()}),
        json!({"datasets": [{}]}),
        json!({"filter": "name"}),
        json!({"filter": "name IS NULL"}),
    ] {
        let mut search = search;
        search["experiment_ids"] = json!([number]);
        let path = ("POST", "/logged-models/search");
        refused(&store, path, search, invalid).await;
    }
}

async fn a_refused_change_stores_nothing(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let id = model(&store, &number, "forest", &run_id).await;
    // Parameters never change.
    let path = format!("/logged-models/{id}/params");
    for (value, status) in [("1", 200), ("1", 200), ("2", 400)] {
        let body = json!({"model_id": id, "params": [{"key": "p", "value": value}]});
        assert_eq!(
            send(&store, "POST", &path, &body).await.0,
            status,
            "{value}"
        );
    }
    // A batch about an unknown model stores nothing of the run either.
    let body = json!({
        "run_id": run_id,
        "metrics": [{"key": "m", "value": 1, "timestamp": 1, "model_id": "m-0"}],
    });
    let answer = post(&store, "/runs/log-batch", &body).await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (400, "BAD_REQUEST")
    );
    let told = get(&store, &format!("/runs/get?run_id={run_id}")).await;
    assert!(told["run"]["data"].get("metrics").is_none(), "{told}");
    tell(
        &store,
        "/experiments/delete",
        json!({"experiment_id": number}),
    )
    .await;
    let answer = post(&store, "/logged-models", &json!({"experiment_id": number})).await;
    assert_eq!(answer.status, 400);
}

async fn a_deleted_model_is_gone_for_clients(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let id = model(&store, &number, "forest", &run_id).await;
    let path = format!("/logged-models/{id}");
    assert_eq!(send(&store, "DELETE", &path, &Value::Null).await.0, 200);
    assert_eq!(send(&store, "GET", &path, &Value::Null).await.0, 404);
    assert_eq!(send(&store, "DELETE", &path, &Value::Null).await.0, 404);
    let tags = json!({"tags": [{"key": "a", "value": "b"}]});
    let of_tags = format!("{path}/tags");
    assert_eq!(send(&store, "PATCH", &of_tags, &tags).await.0, 404);
    let metric = json!({
        "run_id": run_id, "key": "m", "value": 1, "timestamp": 1, "model_id": id,
    });
    assert_eq!(post(&store, "/runs/log-metric", &metric).await.status, 400);
    assert!(
        names(&store, json!({"experiment_ids": [number]}))
            .await
            .is_empty()
    );
    // The graph keeps it.
    let filter = format!("name = '{id}' AND state = DELETED AND events_0.type = OUTPUT");
    assert_eq!(store.find::<Artifact>(&filter).await.len(), 1);
}
