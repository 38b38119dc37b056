//! Pictures of stores as other systems fill them. Each was looked at, and is kept in
//! `tests/data/pictures`: a change of one is to be looked at too.
//!
//! `PEDIGREE_UPDATE_DOCS=1 cargo test --test it -- ui::looks` writes them again.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::mlflow::models::model;
use crate::mlflow::{experiment, run, tell};
use crate::openlineage;
use crate::serving::get;
use crate::support::Backend;
use crate::support::prelude::*;

once! {
    kubeflow_pipelines_read_well,
    tfx_reads_well,
    spark_reads_well,
    mlflow_reads_well,
}

/// The picture at a path is the one that is kept.
async fn assert_looks(store: &Store, path: &str, name: &str) {
    let drawn = get(store.port(), path).await.text();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/pictures")
        .join(name);
    if std::env::var_os("PEDIGREE_UPDATE_DOCS").is_some() {
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(&kept, &drawn).unwrap();
    }
    let known = fs::read_to_string(&kept).unwrap_or_default();
    assert!(drawn == known, "{name} looks otherwise: {drawn}");
}

/// Adds nodes as a pipeline does: artifacts that have only URIs and properties, executions with ids
/// in their names.
struct Pipelines<'s> {
    store: &'s Store,
    events: Vec<pb::Event>,
}

impl Pipelines<'_> {
    async fn artifact(&self, type_name: &str, property: &str, label: &str) -> i64 {
        let type_id = self.store.put_type::<Artifact>(type_name, &[]).await;
        let artifact = Artifact::default().with_type(type_id);
        self.store
            .put(artifact.with_custom(property, text(label)))
            .await
    }

    async fn step(
        &mut self,
        (type_name, name): (&str, Option<String>),
        (property, label): (&str, &str),
        inputs: &[i64],
        outputs: &[i64],
    ) {
        let type_id = self.store.put_type::<Execution>(type_name, &[]).await;
        let execution = Execution {
            name,
            last_known_state: Some(pb::execution::State::Complete.into()),
            ..Execution::default().with_type(type_id)
        };
        let step = self
            .store
            .put(execution.with_custom(property, text(label)))
            .await;
        let used = inputs
            .iter()
            .map(|id| event(*id, step, pb::event::Type::Input));
        let made = outputs
            .iter()
            .map(|id| event(*id, step, pb::event::Type::Output));
        self.events.extend(used.chain(made));
    }
}

async fn kubeflow_pipelines_read_well() {
    let store = Store::open(Backend::SqliteFile).await;
    let mut kfp = Pipelines {
        store: &store,
        events: Vec::new(),
    };
    let raw = kfp
        .artifact("system.Dataset", "display_name", "customers")
        .await;
    for run in 0..4_u128 {
        let id = uuid::Uuid::from_u128((run + 1) * 0x1234_5678_9abc_def0_1357_9bdf_0246_8ace);
        let name = |task: &str| {
            (
                "system.ContainerExecution",
                Some(format!("run/{id}/{task}")),
            )
        };
        let data = kfp
            .artifact("system.Dataset", "display_name", "train_set")
            .await;
        kfp.step(name("split"), ("display_name", "split"), &[raw], &[data])
            .await;
        let mut models = Vec::new();
        for number in 0..4 {
            let model = kfp.artifact("system.Model", "display_name", "model").await;
            let task = format!("train-{number}");
            kfp.step(name(&task), ("display_name", &task), &[data], &[model])
                .await;
            models.push(model);
        }
        let best = kfp
            .artifact("system.Model", "display_name", "best_model")
            .await;
        kfp.step(
            name("select"),
            ("display_name", "select-best"),
            &models,
            &[best],
        )
        .await;
    }
    store.ask(put_events(kfp.events)).await;
    assert_looks(
        &store,
        &format!("/lineage/artifacts/{raw}.svg"),
        "kubeflow.svg",
    )
    .await;
}

async fn tfx_reads_well() {
    let store = Store::open(Backend::SqliteFile).await;
    let mut tfx = Pipelines {
        store: &store,
        events: Vec::new(),
    };
    let name = |run: i32, component: &str| format!("taxi:2026-01-0{run}T02:00:00:{component}:0");
    let schema = tfx
        .artifact("Schema", "name", &name(1, "SchemaGen:schema"))
        .await;
    for run in 1..=5 {
        let examples = name(run, "CsvExampleGen:examples");
        let examples = tfx.artifact("Examples", "name", &examples).await;
        let graph = name(run, "Transform:transform_graph");
        let graph = tfx.artifact("TransformGraph", "name", &graph).await;
        let model = tfx
            .artifact("Model", "name", &name(run, "Trainer:model"))
            .await;
        for (component, inputs, outputs) in [
            ("Transform", vec![examples, schema], vec![graph]),
            ("Trainer", vec![schema, graph], vec![model]),
        ] {
            let type_name = format!(
                "tfx.components.{}.component.{component}",
                component.to_lowercase()
            );
            let unnamed = (type_name.as_str(), None);
            tfx.step(unnamed, ("component_id", component), &inputs, &outputs)
                .await;
        }
    }
    store.ask(put_events(tfx.events)).await;
    assert_looks(
        &store,
        &format!("/lineage/artifacts/{schema}.svg"),
        "tfx.svg",
    )
    .await;
}

async fn spark_reads_well() {
    let store = Store::open(Backend::SqliteFile).await;
    let events = Path::new(env!("CARGO_MANIFEST_DIR"));
    let events = events.join("tests/data/openlineage/spark-features.jsonl");
    for line in fs::read_to_string(events).unwrap().lines() {
        openlineage::post(store.port(), openlineage::PATH, line.as_bytes()).await;
    }
    let start = store.find::<Artifact>("uri LIKE '%customers.csv'").await[0];
    assert_looks(
        &store,
        &format!("/lineage/artifacts/{start}.svg"),
        "spark.svg",
    )
    .await;
}

async fn mlflow_reads_well() {
    let store = Store::open(Backend::SqliteFile).await;
    let churn = experiment(&store, "churn").await;
    let dataset = json!({
        "name": "customers", "digest": "80574fc1", "source_type": "local",
        "source": "/data/customers.csv",
    });
    let training = json!([{"key": "mlflow.data.context", "value": "training"}]);
    let mut models = Vec::new();
    // What the client calls runs without names, and one with a name.
    for name in [
        "lively-robin-214",
        "bold-fox-7",
        "salty-moth-903",
        "intrigued-hen-55",
        "baseline",
    ] {
        let trained = run(&store, &churn, name, 5).await;
        let datasets = json!([{"dataset": dataset.clone(), "tags": training.clone()}]);
        let inputs = json!({"run_id": trained, "datasets": datasets});
        tell(&store, "/runs/log-inputs", inputs).await;
        models.push(model(&store, &churn, "model", &trained).await);
        let end = json!({"run_id": trained, "status": "FINISHED", "end_time": 9});
        tell(&store, "/runs/update", end).await;
    }
    let evaluation = run(&store, &churn, "evaluate", 10).await;
    let used = json!({"run_id": evaluation, "models": [{"model_id": models[4]}]});
    tell(&store, "/runs/log-inputs", used).await;
    let start = store.find::<Artifact>("type = 'mlflow.Dataset'").await[0];
    assert_looks(
        &store,
        &format!("/lineage/artifacts/{start}.svg"),
        "mlflow.svg",
    )
    .await;
}
