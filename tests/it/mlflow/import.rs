//! `pedigree import mlflow`, from a server whose door is `MLflow`'s into a new store.

use pedigree::blobs::BlobDigest;
use pedigree::proto::ml_metadata::{Artifact, GetArtifactsRequest, ListOperationOptions};
use serde_json::{Value, json};

use super::artifacts::{ask, put};
use super::models::{model, send};
use super::{PREFIX, code, experiment, run, tell};
use crate::binary::{self, Ended, Server};
use crate::serving;
use crate::support::{Backend, Store, TestDatabase};

blocking_on_every_database! {
    an_import_brings_everything_once,
    files_are_copied_and_what_cannot_be_is_named,
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
    let expected =
        "4 runs with 5503 points of metrics, 1 models, 2 versions, 0 artifacts and 0 files; 0 runs";
    assert!(first.contains(expected), "{first}");

    // A run that had not ended comes again.
    log(&source, &open, "m", 1..3).await;
    let end = json!({"run_id": open, "status": "FAILED", "end_time": 9});
    tell(&source, "/runs/update", end).await;
    let second = import(&database, source.port()).await;
    let expected = "imported 0 experiments, 0 runs with 3 points of metrics, 0 models, 0 versions, \
                    0 artifacts and 0 files; 3 runs were there already";
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
    // They are not taken for files of the new server.
    let path = format!("{PREFIX}/artifacts/list?run_id={}", ids[0]);
    let answer = serving::get(target.port, &path).await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (400, "INVALID_PARAMETER_VALUE")
    );
    assert!(answer.text().contains(files), "{}", answer.text());
    target.stop();
}

fn files_are_copied_and_what_cannot_be_is_named(backend: Backend) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(copy_files(backend));
}

/// Fills a store with a run and a model that have files. Returns their ids, and where the files of
/// the run are.
async fn fill_files(source: &Store, large: &[u8]) -> (String, String, String) {
    let number = experiment(source, "e").await;
    let id = run(source, &number, "r", 1).await;
    let root = format!("{number}/{id}/artifacts");
    for (path, bytes) in [("a%20b/%25.bin", large), ("plot", b"1"), ("empty", b"")] {
        put(source, &format!("{root}/{path}"), bytes).await;
    }
    let made = model(source, &number, "forest", &id).await;
    let model_root = format!("{number}/models/{made}/artifacts");
    put(source, &format!("{model_root}/MLmodel"), b"x").await;
    let path = format!("/logged-models/{made}");
    let ready = json!({"model_id": made, "status": "LOGGED_MODEL_READY"});
    assert_eq!(send(source, "PATCH", &path, &ready).await.0, 200);
    let end = json!({"run_id": id, "status": "FINISHED", "end_time": 8});
    tell(source, "/runs/update", end).await;
    tell(source, "/registered-models/create", json!({"name": "m"})).await;
    let version = json!({"name": "m", "source": format!("models:/{made}"), "run_id": id});
    tell(source, "/model-versions/create", version).await;
    (id, made, root)
}

async fn copy_files(backend: Backend) {
    let source = Store::open(Backend::SqliteFile).await;
    let large = vec![7; 300_000];
    let (id, made, root) = fill_files(&source, &large).await;

    // The file has the place of a folder.
    let database = TestDatabase::new(backend);
    let target = Server::on(&database, &[]);
    let other = json!({"name": "other"}).to_string();
    let head =
        format!("POST {PREFIX}/experiments/create HTTP/1.1\r\nContent-Type: application/json");
    let created = serving::http(target.port, &head, other.as_bytes()).await;
    assert_eq!(created.status, 200, "{}", created.text());
    let new_root = format!("2/{id}/artifacts");
    let folder = format!("{new_root}/plot/x");
    assert_eq!(ask(target.port, "PUT", &folder, "", b"2").await.status, 200);
    target.stop();
    let first = try_import(&database, source.port(), &["--artifacts", "copy"]).await;
    assert!(!first.status.success(), "{first:?}");
    let named = format!("plot of run {id}: ");
    assert!(first.stderr.contains(&named), "{first:?}");
    assert!(first.stderr.contains("3 files; 0 runs"), "{first:?}");
    let target = Server::on(&database, &[]);
    let place = async |port: u16| {
        let path = format!("{PREFIX}/runs/get?run_id={id}");
        let answer = serving::get(port, &path).await;
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        let uri = told["run"]["info"]["artifact_uri"].as_str().unwrap();
        uri.to_owned()
    };
    let old = format!("mlflow-artifacts://localhost:{}/{root}", source.port());
    assert_eq!(place(target.port).await, old);
    let plot = format!("{new_root}/plot");
    assert_eq!(ask(target.port, "DELETE", &plot, "", b"").await.status, 200);
    target.stop();

    let copied = async || {
        let ended = try_import(&database, source.port(), &["--artifacts", "copy"]).await;
        assert!(ended.status.success(), "{ended:?}");
        ended.stdout
    };
    let second = copied().await;
    assert!(second.contains(" and 1 files; 1 runs"), "{second}");
    let third = copied().await;
    assert!(third.contains(" and 0 files; 1 runs"), "{third}");

    let target = Server::on(&database, &[]);
    assert_eq!(
        place(target.port).await,
        format!("mlflow-artifacts:/{new_root}")
    );
    for (path, bytes) in [
        ("a%20b/%25.bin", &large[..]),
        ("plot", b"1"),
        ("empty", b""),
    ] {
        let answer = ask(target.port, "GET", &format!("{new_root}/{path}"), "", b"").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body == bytes, "{path}");
    }
    let paths = [
        format!("/artifacts/list?run_id={id}"),
        format!("/logged-models/{made}/artifacts/directories"),
    ];
    for path in paths {
        let path = [PREFIX, &path].concat();
        let files = async |port: u16| {
            let answer = serving::get(port, &path).await;
            let told: Value = serde_json::from_slice(&answer.body).unwrap();
            told["files"].clone()
        };
        let expected = files(source.port()).await;
        assert_eq!(files(target.port).await, expected, "{path}");
        assert!(expected.is_array(), "{path}");
    }
    // The digest of the folder is that of an upload.
    let line = format!("{}  ./MLmodel\n", BlobDigest::of(b"x"));
    let digest = BlobDigest::of(line.as_bytes());
    let digest = format!("custom_properties.digest.string_value = 'sha256:{digest}'");
    let filter = format!("name = '{made}' AND {digest}");
    assert_eq!(source.find::<Artifact>(&filter).await.len(), 1);
    assert_eq!(find(&target, &filter).await.len(), 1);
    target.stop();
}

/// The artifacts that a filter finds.
async fn find(server: &Server, filter: &str) -> Vec<Artifact> {
    let mut client = server.client().await;
    let options = ListOperationOptions {
        filter_query: Some(filter.to_owned()),
        ..ListOperationOptions::default()
    };
    let request = GetArtifactsRequest {
        options: Some(options),
        ..GetArtifactsRequest::default()
    };
    let found = client.get_artifacts(request).await.unwrap();
    found.into_inner().artifacts
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
    let ended = try_import(database, port, &[]).await;
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

async fn try_import(database: &TestDatabase, port: u16, more: &[&str]) -> Ended {
    let url = format!("http://localhost:{port}");
    let arguments = [&["import", "mlflow", &url], more].concat();
    let command = binary::pedigree_on(database, &arguments);
    let ended = tokio::task::spawn_blocking(move || binary::run(command));
    ended.await.unwrap()
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
