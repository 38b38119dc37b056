//! What other doors see of experiments and runs, and what leads from one door to another.

use pedigree::proto::ml_metadata::event::Type;
use pedigree::proto::pedigree::lineage::v1::Change;
use serde_json::json;

use super::{experiment, get, run, tell};
use crate::cli;
use crate::openlineage;
use crate::streams::{Watcher, brief, from_the_beginning};
use crate::support::prelude::*;

on_every_database! {
    runs_are_executions_in_contexts,
    a_run_leads_back_to_the_step_of_kubeflow,
    a_run_leads_back_to_the_run_of_spark,
    data_of_all_doors_is_one_dataset,
    changes_are_in_the_history,
}

const IMAGES: &str = "s3://bucket/data/images";

async fn runs_are_executions_in_contexts(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 5).await;
    let body = json!({
        "run_id": id,
        "metrics": [{"key": "acc", "value": 0.9, "timestamp": 1}],
        "params": [{"key": "lr", "value": "0.1"}],
        "tags": [{"key": "team", "value": "red"}],
    });
    tell(&store, "/runs/log-batch", body).await;
    let end = json!({"run_id": id, "status": "FAILED", "end_time": 9});
    tell(&store, "/runs/update", end).await;
    for filter in [
        "custom_properties.`metric.acc`.double_value > 0.5",
        "custom_properties.`param.lr`.string_value = '0.1'",
        "custom_properties.`tag.team`.string_value = 'red'",
        "custom_properties.started_at.int_value = 5 AND custom_properties.ended_at.int_value = 9",
        "type = 'mlflow.Run' AND last_known_state = FAILED AND properties.run_name.string_value = 'r'",
        "contexts_a.type = 'mlflow.Experiment' AND contexts_a.name = 'e'",
    ] {
        let found = store.find::<Execution>(filter).await;
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(store.get::<Execution>(found[0]).await.name(), id);
    }
    // The state of a client of ML Metadata is that of the run.
    let found = store.find::<Execution>("type = 'mlflow.Run'").await;
    let mut execution = store.get::<Execution>(found[0]).await;
    execution.last_known_state = Some(pb::execution::State::Canceled.into());
    store.ask(Execution::put(vec![execution])).await;
    let told = get(&store, &format!("/runs/get?run_id={id}")).await;
    assert_eq!(told["run"]["info"]["status"], "KILLED");
    assert_eq!(told["run"]["data"]["metrics"][0]["value"], 0.9);
    // A run below it shares a context with it, which is below that of the experiment.
    let tags = json!([{"key": "mlflow.parentRunId", "value": id}]);
    let below = json!({"experiment_id": number, "run_name": "below", "tags": tags});
    tell(&store, "/runs/create", below).await;
    let filter = format!("contexts_a.type = 'mlflow.ParentRun' AND contexts_a.name = '{id}'");
    assert_eq!(store.find::<Execution>(&filter).await.len(), 2);
    let filter = "parent_contexts_a.type = 'mlflow.Experiment'";
    assert_eq!(store.find::<Context>(filter).await.len(), 1);
    // So does one whose tag is set later, unless there is no such run.
    for (parent, count) in [("none", 2), (&*id, 3)] {
        let late = run(&store, &number, "late", 6).await;
        let tag = json!({"run_id": late, "key": "mlflow.parentRunId", "value": parent});
        tell(&store, "/runs/set-tag", tag).await;
        let filter = format!("contexts_a.type = 'mlflow.ParentRun' AND contexts_a.name = '{id}'");
        assert_eq!(store.find::<Execution>(&filter).await.len(), count);
    }
}

/// A run that used the images, and what `pedigree trace` finds before it.
async fn provenance(store: &Store, source: &str) -> String {
    let number = experiment(store, "e").await;
    let id = run(store, &number, "train", 5).await;
    let dataset = json!({
        "name": "images", "digest": "d1", "source_type": "s3", "source": source, "schema": "{}",
        "profile": "{\"num_rows\":2}",
    });
    let tags = json!([{"key": "mlflow.data.context", "value": "training"}]);
    let body = json!({"run_id": id, "datasets": [{"dataset": dataset.clone(), "tags": tags}]});
    tell(store, "/runs/log-inputs", body).await;
    let told = get(store, &format!("/runs/get?run_id={id}")).await;
    let inputs = &told["run"]["inputs"]["dataset_inputs"];
    assert_eq!(*inputs, json!([{"dataset": dataset, "tags": tags}]));
    let filter = format!("name = '{id}'");
    let arguments = [
        "trace",
        "--direction",
        "provenance",
        "--executions",
        &filter,
    ];
    let ended = cli::ask(store.port(), &arguments, "").await;
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

/// A step of Kubeflow Pipelines that wrote the images.
async fn kubeflow_step(store: &Store) {
    let data = store.put_type::<Artifact>("system.Dataset", &[]).await;
    let step = store
        .put_type::<Execution>("system.ContainerExecution", &[])
        .await;
    let mut artifact = Artifact::new(data, "images");
    artifact.uri = Some(IMAGES.to_owned());
    let output = pb::Event {
        r#type: Some(Type::Output.into()),
        ..Default::default()
    };
    let put = pb::PutExecutionRequest {
        execution: Some(Execution::new(step, "preprocess")),
        artifact_event_pairs: vec![pair(Some(artifact), Some(output))],
        ..Default::default()
    };
    store.ask(put).await;
    store.tick();
}

async fn a_run_leads_back_to_the_step_of_kubeflow(store: Store) {
    kubeflow_step(&store).await;
    let found = provenance(&store, r#"{"uri": "s3a://bucket/data/images/"}"#).await;
    assert!(
        found.contains("system.ContainerExecution preprocess"),
        "{found}"
    );
}

async fn a_run_leads_back_to_the_run_of_spark(store: Store) {
    let mut end = openlineage::of_run("COMPLETE", "spark", 1);
    end["outputs"] = json!([openlineage::dataset("s3://bucket", "data/images")]);
    openlineage::tell(&store, &end).await;
    store.tick();
    let found = provenance(&store, r#"{"uri": "s3://bucket/data/images"}"#).await;
    assert!(
        found.contains("openlineage.Run team/spark/spark"),
        "{found}"
    );
}

async fn data_of_all_doors_is_one_dataset(store: Store) {
    kubeflow_step(&store).await;
    let mut end = openlineage::of_run("COMPLETE", "spark", 1);
    end["outputs"] = json!([openlineage::dataset("s3://bucket", "data/images")]);
    openlineage::tell(&store, &end).await;
    provenance(&store, r#"{"uri": "s3a://bucket/data/images/"}"#).await;
    let filter = "type = 'pedigree.Dataset' AND name LIKE '%images%'";
    let datasets = store.find::<Context>(filter).await;
    assert_eq!(datasets.len(), 1);
    let filter = format!("contexts_a.id = {}", datasets[0]);
    let mut types = Vec::new();
    for id in store.find::<Artifact>(&filter).await {
        types.push(store.get::<Artifact>(id).await.r#type().to_owned());
    }
    types.sort();
    let expected = ["mlflow.Dataset", "openlineage.Dataset", "system.Dataset"];
    assert_eq!(types, expected);
}

async fn changes_are_in_the_history(store: Store) {
    let number = experiment(&store, "e").await;
    let id = run(&store, &number, "r", 5).await;
    let body = json!({"run_id": id, "key": "m", "value": 1, "timestamp": 1});
    tell(&store, "/runs/log-metric", body).await;
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    let changes = watcher.until_quiet().await;
    let has_metric = |change: &&Change| format!("{change:?}").contains("metric.m");
    let lines: Vec<String> = changes.iter().filter(has_metric).map(brief).collect();
    assert_eq!(lines.len(), 1, "{changes:?}");
}
