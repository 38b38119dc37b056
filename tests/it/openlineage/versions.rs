//! Which version of a dataset a run read: that which was present when it started.

use std::collections::BTreeMap;

use pedigree::proto::ml_metadata::{artifact, event};
use serde_json::json;

use super::{dataset, of_run, tell};
use crate::streams::{Watcher, brief, from_the_beginning};
use crate::support::prelude::*;

on_every_database! {
    a_run_reads_what_the_last_successful_run_wrote,
    a_writer_that_is_told_late_moves_an_edge,
    a_named_version_is_read_whoever_wrote_last,
    a_run_does_not_read_what_it_wrote,
    a_start_that_is_told_late_decides_what_was_read,
    a_move_is_in_the_history,
    what_a_failed_run_wrote_is_abandoned,
    a_version_that_another_run_wrote_is_kept,
}

/// Tells of a run that writes the dataset, from start to end.
async fn write(store: &Store, run: &str, seconds: [u32; 2], end: &str) {
    let mut start = of_run("START", run, seconds[0]);
    start["outputs"] = json!([dataset("s3://lake", "features")]);
    tell(store, &start).await;
    tell(store, &of_run(end, run, seconds[1])).await;
}

/// Tells of a run that reads the dataset.
async fn read(store: &Store, run: &str, second: u32) {
    let mut start = of_run("START", run, second);
    start["inputs"] = json!([dataset("s3a://lake", "/features/")]);
    tell(store, &start).await;
}

/// The runs that wrote what a run read.
pub async fn sources(store: &Store, run: &str) -> Vec<String> {
    let executions = store
        .ask(pb::GetExecutionsRequest::default())
        .await
        .executions;
    let names: BTreeMap<i64, String> = executions
        .iter()
        .map(|node| {
            (
                node.id.unwrap(),
                node.external_id().replace("openlineage:run:", ""),
            )
        })
        .collect();
    let events = pb::GetEventsByExecutionIDsRequest {
        execution_ids: names.keys().copied().collect(),
        ..Default::default()
    };
    let events = store.ask(events).await.events;
    let of_type = |of: event::Type| events.iter().filter(move |edge| edge.r#type() == of);
    let inputs = of_type(event::Type::Input).filter(|edge| names[&edge.execution_id()] == run);
    let inputs: Vec<i64> = inputs.map(pb::Event::artifact_id).collect();
    assert_eq!(inputs.len(), 1, "a run reads one version");
    let writers = of_type(event::Type::Output).filter(|edge| inputs.contains(&edge.artifact_id()));
    writers
        .map(|edge| names[&edge.execution_id()].clone())
        .collect()
}

async fn a_run_reads_what_the_last_successful_run_wrote(store: Store) {
    read(&store, "too early", 5).await;
    write(&store, "old", [1, 10], "COMPLETE").await;
    write(&store, "new", [2, 20], "COMPLETE").await;
    write(&store, "failed", [2, 22], "FAIL").await;
    write(&store, "running", [2, 23], "RUNNING").await;
    read(&store, "between", 15).await;
    read(&store, "after", 30).await;
    assert!(sources(&store, "too early").await.is_empty());
    assert_eq!(sources(&store, "between").await, ["old"]);
    assert_eq!(sources(&store, "after").await, ["new"]);
    // The failure of a run that had succeeded counts.
    tell(&store, &of_run("FAIL", "new", 21)).await;
    assert_eq!(sources(&store, "after").await, ["old"]);
}

async fn a_writer_that_is_told_late_moves_an_edge(store: Store) {
    read(&store, "reader", 30).await;
    assert!(sources(&store, "reader").await.is_empty());
    write(&store, "old", [1, 10], "COMPLETE").await;
    assert_eq!(sources(&store, "reader").await, ["old"]);
    write(&store, "new", [1, 20], "COMPLETE").await;
    assert_eq!(sources(&store, "reader").await, ["new"]);
    write(&store, "middle", [1, 15], "COMPLETE").await;
    write(&store, "later", [1, 40], "COMPLETE").await;
    assert_eq!(sources(&store, "reader").await, ["new"]);
}

async fn a_named_version_is_read_whoever_wrote_last(store: Store) {
    let named = |version: &str| {
        let mut named = dataset("s3://lake", "features");
        named["facets"] = json!({"version": {"datasetVersion": version}});
        json!([named])
    };
    for (run, second) in [("v1", 1), ("v2", 2)] {
        let mut end = of_run("COMPLETE", run, second);
        end["outputs"] = named(run);
        tell(&store, &end).await;
    }
    let mut audit = of_run("START", "audit", 10);
    audit["inputs"] = named("v1");
    tell(&store, &audit).await;
    read(&store, "reader", 10).await;
    assert_eq!(sources(&store, "audit").await, ["v1"]);
    assert_eq!(sources(&store, "reader").await, ["v2"]);
}

async fn a_run_does_not_read_what_it_wrote(store: Store) {
    write(&store, "first", [1, 10], "COMPLETE").await;
    for event_type in ["START", "COMPLETE"] {
        let mut event = of_run(event_type, "insert", 20);
        event["inputs"] = json!([dataset("s3://lake", "features")]);
        event["outputs"] = json!([dataset("s3://lake", "features")]);
        tell(&store, &event).await;
    }
    assert_eq!(sources(&store, "insert").await, ["first"]);
    read(&store, "reader", 20).await;
    assert_eq!(sources(&store, "reader").await, ["insert"]);
}

async fn a_start_that_is_told_late_decides_what_was_read(store: Store) {
    write(&store, "old", [1, 10], "COMPLETE").await;
    write(&store, "new", [1, 20], "COMPLETE").await;
    let mut end = of_run("COMPLETE", "reader", 30);
    end["inputs"] = json!([dataset("s3://lake", "features")]);
    tell(&store, &end).await;
    assert_eq!(sources(&store, "reader").await, ["new"]);
    tell(&store, &of_run("START", "reader", 12)).await;
    assert_eq!(sources(&store, "reader").await, ["old"]);
}

async fn a_move_is_in_the_history(store: Store) {
    read(&store, "reader", 30).await;
    write(&store, "writer", [1, 10], "COMPLETE").await;
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    let mut told = Vec::new();
    while !told
        .iter()
        .any(|change: &String| change.starts_with("deleted "))
    {
        told.extend(watcher.next().await.unwrap().iter().map(brief));
    }
    let deleted = told
        .iter()
        .find(|change| change.starts_with("deleted "))
        .unwrap();
    assert!(deleted.starts_with("deleted event "), "{deleted}");
    let created = deleted.replace("deleted ", "created ");
    assert!(told.contains(&created), "{told:?}");
}

/// The states of the versions of a dataset that runs wrote.
async fn states(store: &Store) -> Vec<artifact::State> {
    let artifacts = store.ask(pb::GetArtifactsRequest::default()).await;
    let artifacts = artifacts.artifacts.iter();
    artifacts.map(pb::Artifact::state).collect()
}

async fn what_a_failed_run_wrote_is_abandoned(store: Store) {
    use artifact::State::{Abandoned, Live};
    write(&store, "w", [1, 2], "FAIL").await;
    assert_eq!(states(&store).await, [Abandoned]);
    // Also when the outputs come last.
    let mut late = of_run("OTHER", "w", 3);
    late["outputs"] = json!([dataset("s3://lake", "more")]);
    tell(&store, &late).await;
    assert_eq!(states(&store).await, [Abandoned, Abandoned]);
    // The next attempt succeeds.
    tell(&store, &of_run("START", "w", 4)).await;
    tell(&store, &of_run("COMPLETE", "w", 5)).await;
    assert_eq!(states(&store).await, [Live, Live]);
}

async fn a_version_that_another_run_wrote_is_kept(store: Store) {
    use artifact::State::{Abandoned, Live};
    let write = |event_type: &str, run: &str, second: u32| {
        let mut event = of_run(event_type, run, second);
        let mut named = dataset("s3://lake", "features");
        named["facets"] = json!({"version": {"datasetVersion": "7"}});
        event["outputs"] = json!([named]);
        event
    };
    tell(&store, &write("FAIL", "first", 1)).await;
    assert_eq!(states(&store).await, [Abandoned]);
    tell(&store, &write("COMPLETE", "second", 2)).await;
    assert_eq!(states(&store).await, [Live]);
    tell(&store, &write("ABORT", "third", 3)).await;
    assert_eq!(states(&store).await, [Live]);
}
