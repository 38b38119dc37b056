//! `pedigree import` from files of other systems, and what clients then find.

mod neptune;
mod wandb;

use pedigree::proto::ml_metadata::{
    Artifact, GetArtifactsRequest, GetExecutionsRequest, ListOperationOptions,
};
use serde_json::{Value, json};

use crate::binary::{self, Ended, Server};
use crate::mlflow::PREFIX;
use crate::serving::http;
use crate::support::TestDatabase;

/// Runs an import.
fn import(database: &TestDatabase, arguments: &[&str]) -> Ended {
    let arguments = [&["import"], arguments].concat();
    let mut command = binary::pedigree_on(database, &arguments);
    // A busy machine would log slow statements between the lines of the import.
    command.env("PEDIGREE_LOG_LEVEL", "error");
    binary::run(command)
}

/// A server of what has been imported.
struct Imported(Server);

impl Imported {
    fn open(database: &TestDatabase) -> Self {
        Self(Server::on(database, &[]))
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let head = format!("{method} {PREFIX}{path} HTTP/1.1\r\nContent-Type: application/json");
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let answer = http(self.0.port, &head, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The runs of an experiment by their names, as clients of `MLflow` see them.
    async fn runs(&self, experiment: &str) -> Vec<Value> {
        let path = format!("/experiments/get-by-name?experiment_name={experiment}");
        let found = self.ask("GET", &path, &Value::Null).await;
        let search = json!({
            "experiment_ids": [found["experiment"]["experiment_id"]], "run_view_type": "ALL",
            "order_by": ["attributes.run_name"],
        });
        let found = self.ask("POST", "/runs/search", &search).await;
        found["runs"].as_array().cloned().unwrap_or_default()
    }

    /// The points of a metric: step, time, value.
    async fn history(&self, run: &Value, key: &str) -> Vec<(i64, i64, Value)> {
        let id = run["info"]["run_id"].as_str().unwrap();
        let path = format!("/metrics/get-history?run_id={id}&metric_key={key}");
        let found = self.ask("GET", &path, &Value::Null).await;
        let points = found["metrics"].as_array().cloned().unwrap_or_default();
        let point = |it: Value| {
            let number = |name: &str| it[name].as_i64().unwrap();
            (number("step"), number("timestamp"), it["value"].clone())
        };
        points.into_iter().map(point).collect()
    }

    async fn artifacts(&self, filter: &str) -> Vec<Artifact> {
        let request = GetArtifactsRequest {
            options: Some(options(filter)),
            ..GetArtifactsRequest::default()
        };
        let mut client = self.0.client().await;
        client
            .get_artifacts(request)
            .await
            .unwrap()
            .into_inner()
            .artifacts
    }

    /// The ids of the executions that a filter finds.
    async fn executions(&self, filter: &str) -> Vec<i64> {
        let request = GetExecutionsRequest {
            options: Some(options(filter)),
            ..GetExecutionsRequest::default()
        };
        let mut client = self.0.client().await;
        let found = client.get_executions(request).await.unwrap().into_inner();
        found.executions.iter().map(|it| it.id.unwrap()).collect()
    }
}

fn options(filter: &str) -> ListOperationOptions {
    ListOperationOptions {
        filter_query: Some(filter.to_owned()),
        ..ListOperationOptions::default()
    }
}

/// The values of parameters or tags by their keys.
fn by_key(pairs: &Value) -> std::collections::BTreeMap<String, Value> {
    let pairs = pairs.as_array().cloned().unwrap_or_default();
    let pair = |it: Value| (it["key"].as_str().unwrap().to_owned(), it["value"].clone());
    pairs.into_iter().map(pair).collect()
}
