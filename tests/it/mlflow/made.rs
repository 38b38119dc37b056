//! Files that runs made, which their tags name.

use serde_json::json;

use super::artifacts::put;
use super::{experiment, run, tell};
use crate::support::prelude::*;

on_every_database! {
    files_that_tags_name_are_outputs_of_a_run_that_has_ended,
    what_has_no_file_is_no_output,
}

async fn tag(store: &Store, run: &str, key: &str, value: &str) {
    let body = json!({ "run_id": run, "key": key, "value": value });
    tell(store, "/runs/set-tag", body).await;
}

async fn end(store: &Store, run: &str, status: &str) {
    let body = json!({ "run_id": run, "status": status, "end_time": 9 });
    tell(store, "/runs/update", body).await;
}

/// The outputs of a run: their roles, URIs and sizes.
async fn outputs(store: &Store, run: &str) -> Vec<(String, String, i64)> {
    let execution = store.find::<Execution>(&format!("name = '{run}'")).await;
    let request = pb::GetEventsByExecutionIDsRequest {
        execution_ids: execution,
        ..Default::default()
    };
    let mut outputs = Vec::new();
    for event in store.ask(request).await.events {
        assert_eq!(event.r#type(), pb::event::Type::Output);
        let artifact = store.get::<Artifact>(event.artifact_id()).await;
        assert_eq!(artifact.r#type(), "mlflow.Artifact");
        let steps = &event.path.as_ref().unwrap().steps;
        let Some(pb::event::path::step::Value::Key(role)) = steps[0].value.clone() else {
            panic!("{event:?}");
        };
        let bytes = artifact.custom_properties["bytes"].value.clone();
        let Some(pb::value::Value::IntValue(bytes)) = bytes else {
            panic!("{artifact:?}");
        };
        outputs.push((role, artifact.uri().to_owned(), bytes));
    }
    outputs.sort();
    outputs
}

async fn files_that_tags_name_are_outputs_of_a_run_that_has_ended(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "train", 5).await;
    let root = format!("{number}/{id}/artifacts");
    put(&store, &format!("{root}/model.pkl"), b"model").await;
    put(&store, &format!("{root}/metrics.json"), b"{}").await;
    put(&store, &format!("{root}/plot.svg"), b"<svg/>").await;
    tag(&store, &id, "pedigree.output.model", "out/model.pkl").await;
    tag(&store, &id, "pedigree.output.metrics", "metrics.json").await;
    assert_eq!(outputs(&store, &id).await, []);
    let output = |role: &str, name: &str, bytes| {
        let uri = format!("mlflow-artifacts:/{root}/{name}");
        (role.to_owned(), uri, bytes)
    };
    let metrics = output("metrics", "metrics.json", 2);
    let model = output("model", "model.pkl", 5);
    // Once, however often the run ends.
    for _ in 0..2 {
        end(&store, &id, "FINISHED").await;
        let found = outputs(&store, &id).await;
        assert_eq!(found, [metrics.clone(), model.clone()]);
    }
    // The run goes on. Another content is another artifact.
    end(&store, &id, "RUNNING").await;
    put(&store, &format!("{root}/model.pkl"), b"better").await;
    end(&store, &id, "FINISHED").await;
    let better = output("model", "model.pkl", 6);
    assert_eq!(outputs(&store, &id).await, [metrics, model, better]);
}

async fn what_has_no_file_is_no_output(store: Store) {
    let number = experiment(&store, "e").await;
    for (status, key, path) in [
        ("FAILED", "pedigree.output.model", "model.pkl"),
        ("KILLED", "pedigree.output.model", "model.pkl"),
        ("FINISHED", "pedigree.output.", "model.pkl"),
        ("FINISHED", "pedigree.output.model", "none.pkl"),
        ("FINISHED", "pedigree.output.model", ""),
        ("FINISHED", "pedigree.output.model", "/"),
        ("FINISHED", "pedigree.output.model", "out/.."),
        ("FINISHED", "pedigree.output.model", "folder"),
        ("FINISHED", "pedigree.outputs.model", "model.pkl"),
        ("FINISHED", "output.model", "model.pkl"),
    ] {
        let id = run(&store, &number, "train", 5).await;
        let root = format!("{number}/{id}/artifacts");
        put(&store, &format!("{root}/model.pkl"), b"model").await;
        put(&store, &format!("{root}/folder/model.pkl"), b"model").await;
        tag(&store, &id, key, path).await;
        end(&store, &id, status).await;
        assert_eq!(outputs(&store, &id).await, [], "{status} {key} {path}");
    }
    // Files that are elsewhere.
    let body = json!({ "name": "other", "artifact_location": "s3://bucket/other" });
    let number = tell(&store, "/experiments/create", body).await;
    let number = number["experiment_id"].as_str().unwrap();
    let id = run(&store, number, "train", 5).await;
    tag(&store, &id, "pedigree.output.model", "model.pkl").await;
    end(&store, &id, "FINISHED").await;
    assert_eq!(outputs(&store, &id).await, []);
}
