//! `Watch`: every change, in order, none twice.

use pb::put_execution_request::ArtifactAndEvent;
use pb::{Event, ParentContext, PutExecutionRequest, event};
use pedigree::proto::pedigree::lineage::v1::{Operation, Subject, WatchRequest, change};

use super::{Watcher, brief, from_cursor, from_now, from_the_beginning};
use crate::sql::run_sql;
use crate::support::prelude::*;

on_every_database!(
    every_kind_of_change_is_seen,
    a_cursor_goes_on_where_it_was,
    nodes_are_as_the_change_left_them,
    what_changes_nothing_is_no_change,
    a_refused_write_is_no_change,
    subjects_and_operations_are_chosen,
    types_are_chosen,
    contexts_are_chosen,
    a_filter_chooses_nodes,
    questions_that_make_no_sense,
    a_large_request_comes_in_parts,
);

// Watchers read the history by the connection that writes it.
in_memory_too!(every_kind_of_change_is_seen, a_cursor_goes_on_where_it_was);

/// A run with an input and an output, in a context. Returns the ids of the types of artifacts,
/// executions and contexts.
async fn run(store: &Store, name: &str) -> (i64, i64, i64) {
    let artifact = store.ask(Artifact::put_type("Data", &[])).await;
    let execution = store.ask(Execution::put_type("Train", &[])).await;
    let context = store.ask(Context::put_type("Run", &[])).await;
    let pair = |name: String, kind: event::Type| ArtifactAndEvent {
        artifact: Some(Artifact::new(artifact, &name)),
        event: Some(Event {
            r#type: Some(kind.into()),
            milliseconds_since_epoch: Some(1234),
            ..Event::default()
        }),
    };
    store
        .ask(PutExecutionRequest {
            execution: Some(Execution::new(execution, name)),
            artifact_event_pairs: vec![
                pair(format!("{name} in"), event::Type::Input),
                pair(format!("{name} out"), event::Type::Output),
            ],
            contexts: vec![Context::new(context, name)],
            ..PutExecutionRequest::default()
        })
        .await;
    (artifact, execution, context)
}

async fn every_kind_of_change_is_seen(store: Store) {
    run(&store, "a").await;
    let context = store.ask(Context::put_type("Run", &[])).await;
    let more = [Context::new(context, "b")];
    store.ask(Context::put(more.to_vec())).await;
    store
        .ask(pb::PutParentContextsRequest {
            parent_contexts: vec![ParentContext {
                parent_id: Some(1),
                child_id: Some(2),
                ..ParentContext::default()
            }],
            ..Default::default()
        })
        .await;
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    let changes = watcher.until_quiet().await;
    let mut seen: Vec<String> = changes.iter().map(brief).collect();
    let expected = [
        "created artifact type Data",
        "created execution type Train",
        "created context type Run",
        "created artifact 1",
        "created artifact 2",
        "created execution 1",
        "created event 1 1",
        "created event 2 1",
        "created context 1",
        "created association 1 1",
        "created attribution 1 1",
        "created attribution 1 2",
        "created context 2",
        "created parent 1 of 2",
    ];
    // Of one request, memberships come in the order that the database has for them.
    seen[9..12].sort();
    assert_eq!(seen, expected);
    assert!(changes.iter().all(|change| change.time > 0));
}

async fn a_cursor_goes_on_where_it_was(store: Store) {
    run(&store, "a").await;
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    watcher.until_quiet().await;
    let cursor = watcher.cursor.clone();
    drop(watcher);
    run(&store, "b").await;
    let mut resumed = Watcher::start(store.channel.clone(), from_cursor(&cursor)).await;
    let first: Vec<String> = resumed.until_quiet().await.iter().map(brief).collect();
    assert_eq!(first.len(), 9, "{first:?}");
    assert_eq!(first[0], "created artifact 3");
    // What comes while it is watched comes too, and to who begins now nothing else.
    let mut new = Watcher::start(store.channel.clone(), from_now()).await;
    assert!(new.next().await.unwrap().is_empty());
    run(&store, "c").await;
    for watcher in [&mut resumed, &mut new] {
        let changes = watcher.take(9).await;
        assert_eq!(brief(&changes[0]), "created artifact 5");
        assert_eq!(changes.len(), 9);
    }
}

async fn nodes_are_as_the_change_left_them(store: Store) {
    let kind = store
        .ask(Artifact::put_type("Data", &[("n", PropertyType::Int)]))
        .await;
    let node = |n: i64| {
        let mut node = Artifact::new(kind, "a");
        node.properties.insert("n".into(), int(n));
        node.uri = Some(format!("uri {n}"));
        node
    };
    let id = store.ask(Artifact::put(vec![node(0)])).await[0];
    for n in 1..4 {
        let mut changed = node(n);
        changed.id = Some(id);
        store.ask(Artifact::put(vec![changed])).await;
    }
    let request = WatchRequest {
        subjects: vec![Subject::Artifact.into()],
        ..from_the_beginning()
    };
    let mut watcher = Watcher::start(store.channel.clone(), request).await;
    let changes = watcher.until_quiet().await;
    let seen = changes.iter().map(|change| match &change.subject {
        Some(change::Subject::Artifact(node)) => node.clone(),
        other => panic!("{other:?}"),
    });
    let seen: Vec<Artifact> = seen.collect();
    let uris: Vec<&str> = seen.iter().map(Artifact::uri).collect();
    assert_eq!(uris, ["uri 0", "uri 1", "uri 2", "uri 3"]);
    let stored = store.ask(Artifact::by_ids(&[id])).await;
    assert_eq!(seen.last(), stored.first());
    let operations: Vec<Operation> = changes.iter().map(super::Change::operation).collect();
    assert_eq!(operations[0], Operation::Created);
    assert!(
        operations[1..]
            .iter()
            .all(|operation| *operation == Operation::Updated)
    );
}

async fn what_changes_nothing_is_no_change(store: Store) {
    run(&store, "a").await;
    let mut watcher = Watcher::start(store.channel.clone(), from_now()).await;
    store.ask(Artifact::put_type("Data", &[])).await;
    let stored = store.ask(Artifact::by_ids(&[1])).await;
    store.ask(Artifact::put(stored)).await;
    store
        .ask(pb::PutAttributionsAndAssociationsRequest {
            attributions: vec![pb::Attribution {
                artifact_id: Some(1),
                context_id: Some(1),
                ..Default::default()
            }],
            ..Default::default()
        })
        .await;
    for _ in 0..2 {
        assert_eq!(watcher.next().await.unwrap(), []);
    }
}

async fn a_refused_write_is_no_change(store: Store) {
    let (artifact, ..) = run(&store, "a").await;
    let mut watcher = Watcher::start(store.channel.clone(), from_now()).await;
    let nodes = vec![
        Artifact::new(artifact, "new"),
        Artifact::new(artifact, "a in"),
    ];
    let refused = store.send(Artifact::put(nodes)).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    store
        .ask(Artifact::put(vec![Artifact::new(artifact, "last")]))
        .await;
    let changes = watcher.until_quiet().await;
    assert_eq!(changes.len(), 1, "{changes:?}");
}

async fn seen(store: &Store, request: WatchRequest) -> Vec<String> {
    let mut watcher = Watcher::start(store.channel.clone(), request).await;
    let mut seen = Vec::new();
    loop {
        let more = watcher.next().await.unwrap();
        if more.is_empty() {
            seen.sort();
            return seen;
        }
        seen.extend(more.iter().map(brief));
    }
}

async fn subjects_and_operations_are_chosen(store: Store) {
    let (artifact, ..) = run(&store, "a").await;
    let mut changed = Artifact::new(artifact, "a in");
    (changed.id, changed.uri) = (Some(1), Some("new".into()));
    store.ask(Artifact::put(vec![changed])).await;
    let request = WatchRequest {
        subjects: vec![Subject::Event.into(), Subject::Artifact.into()],
        ..from_the_beginning()
    };
    let all = [
        "created artifact 1",
        "created artifact 2",
        "created event 1 1",
        "created event 2 1",
        "updated artifact 1",
    ];
    assert_eq!(seen(&store, request.clone()).await, all);
    let request = WatchRequest {
        operations: vec![Operation::Updated.into()],
        ..request
    };
    assert_eq!(seen(&store, request).await, all[4..]);
}

async fn types_are_chosen(store: Store) {
    run(&store, "a").await;
    let request = WatchRequest {
        types: vec!["Train".into()],
        ..from_the_beginning()
    };
    let expected = [
        "created association 1 1",
        "created event 1 1",
        "created event 2 1",
        "created execution 1",
        "created execution type Train",
    ];
    assert_eq!(seen(&store, request).await, expected);
}

async fn contexts_are_chosen(store: Store) {
    run(&store, "a").await;
    run(&store, "b").await;
    let request = WatchRequest {
        context_ids: vec![2],
        subjects: vec![
            Subject::Artifact.into(),
            Subject::Execution.into(),
            Subject::Context.into(),
            Subject::Event.into(),
        ],
        ..from_the_beginning()
    };
    let expected = [
        "created artifact 3",
        "created artifact 4",
        "created context 2",
        "created event 3 2",
        "created event 4 2",
        "created execution 2",
    ];
    assert_eq!(seen(&store, request).await, expected);
}

async fn a_filter_chooses_nodes(store: Store) {
    run(&store, "a").await;
    let request = |filter: &str| WatchRequest {
        filter_query: filter.into(),
        ..from_the_beginning()
    };
    let by_name = seen(&store, request("name LIKE 'a%'")).await;
    let nodes = [
        "created artifact 1",
        "created artifact 2",
        "created context 1",
        "created execution 1",
    ];
    assert_eq!(by_name, nodes);
    // Only artifacts have a URI.
    assert_eq!(
        seen(&store, request("uri = '' AND name = 'a in'")).await,
        nodes[..1]
    );
}

async fn questions_that_make_no_sense(store: Store) {
    run(&store, "a").await;
    let mut other = Watcher::start(store.channel.clone(), from_now()).await;
    other.next().await.unwrap();
    let (_, place) = other.cursor.split_once('@').unwrap();
    for (request, code) in [
        (from_cursor("noise"), Code::InvalidArgument),
        (from_cursor(""), Code::InvalidArgument),
        (from_cursor("1@another"), Code::InvalidArgument),
        (from_cursor(&format!("-1@{place}")), Code::InvalidArgument),
        (from_cursor(&format!("1000000@{place}")), Code::OutOfRange),
        (
            WatchRequest {
                filter_query: "nothing ( at all".into(),
                ..from_now()
            },
            Code::InvalidArgument,
        ),
        (
            WatchRequest {
                subjects: vec![77],
                ..from_now()
            },
            Code::InvalidArgument,
        ),
        (
            WatchRequest {
                heartbeat: 1,
                ..from_now()
            },
            Code::InvalidArgument,
        ),
    ] {
        let refused = Watcher::try_start(store.channel.clone(), request.clone()).await;
        assert_eq!(
            refused.err().map(|status| status.code()),
            Some(code),
            "{request:?}"
        );
    }
    // What is older than the history is gone.
    let oldest = from_cursor(&format!("0@{place}"));
    Watcher::start(store.channel.clone(), oldest.clone()).await;
    run_sql(store.url(), "DELETE FROM PedigreeChange WHERE position < 3").await;
    let refused = Watcher::try_start(store.channel.clone(), oldest).await;
    let status = refused.err().unwrap();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains("watch from now on"), "{status:?}");
}

async fn a_large_request_comes_in_parts(store: Store) {
    let kind = store.ask(Artifact::put_type("Data", &[])).await;
    let mut watcher = Watcher::start(store.channel.clone(), from_now()).await;
    let node =
        |n: usize| Artifact::new(kind, &n.to_string()).with_custom("some", text("x".repeat(200)));
    let ids = store
        .ask(Artifact::put((0..5000).map(node).collect()))
        .await;
    let mut seen = Vec::new();
    while seen.len() < ids.len() {
        let changes = watcher.next().await.unwrap();
        // Of 300 bytes each, and in parts of 256 KiB.
        assert!(changes.len() < 1500, "in parts: {}", changes.len());
        seen.extend(changes.iter().map(brief));
    }
    let expected: Vec<String> = ids
        .iter()
        .map(|id| format!("created artifact {id}"))
        .collect();
    assert_eq!(seen, expected);
}
