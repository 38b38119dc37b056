//! What the plugin of Kubeflow Pipelines for `MLflow` sends, from 2.17 on.
//!
//! Its server creates a run before the pipeline begins. The driver of the pipeline then writes its
//! context and its executions to ML Metadata, and runs below that run to `MLflow`.

use serde_json::{Value, json};

use super::{PREFIX, code, get, post, tell};
use crate::serving;
use crate::support::prelude::*;

on_every_database! {
    a_run_is_in_the_context_of_its_pipeline,
    a_run_is_found_by_its_key,
}

/// The id of the run of the pipeline.
const PIPELINE_RUN: &str = "0f5c9a3e-6c1d-4a52-9d2e-3f1b7a9c8d10";

/// Creates an experiment as the plugin does, which looks for one with that name first.
async fn kfp_experiment(store: &Store) -> String {
    let path = [
        PREFIX,
        "/experiments/get-by-name?experiment_name=KFP-Default",
    ]
    .concat();
    let none = serving::get(store.port(), &path).await;
    assert_eq!(
        (none.status, code(&none).as_str()),
        (404, "RESOURCE_DOES_NOT_EXIST")
    );
    let body = json!({"name": "KFP-Default", "description": "Created by Kubeflow Pipelines"});
    let created = tell(store, "/experiments/create", body.clone()).await;
    let again = post(store, "/experiments/create", &body).await;
    assert_eq!(code(&again), "RESOURCE_ALREADY_EXISTS");
    let path = "/experiments/get-by-name?experiment_name=KFP-Default";
    let found = get(store, path).await;
    assert_eq!(
        found["experiment"]["experiment_id"],
        created["experiment_id"]
    );
    created["experiment_id"].as_str().unwrap().to_owned()
}

/// Creates a run with tags, and returns its id.
async fn tagged_run(store: &Store, experiment: &str, tags: &[(&str, &str)]) -> String {
    let tag = |(key, value): &(&str, &str)| json!({"key": key, "value": value});
    let tags: Vec<Value> = tags.iter().map(tag).collect();
    let body = json!({
        "experiment_id": experiment, "run_name": "r", "start_time": 5, "tags": tags,
    });
    let created = tell(store, "/runs/create", body).await;
    let id = created["run"]["info"]["run_id"].as_str();
    id.unwrap().to_owned()
}

async fn a_run_is_in_the_context_of_its_pipeline(store: Store) {
    let number = kfp_experiment(&store).await;
    let tags = [
        ("kfp.pipeline_run_id", PIPELINE_RUN),
        (
            "kfp.pipeline_run_url",
            "https://kfp.example/#/runs/details/1",
        ),
        ("kfp.pipeline_id", "p"),
        ("kfp.pipeline_version_id", "v"),
        ("mlflow.kfp.idempotencyKey", PIPELINE_RUN),
    ];
    let top = tagged_run(&store, &number, &tags).await;
    // The driver of the pipeline begins.
    let context_type = store.put_type::<Context>("system.PipelineRun", &[]).await;
    let step_type = store
        .put_type::<Execution>("system.ContainerExecution", &[])
        .await;
    let put = pb::PutExecutionRequest {
        execution: Some(Execution::new(step_type, "train")),
        contexts: vec![Context::new(context_type, PIPELINE_RUN)],
        ..Default::default()
    };
    store.ask(put).await;
    let below = tagged_run(&store, &number, &[("mlflow.parentRunId", &top)]).await;
    let in_pipeline = async || {
        let filter = format!(
            "contexts_a.type = 'system.PipelineRun' AND contexts_a.name = '{PIPELINE_RUN}'"
        );
        let found = store.find::<Execution>(&filter).await;
        let mut names = Vec::new();
        for id in found {
            names.push(store.get::<Execution>(id).await.name().to_owned());
        }
        names.sort();
        names
    };
    let mut expected = vec!["train".to_owned(), below.clone()];
    expected.sort();
    assert_eq!(in_pipeline().await, expected);

    // The launcher logs what its step says.
    let batch = json!({
        "run_id": below, "params": [{"key": "lr", "value": "0.1"}], "tags": [],
        "metrics": [{"key": "acc", "value": 0.9, "timestamp": 7, "step": 0}],
    });
    tell(&store, "/runs/log-batch", batch).await;
    // The pipeline ends: first the runs below, which are found by their parent.
    let search = json!({
        "experiment_ids": [number], "max_results": 1000,
        "filter": format!("tags.\"mlflow.parentRunId\" = '{top}'"),
    });
    let children = tell(&store, "/runs/search", search).await;
    assert_eq!(children["runs"][0]["info"]["run_id"], *below);
    for id in [&below, &top] {
        let end = json!({"run_id": id, "status": "FINISHED", "end_time": 9});
        tell(&store, "/runs/update", end).await;
    }
    expected.push(top);
    expected.sort();
    assert_eq!(in_pipeline().await, expected);

    // A tag that is set later counts too.
    let later = tagged_run(&store, &number, &[]).await;
    let tag = json!({"run_id": later, "key": "kfp.pipeline_run_id", "value": PIPELINE_RUN});
    tell(&store, "/runs/set-tag", tag).await;
    expected.push(later);
    expected.sort();
    assert_eq!(in_pipeline().await, expected);
}

/// A client whose answer was lost looks for the run by its key, with quotes doubled.
async fn a_run_is_found_by_its_key(store: Store) {
    let number = kfp_experiment(&store).await;
    let id = tagged_run(&store, &number, &[("mlflow.kfp.idempotencyKey", "it's 1")]).await;
    for (key, expected) in [("it''s 1", json!(id)), ("it''s", Value::Null)] {
        let search = json!({
            "experiment_ids": [number], "max_results": 1,
            "filter": format!("tags.`mlflow.kfp.idempotencyKey` = '{key}'"),
        });
        let found = tell(&store, "/runs/search", search).await;
        assert_eq!(found["runs"][0]["info"]["run_id"], expected, "{key}");
    }
}
