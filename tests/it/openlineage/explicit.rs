//! Facets that say from which inputs a run made each output, and what a trace makes of them.

use std::collections::BTreeSet;

use pedigree::proto::pedigree::lineage::v1::TraceRequest;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::trace_request::Direction;
use serde_json::{Value, json};

use super::scenarios::{recorded, send_in_disorder};
use super::{dataset, event, of_run, tell};
use crate::support::prelude::*;

on_every_database! {
    what_a_client_said_in_any_order,
    a_run_is_sent_once_and_left_by_every_output,
    both_directions_follow_what_is_named,
    an_output_that_no_facet_names_comes_from_all_inputs,
    the_newest_facet_counts_in_any_order,
    facets_of_outputs_name_their_inputs,
    a_name_of_a_dataset_stands_for_all_of_its_names,
    a_malformed_facet_says_nothing,
}

const DATABASE: &str = "postgres://db.example.com:5432";

/// The URIs of the artifacts that a trace from one reaches, ascending, each as often as it is sent.
/// It sends each execution once, and an event between each two nodes once.
async fn trace(store: &Store, from: &str, direction: Direction) -> Vec<String> {
    let request = TraceRequest {
        direction: direction.into(),
        artifacts: format!("uri = '{from}'"),
        ..Default::default()
    };
    let mut client = LineageServiceClient::new(store.channel.clone());
    let mut responses = client.trace(request).await.unwrap().into_inner();
    let mut uris = Vec::new();
    let mut runs = BTreeSet::new();
    let mut events = BTreeSet::new();
    while let Some(response) = responses.message().await.unwrap() {
        uris.extend(response.artifacts.iter().map(|it| it.uri().to_owned()));
        for run in &response.executions {
            assert!(runs.insert(run.id()), "{run:?} came twice");
        }
        for event in &response.events {
            let ends = (event.artifact_id(), event.execution_id(), event.r#type);
            assert!(events.insert(ends), "{event:?} came twice");
        }
    }
    uris.sort();
    uris
}

async fn sources(store: &Store, of: &str) -> Vec<String> {
    let mut found = trace(store, of, Direction::Provenance).await;
    found.retain(|uri| uri != of);
    found
}

/// An entry of a facet: an output and its inputs, in the lake.
fn entry(output: &str, inputs: &[&str]) -> Value {
    let end = |name: &str| json!({"type": "DATASET", "namespace": "s3://lake", "name": name});
    let mut entry = end(output);
    entry["inputs"] = inputs.iter().map(|name| end(name)).collect();
    entry
}

fn lake(names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| dataset("s3://lake", name))
        .collect()
}

/// The event of a run that reads and writes these, with entries of the facet of its job.
fn copy(run: &str, second: u32, inputs: &[&str], outputs: &[&str], entries: &Value) -> Value {
    let mut end = of_run("COMPLETE", run, second);
    end["inputs"] = lake(inputs);
    end["outputs"] = lake(outputs);
    end["job"]["facets"] = json!({"lineage": {"entries": entries}});
    end
}

async fn what_a_client_said_in_any_order(store: Store) {
    let events = recorded("client-explicit-lineage");
    let (a, b) = (
        format!("{DATABASE}/shop.public.a"),
        format!("{DATABASE}/shop.public.b"),
    );
    for seed in 0..3 {
        let store = Store::open(store.backend()).await;
        send_in_disorder(&[store.port()], &events, seed).await;
        assert_eq!(sources(&store, "s3://lake/copy/a").await, [a.as_str()]);
        assert_eq!(sources(&store, "s3://lake/copy/b").await, [b.as_str()]);
        let impact = trace(&store, &a, Direction::Impact).await;
        assert_eq!(impact, [a.as_str(), "s3://lake/copy/a"]);
    }
}

/// A version of a dataset in the lake.
fn version(name: &str) -> Value {
    let mut named = dataset("s3://lake", name);
    named["facets"] = json!({"version": {"datasetVersion": "1"}});
    named
}

async fn a_run_is_sent_once_and_left_by_every_output(store: Store) {
    // The second output of a run is upstream of its first one.
    let entries = json!([entry("x", &["a"]), entry("y", &["b"])]);
    let mut copied = copy("copy", 10, &[], &[], &entries);
    copied["inputs"] = json!([version("a"), dataset("s3://lake", "b")]);
    copied["outputs"] = json!([version("y"), dataset("s3://lake", "x")]);
    tell(&store, &copied).await;
    let mut made = of_run("COMPLETE", "make", 5);
    made["inputs"] = json!([version("y")]);
    made["outputs"] = json!([version("a")]);
    tell(&store, &made).await;
    assert_eq!(sources(&store, "s3://lake/y").await, ["s3://lake/b"]);
    let all = ["s3://lake/a", "s3://lake/b", "s3://lake/y"];
    assert_eq!(sources(&store, "s3://lake/x").await, all);
    let from_run = TraceRequest {
        executions: "name LIKE '%copy'".to_owned(),
        max_hops: Some(1),
        ..Default::default()
    };
    let mut client = LineageServiceClient::new(store.channel.clone());
    let mut responses = client.trace(from_run).await.unwrap().into_inner();
    let mut count = 0;
    while let Some(response) = responses.message().await.unwrap() {
        count += response.artifacts.len();
    }
    assert_eq!(count, 2, "a trace from the run itself reaches all inputs");
}

async fn both_directions_follow_what_is_named(store: Store) {
    let entries = json!([
        entry("x", &["a", "c"]),
        entry("y", &["b"]),
        entry("z", &["c"])
    ]);
    tell(
        &store,
        &copy("copy", 10, &["a", "b", "c"], &["x", "y", "z"], &entries),
    )
    .await;
    let found = trace(&store, "s3://lake/x", Direction::Both).await;
    assert_eq!(
        found,
        ["s3://lake/a", "s3://lake/c", "s3://lake/x", "s3://lake/z"]
    );
    let found = trace(&store, "s3://lake/b", Direction::Both).await;
    assert_eq!(found, ["s3://lake/b", "s3://lake/y"]);
}

async fn an_output_that_no_facet_names_comes_from_all_inputs(store: Store) {
    let entries = json!([entry("x", &["a"]), entry("new", &[]), {"type": "JOB", "inputs": []}]);
    tell(
        &store,
        &copy("copy", 10, &["a", "b"], &["x", "y", "new"], &entries),
    )
    .await;
    assert_eq!(sources(&store, "s3://lake/x").await, ["s3://lake/a"]);
    assert_eq!(
        sources(&store, "s3://lake/y").await,
        ["s3://lake/a", "s3://lake/b"]
    );
    assert!(sources(&store, "s3://lake/new").await.is_empty());
}

async fn the_newest_facet_counts_in_any_order(store: Store) {
    let told = |second: u32, source: &str| {
        copy(
            "copy",
            second,
            &["a", "b"],
            &["x"],
            &json!([entry("x", &[source])]),
        )
    };
    let mut deleted = told(40, "a");
    deleted["job"]["facets"]["lineage"] = json!({"_deleted": true, "entries": []});
    for order in [[0, 1], [1, 0]] {
        let store = Store::open(store.backend()).await;
        let events = [told(20, "a"), told(30, "b")];
        for number in order {
            tell(&store, &events[number]).await;
        }
        assert_eq!(sources(&store, "s3://lake/x").await, ["s3://lake/b"]);
        tell(&store, &deleted).await;
        assert_eq!(sources(&store, "s3://lake/x").await.len(), 2);
        tell(&store, &told(35, "a")).await;
        assert_eq!(sources(&store, "s3://lake/x").await.len(), 2);
    }
}

async fn facets_of_outputs_name_their_inputs(store: Store) {
    let mut start = of_run("START", "copy", 1);
    start["inputs"] = lake(&["a", "b"]);
    let mut end = of_run("COMPLETE", "copy", 2);
    end["outputs"] = lake(&["x", "y"]);
    let mut of_x = entry("x", &["a"]);
    of_x["fields"] = json!({"f": {"inputs": [entry("b", &[])]}, "g": 7});
    end["outputs"][0]["facets"] = json!({"lineage": of_x});
    end["outputs"][1]["facets"] = json!({"lineage": entry("y", &["a"])});
    // The end of the run arrives before its start.
    tell(&store, &end).await;
    tell(&store, &start).await;
    assert_eq!(
        sources(&store, "s3://lake/x").await,
        ["s3://lake/a", "s3://lake/b"]
    );
    assert_eq!(sources(&store, "s3://lake/y").await, ["s3://lake/a"]);
    // The entry of a run counts as well as that of its job.
    let mut later = of_run("OTHER", "copy", 3);
    later["run"]["facets"] = json!({"lineage": {"entries": [entry("y", &["b"])]}});
    tell(&store, &later).await;
    assert_eq!(
        sources(&store, "s3://lake/y").await,
        ["s3://lake/a", "s3://lake/b"]
    );
}

async fn a_name_of_a_dataset_stands_for_all_of_its_names(store: Store) {
    tell(
        &store,
        &copy(
            "copy",
            10,
            &["a", "b"],
            &["x"],
            &json!([entry("x", &["a"])]),
        ),
    )
    .await;
    let mut read = of_run("START", "copy", 9);
    read["inputs"] = json!([
        dataset("hive://meta", "shop.a"),
        dataset("hive://meta", "shop.b")
    ]);
    tell(&store, &read).await;
    assert_eq!(sources(&store, "s3://lake/x").await, ["s3://lake/a"]);
    let mut symlink = event("OTHER", 50);
    let fields = symlink.as_object_mut().unwrap();
    fields.retain(|field, _| !["run", "job", "eventType"].contains(&field.as_str()));
    symlink["dataset"] = dataset("hive://meta", "shop.a");
    symlink["dataset"]["facets"] = json!({"symlinks": {"identifiers": lake(&["a"])}});
    tell(&store, &symlink).await;
    assert_eq!(
        sources(&store, "s3://lake/x").await,
        ["hive://meta/shop.a", "s3://lake/a"]
    );
}

async fn a_malformed_facet_says_nothing(store: Store) {
    for (number, facet) in [
        json!(7),
        json!([]),
        json!({"entries": 7}),
        json!({"entries": [7, null, {}, {"type": "DATASET"}, {"namespace": "", "name": "x"}]}),
        json!({"entries": [{"type": 7, "namespace": "s3://lake", "name": "x0", "inputs": []}]}),
    ]
    .into_iter()
    .enumerate()
    {
        let (run, output) = (format!("r{number}"), format!("x{number}"));
        let mut end = copy(&run, 10, &["a", "b"], &[&output], &json!([]));
        end["job"]["facets"]["lineage"] = facet.clone();
        end["run"]["facets"] = json!({"lineage": facet});
        tell(&store, &end).await;
        let found = sources(&store, &format!("s3://lake/{output}")).await;
        assert_eq!(found.len(), 2, "{facet}");
    }
}
