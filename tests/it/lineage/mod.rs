//! Lineage: the walk, where it ends, and what is told of it.

use pb::{LineageGraph, event};

use crate::support::prelude::*;

mod graph;
mod subgraph;
mod trace;

/// The graph that the original server was asked about, in its ids: artifacts 1 to 6, executions 1
/// to 4.
///
/// `a1 → e1 → a2 → e2 → a3 → e3 → a4 → e4 → a6`, and `a1 → e2`; a5 is alone.
async fn put_graph(store: &Store) {
    use event::Type;
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let names = ["a1", "a2", "a3", "a4", "a5", "a6"];
    let artifacts = store.put_named::<Artifact>(artifact_type, &names).await;
    let executions = store
        .put_named::<Execution>(execution_type, &["e1", "e2", "e3", "e4"])
        .await;
    assert_eq!(
        (artifacts, executions),
        ((1..=6).collect(), (1..=4).collect())
    );
    let events = [
        (1, 1, Type::Input),
        (2, 1, Type::Output),
        (2, 2, Type::DeclaredInput),
        (3, 2, Type::DeclaredOutput),
        (3, 3, Type::InternalInput),
        (4, 3, Type::InternalOutput),
        (4, 4, Type::Input),
        (6, 4, Type::PendingOutput),
        (1, 2, Type::Input),
    ];
    let events = events.map(|(artifact, execution, kind)| event(artifact, execution, kind));
    store.ask(put_events(events.to_vec())).await;
}

/// The artifacts, executions and events of a graph, in ids.
type Found = (Vec<i64>, Vec<i64>, Vec<(i64, i64)>);

fn found(graph: &LineageGraph) -> Found {
    let ends = |event: &pb::Event| (event.artifact_id(), event.execution_id());
    (
        ids(&graph.artifacts),
        ids(&graph.executions),
        graph.events.iter().map(ends).collect(),
    )
}
