//! An asynchronous standby takes over without the newest commits of the primary.

use std::time::Duration;

use pedigree::graph::Clock;
use pedigree::proto::pedigree::lineage::v1::change::Subject;
use pedigree::proto::pedigree::lineage::v1::{Change, WatchRequest};
use tonic::Status;

use super::pair::Pair;
use super::writers::Writers;
use crate::sql::query;
use crate::streams::{Watcher, brief, from_cursor, from_now, from_the_beginning};
use crate::support::Replica;
use crate::support::prelude::*;

with_servers! {
    a_watcher_is_exact_or_told_after_a_failover_that_lost_commits,
    nodes_of_a_type_that_was_lost_are_refused,
}

const CLIENTS: usize = 8;

/// A pair whose primary waits for nothing, and a server that knows both by a list.
async fn start() -> (Pair, Replica) {
    let pair = Pair::start();
    pair.wait_for_no_standby(1).await;
    let server = Replica::at(&pair.list(), Clock::default()).await;
    (pair, server)
}

/// A change in few words, which no other one has.
fn in_words(change: &Change) -> String {
    match change.subject.as_ref().unwrap() {
        Subject::Artifact(node) => format!("{} {}", brief(change), node.name()),
        _ => brief(change),
    }
}

/// What a watcher has seen, across all its streams.
struct Seen {
    server: Replica,
    watcher: Watcher,
    changes: Vec<String>,
}

impl Seen {
    async fn start(server: &Replica, request: WatchRequest) -> Self {
        Self {
            watcher: Watcher::start(server.channel.clone(), request).await,
            server: server.clone(),
            changes: Vec::new(),
        }
    }

    /// Takes what comes until a change of this name, as a client does that comes back after
    /// UNAVAILABLE.
    async fn take_until(&mut self, name: &str) -> Result<(), Status> {
        loop {
            match self.watcher.next().await {
                Ok(changes) => {
                    self.changes.extend(changes.iter().map(in_words));
                    if self.changes.iter().any(|change| change.ends_with(name)) {
                        return Ok(());
                    }
                }
                Err(status) if status.code() == Code::Unavailable => {
                    let channel = self.server.channel.clone();
                    let resumed = from_cursor(&self.watcher.cursor);
                    match Watcher::try_start(channel, resumed).await {
                        Ok(watcher) => self.watcher = watcher,
                        Err(status) if status.code() == Code::Unavailable => {}
                        Err(status) => return Err(status),
                    }
                }
                Err(status) => return Err(status),
            }
        }
    }
}

async fn put(server: &Replica, type_id: i64, name: &str) -> Result<Vec<i64>, Status> {
    let new = Artifact::new(type_id, name);
    server.send(Artifact::put(vec![new])).await
}

/// Writes until it succeeds.
async fn put_after_failover(server: &Replica, type_id: i64, name: &str) {
    while let Err(status) = put(server, type_id, name).await {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn wait_until_replayed(pair: &Pair, cursor: &str) {
    let position: i64 = cursor.split('@').next().unwrap().parse().unwrap();
    let newest = "SELECT CAST(MAX(position) AS TEXT) FROM PedigreeChange";
    loop {
        let newest = query(&pair.url(2), newest).await;
        if newest[0].parse::<i64>().unwrap() >= position {
            return;
        }
    }
}

async fn a_watcher_is_exact_or_told_after_a_failover_that_lost_commits() {
    let (pair, server) = start().await;
    let type_id = server.ask(Artifact::put_type("T", &[])).await;
    let mut watchers = Vec::new();
    for _ in 0..3 {
        watchers.push(Seen::start(&server, from_now()).await);
    }
    // It is away from before the cut on.
    let mut before = Seen::start(&server, from_now()).await;
    put(&server, type_id, "before").await.unwrap();
    before.take_until("before").await.unwrap();
    let before = before.watcher.cursor;
    let writers = Writers::start(std::slice::from_ref(&server), type_id, CLIENTS);
    writers.wait_for_more(0, 100).await;
    wait_until_replayed(&pair, &before).await;
    pair.cut(2).await;
    put(&server, type_id, "lost").await.unwrap();
    writers.wait_for_more(0, 100).await;
    // It has seen what is lost, and is away while the new history grows past its cursor.
    let mut lost = Seen::start(&server, from_cursor(&before)).await;
    lost.take_until("lost").await.unwrap();
    let lost = lost.watcher.cursor;
    pair.kill(1);
    pair.promote(2);
    writers.wait_for_more(0, 300).await;
    writers.end().await;
    put(&server, type_id, "last").await.unwrap();

    let mut history = Seen::start(&server, from_the_beginning()).await;
    history.take_until("last").await.unwrap();
    let history = history.changes;
    assert!(!history.iter().any(|change| change.ends_with("lost")));
    let refused = Watcher::try_start(server.channel.clone(), from_cursor(&lost)).await;
    let status = refused.err().unwrap();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    watchers.push(Seen::start(&server, from_cursor(&before)).await);
    let resumed = watchers.len() - 1;
    for (number, mut watcher) in watchers.into_iter().enumerate() {
        match watcher.take_until("last").await {
            Ok(()) => assert!(history.ends_with(&watcher.changes), "watcher {number}"),
            Err(status) => {
                assert_eq!(
                    status.code(),
                    Code::OutOfRange,
                    "watcher {number}: {status:?}"
                );
                assert_ne!(number, resumed, "its cursor is of a change that is there");
            }
        }
    }
}

async fn nodes_of_a_type_that_was_lost_are_refused() {
    let (pair, server) = start().await;
    let kept = server.ask(Artifact::put_type("Kept", &[])).await;
    let stored = "SELECT name FROM Type WHERE name = 'Kept'";
    while query(&pair.url(2), stored).await.is_empty() {}
    pair.cut(2).await;
    let lost = server.ask(Artifact::put_type("Lost", &[])).await;
    put(&server, lost, "of the lost type").await.unwrap();
    pair.kill(1);
    pair.promote(2);
    put_after_failover(&server, kept, "of the kept type").await;
    let unknown = put(&server, i64::from(i32::MAX), "of no type").await;
    let unknown = unknown.unwrap_err();
    let refused = put(&server, lost, "of the lost type again").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), unknown.code(), "{refused:?}");
    let types = "SELECT CAST(COUNT(*) AS TEXT) FROM Artifact
                 WHERE type_id NOT IN (SELECT id FROM Type)";
    assert_eq!(query(&pair.url(2), types).await, ["0"]);
}
