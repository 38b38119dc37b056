//! Experiments and runs for [`super`]: tables that are large, and what is asked often.

use serde_json::{Value as Json, json};

use super::Statement;
use crate::serving::http;
use crate::sql::run_sql;

/// The tables of experiments and runs, which grow.
const FILL: &str = "
    INSERT INTO PedigreeRun (execution_id, run_id, experiment_id, is_deleted, start_time)
    SELECT id, name, CASE WHEN id % 2 = 0 THEN 900 ELSE id % 300 END, id % 10 = 3, id
    FROM Execution WHERE name LIKE 'n%';
    INSERT INTO PedigreeMetricSeries (execution_id, metric_key, step, time_since_epoch, value_rank,
        experiment_id, start_time)
    SELECT id, 'loss', 0, 0, id, CASE WHEN id % 2 = 0 THEN 900 ELSE id % 300 END, id
    FROM Execution;
    INSERT INTO PedigreeMetricPoint (series_id, time_since_epoch, step, value_rank)
    SELECT s.id, e.id, 0, 0 FROM PedigreeMetricSeries s JOIN Execution e ON e.id % 300 = s.id % 300
    WHERE e.id < 3000;
    INSERT INTO PedigreeInputTag (execution_id, artifact_id, tag_key, tag_value)
    SELECT execution_id, artifact_id, 'mlflow.data.context', 'training' FROM Event WHERE type = 3;
    INSERT INTO PedigreeModelMetric (artifact_id, metric_key, dataset_name, dataset_digest,
        execution_id, step, time_since_epoch, value_rank, is_latest)
    SELECT id, 'loss', 'd', '1', 1, 0, 0, id, 1 = 1 FROM Artifact;
    INSERT INTO PedigreeAliasMove (context_id, alias, move_number, version_before, version_after,
        milliseconds_since_epoch, principal)
    SELECT id, 'production', 1, '', '1', 1, '' FROM Context;
    INSERT INTO PedigreeArtifactFile (path, folder, digest, bytes, time_since_epoch)
    SELECT CONCAT('0/', id, '/file'), CONCAT('0/', id), CONCAT('d', id), 1, 1 FROM Execution;
    INSERT INTO PedigreeExperiment (experiment_id, context_id, is_deleted)
    SELECT id + 1000, id, id % 10 = 3 FROM Context";

/// Has the first experiment stored.
pub async fn begin(port: u16) {
    read(port, "/experiments/get?experiment_id=0").await;
}

async fn read(port: u16, path: &str) {
    let head = format!("GET /api/2.0/mlflow{path} HTTP/1.1");
    let answer = http(port, &head, b"").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

/// Fills the tables, beside nodes that are there.
pub async fn fill(url: &str) {
    run_sql(url, FILL).await;
}

async fn ask(port: u16, path: &str, body: &Json) -> Json {
    let head = format!("POST /api/2.0/mlflow{path} HTTP/1.1\r\nContent-Type: application/json");
    let answer = http(port, &head, body.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// The experiment with half of all runs.
const LARGE_EXPERIMENT: &str = "900";

/// The index in whose order a search reads runs, so that it ends with the page.
pub fn followed_index(statement: &Statement) -> Option<&'static str> {
    let is_of_many = |value: &String| value == LARGE_EXPERIMENT;
    if statement.name != "runs::search" || !statement.values.iter().any(is_of_many) {
        return None;
    }
    let (_, order) = statement.text.split_once(" ORDER BY ")?;
    let indexes = [
        ("o.value_rank", "idx_pedigree_metric_series_value"),
        ("o.start_time", "idx_pedigree_metric_series_start"),
    ];
    let first = indexes.iter().find(|(first, _)| order.starts_with(first));
    first.map(|(_, index)| *index)
}

/// Searches runs of the experiment with many.
async fn search_many(port: u16) {
    for (filter, order_by) in [
        ("", &["metrics.loss"][..]),
        ("", &["metrics.loss DESC"]),
        ("metrics.loss < 10", &[]),
    ] {
        let query = json!({
            "experiment_ids": [LARGE_EXPERIMENT], "filter": filter, "order_by": order_by,
            "max_results": 10,
        });
        ask(port, "/runs/search", &query).await;
    }
}

/// Logs to a run, and searches.
pub async fn track(port: u16) {
    // Of equal statements, the first one counts.
    search_many(port).await;
    let experiment = ask(port, "/experiments/create", &json!({"name": "tracked"})).await;
    let experiment = experiment["experiment_id"].as_str().unwrap();
    let of_experiment = json!({"experiment_id": experiment, "run_name": "r", "start_time": 5});
    let run = ask(port, "/runs/create", &of_experiment).await;
    let run = run["run"]["info"]["run_id"].as_str().unwrap();
    let batch = json!({
        "run_id": run,
        "metrics": [
            {"key": "loss", "value": 0.5, "timestamp": 1},
            {"key": "acc", "value": 0.5, "timestamp": 1},
        ],
        "params": [{"key": "lr", "value": "0.1"}],
    });
    ask(port, "/runs/log-batch", &batch).await;
    ask(port, "/runs/log-batch", &batch).await;
    let dataset = json!({"name": "d", "digest": "1", "source": "{\"uri\": \"s3://lake/d7\"}"});
    let tags = json!([{"key": "mlflow.data.context", "value": "training"}]);
    let inputs = json!({"run_id": run, "datasets": [{"dataset": dataset, "tags": tags}]});
    ask(port, "/runs/log-inputs", &inputs).await;
    let parent = json!({"run_id": run, "key": "mlflow.parentRunId", "value": run});
    ask(port, "/runs/set-tag", &parent).await;
    let of_experiments = json!({"experiment_ids": [experiment]});
    ask(port, "/experiments/search-datasets", &of_experiments).await;
    for path in [
        format!("/runs/get?run_id={run}"),
        format!("/metrics/get-history?run_id={run}&metric_key=loss&max_results=10"),
        format!("/metrics/get-history-bulk?run_id={run}&metric_key=loss"),
        format!("/metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss"),
        "/experiments/get?experiment_id=0".to_owned(),
        "/experiments/get-by-name?experiment_name=tracked".to_owned(),
        "/experiments/search?max_results=10".to_owned(),
    ] {
        read(port, &path).await;
    }
    compare(port).await;
    for filter in [
        "",
        "metrics.loss > 0.1",
        "metrics.loss < 0.9 AND params.lr = '0.1'",
        "params.lr = '0.1'",
        "tags.`mlflow.runName` = 'r'",
        "run_name = 'r' AND status = 'RUNNING'",
        "start_time > 3",
        "run_id = 'x'",
        "datasets.name = 'd' AND datasets.context = 'training'",
    ] {
        for order_by in [&[][..], &["metrics.loss DESC"], &["params.lr ASC"]] {
            let query = json!({
                "experiment_ids": [experiment], "filter": filter, "order_by": order_by,
                "max_results": 10,
            });
            ask(port, "/runs/search", &query).await;
        }
    }
    files(port, experiment, run).await;
    let model = models(port, experiment, run).await;
    registry(port, run, &model).await;
    for path in ["/runs/delete", "/runs/restore"] {
        ask(port, path, &json!({"run_id": run})).await;
    }
    for path in ["/experiments/delete", "/experiments/restore"] {
        ask(port, path, &json!({"experiment_id": experiment})).await;
    }
}

/// Uploads files of a run, lists and reads them.
async fn files(port: u16, experiment: &str, run: &str) {
    let root = format!("/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts");
    for (method, path) in [
        ("PUT", "a/b/c"),
        ("PUT", "a/b/c"),
        ("GET", "a/b/c"),
        ("DELETE", "a"),
    ] {
        let answer = http(port, &format!("{method} {root}/{path} HTTP/1.1"), b"").await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    }
    read(port, &format!("/artifacts/list?run_id={run}&path=a")).await;
}

/// Compares executions, one of which is a run with metrics.
async fn compare(port: u16) {
    for query in ["executions=1,2,3", "executions=7&x=time", "artifacts=1,2,3"] {
        let answer = http(port, &format!("GET /compare?{query} HTTP/1.1"), b"").await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    }
}

/// Logs models of a run, and searches them.
async fn models(port: u16, experiment: &str, run: &str) -> String {
    let of_run = json!({"experiment_id": experiment, "name": "m", "source_run_id": run});
    let model = ask(port, "/logged-models", &of_run).await;
    let model = model["model"]["info"]["model_id"].as_str().unwrap();
    let outputs = json!({"run_id": run, "models": [{"model_id": model, "step": 1}]});
    ask(port, "/runs/outputs", &outputs).await;
    let metric = json!({
        "run_id": run, "key": "loss", "value": 0.5, "timestamp": 2, "model_id": model,
        "dataset_name": "d", "dataset_digest": "1",
    });
    ask(port, "/runs/log-metric", &metric).await;
    let ready = json!({"model_id": model, "status": "LOGGED_MODEL_READY"}).to_string();
    let head = format!(
        "PATCH /api/2.0/mlflow/logged-models/{model} HTTP/1.1\r\nContent-Type: application/json"
    );
    assert_eq!(http(port, &head, ready.as_bytes()).await.status, 200);
    read(port, &format!("/logged-models/{model}")).await;
    read(port, &format!("/runs/get?run_id={run}")).await;
    let dataset = json!({"dataset_name": "d", "dataset_digest": "1"});
    for filter in [
        "",
        "metrics.loss > 0.1",
        "name = 'm' AND status = 'PENDING'",
        "tags.t = 'x' AND model_id = 'x'",
    ] {
        for datasets in [&[][..], &[&dataset]] {
            for order_by in [json!([]), json!([{"field_name": "metrics.loss"}])] {
                let query = json!({
                    "experiment_ids": [experiment], "filter": filter, "datasets": datasets,
                    "order_by": order_by,
                });
                ask(port, "/logged-models/search", &query).await;
            }
        }
    }
    model.to_owned()
}

/// Registers versions of a model, and searches them.
async fn registry(port: u16, run: &str, model: &str) {
    let named = json!({"name": "registered"});
    ask(port, "/registered-models/create", &named).await;
    for source in [
        format!("models:/{model}"),
        format!("runs:/{run}/model"),
        "s3://lake/m".to_owned(),
        "models:/registered/1".to_owned(),
    ] {
        let version = json!({"name": "registered", "source": source, "run_id": run});
        ask(port, "/model-versions/create", &version).await;
    }
    for version in ["1", "2", "1"] {
        let alias = json!({"name": "registered", "alias": "production", "version": version});
        ask(port, "/registered-models/alias", &alias).await;
        let stage = json!({
            "name": "registered", "version": version, "stage": "Production",
            "archive_existing_versions": true,
        });
        ask(port, "/model-versions/transition-stage", &stage).await;
    }
    for path in [
        "/registered-models/get?name=registered",
        "/registered-models/alias?name=registered&alias=production",
        "/registered-models/search",
        "/registered-models/search?filter=name%3D'registered'&order_by=timestamp",
        "/registered-models/search?filter=tags.t%3D'x'",
        "/model-versions/get?name=registered&version=1",
        "/model-versions/search",
        "/model-versions/search?filter=name%3D'registered'&order_by=version_number",
        "/model-versions/search?filter=run_id%3D'x'+AND+version_number%3E1",
        "/model-versions/search?filter=source_path%3D's3://lake/m'",
    ] {
        read(port, path).await;
    }
}
