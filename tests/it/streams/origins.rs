//! The origin of each change in the history: principal, peer, door, request id and time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pedigree::graph::{
    Message, PutNodes, PutTypes, ReconcileScope, Recordable, Reply, Since, WatchQuery,
};
use pedigree::model::{
    Access, Caller, Door, JournalEntry, Kind, Node, NodeContent, NodeInput, NodeType, Operation,
    Subject,
};

use sqlx::{Connection, Executor};

use crate::sql::{connect, query, run_sql};
use crate::support::{Backend, TestGraph, anonymous};

on_every_database! {
    concurrent_writes_keep_their_origins,
    a_batch_of_messages_has_the_origin_of_its_stream,
    reconciled_changes_have_a_door_of_their_own,
}

const WRITES: usize = 64;

fn caller(number: usize) -> Caller {
    Caller {
        principal: format!("principal {}", number % 5).into(),
        peer: (!number.is_multiple_of(3)).then(|| format!("192.0.2.1:{number}").into()),
        door: Door::MlMetadata,
        request_id: format!("request {number}").into(),
        access: Access {
            method: format!("method {}", number % 3).into(),
            grant: (!number.is_multiple_of(2)).then_some(7),
        },
    }
}

async fn put_type(graph: &TestGraph) -> i64 {
    let of = NodeType {
        name: "Data".into(),
        ..NodeType::default()
    };
    let put = PutTypes {
        types: vec![(Kind::Artifact, of)],
        can_add_fields: false,
        can_omit_fields: false,
        partial_match: false,
    };
    graph.graph.write(&anonymous(), put).await.unwrap()[0]
}

/// An artifact, of which no origin is part but the name.
fn put(type_id: i64, number: usize) -> PutNodes {
    let content = NodeContent {
        name: Some(number.to_string()),
        ..NodeContent::default()
    };
    let node = NodeInput {
        type_id: Some(type_id),
        content,
        ..NodeInput::default()
    };
    PutNodes {
        kind: Kind::Artifact,
        nodes: vec![node],
        mask: None,
        abort_if_changed: false,
    }
}

/// All changes of artifacts.
async fn history(graph: &TestGraph) -> Vec<(Node, JournalEntry)> {
    let query = WatchQuery {
        since: Since::Beginning,
        ..WatchQuery::default()
    };
    let mut watch = graph.graph.watch(query).await.unwrap();
    let mut history = Vec::new();
    loop {
        let changes = watch.next(Duration::ZERO).await.unwrap().changes;
        if changes.is_empty() {
            return history;
        }
        for entry in changes {
            if let Subject::Node(Kind::Artifact, node) = &entry.change.subject {
                history.push((node.clone(), entry));
            }
        }
    }
}

async fn concurrent_writes_keep_their_origins(graph: TestGraph) {
    let type_id = put_type(&graph).await;
    let shared = Arc::new(graph);
    // While another connection has the lock on the file, writes queue and become a group.
    let mut holder = None;
    if shared.backend() == Backend::SqliteFile {
        let holder = holder.insert(connect(shared.url()).await);
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
    }
    let begun = Arc::new(AtomicUsize::new(0));
    let write = |number: usize| {
        let (graph, begun) = (shared.clone(), begun.clone());
        tokio::spawn(async move {
            let put = put(type_id, number);
            begun.fetch_add(1, Ordering::Relaxed);
            graph.graph.write(&caller(number), put).await.unwrap();
        })
    };
    let tasks: Vec<_> = (0..WRITES).map(write).collect();
    while begun.load(Ordering::Relaxed) < WRITES {
        tokio::task::yield_now().await;
    }
    if let Some(mut holder) = holder {
        holder.execute("ROLLBACK").await.unwrap();
        holder.close().await.unwrap();
    }
    for task in tasks {
        task.await.unwrap();
    }
    let history = history(&shared).await;
    assert_eq!(history.len(), WRITES);
    for (node, entry) in history {
        let number: usize = node.content.name.unwrap().parse().unwrap();
        assert_eq!(entry.origin.caller, caller(number));
        assert_eq!(entry.origin.time, node.create_time);
    }
    if shared.backend() == Backend::SqliteFile {
        let rows = query(shared.url(), "SELECT position || '' FROM PedigreeChange").await;
        assert!(
            rows.len() < WRITES,
            "{} rows: none is of a group",
            rows.len()
        );
    }
}

async fn a_batch_of_messages_has_the_origin_of_its_stream(graph: TestGraph) {
    let type_id = put_type(&graph).await;
    for stream in 0..2 {
        let message = |number: usize| Message {
            id: format!("{stream}:{number}"),
            digest: 0,
            change: Recordable::Nodes(put(type_id, 10 * stream + number)),
            caller: None,
            missing_right: None,
        };
        let messages = (0..3).map(message).collect();
        let replies = graph
            .graph
            .store_messages(&caller(stream), messages)
            .await
            .unwrap();
        assert!(replies.iter().all(|it| matches!(it, Reply::Stored(_))));
    }
    let mut of_names = BTreeMap::new();
    for (node, entry) in history(&graph).await {
        of_names.insert(node.content.name.unwrap(), entry.origin.caller.clone());
    }
    let expected = [0, 1, 2, 10, 11, 12].map(|number| (number.to_string(), caller(number / 10)));
    assert_eq!(of_names, expected.into());
}

async fn reconciled_changes_have_a_door_of_their_own(graph: TestGraph) {
    let type_id = put_type(&graph).await;
    let insert = format!(
        "INSERT INTO Artifact (type_id, uri, name, create_time_since_epoch, last_update_time_since_epoch) \
         VALUES ({type_id}, '', 'theirs', 1, 1)"
    );
    run_sql(graph.url(), insert).await;
    let reconciler = Caller::anonymous(Door::Command);
    assert!(
        graph
            .graph
            .reconcile(&reconciler, ReconcileScope::All)
            .await
            .unwrap()
            > 0
    );
    let found = history(&graph).await;
    assert_eq!(found.len(), 1);
    let (_, entry) = &found[0];
    assert_eq!(entry.change.operation, Operation::Reconciled);
    assert_eq!(entry.origin.caller, reconciler);
    assert!(entry.origin.time > 1);
}
