//! The order of changes is that of their commits, whatever the transactions do and through
//! whichever server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pb::PutArtifactsRequest;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::{Subject, WatchRequest, change};
use sqlx::{AnyConnection, Connection, Executor};
use tonic::Code as StatusCode;
use tonic::transport::Channel;

use super::{Recording, Watcher, code_of, from_cursor, from_the_beginning, message};
use crate::python::sized;
use crate::support::prelude::*;
use crate::support::{Backend, Client};

on_every_server!(a_slow_transaction_is_not_skipped);
on_every_database!(watchers_agree);

/// A copy of the first change, left in the outbox.
const COPY: &str = "INSERT INTO PedigreeOutbox (time_since_epoch, changes)
                    SELECT time_since_epoch, changes FROM PedigreeChange WHERE position = 1";

/// A transaction that has drawn its number first and commits last comes last, and comes.
async fn a_slow_transaction_is_not_skipped(store: Store) {
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    let first = watcher.take(1).await;
    sqlx::any::install_default_drivers();
    let mut slow = AnyConnection::connect(store.url()).await.unwrap();
    let mut given_up = AnyConnection::connect(store.url()).await.unwrap();
    let mut slow = slow.begin().await.unwrap();
    let mut given_up = given_up.begin().await.unwrap();
    slow.execute(COPY).await.unwrap();
    given_up.execute(COPY).await.unwrap();
    for name in ["a", "b", "c"] {
        store
            .ask(Artifact::put(vec![Artifact::new(type_id, name)]))
            .await;
    }
    let fast = watcher.take(3).await;
    assert_eq!(fast.len(), 3, "{fast:?}");
    given_up.rollback().await.unwrap();
    slow.commit().await.unwrap();
    let last = watcher.take(1).await;
    assert_eq!(last, first);
    store
        .ask(Artifact::put(vec![Artifact::new(type_id, "d")]))
        .await;
    let seen = [first, fast, last, watcher.take(1).await].concat();
    let mut again = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    assert_eq!(again.until_quiet().await, seen);
}

const WRITERS: usize = 8;
const WATCHERS: usize = 4;

/// Writers by stream and by call through two servers, some of which wait for rows that somebody
/// holds, and watchers that come and go: all watchers see the same, all of it, in one order.
async fn watchers_agree(store: Store) {
    let other = store.replica().await;
    let channels = [store.channel.clone(), other.channel.clone()];
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let shared = store
        .ask(Artifact::put(vec![Artifact::new(type_id, "shared")]))
        .await[0];
    let done = Arc::new(AtomicBool::new(false));
    let holder = tokio::spawn(hold_rows(
        store.url().to_owned(),
        store.backend(),
        done.clone(),
    ));
    let rounds = sized(40, 1250);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let channel = channels[writer % 2].clone();
            tokio::spawn(write(channel, writer, type_id, shared, rounds))
        })
        .collect();
    // The type, the shared artifact, and ten artifacts a round of a writer, one of which is an
    // update of the shared one.
    let expected = 2 + WRITERS * rounds * 10;
    let watchers: Vec<_> = (0..WATCHERS)
        .map(|number| tokio::spawn(watch(channels.clone(), number, expected)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    holder.await.unwrap();
    let mut logs = Vec::new();
    for watcher in watchers {
        logs.push(watcher.await.unwrap());
    }
    let log = logs.pop().unwrap();
    assert!(logs.iter().all(|other| *other == log), "watchers disagree");
    check_whole(&store, &log).await;
}

/// Nothing is missing, and of each artifact the last state that was seen is the stored one.
async fn check_whole(store: &Store, log: &[Seen]) {
    let created: Vec<i64> = log
        .iter()
        .filter(|seen| seen.created)
        .map(|seen| seen.id)
        .collect();
    let distinct: BTreeSet<i64> = created.iter().copied().collect();
    assert_eq!(created.len(), distinct.len(), "something was created twice");
    let stored = store.ask(Artifact::list(None)).await.nodes;
    let ids: BTreeSet<i64> = stored.iter().map(Artifact::id).collect();
    assert_eq!(distinct, ids);
    let last = |id: i64| {
        log.iter()
            .rfind(|seen| seen.id == id)
            .map(|seen| seen.uri.clone())
    };
    for node in stored.iter().take(50) {
        assert_eq!(
            last(node.id()),
            Some(node.uri().to_owned()),
            "artifact {}",
            node.id()
        );
    }
}

/// Holds the shared row for moments, and leaves numbers of the outbox unused.
async fn hold_rows(url: String, backend: Backend, done: Arc<AtomicBool>) {
    if backend == Backend::SqliteFile {
        return;
    }
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    while !done.load(Ordering::Relaxed) {
        let mut held = connection.begin().await.unwrap();
        let lock = "SELECT id FROM Artifact WHERE id = 1 FOR UPDATE";
        held.execute(lock).await.unwrap();
        held.execute(COPY).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        held.rollback().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
}

/// Half of the writers use a stream, the others calls. Each round is nine new artifacts and an
/// update of the shared one.
async fn write(channel: Channel, writer: usize, type_id: i64, shared: i64, rounds: usize) {
    let client = Client::new(channel.clone());
    let mut recording = (writer % 4 < 2).then_some(Recording::start(channel).await);
    for round in 0..rounds {
        let new = (0..9).map(|n| Artifact::new(type_id, &format!("{writer} {round} {n}")));
        let mut update = Artifact::new(type_id, "shared").with_id(shared);
        update.uri = Some(format!("{writer} {round}"));
        let put = PutArtifactsRequest {
            artifacts: new.chain([update]).collect(),
            ..PutArtifactsRequest::default()
        };
        match &mut recording {
            Some(recording) => {
                let id = format!("{writer} {round}");
                let said = vec![message(&id, Change::PutArtifacts(put))];
                let response = recording.say(said).await.remove(0);
                assert_eq!(code_of(&response), StatusCode::Ok, "{response:?}");
            }
            None => _ = put.ask(client.clone()).await.unwrap(),
        }
    }
}

/// A change of an artifact as a watcher saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    id: i64,
    created: bool,
    uri: String,
}

/// Watches until so much was seen, now on one server, now on the other, each time for a few
/// responses.
async fn watch(channels: [Channel; 2], number: usize, expected: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut request = from_the_beginning();
    let mut turn = number;
    while seen.len() < expected - 1 {
        request.subjects = vec![Subject::Artifact.into()];
        let mut watcher = Watcher::start(channels[turn % 2].clone(), request).await;
        turn += 1;
        for _ in 0..=(turn * 7 + number) % 5 {
            let changes = watcher.next().await.unwrap();
            seen.extend(changes.iter().map(|change| match &change.subject {
                Some(change::Subject::Artifact(node)) => Seen {
                    id: node.id(),
                    created: change.operation == 1,
                    uri: node.uri().to_owned(),
                },
                other => panic!("{other:?}"),
            }));
        }
        request = WatchRequest {
            ..from_cursor(&watcher.cursor)
        };
    }
    seen
}
