//! Lineage of jobs, datasets and columns.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{get, send, texts};
use crate::openlineage::{dataset, of_run, tell};
use crate::support::prelude::*;

on_every_database! {
    recorded_runs_are_jobs_and_datasets,
    nodes_have_their_jobs_and_datasets,
    what_a_job_wrote_in_earlier_runs_is_there,
    a_walk_begins_at_a_run_a_version_or_a_time,
    depth_limits_a_walk,
    what_a_failed_run_would_have_written_is_left_out,
    a_job_without_data_is_alone,
    fields_have_the_fields_from_which_they_were_made,
}

/// The edges of a graph. Each must be at both of its nodes.
fn edges(graph: &Value) -> BTreeSet<String> {
    let at = |ends: &str| -> BTreeSet<String> {
        let nodes = graph["graph"].as_array().unwrap().iter();
        let edges = nodes.flat_map(|node| node[ends].as_array().unwrap());
        let line = |edge: &Value| {
            let (origin, destination) = (&edge["origin"], &edge["destination"]);
            format!(
                "{} > {}",
                origin.as_str().unwrap(),
                destination.as_str().unwrap()
            )
        };
        edges.map(line).collect()
    };
    assert_eq!(at("inEdges"), at("outEdges"));
    at("inEdges")
}

async fn found(store: &Store, query: &str) -> BTreeSet<String> {
    edges(&get(store, &format!("/lineage?{query}")).await)
}

fn set<const N: usize>(edges: [&str; N]) -> BTreeSet<String> {
    edges.map(str::to_owned).into()
}

async fn recorded_runs_are_jobs_and_datasets(store: Store) {
    send(&store, "dbt-run").await;
    let dbt = encoded_id("dataset:duckdb:///work/shop.duckdb:shop.main.revenue_by_country");
    let all = get(&store, "/search?q=revenue_by_country&filter=DATASET").await;
    let id = texts(&all["results"], "nodeId");
    let id = id.first().map_or(dbt, |id| encoded_id(id));
    let graph = get(&store, &format!("/lineage?nodeId={id}")).await;
    let nodes = graph["graph"].as_array().unwrap();
    let of = |sort: &str| nodes.iter().filter(|node| node["type"] == sort).count();
    assert_eq!((of("JOB"), of("DATASET")), (4, 4), "{graph}");
    assert!(edges(&graph).len() >= 6, "{graph}");
}

fn encoded_id(id: &str) -> String {
    super::encoded(id)
}

/// The end of a run of `job` at a second.
fn end(job: &str, second: u32, inputs: &[&str], outputs: &[&str]) -> Value {
    let mut end = of_run("COMPLETE", &format!("{job}-{second}"), second);
    end["job"]["name"] = json!(job);
    let lake = |names: &[&str]| -> Vec<Value> {
        names
            .iter()
            .map(|name| dataset("s3://lake", name))
            .collect()
    };
    end["inputs"] = json!(lake(inputs));
    end["outputs"] = json!(lake(outputs));
    end
}

async fn nodes_have_their_jobs_and_datasets(store: Store) {
    tell(&store, &end("write", 1, &[], &["a"])).await;
    tell(&store, &end("read", 2, &["a"], &[])).await;
    let graph = get(&store, "/lineage?nodeId=dataset:s3://lake:a").await;
    let a = "dataset:s3://lake:a";
    let (written, read) = (
        json!({"origin": "job:team:write", "destination": a}),
        json!({"origin": a, "destination": "job:team:read"}),
    );
    let expected = [
        (a, "DATASET", json!([written]), json!([read])),
        ("job:team:read", "JOB", json!([read]), json!([])),
        ("job:team:write", "JOB", json!([]), json!([written])),
    ];
    let nodes = graph["graph"].as_array().unwrap();
    assert_eq!(nodes.len(), expected.len());
    for (node, (id, sort, in_edges, out_edges)) in nodes.iter().zip(expected) {
        assert_eq!((&node["id"], &node["type"]), (&json!(id), &json!(sort)));
        assert_eq!(
            (&node["inEdges"], &node["outEdges"]),
            (&in_edges, &out_edges)
        );
    }
    let job = get(&store, "/namespaces/team/jobs/read").await;
    assert_eq!(nodes[1]["data"], job);
    let data = get(&store, "/namespaces/s3%3A%2F%2Flake/datasets/a").await;
    assert_eq!(nodes[0]["data"], data);
    // The same from either end.
    assert_eq!(found(&store, "nodeId=job:team:read").await, edges(&graph));
}

async fn what_a_job_wrote_in_earlier_runs_is_there(store: Store) {
    tell(&store, &end("j", 1, &["a"], &["b"])).await;
    tell(&store, &end("j", 2, &["a"], &["c"])).await;
    let expected = set([
        "dataset:s3://lake:a > job:team:j",
        "job:team:j > dataset:s3://lake:b",
        "job:team:j > dataset:s3://lake:c",
    ]);
    assert_eq!(found(&store, "nodeId=job:team:j").await, expected);
}

async fn a_walk_begins_at_a_run_a_version_or_a_time(store: Store) {
    let mut first = end("first", 1, &["a"], &["b"]);
    first["outputs"][0]["facets"] = json!({"version": {"datasetVersion": "v1"}});
    tell(&store, &first).await;
    tell(&store, &end("second", 10, &["c"], &["b"])).await;
    let of_first = set([
        "dataset:s3://lake:a > job:team:first",
        "job:team:first > dataset:s3://lake:b",
    ]);
    let of_second = set([
        "dataset:s3://lake:c > job:team:second",
        "job:team:second > dataset:s3://lake:b",
    ]);
    let b = "nodeId=dataset:s3://lake:b";
    for (query, expected) in [
        ("runId=first-1".to_owned(), &of_first),
        ("runId=second-10".to_owned(), &of_second),
        (format!("{b}%23v1"), &of_first),
        (format!("{b}&at=2025-11-27T03:00:05Z"), &of_first),
        (format!("{b}&at=2025-11-27T03:00:10Z"), &of_second),
        (b.to_owned(), &of_first.union(&of_second).cloned().collect()),
    ] {
        assert_eq!(found(&store, &query).await, *expected, "{query}");
    }
    let before = get(&store, &format!("/lineage?{b}&at=2025-11-27T02:00:00Z")).await;
    assert_eq!(texts(&before["graph"], "id"), ["dataset:s3://lake:b"]);
    let versions = get(&store, "/namespaces/s3%3A%2F%2Flake/datasets/b/versions").await;
    let newest = versions["versions"][0]["version"].as_str().unwrap();
    assert_eq!(found(&store, &format!("{b}%23{newest}")).await, of_second);
}

async fn depth_limits_a_walk(store: Store) {
    tell(&store, &end("one", 1, &[], &["a"])).await;
    tell(&store, &end("two", 2, &["a"], &["b"])).await;
    tell(&store, &end("three", 3, &["b"], &["c"])).await;
    for (depth, edges) in [(0, 0), (1, 1), (2, 2), (4, 4), (20, 5)] {
        let query = format!("nodeId=dataset:s3://lake:c&depth={depth}");
        assert_eq!(found(&store, &query).await.len(), edges, "{depth}");
    }
}

async fn what_a_failed_run_would_have_written_is_left_out(store: Store) {
    let mut failed = end("j", 1, &["a"], &["b"]);
    failed["eventType"] = json!("FAIL");
    tell(&store, &failed).await;
    let expected = set(["dataset:s3://lake:a > job:team:j"]);
    assert_eq!(found(&store, "nodeId=job:team:j").await, expected);
}

async fn a_job_without_data_is_alone(store: Store) {
    tell(&store, &end("j", 1, &[], &[])).await;
    let graph = get(&store, "/lineage?nodeId=job:team:j").await;
    assert_eq!(texts(&graph["graph"], "id"), ["job:team:j"]);
    assert_eq!(graph["graph"][0]["inEdges"], json!([]));
}

async fn fields_have_the_fields_from_which_they_were_made(store: Store) {
    send(&store, "client-full").await;
    let predictions = "postgres://db.example.com:5432:churn.public.predictions";
    let path = format!("/column-lineage?nodeId=datasetField:{predictions}:p");
    let graph = get(&store, &path).await;
    let node = |id: &str| {
        let mut nodes = graph["graph"].as_array().unwrap().iter();
        nodes.find(|node| node["id"] == id).cloned()
    };
    let p = node(&format!("datasetField:{predictions}:p")).unwrap();
    assert_eq!(p["type"], "DATASET_FIELD");
    assert_eq!(p["data"]["dataset"], "churn.public.predictions");
    let inputs = &p["data"]["inputFields"];
    assert_eq!(texts(inputs, "field"), ["customer_id", "spend.last30"]);
    assert_eq!(texts(inputs, "dataset"), ["features/v1", "features/v1"]);
    let spend = node("datasetField:s3://lake:features/v1:spend.last30").unwrap();
    assert_eq!(spend["outEdges"][0]["destination"], p["id"]);
    // Of all columns, and the other way round.
    let dataset = format!("/column-lineage?nodeId=dataset:{predictions}");
    let whole = get(&store, &dataset).await;
    assert!(edges(&whole).is_superset(&edges(&graph)));
    let source = "/column-lineage?nodeId=datasetField:s3://lake:features/v1:spend.last30";
    assert_eq!(get(&store, source).await["graph"], json!([]));
    let down = get(&store, &format!("{source}&withDownstream=True")).await;
    assert!(
        edges(&down).iter().any(|edge| edge.ends_with(":p")),
        "{down}"
    );
}
