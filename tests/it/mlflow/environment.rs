//! What the files and datasets of runs say about making their models again.

use std::collections::BTreeMap;

use pedigree::blobs::BlobDigest;
use serde_json::{Value as Json, json};

use super::artifacts::put;
use super::models::model;
use super::{experiment, get, run, tell};
use crate::support::prelude::*;

on_every_database! {
    packages_of_a_model_are_those_of_its_run,
    files_of_the_run_itself_come_first,
    files_of_nothing_say_nothing,
    datasets_have_the_digest_of_the_file_that_is_here,
    datasets_have_what_their_source_or_their_tag_says,
}

const PACKAGES: &[u8] = b"mlflow==3.17.2\nscikit-learn==1.7.2\n";

/// A text among properties; empty without one.
fn fact(properties: &BTreeMap<String, Value>, name: &str) -> String {
    let value = properties.get(name).and_then(|it| it.value.clone());
    match value {
        Some(pb::value::Value::StringValue(text)) => text,
        _ => String::new(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", BlobDigest::of(bytes))
}

/// The execution of a run.
async fn execution(store: &Store, run: &str) -> Execution {
    let found = store.find::<Execution>(&format!("name = '{run}'")).await;
    store.get(found[0]).await
}

/// The blobs of an execution, with their roles.
async fn blobs(store: &Store, execution: &Execution) -> Vec<(Artifact, String)> {
    let request = pb::GetEventsByExecutionIDsRequest {
        execution_ids: vec![execution.id()],
        ..Default::default()
    };
    let mut found = Vec::new();
    for event in store.ask(request).await.events {
        let artifact = store.get::<Artifact>(event.artifact_id()).await;
        if artifact.r#type() == "pedigree.Blob" {
            let steps = &event.path.as_ref().unwrap().steps;
            let Some(pb::event::path::step::Value::Key(role)) = steps[0].value.clone() else {
                panic!("{event:?}");
            };
            assert_eq!(event.r#type(), pb::event::Type::Input);
            found.push((artifact, role));
        }
    }
    found
}

async fn packages_of_a_model_are_those_of_its_run(store: Store) {
    let number = experiment(&store, "e").await;
    let mut lists = Vec::new();
    for name in ["one", "two"] {
        let run_id = run(&store, &number, name, 5).await;
        let id = model(&store, &number, "m", &run_id).await;
        let root = format!("{number}/models/{id}/artifacts");
        put(
            &store,
            &format!("{root}/conda.yaml"),
            b"dependencies:\n- python=3.11.9\n",
        )
        .await;
        put(
            &store,
            &format!("{root}/python_env.yaml"),
            b"python: 3.12.1\n",
        )
        .await;
        put(&store, &format!("{root}/requirements.txt"), PACKAGES).await;
        let execution = execution(&store, &run_id).await;
        assert_eq!(
            fact(&execution.custom_properties, "environment.lock"),
            sha256(PACKAGES)
        );
        // The first one counts.
        assert_eq!(
            fact(&execution.custom_properties, "environment.python"),
            "3.11.9"
        );
        let found = blobs(&store, &execution).await;
        let [(blob, role)] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(role, "environment.lock");
        assert_eq!(fact(&blob.custom_properties, "digest"), sha256(PACKAGES));
        lists.push(blob.clone());
        if name == "one" {
            assert_eq!(
                blob.uri(),
                format!("mlflow-artifacts:/{root}/requirements.txt")
            );
        }
        // No dataset and no model of the run.
        let told = get(&store, &format!("/runs/get?run_id={run_id}")).await;
        assert_eq!(told["run"]["inputs"]["dataset_inputs"], Json::Null);
        assert_eq!(told["run"]["inputs"]["model_inputs"], Json::Null);
    }
    // Equal lists are one blob.
    assert_eq!(lists[0], lists[1]);
}

async fn files_of_the_run_itself_come_first(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let root = format!("{number}/{run_id}/artifacts");
    // As clients before version 3 store models.
    put(&store, &format!("{root}/model/requirements.txt"), PACKAGES).await;
    put(&store, &format!("{root}/other/requirements.txt"), b"a==1\n").await;
    let lock = async || {
        fact(
            &execution(&store, &run_id).await.custom_properties,
            "environment.lock",
        )
    };
    assert_eq!(lock().await, sha256(PACKAGES));
    put(&store, &format!("{root}/requirements.txt"), b"b==2\n").await;
    assert_eq!(lock().await, sha256(b"b==2\n"));
    put(&store, &format!("{root}/last/requirements.txt"), b"c==3\n").await;
    assert_eq!(lock().await, sha256(b"b==2\n"));
    put(&store, &format!("{root}/requirements.txt"), b"d==4\n").await;
    put(&store, &format!("{root}/requirements.txt"), b"d==4\n").await;
    assert_eq!(lock().await, sha256(b"d==4\n"));
    let execution = execution(&store, &run_id).await;
    assert_eq!(blobs(&store, &execution).await.len(), 3);
}

async fn files_of_nothing_say_nothing(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let orphan = model(&store, &number, "m", "").await;
    for path in [
        "requirements.txt".to_owned(),
        "artifacts/requirements.txt".to_owned(),
        format!("{number}/none/artifacts/requirements.txt"),
        format!("elsewhere/{run_id}/artifacts/requirements.txt"),
        format!("{number}/models/{orphan}/artifacts/requirements.txt"),
        format!("{number}/{run_id}/artifacts/requirements.txt.old"),
    ] {
        put(&store, &path, PACKAGES).await;
    }
    let root = format!("{number}/{run_id}/artifacts");
    put(&store, &format!("{root}/conda.yaml"), b"python: none\n").await;
    let execution = execution(&store, &run_id).await;
    for name in ["environment.lock", "environment.python"] {
        assert_eq!(fact(&execution.custom_properties, name), "", "{name}");
    }
    assert!(
        store
            .find::<Artifact>("type = 'pedigree.Blob'")
            .await
            .is_empty()
    );
}

/// Says that a run used a dataset, and returns its artifact.
async fn used(store: &Store, run_id: &str, dataset: Json, tags: Json) -> Artifact {
    let name = dataset["name"].as_str().unwrap().to_owned();
    let body = json!({"run_id": run_id, "datasets": [{"dataset": dataset, "tags": tags}]});
    tell(store, "/runs/log-inputs", body).await;
    let filter = format!("properties.name.string_value = '{name}'");
    let found = store.find::<Artifact>(&filter).await;
    store.get(*found.iter().max().unwrap()).await
}

async fn datasets_have_the_digest_of_the_file_that_is_here(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let path = format!("{number}/{run_id}/artifacts/raw.csv");
    put(&store, &path, b"1,2\n").await;
    let source = json!({"uri": format!("mlflow-artifacts:/{path}")}).to_string();
    let dataset = json!({"name": "raw", "digest": "0a1b2c3d", "source": source});
    let artifact = used(&store, &run_id, dataset.clone(), json!([])).await;
    assert_eq!(
        fact(&artifact.custom_properties, "digest"),
        sha256(b"1,2\n")
    );
    // Clients get back, and search for, what they said.
    let told = get(&store, &format!("/runs/get?run_id={run_id}")).await;
    let told = &told["run"]["inputs"]["dataset_inputs"][0]["dataset"];
    assert_eq!(told["digest"], "0a1b2c3d");
    let search = json!({"experiment_ids": [number], "filter": "dataset.digest = '0a1b2c3d'"});
    let found = tell(&store, "/runs/search", search).await;
    assert_eq!(found["runs"].as_array().unwrap().len(), 1);
    // Other content is another artifact.
    put(&store, &path, b"3,4\n").await;
    let mut changed = dataset;
    changed["digest"] = json!("ffffffff");
    let second = used(&store, &run_id, changed, json!([])).await;
    assert_ne!(second.id(), artifact.id());
    assert_eq!(fact(&second.custom_properties, "digest"), sha256(b"3,4\n"));
    // A folder has no digest of its own.
    let source = json!({"uri": format!("mlflow-artifacts:/{number}/{run_id}/artifacts")});
    let folder = json!({"name": "all", "digest": "1", "source": source.to_string()});
    let folder = used(&store, &run_id, folder, json!([])).await;
    assert_eq!(fact(&folder.custom_properties, "digest"), "mlflow:1");
}

async fn datasets_have_what_their_source_or_their_tag_says(store: Store) {
    let number = experiment(&store, "e").await;
    let run_id = run(&store, &number, "r", 5).await;
    let strong = format!("sha256:{}", "0a".repeat(32));
    for (name, source, tag, digest, version) in [
        ("tagged", json!({}), strong.as_str(), strong.as_str(), ""),
        ("short", json!({}), "sha256:0a", "mlflow:d", ""),
        ("large", json!({}), &strong.to_uppercase(), "mlflow:d", ""),
        (
            "table",
            json!({"delta_table_version": 17}),
            "",
            "mlflow:d",
            "17",
        ),
        (
            "named",
            json!({"delta_table_version": "18"}),
            "",
            "mlflow:d",
            "18",
        ),
        (
            "newest",
            json!({"delta_table_version": null}),
            "",
            "mlflow:d",
            "",
        ),
    ] {
        let dataset = json!({"name": name, "digest": "d", "source": source.to_string()});
        let tags = json!([{"key": "pedigree.digest", "value": tag}]);
        let artifact = used(&store, &run_id, dataset, tags).await;
        assert_eq!(
            fact(&artifact.custom_properties, "digest"),
            digest,
            "{name}"
        );
        assert_eq!(
            fact(&artifact.custom_properties, "version"),
            version,
            "{name}"
        );
    }
}
