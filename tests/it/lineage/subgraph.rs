//! `GetLineageSubgraph`: ids of nodes, and the events that lead to them.

use pb::lineage_subgraph_query_options::{
    Direction, EndingNodes, StartingNodes, StartingNodesOneOf,
};
use pb::{LineageGraph, LineageSubgraphQueryOptions};

use super::{Found, found, put_graph};
use crate::support::prelude::*;

on_every_database! {
    hops_are_counted_from_the_start,
    directions_choose_the_events,
    a_walk_may_start_from_executions,
    a_walk_ends_where_it_is_told,
    an_empty_ending_filter_ends_everywhere,
    masks_choose_the_parts,
    contexts_come_with_their_members,
}

async fn walk(store: &Store, options: LineageSubgraphQueryOptions) -> Found {
    found(&store.ask(lineage(options, &[])).await)
}

/// From `a1`, so many hops in this direction.
fn from_a1(hops: i64, direction: Direction) -> LineageSubgraphQueryOptions {
    LineageSubgraphQueryOptions {
        max_num_hops: Some(hops),
        direction: Some(direction.into()),
        ..from_artifacts("id = 1")
    }
}

fn end_at(filter: &str, include: bool) -> EndingNodes {
    EndingNodes {
        filter_query: Some(filter.to_owned()),
        include_ending_nodes: Some(include),
    }
}

async fn hops_are_counted_from_the_start(store: Store) {
    put_graph(&store).await;
    let all_events = vec![
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (3, 2),
        (3, 3),
        (4, 3),
        (4, 4),
        (6, 4),
    ];
    for (hops, expected) in [
        (0, (vec![1], vec![], vec![])),
        (1, (vec![1], vec![1, 2], all_events[..2].to_vec())),
        (2, (vec![1, 2, 3], vec![1, 2], all_events[..5].to_vec())),
        (3, (vec![1, 2, 3], vec![1, 2, 3], all_events[..6].to_vec())),
        (
            6,
            (vec![1, 2, 3, 4, 6], vec![1, 2, 3, 4], all_events.clone()),
        ),
        (
            1_000_000,
            (vec![1, 2, 3, 4, 6], vec![1, 2, 3, 4], all_events.clone()),
        ),
    ] {
        assert_eq!(
            walk(&store, from_a1(hops, Direction::Bidirectional)).await,
            expected,
            "{hops}"
        );
        assert_eq!(
            walk(&store, from_a1(hops, Direction::Unspecified)).await,
            expected,
            "{hops}"
        );
    }
    // Unset is as far as it goes.
    let everything = (vec![1, 2, 3, 4, 6], vec![1, 2, 3, 4], all_events);
    assert_eq!(walk(&store, from_artifacts("id = 1")).await, everything);
    assert_eq!(
        walk(&store, from_artifacts("name = 'a5'")).await,
        (vec![5], vec![], vec![])
    );
}

async fn directions_choose_the_events(store: Store) {
    put_graph(&store).await;
    let down = Direction::Downstream;
    // The event (2, 2) is met only from a2, in the third hop.
    for (hops, events) in [
        (1, vec![(1, 1), (1, 2)]),
        (2, vec![(1, 1), (1, 2), (2, 1), (3, 2)]),
        (3, vec![(1, 1), (1, 2), (2, 1), (3, 2), (2, 2), (3, 3)]),
    ] {
        assert_eq!(walk(&store, from_a1(hops, down)).await.2, events, "{hops}");
    }
    assert_eq!(
        walk(&store, from_a1(100, Direction::Upstream)).await,
        (vec![1], vec![], vec![])
    );
    let up = LineageSubgraphQueryOptions {
        direction: Some(Direction::Upstream.into()),
        ..from_artifacts("id = 6")
    };
    let (artifacts, executions, events) = walk(&store, up).await;
    assert_eq!(
        (artifacts, executions),
        (vec![1, 2, 3, 4, 6], vec![1, 2, 3, 4])
    );
    assert_eq!(events[..5], [(6, 4), (4, 4), (4, 3), (3, 3), (3, 2)]);
    assert_eq!(events.len(), 9);
}

async fn a_walk_may_start_from_executions(store: Store) {
    put_graph(&store).await;
    let from = |filter: &str, direction: Direction| LineageSubgraphQueryOptions {
        starting_nodes: Some(StartingNodesOneOf::StartingExecutions(StartingNodes {
            filter_query: Some(filter.to_owned()),
        })),
        direction: Some(direction.into()),
        max_num_hops: Some(1),
        ..Default::default()
    };
    let both = (vec![1, 2, 3], vec![2], vec![(2, 2), (3, 2), (1, 2)]);
    assert_eq!(
        walk(&store, from("id = 2", Direction::Bidirectional)).await,
        both
    );
    let down = (vec![3], vec![2], vec![(3, 2)]);
    assert_eq!(
        walk(&store, from("id = 2", Direction::Downstream)).await,
        down
    );
    let up = (vec![1, 2], vec![2], vec![(2, 2), (1, 2)]);
    assert_eq!(walk(&store, from("id = 2", Direction::Upstream)).await, up);
    let two = (vec![1, 2, 6], vec![1, 4], vec![(1, 1), (2, 1), (6, 4)]);
    let (artifacts, executions, events) = walk(
        &store,
        from(
            "events_0.artifact_id IN (1, 6) AND id != 2",
            Direction::Bidirectional,
        ),
    )
    .await;
    assert_eq!((artifacts, executions), (vec![1, 2, 4, 6], two.1));
    assert_eq!(events.len(), 4);
}

async fn a_walk_ends_where_it_is_told(store: Store) {
    put_graph(&store).await;
    let at_execution = |include| LineageSubgraphQueryOptions {
        ending_executions: Some(end_at("id = 2", include)),
        ..from_artifacts("id = 1")
    };
    let included = (vec![1, 2], vec![1, 2], vec![(1, 1), (1, 2), (2, 1), (2, 2)]);
    assert_eq!(walk(&store, at_execution(true)).await, included);
    let excluded = (vec![1, 2], vec![1], vec![(1, 1), (2, 1)]);
    assert_eq!(walk(&store, at_execution(false)).await, excluded);
    // The start itself may be an end.
    let at_start = |include| LineageSubgraphQueryOptions {
        ending_artifacts: Some(end_at("id = 1", include)),
        ..from_artifacts("id = 1")
    };
    assert_eq!(
        walk(&store, at_start(true)).await,
        (vec![1], vec![], vec![])
    );
    assert_eq!(
        walk(&store, at_start(false)).await,
        (vec![], vec![], vec![])
    );
    // Without a filter nothing ends, whatever is included.
    let never = LineageSubgraphQueryOptions {
        ending_artifacts: Some(EndingNodes {
            include_ending_nodes: Some(true),
            ..Default::default()
        }),
        ..from_artifacts("id = 1")
    };
    assert_eq!(
        walk(&store, never).await,
        walk(&store, from_artifacts("id = 1")).await
    );
    let wrong = LineageSubgraphQueryOptions {
        ending_executions: Some(end_at("nope = 1", true)),
        ..from_artifacts("id = 1")
    };
    let lead = "Invalid `filter_query`: ";
    store
        .refuses(lineage(wrong, &[]), Code::InvalidArgument, lead)
        .await;
}

async fn an_empty_ending_filter_ends_everywhere(store: Store) {
    put_graph(&store).await;
    let at_every_execution = |include| LineageSubgraphQueryOptions {
        ending_executions: Some(end_at("", include)),
        ..from_artifacts("id = 1")
    };
    let included = (vec![1], vec![1, 2], vec![(1, 1), (1, 2)]);
    assert_eq!(walk(&store, at_every_execution(true)).await, included);
    assert_eq!(
        walk(&store, at_every_execution(false)).await,
        (vec![1], vec![], vec![])
    );
}

async fn masks_choose_the_parts(store: Store) {
    put_graph(&store).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let context = store.put(Context::new(context_type, "c")).await;
    store
        .ask(put_members(&[(1, context)], &[(1, context)]))
        .await;
    let ask = |paths: &[&str]| lineage(from_a1(1, Direction::Bidirectional), paths);
    let whole = store.ask(ask(&[])).await;
    assert!(whole.parent_contexts.is_empty());
    let empty = LineageGraph::default;
    for (paths, expected) in [
        (
            &["artifacts"][..],
            LineageGraph {
                artifacts: whole.artifacts.clone(),
                ..empty()
            },
        ),
        (
            &["executions"],
            LineageGraph {
                executions: whole.executions.clone(),
                ..empty()
            },
        ),
        (
            &["contexts"],
            LineageGraph {
                contexts: whole.contexts.clone(),
                ..empty()
            },
        ),
        (
            &["events"],
            LineageGraph {
                events: whole.events.clone(),
                ..empty()
            },
        ),
        (
            &["attributions"],
            LineageGraph {
                attributions: whole.attributions.clone(),
                ..empty()
            },
        ),
        (
            &["associations"],
            LineageGraph {
                associations: whole.associations.clone(),
                ..empty()
            },
        ),
        (
            &["artifact_types"],
            LineageGraph {
                artifact_types: whole.artifact_types.clone(),
                ..empty()
            },
        ),
        (
            &["execution_types"],
            LineageGraph {
                execution_types: whole.execution_types.clone(),
                ..empty()
            },
        ),
        (
            &["context_types"],
            LineageGraph {
                context_types: whole.context_types.clone(),
                ..empty()
            },
        ),
        (
            &["events", "nope", "artifacts.id", "executions"],
            LineageGraph {
                events: whole.events.clone(),
                executions: whole.executions.clone(),
                ..empty()
            },
        ),
        (&["artifacts.id", "nope", "parent_contexts"], empty()),
    ] {
        assert_eq!(store.ask(ask(paths)).await, expected, "{paths:?}");
        assert!(
            paths.len() > 2 || expected != empty(),
            "{paths:?} has nothing to tell"
        );
    }
}

async fn contexts_come_with_their_members(store: Store) {
    put_graph(&store).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let contexts = store
        .put_named::<Context>(context_type, &["c1", "c2", "c3"])
        .await;
    let [first, second, third] = contexts[..] else {
        panic!("{contexts:?}");
    };
    let attributions = [(1, second), (1, first), (6, third)];
    store
        .ask(put_members(&attributions, &[(1, second), (4, third)]))
        .await;
    let graph = store
        .ask(lineage(from_a1(1, Direction::Bidirectional), &[]))
        .await;
    assert_eq!(ids(&graph.contexts), [first, second]);
    let mut members: Vec<_> = graph
        .attributions
        .iter()
        .map(|member| (member.artifact_id(), member.context_id()))
        .collect();
    members.sort_unstable();
    assert_eq!(members, [(1, first), (1, second)]);
    let members: Vec<_> = graph
        .associations
        .iter()
        .map(|member| (member.execution_id(), member.context_id()))
        .collect();
    assert_eq!(members, [(1, second)]);
}
