//! What producers sent, in any order and company, is one graph, and the expected lineage.

use std::collections::BTreeSet;
use std::path::Path;

use pedigree::graph::{Clock, Graph, Retention};
use pedigree::storage::Database;
use serde_json::json;
use tokio::task::JoinSet;

use super::{PATH, dataset, lineage, of_run, post};
use crate::support::{Backend, Random, Store, lines_of};

on_every_database! {
    airflow_nightly_sales,
    airflow_queue_failure,
    airflow_scheduler,
    client_disorder,
    client_explicit_lineage,
    client_full,
    client_static,
    client_symlinks,
    client_uri_notations,
    dbt_build_test_fails,
    dbt_run,
    dbt_run_structured,
    dbt_test,
    spark_failing,
    spark_features,
    spark_table_life,
}

on_every_server! {
    two_servers_make_one_graph,
}

/// How many clients send at once.
const CLIENTS: usize = 8;

macro_rules! scenarios {
    ($($case:ident: $name:literal,)*) => {
        $(async fn $case(backend: Backend) {
            check(backend, $name).await;
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
    client_static: "client-static",
    client_symlinks: "client-symlinks",
    client_uri_notations: "client-uri-notations",
    dbt_build_test_fails: "dbt-build-test-fails",
    dbt_run: "dbt-run",
    dbt_run_structured: "dbt-run-structured",
    dbt_test: "dbt-test",
    spark_failing: "spark-failing",
    spark_features: "spark-features",
    spark_table_life: "spark-table-life",
}

/// The events of a scenario, one by one.
pub fn recorded(name: &str) -> Vec<String> {
    let text = read(&format!("{name}.jsonl"));
    text.lines().map(str::to_owned).collect()
}

fn read(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openlineage");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

/// Sends the events of a scenario in order, and in other orders, each twice, over several
/// connections at once.
async fn check(backend: Backend, name: &str) {
    let events = recorded(name);
    let store = Store::open(backend).await;
    for event in &events {
        let answer = post(store.port(), PATH, event.as_bytes()).await;
        assert_eq!(answer.status, 201, "{answer:?} {event}");
    }
    let expected = read(&format!("{name}.tsv"));
    let found = lineage::lines(&store).await;
    assert_eq!(found, expected.lines().collect::<Vec<_>>(), "{name}");
    let expected = graph(&store).await;
    for seed in 0..orders() {
        let store = Store::open(backend).await;
        send_in_disorder(&[store.port()], &events, seed).await;
        let found = graph(&store).await;
        let missing: Vec<_> = expected.difference(&found).collect();
        let more: Vec<_> = found.difference(&expected).collect();
        assert_eq!((&missing, &more), (&vec![], &vec![]), "{name}, seed {seed}");
    }
}

/// The number of orders: 20 under `PEDIGREE_TEST_FULL=1`.
fn orders() -> u64 {
    let is_full = std::env::var("PEDIGREE_TEST_FULL").is_ok_and(|value| value == "1");
    if is_full { 20 } else { 1 }
}

/// Several runs write and read each of a few datasets, and two servers get their events at once.
async fn two_servers_make_one_graph(backend: Backend) {
    let dataset = |number: usize| json!([dataset("s3://lake", &format!("d{number}"))]);
    let mut events = Vec::new();
    for number in 0..24 {
        let run = format!("r{number}");
        let second = u32::try_from(number).unwrap();
        let mut start = of_run("START", &run, second);
        start["inputs"] = dataset(number % 3);
        let mut end = of_run("COMPLETE", &run, second + 2);
        end["outputs"] = dataset((number + 1) % 3);
        events.extend([start.to_string(), end.to_string()]);
    }
    let store = Store::open(backend).await;
    for event in &events {
        let answer = post(store.port(), PATH, event.as_bytes()).await;
        assert_eq!(answer.status, 201, "{answer:?} {event}");
    }
    let expected = graph(&store).await;
    let store = Store::open(backend).await;
    let replica = store.replica().await;
    send_in_disorder(&[store.port(), replica.port], &events, 7).await;
    assert_eq!(graph(&store).await, expected);
}

pub async fn send_in_disorder(ports: &[u16], events: &[String], seed: u64) {
    let mut random = Random::new(seed);
    let mut twice = [events, events].concat();
    for end in (1..twice.len()).rev() {
        twice.swap(end, random.below(end + 1));
    }
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let port = ports[client % ports.len()];
        let own: Vec<String> = twice
            .iter()
            .skip(client)
            .step_by(CLIENTS)
            .cloned()
            .collect();
        clients.spawn(async move {
            for event in own {
                let answer = post(port, PATH, event.as_bytes()).await;
                assert_eq!(answer.status, 201, "{answer:?} {event}");
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}

/// The graph of a store without what depends on the order of arrival: the times of edges.
pub async fn graph(store: &Store) -> BTreeSet<String> {
    let database = Database::open(store.url(), 1).await.unwrap();
    let graph = Graph::new(database.clone(), Retention::default(), Clock::default());
    let lines = lines_of(&graph).await;
    database.close().await;
    let without_time = |line: String| match line.rsplit_once(" at Some(") {
        Some((edge, _)) => edge.to_owned(),
        None => line,
    };
    lines.into_iter().map(without_time).collect()
}
