//! `pedigree import mlflow`, from a server whose door is `MLflow`'s into a new store.

use serde_json::{Value, json};

use super::models::{model, send};
use super::{PREFIX, experiment, run, tell};
use crate::binary::{self, Server};
use crate::serving;
use crate::support::{Backend, Store, TestDatabase};

blocking_on_every_database! {
    an_import_brings_everything_once,
}

/// Points of the long metric: more than a page of a history.
const POINTS: i64 = 5500;

fn an_import_brings_everything_once(backend: Backend) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(import_twice(backend));
}

async fn import_twice(backend: Backend) {
    let source = Store::open(Backend::SqliteFile).await;
    let (ids, open) = fill(&source).await;
    let database = TestDatabase::new(backend);
    let first = import(&database, source.port()).await;
    assert!(first.contains("e: 4 new runs\n"), "{first}");
    let expected = "4 runs with 5503 points of metrics, 1 models and 2 versions; 0 runs";
    assert!(first.contains(expected), "{first}");

    // A run that had not ended comes again.
    log(&source, &open, "m", 1..3).await;
    let end = json!({"run_id": open, "status": "FAILED", "end_time": 9});
    tell(&source, "/runs/update", end).await;
    let second = import(&database, source.port()).await;
    let expected = "imported 0 experiments, 0 runs with 3 points of metrics, 0 models and 0 \
                    versions; 3 runs were there already";
    assert!(second.contains(expected), "{second}");

    let target = Server::on(&database, &[]);
    let found = async |port: u16, path: &str| -> Value {
        let answer = serving::get(port, &[PREFIX, path].concat()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        without_places(serde_json::from_slice(&answer.body).unwrap())
    };
    let mut paths = vec![
        "/registered-models/get?name=it's".to_owned(),
        "/model-versions/get?name=it's&version=3".to_owned(),
        format!("/metrics/get-history?run_id={}&metric_key=long", ids[0]),
    ];
    paths.extend(ids.iter().map(|id| format!("/runs/get?run_id={id}")));
    for path in paths {
        let expected = found(source.port(), &path).await;
        assert_eq!(found(target.port, &path).await, expected, "{path}");
    }
    // Clients of the new server read files from the old one.
    let path = format!("{PREFIX}/runs/get?run_id={}", ids[0]);
    let answer = serving::get(target.port, &path).await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let files = told["run"]["info"]["artifact_uri"].as_str().unwrap();
    let begin = format!("mlflow-artifacts://localhost:{}/1/", source.port());
    assert!(files.starts_with(&begin), "{files}");
    target.stop();
}

/// What an answer says, but for the numbers of experiments, places of files and times of creation.
fn without_places(mut value: Value) -> Value {
    let left_out = [
        "artifact_uri",
        "creation_timestamp",
        "experiment_id",
        "last_updated_timestamp",
    ];
    match &mut value {
        Value::Object(members) => {
            members.retain(|name, _| !left_out.contains(&&**name));
            for member in members.values_mut() {
                *member = without_places(member.take());
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                *entry = without_places(entry.take());
            }
        }
        _ => {}
    }
    value
}

/// Runs the command, and returns what it prints.
async fn import(database: &TestDatabase, port: u16) -> String {
    let url = format!("http://localhost:{port}");
    let command = binary::pedigree_on(database, &["import", "mlflow", &url]);
    let ended = tokio::task::spawn_blocking(move || binary::run(command));
    let ended = ended.await.unwrap();
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

async fn log(store: &Store, run: &str, key: &str, steps: std::ops::Range<i64>) {
    let point = |step| json!({"key": key, "value": step, "timestamp": step, "step": step});
    let metrics: Vec<Value> = steps.map(point).collect();
    for part in metrics.chunks(1000) {
        let body = json!({"run_id": run, "metrics": part});
        tell(store, "/runs/log-batch", body).await;
    }
}

/// Fills a store. Returns the ids of its runs, and of the one that has not ended.
async fn fill(store: &Store) -> (Vec<String>, String) {
    let number = experiment(store, "e").await;
    let top = run(store, &number, "top", 1).await;
    log(store, &top, "long", 0..POINTS).await;
    let what = json!({
        "run_id": top, "params": [{"key": "lr", "value": "0.1"}],
        "metrics": [{"key": "none", "value": "NaN", "timestamp": 1}],
    });
    tell(store, "/runs/log-batch", what).await;
    let dataset = json!({"name": "d", "digest": "1", "source": "{}", "source_type": "s3"});
    let tags = json!([{"key": "mlflow.data.context", "value": "training"}]);
    let inputs = json!({"run_id": top, "datasets": [{"dataset": dataset, "tags": tags}]});
    tell(store, "/runs/log-inputs", inputs).await;
    let tags = json!([{"key": "mlflow.parentRunId", "value": top}]);
    let below = json!({
        "experiment_id": number, "run_name": "below", "start_time": 2, "tags": tags,
    });
    let below = tell(store, "/runs/create", below).await;
    let below = below["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let open = run(store, &number, "open", 3).await;
    log(store, &open, "m", 0..1).await;
    let gone = run(store, &number, "gone", 4).await;

    let made = model(store, &number, "forest", &top).await;
    let outputs = json!({"run_id": top, "models": [{"model_id": made, "step": 7}]});
    tell(store, "/runs/outputs", outputs).await;
    let metric = json!({
        "run_id": top, "key": "auc", "value": 0.8, "timestamp": 5, "model_id": made,
        "dataset_name": "d", "dataset_digest": "1",
    });
    tell(store, "/runs/log-metric", metric).await;
    let path = format!("/logged-models/{made}");
    let ready = json!({"model_id": made, "status": "LOGGED_MODEL_READY"});
    assert_eq!(send(store, "PATCH", &path, &ready).await.0, 200);
    for id in [&top, &below, &gone] {
        let end = json!({"run_id": id, "status": "FINISHED", "end_time": 8});
        tell(store, "/runs/update", end).await;
    }
    tell(store, "/runs/delete", json!({"run_id": gone})).await;

    tell(store, "/registered-models/create", json!({"name": "it's"})).await;
    for source in [&format!("models:/{made}"), "s3://lake/a", "s3://lake/b"] {
        let version =
            json!({"name": "it's", "source": source, "tags": [{"key": "k", "value": "v"}]});
        tell(store, "/model-versions/create", version).await;
    }
    let second = json!({"name": "it's", "version": "2"});
    assert_eq!(
        send(store, "DELETE", "/model-versions/delete", &second)
            .await
            .0,
        200
    );
    let alias = json!({"name": "it's", "alias": "champion", "version": "3"});
    tell(store, "/registered-models/alias", alias).await;
    (vec![top, below, open.clone(), gone], open)
}
