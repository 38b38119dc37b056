//! `GetLineageGraph`, which the original server does not serve.

use pb::LineageGraph;

use super::{found, put_graph};
use crate::support::prelude::*;

on_every_database! {
    f28_a_lineage_graph_has_whole_nodes,
    f28_a_lineage_graph_ends_at_its_limits,
    f28_a_question_for_a_lineage_graph_must_make_sense,
}

fn graph_around(filter: &str, options: pb::LineageGraphQueryOptions) -> pb::GetLineageGraphRequest {
    use pb::lineage_graph_query_options::QueryNodes;
    pb::GetLineageGraphRequest {
        options: Some(pb::LineageGraphQueryOptions {
            query_nodes: Some(QueryNodes::ArtifactsOptions(matching(filter))),
            ..options
        }),
        ..Default::default()
    }
}

async fn graph(store: &Store, filter: &str, options: pb::LineageGraphQueryOptions) -> LineageGraph {
    store
        .ask(graph_around(filter, options))
        .await
        .subgraph
        .unwrap()
}

async fn f28_a_lineage_graph_has_whole_nodes(store: Store) {
    put_graph(&store).await;
    store.put_type::<Artifact>("other", &[]).await;
    let all = graph(&store, "id = 1", pb::LineageGraphQueryOptions::default()).await;
    assert_eq!(found(&all).0, [1, 2, 3, 4, 6]);
    assert_eq!(all.events.len(), 9);
    assert_eq!(
        all.artifacts,
        store.ask(Artifact::by_ids(&[1, 2, 3, 4, 6])).await
    );
    assert_eq!(
        all.executions,
        store.ask(Execution::by_ids(&[1, 2, 3, 4])).await
    );
    // Types are those of the nodes.
    let names: Vec<_> = all
        .artifact_types
        .iter()
        .map(pb::ArtifactType::name)
        .collect();
    assert_eq!((names, all.execution_types.len()), (vec!["A"], 1));
    assert!(all.context_types.is_empty());
}

async fn f28_a_lineage_graph_ends_at_its_limits(store: Store) {
    use pb::lineage_graph_query_options::BoundaryConstraint;
    put_graph(&store).await;
    let stop = |constraint| pb::LineageGraphQueryOptions {
        stop_conditions: Some(constraint),
        ..Default::default()
    };
    let hops = stop(BoundaryConstraint {
        max_num_hops: Some(1),
        ..Default::default()
    });
    let expected = (vec![1], vec![1, 2], vec![(1, 1), (1, 2)]);
    assert_eq!(found(&graph(&store, "id = 1", hops).await), expected);
    let boundary = stop(BoundaryConstraint {
        boundary_executions: Some("id = 2".to_owned()),
        ..Default::default()
    });
    let (artifacts, executions, _) = found(&graph(&store, "id = 1", boundary).await);
    assert_eq!((artifacts, executions), (vec![1, 2], vec![1, 2]));
    for size in 1..=9 {
        let limited = pb::LineageGraphQueryOptions {
            max_node_size: Some(size),
            ..Default::default()
        };
        let (artifacts, executions, events) = found(&graph(&store, "id = 1", limited).await);
        let count = artifacts.len() + executions.len();
        assert_eq!(count, usize::try_from(size).unwrap());
        // Every event is between nodes of the graph.
        for (artifact, execution) in events {
            assert!(
                artifacts.contains(&artifact) && executions.contains(&execution),
                "{size}"
            );
        }
    }
}

async fn f28_a_question_for_a_lineage_graph_must_make_sense(store: Store) {
    use pb::lineage_graph_query_options::BoundaryConstraint;
    put_graph(&store).await;
    let none = pb::LineageGraphQueryOptions::default;
    let negative = pb::LineageGraphQueryOptions {
        stop_conditions: Some(BoundaryConstraint {
            max_num_hops: Some(-1),
            ..Default::default()
        }),
        ..none()
    };
    let no_size = pb::LineageGraphQueryOptions {
        max_node_size: Some(0),
        ..none()
    };
    let invalid = Code::InvalidArgument;
    for (request, code, text) in [
        (
            pb::GetLineageGraphRequest::default(),
            invalid,
            "Missing arguments for listing query nodes.",
        ),
        (
            graph_around("id = 1", negative),
            invalid,
            "max_num_hops cannot be negative: max_num_hops = -1",
        ),
        (
            graph_around("id = 1", no_size),
            invalid,
            "max_node_size must be greater than 0",
        ),
        (
            graph_around("nope = 1", none()),
            invalid,
            "Invalid `filter_query`: ",
        ),
        (
            graph_around("id = 77", none()),
            Code::NotFound,
            "Cannot find qualified nodes to start the traversal.",
        ),
    ] {
        store.refuses(request, code, text).await;
    }
}
