//! Contexts and those above them.

use pedigree::graph::RunEventType::{Complete, Other, Start};
use pedigree::graph::{ArtifactRef, ContextRef, RecordRuns, Relatives, RunEvent};
use pedigree::model::{Kind, Value};

use super::{context, named, properties, run};
use crate::support::{TestGraph, anonymous};

on_every_database! {
    missing_contexts_are_created_below_their_parents,
    properties_of_contexts_are_merged,
    artifacts_are_in_the_contexts_of_their_run,
    artifacts_and_contexts_that_come_at_once_find_each_other,
}

fn below(name: &str, parents: Vec<ContextRef>) -> ContextRef {
    ContextRef {
        parents,
        ..context(name)
    }
}

fn within(contexts: Vec<ContextRef>) -> RunEvent {
    RunEvent {
        contexts,
        ..run(Start, "r", 1)
    }
}

async fn missing_contexts_are_created_below_their_parents(store: TestGraph) {
    let team = below("team", vec![context("company")]);
    let run_context = below("run", vec![below("pipeline", vec![team.clone()]), team]);
    let stored = store.record_one(within(vec![run_context.clone()])).await;
    let before = store.lines().await;
    let again = within(vec![run_context, context("pipeline")]);
    let again = store.record(&[again.clone(), again]).await.unwrap();
    assert_eq!(again[0].context_ids[0], stored.context_ids[0]);
    let parents = store
        .graph
        .relatives(Relatives::Parents, stored.context_ids[0])
        .await
        .unwrap();
    let names: Vec<_> = parents
        .iter()
        .filter_map(|node| node.content.name.as_deref())
        .collect();
    assert_eq!(names, ["team", "pipeline"]);
    // Only the run's place in the second context is new.
    let after = store.lines().await;
    assert_eq!(after.difference(&before).count(), 1);
    assert_eq!(store.all(Kind::Context).await.len(), 4);
    // A further parent of a context that is known.
    store
        .record_one(within(vec![below("team", vec![context("other")])]))
        .await;
    let team = again[0].context_ids[1] - 1;
    assert_eq!(
        store
            .graph
            .relatives(Relatives::Parents, team)
            .await
            .unwrap()
            .len(),
        2
    );
}

async fn properties_of_contexts_are_merged(store: TestGraph) {
    let with = |given: &[(&str, Value)], custom: &[(&str, Value)]| ContextRef {
        properties: properties(given),
        custom_properties: properties(custom),
        ..context("p")
    };
    let first = with(
        &[("a", Value::Int(1)), ("b", Value::Int(2))],
        &[("c", Value::Int(3))],
    );
    let second = with(&[("a", Value::Int(4))], &[("d", Value::Int(5))]);
    let stored = store.record_one(within(vec![first])).await;
    store
        .record(&[within(vec![second]), within(vec![context("p")])])
        .await
        .unwrap();
    let node = store.node(Kind::Context, stored.context_ids[0]).await;
    assert_eq!(
        node.content.properties,
        properties(&[("a", Value::Int(4)), ("b", Value::Int(2))])
    );
    assert_eq!(
        node.content.custom_properties,
        properties(&[("c", Value::Int(3)), ("d", Value::Int(5))])
    );
}

/// The names of the contexts that a node is in.
async fn names_above(store: &TestGraph, kind: Kind, id: i64) -> Vec<String> {
    let contexts = store.graph.contexts_of(kind, id).await.unwrap_or_default();
    let names = contexts.into_iter().filter_map(|node| node.content.name);
    names.collect()
}

fn uses(inputs: Vec<ArtifactRef>, outputs: Vec<ArtifactRef>) -> RunEvent {
    RunEvent {
        inputs,
        outputs,
        ..run(Other, "r", 2)
    }
}

/// In whatever order and company the events come.
async fn artifacts_are_in_the_contexts_of_their_run(store: TestGraph) {
    let pipelines = within(vec![context("p"), context("q")]);
    let artifacts = uses(vec![named("in")], vec![named("out")]);
    let ended = RunEvent {
        event_type: Some(Complete),
        ..artifacts.clone()
    };
    let later = RunEvent {
        contexts: vec![below("late", vec![context("above")])],
        outputs: vec![named("more")],
        ..run(Other, "r", 3)
    };
    let other = RunEvent {
        outputs: vec![named("alone")],
        ..run(Start, "other", 1)
    };
    let stores = [
        store.another().await,
        store.another().await,
        store.another().await,
    ];
    for event in [&pipelines, &artifacts, &later, &other] {
        stores[0].record_one(event.clone()).await;
    }
    for batch in [
        &[ended.clone(), other.clone()][..],
        &[later.clone(), pipelines.clone()],
    ] {
        stores[1].record(batch).await.unwrap();
    }
    stores[2]
        .record(&[other, ended, pipelines, later])
        .await
        .unwrap();
    for store in stores {
        let artifacts = store.all(Kind::Artifact).await;
        assert_eq!(artifacts.len(), 4);
        for artifact in artifacts {
            let mut above = names_above(&store, Kind::Artifact, artifact.id).await;
            above.sort_unstable();
            let expected: &[&str] = match artifact.content.name.as_deref() {
                Some("alone") => &[],
                _ => &["late", "p", "q"],
            };
            assert_eq!(above, expected, "{artifact:?}");
        }
    }
}

/// Neither of two events that are stored at the same time misses what the other one has.
async fn artifacts_and_contexts_that_come_at_once_find_each_other(store: TestGraph) {
    for number in 0..20 {
        let name = format!("run {number}");
        let first = store.record_one(run(Start, &name, 1)).await;
        let of_run = |event: RunEvent| RunEvent {
            name: Some(name.clone()),
            event_type: Some(Other),
            ..event
        };
        let pipeline = of_run(within(vec![context("p")]));
        let outputs = of_run(uses(vec![], vec![named(&format!("out {number}"))]));
        let record = async |event: RunEvent| {
            let events = vec![event];
            store
                .graph
                .write(&anonymous(), RecordRuns { events })
                .await
                .unwrap()
        };
        let (_, put) = tokio::join!(record(pipeline), record(outputs));
        let put = put[0].as_ref().unwrap();
        assert_eq!(put.execution_id, first.execution_id);
        let above = names_above(&store, Kind::Artifact, put.output_ids[0]).await;
        assert_eq!(above, ["p"], "{name}");
    }
}
