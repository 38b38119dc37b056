//! `PutLineageSubgraph`: artifacts, executions, contexts and the events between them.

use pb::put_lineage_subgraph_request::{EventEdge, Options};
use pb::{Event, PutLineageSubgraphRequest, event};

use super::{event_of, put_types};
use crate::support::prelude::*;

on_every_database! {
    a_subgraph_is_put_at_once,
    edges_of_a_subgraph_must_be_sound,
    nodes_of_a_subgraph_are_checked_before_anything_is_written,
    a_subgraph_looks_for_external_ids_once,
}

/// An edge between the nodes at these places of the request.
fn edge(artifact: Option<i32>, execution: Option<i32>, event: Event) -> EventEdge {
    EventEdge {
        artifact_index: artifact,
        execution_index: execution,
        event: Some(event),
    }
}

async fn a_subgraph_is_put_at_once(store: Store) {
    let (artifact_type, execution_type, context_type) = put_types(&store).await;
    let nothing = store.ask(PutLineageSubgraphRequest::default()).await;
    assert_eq!(nothing, pb::PutLineageSubgraphResponse::default());
    let artifact = store.put(Artifact::new(artifact_type, "there")).await;
    let execution = store.put(Execution::new(execution_type, "there")).await;
    let with_ids = |artifact_id, execution_id| Event {
        artifact_id,
        execution_id,
        ..event_of(event::Type::Input)
    };
    let request = PutLineageSubgraphRequest {
        artifacts: vec![
            Artifact::new(artifact_type, "new"),
            Artifact::new(artifact_type, "there")
                .with_id(artifact)
                .with_custom("k", int(1)),
        ],
        executions: vec![Execution::new(execution_type, "new")],
        contexts: vec![Context::new(context_type, "c")],
        event_edges: vec![
            edge(Some(0), Some(0), event_of(event::Type::Output)),
            edge(Some(1), Some(0), with_ids(Some(artifact), None)),
            edge(None, None, with_ids(Some(artifact), Some(execution))),
        ],
        ..Default::default()
    };
    let answer = store.ask(request.clone()).await;
    assert_eq!(
        (answer.artifact_ids[1], answer.context_ids.len()),
        (artifact, 1)
    );
    assert_eq!(
        store
            .find::<Artifact>("custom_properties.k.int_value = 1")
            .await,
        [artifact]
    );
    let (new_artifact, new_execution) = (answer.artifact_ids[0], answer.execution_ids[0]);
    let events = pb::GetEventsByArtifactIDsRequest {
        artifact_ids: vec![artifact, new_artifact],
        ..Default::default()
    };
    let events = store.ask(events).await.events;
    let ends: Vec<_> = events
        .iter()
        .map(|event| (event.artifact_id(), event.execution_id()))
        .collect();
    let expected = [
        (new_artifact, new_execution),
        (artifact, new_execution),
        (artifact, execution),
    ];
    assert_eq!(ends, expected);
    store
        .refuses(request, Code::AlreadyExists, "Given node already exists: ")
        .await;
    let only_events = PutLineageSubgraphRequest {
        event_edges: vec![edge(None, None, with_ids(Some(artifact), Some(execution)))],
        ..Default::default()
    };
    let lead = "Given event already exists: ";
    store.refuses(only_events, Code::AlreadyExists, lead).await;
}

async fn edges_of_a_subgraph_must_be_sound(store: Store) {
    let (artifact_type, execution_type, _) = put_types(&store).await;
    let artifact = store.put(Artifact::new(artifact_type, "there")).await;
    let execution = store.put(Execution::new(execution_type, "there")).await;
    let ends = |artifact_id, execution_id| Event {
        artifact_id,
        execution_id,
        ..event_of(event::Type::Input)
    };
    let no_type = Event {
        r#type: None,
        ..ends(Some(artifact), Some(execution))
    };
    let (invalid, range) = (Code::InvalidArgument, Code::OutOfRange);
    // The artifacts and executions of the request are, in this order: a new one, the one that is
    // there.
    for (edge, code, text) in [
        (
            EventEdge::default(),
            invalid,
            "No event found for event_edge: ",
        ),
        (
            edge(Some(0), None, ends(None, None)),
            invalid,
            "Event_edge is missing an execution.",
        ),
        (
            edge(None, Some(0), ends(None, None)),
            invalid,
            "Event_edge is missing an artifact.",
        ),
        (
            edge(Some(0), Some(2), ends(None, None)),
            range,
            "The event_edge has an execution_index 2 that is outside the bounds",
        ),
        (
            edge(Some(0), Some(-1), ends(None, None)),
            range,
            "The event_edge has an execution_index -1 that is outside the bounds",
        ),
        (
            edge(Some(2), Some(0), ends(None, None)),
            range,
            "The event_edge has an artifact_index 2 that is outside the bounds",
        ),
        (
            edge(Some(0), Some(0), ends(None, Some(execution))),
            invalid,
            "Missing execution ID.",
        ),
        (
            edge(Some(0), Some(1), ends(None, Some(77))),
            invalid,
            "Execution ID mismatch.",
        ),
        (
            edge(Some(0), Some(0), ends(Some(artifact), None)),
            invalid,
            "Missing artifact ID.",
        ),
        (
            edge(Some(1), Some(1), ends(Some(77), Some(execution))),
            invalid,
            "Artifact ID mismatch.",
        ),
        (
            edge(None, None, ends(Some(77), Some(execution))),
            invalid,
            "No artifact with the given id 77",
        ),
        (
            edge(None, None, ends(Some(artifact), Some(77))),
            invalid,
            "No execution with the given id 77",
        ),
        (
            edge(None, None, no_type),
            invalid,
            "No event type is specified.",
        ),
    ] {
        let request = PutLineageSubgraphRequest {
            artifacts: vec![
                Artifact::new(artifact_type, "new"),
                Artifact::new(artifact_type, "there").with_id(artifact),
            ],
            executions: vec![
                Execution::new(execution_type, "new"),
                Execution::new(execution_type, "there").with_id(execution),
            ],
            event_edges: vec![edge],
            ..Default::default()
        };
        store.refuses(request, code, text).await;
    }
}

async fn nodes_of_a_subgraph_are_checked_before_anything_is_written(store: Store) {
    let (artifact_type, execution_type, context_type) = put_types(&store).await;
    let good = PutLineageSubgraphRequest {
        artifacts: vec![Artifact::new(artifact_type, "a")],
        executions: vec![Execution::new(execution_type, "e")],
        contexts: vec![Context::new(context_type, "c")],
        ..Default::default()
    };
    let with = |change: fn(&mut PutLineageSubgraphRequest)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let invalid = Code::InvalidArgument;
    for (request, code, text) in [
        (
            with(|all| all.contexts[0].type_id = None),
            invalid,
            "Type id is missing.",
        ),
        (
            with(|all| all.executions[0].type_id = Some(77)),
            Code::NotFound,
            "Results missing for ids: ",
        ),
        (
            with(|all| all.contexts[0].type_id = Some(77)),
            Code::NotFound,
            "Results missing for ids: ",
        ),
        (
            with(|all| all.executions[0] = all.executions[0].clone().with("odd", int(1))),
            invalid,
            "Cannot validate properties of ",
        ),
        (with(|all| all.contexts[0].name = None), invalid, ""),
        (
            with(|all| all.artifacts[0].id = Some(77)),
            invalid,
            "Cannot find the given id 77",
        ),
        (
            with(|all| all.artifacts.push(all.artifacts[0].clone())),
            Code::AlreadyExists,
            "Given node already exists: ",
        ),
    ] {
        store.refuses(request, code, text).await;
    }
    store.ask(good).await;
}

async fn a_subgraph_looks_for_external_ids_once(store: Store) {
    let (artifact_type, ..) = put_types(&store).await;
    let id = store
        .put(Artifact::new(artifact_type, "a").with_external_id("x"))
        .await;
    let put = |artifacts, reuse| PutLineageSubgraphRequest {
        artifacts,
        options: Some(Options {
            reuse_artifact_if_already_exist_by_external_id: Some(reuse),
            ..Default::default()
        }),
        ..Default::default()
    };
    let new = |external_id| {
        Artifact::default()
            .with_type(artifact_type)
            .with_external_id(external_id)
    };
    let lead = "Given node already exists: ";
    store
        .refuses(put(vec![new("x")], false), Code::AlreadyExists, lead)
        .await;
    store
        .refuses(
            put(vec![new("y"), new("y")], true),
            Code::AlreadyExists,
            lead,
        )
        .await;
    let request = put(
        vec![new("x").with_custom("k", int(1)), new("y"), new("x")],
        true,
    );
    let found = store.ask(request).await.artifact_ids;
    assert!(found[1] > id);
    assert_eq!(found, [id, found[1], id]);
}
