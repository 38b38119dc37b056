//! Contexts and those above them.

use pedigree::graph::Moment::Start;
use pedigree::graph::{ContextUse, End, RunEvent};
use pedigree::model::{Kind, Value};

use super::{context, properties, run};
use crate::support::TestGraph;

on_every_graph! {
    missing_contexts_are_created_below_their_parents,
    properties_of_contexts_are_merged,
}

fn below(name: &str, parents: Vec<ContextUse>) -> ContextUse {
    ContextUse {
        parents,
        ..context(name)
    }
}

fn within(contexts: Vec<ContextUse>) -> RunEvent {
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
        .relatives(End::Node, stored.context_ids[0])
        .await
        .unwrap();
    let names: Vec<_> = parents
        .iter()
        .filter_map(|node| node.name.as_deref())
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
        store.graph.relatives(End::Node, team).await.unwrap().len(),
        2
    );
}

async fn properties_of_contexts_are_merged(store: TestGraph) {
    let with = |given: &[(&str, Value)], custom: &[(&str, Value)]| ContextUse {
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
        node.properties,
        properties(&[("a", Value::Int(4)), ("b", Value::Int(2))])
    );
    assert_eq!(
        node.custom_properties,
        properties(&[("c", Value::Int(3)), ("d", Value::Int(5))])
    );
}
