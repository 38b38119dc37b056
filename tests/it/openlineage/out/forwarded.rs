//! A second server that gets the events of a first one has the same graph.

use std::collections::BTreeMap;
use std::path::Path;

use pedigree::graph::RunEventType::{Complete, Fail, Start};
use pedigree::graph::{Clock, Graph, RecordRuns, Retention, RunEvent};
use pedigree::model::{Caller, Door, Value as Property};
use pedigree::storage::Database;
use serde_json::json;

use super::{ALL_DOORS, TargetsFile, entry, has_lineage, lines, pipeline, wait_for};
use crate::openlineage::scenarios::recorded;
use crate::openlineage::{PATH, at_second, dataset, lineage, of_run, post, tell};
use crate::runs::{context, properties, run, with_content};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    airflow_nightly_sales,
    airflow_queue_failure,
    airflow_scheduler,
    client_disorder,
    client_explicit_lineage,
    client_full,
    client_symlinks,
    client_uri_notations,
    dbt_build_test_fails,
    dbt_run_structured,
    spark_failing,
    spark_features,
    a_pipeline_of_kubeflow_arrives_whole,
    recorded_runs_arrive_with_their_facts,
    a_reader_of_what_kubeflow_wrote_arrives,
    what_was_written_before_the_target_was_named_arrives,
}

macro_rules! scenarios {
    ($($case:ident: $name:literal,)*) => {
        $(async fn $case(backend: Backend) {
            forward(backend, $name).await;
        })*
    };
}

scenarios! {
    airflow_nightly_sales: "airflow-nightly-sales",
    airflow_queue_failure: "airflow-queue-failure",
    airflow_scheduler: "airflow-scheduler",
    client_disorder: "client-disorder",
    client_explicit_lineage: "client-explicit-lineage",
    client_full: "client-full",
    client_symlinks: "client-symlinks",
    client_uri_notations: "client-uri-notations",
    dbt_build_test_fails: "dbt-build-test-fails",
    dbt_run_structured: "dbt-run-structured",
    spark_failing: "spark-failing",
    spark_features: "spark-features",
}

/// A server that gets the events of producers sends them on to another one.
async fn forward(backend: Backend, name: &str) {
    let second = Store::open(backend).await;
    let file = TargetsFile::new(&[entry("second", second.port(), ALL_DOORS)]);
    let first = file.serve(backend).await;
    for event in recorded(name) {
        let answer = post(first.port(), PATH, event.as_bytes()).await;
        assert_eq!(answer.status, 201, "{answer:?} {event}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openlineage");
    let expected = std::fs::read_to_string(folder.join(format!("{name}.tsv"))).unwrap();
    let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
    assert_eq!(lineage::lines(&first).await, expected);
    has_lineage(&second, &expected).await;
    assert_eq!(times(&second).await, times(&first).await);
}

/// When runs began and ended, by their external ids.
async fn times(store: &Store) -> BTreeMap<String, [Option<Value>; 2]> {
    let executions = store.ask(pb::GetExecutionsRequest::default()).await;
    let times = |run: Execution| {
        let time = |name: &str| run.custom_properties.get(name).cloned();
        let times = ["started_at", "ended_at"].map(time);
        (run.external_id().to_owned(), times)
    };
    executions.executions.into_iter().map(times).collect()
}

async fn a_pipeline_of_kubeflow_arrives_whole(backend: Backend) {
    let second = Store::open(backend).await;
    let more = "namespace = 'prod'\ncompression = 'gzip'\nbatch = 10\n";
    let file = TargetsFile::new(&[entry("second", second.port(), more)]);
    let first = file.serve(backend).await;
    pipeline(&first).await;
    let graph = "prod/churn.system.DAGExecution";
    let expected = [
        format!("below\t{graph}\tprod/churn\t1"),
        format!("below\tprod/churn.prepare\t{graph}\t1"),
        format!("below\tprod/churn.train\t{graph}\t1"),
        "abandons\tprod/churn.train\tMODEL\t1".into(),
        "follows\tprod/churn.train\tprod/churn.prepare\t1".into(),
        "reads\tprod/churn.train\tminio://mlpipeline/v2/images\t1".into(),
        "run\tprod/churn\tNONE\t1".into(),
        "run\tprod/churn.prepare\tCOMPLETE\t1".into(),
        format!("run\t{graph}\tNONE\t1"),
        "run\tprod/churn.train\tFAILED\t1".into(),
        "writes\tprod/churn.prepare\tminio://mlpipeline/v2/images\t1".into(),
    ];
    let database = Database::open(first.url(), 1).await.unwrap();
    let graph = Graph::new(database.clone(), Retention::default(), Clock::default());
    let model = format!(
        "pedigree://{}/system.Dataset/model",
        graph.store_id().await.unwrap()
    );
    database.close().await;
    let mut expected = expected.map(|line| line.replace("MODEL", &model));
    expected.sort();
    has_lineage(&second, &expected).await;
}

/// Stores run events as `Record` does.
async fn record(store: &Store, events: Vec<RunEvent>) {
    let database = Database::open(store.url(), 2).await.unwrap();
    let graph = Graph::new(database.clone(), Retention::default(), Clock::default());
    let caller = Caller::anonymous(Door::Pedigree);
    graph.write(&caller, RecordRuns { events }).await.unwrap();
    database.close().await;
}

async fn recorded_runs_arrive_with_their_facts(backend: Backend) {
    let second = Store::open(backend).await;
    let file = TargetsFile::new(&[entry("second", second.port(), "")]);
    let first = file.serve(backend).await;
    let facts = [
        ("param.rate", Property::Double(0.5)),
        ("metric.auc", Property::Double(0.9)),
        ("tag.team", Property::String("a".into())),
        (
            "code.repository",
            Property::String("https://example.com/r".into()),
        ),
        ("code.commit", Property::String("4f3c".into())),
        ("engine", Property::String("torch".into())),
        ("engine_version", Property::String("3.1".into())),
        ("note", Property::String("two\nlines".into())),
    ];
    let events = vec![
        RunEvent {
            inputs: vec![with_content("s3a://Lake/raw/", "sha256:ab")],
            contexts: vec![context("p")],
            custom_properties: properties(&facts),
            ..run(Start, "r", 100)
        },
        RunEvent {
            outputs: vec![with_content("s3://lake/model", "sha256:cd")],
            ..run(Complete, "r", 200)
        },
        run(Start, "other", 300),
        run(Fail, "other", 400),
        run(Start, "other", 500),
    ];
    record(&first, events).await;
    let expected = lines(&[
        "reads\tpedigree/Train\ts3://lake/raw\t1",
        "run\tpedigree/Train\tCOMPLETE\t1",
        "run\tpedigree/Train\tRUNNING\t1",
        "writes\tpedigree/Train\ts3://lake/model\t1",
    ]);
    has_lineage(&second, &expected).await;
    let executions = second
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    let complete = |run: &&Execution| run.custom_properties.contains_key("metric.auc");
    let arrived = executions.iter().find(complete).unwrap();
    for (name, expected) in [
        ("param.rate", "0.5"),
        ("tag.team", "a"),
        ("code.repository", "https://example.com/r"),
        ("code.commit", "4f3c"),
        ("engine", "torch"),
        ("engine_version", "3.1"),
        ("note", "two\nlines"),
    ] {
        assert_eq!(lineage::text(arrived, name), Some(expected), "{name}");
    }
    let number = |name: &str| arrived.custom_properties[name].value.clone().unwrap();
    assert_eq!(number("metric.auc"), pb::value::Value::DoubleValue(0.9));
    let base = crate::runs::START_OF_TIME;
    for (name, time) in [("started_at", base + 100), ("ended_at", base + 200)] {
        assert_eq!(number(name), pb::value::Value::IntValue(time));
    }
    // A digest names the version.
    let artifacts = second
        .ask(pb::GetArtifactsRequest::default())
        .await
        .artifacts;
    let version = |artifact: &Artifact| artifact.custom_properties["version"].clone();
    let mut versions: Vec<Value> = artifacts.iter().map(version).collect();
    versions.sort_by_key(|version| format!("{version:?}"));
    assert_eq!(versions, [text("sha256:ab"), text("sha256:cd")]);
}

async fn a_reader_of_what_kubeflow_wrote_arrives(backend: Backend) {
    let second = Store::open(backend).await;
    let file = TargetsFile::new(&[entry("second", second.port(), ALL_DOORS)]);
    let first = file.serve(backend).await;
    pipeline(&first).await;
    // The run of Spark starts after the step has ended.
    let mut start = of_run("START", "spark", 1);
    start["eventTime"] = at_second(first.now() / 1000 + 60);
    start["inputs"] = json!([dataset("minio://mlpipeline", "v2/images")]);
    tell(&first, &start).await;
    let expected = lines(&[
        "follows\tteam/spark\tpedigree/churn.prepare\t1",
        "reads\tteam/spark\tminio://mlpipeline/v2/images\t1",
        "run\tteam/spark\tRUNNING\t1",
    ]);
    wait_for("the run of Spark", async || {
        let mut found = lineage::lines(&second).await;
        found.retain(|line| line.contains("team/spark"));
        (found == expected).then_some(())
    })
    .await;
}

async fn what_was_written_before_the_target_was_named_arrives(backend: Backend) {
    let database = TestDatabase::new(backend);
    let before = Graph::new(
        Database::open(&database.url, 2).await.unwrap(),
        Retention::default(),
        Clock::default(),
    );
    let caller = Caller::anonymous(Door::Pedigree);
    let events = vec![run(Start, "r", 100)];
    before.write(&caller, RecordRuns { events }).await.unwrap();
    before.close().await;
    let second = Store::open(backend).await;
    let file = TargetsFile::new(&[entry("second", second.port(), "")]);
    let _first = file.serve_on(database).await;
    has_lineage(&second, &lines(&["run\tpedigree/Train\tRUNNING\t1"])).await;
}
