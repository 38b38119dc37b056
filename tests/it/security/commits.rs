//! The audit of requests that share a commit, and of the last ones before a stop.

use std::collections::BTreeMap;

use pedigree::proto::pedigree::audit::v1::Outcome;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::audit::{open, records, wait_for_records, write_tokens};
use super::{FILE, MadeToken, put, write_file};
use crate::binary::Server;
use crate::serving::http;
use crate::sql::query;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    events_that_share_a_commit_keep_their_requests,
    events_of_two_subjects_are_apart,
    the_last_refusals_are_stored_at_a_stop,
}

const EVENTS: usize = 64;

/// The text of an event about a run.
pub fn event(run: &str) -> String {
    let event = json!({
        "eventType": "START",
        "eventTime": "2025-11-27T03:00:00Z",
        "producer": "https://example.com/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run},
        "job": {"namespace": "team", "name": "train"},
    });
    event.to_string()
}

/// Sends an event, which must be stored.
async fn tell(port: u16, bearer: &str, request_id: &str, event: &str) {
    let head = format!(
        "POST /api/v1/lineage HTTP/1.1\r\nContent-Type: application/json\r\n\
         Authorization: {bearer}\r\nX-Request-Id: {request_id}"
    );
    let answer = http(port, &head, event.as_bytes()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

async fn events_that_share_a_commit_keep_their_requests(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["writer", "admin", "auditor"]);
    let store = open(backend, folder.path()).await;
    let mut told = JoinSet::new();
    let mut expected = BTreeMap::new();
    for number in 0..EVENTS {
        // Subjects take turns in blocks, so that each has neighbours of its own.
        let token = &tokens[number / 8 % 2];
        let subject = ["token:writer", "token:admin"][number / 8 % 2];
        let request_id = format!("event-{number}");
        let (bearer, port) = (token.bearer(), store.port());
        expected.insert(request_id.clone(), subject.to_owned());
        told.spawn(async move { tell(port, &bearer, &request_id, &event(&request_id)).await });
    }
    told.join_all().await;
    let auditor = tokens[2].bearer();
    let written = wait_for_records(&store, &auditor, Outcome::Written, EVENTS).await;
    let mut found = BTreeMap::new();
    for record in &written {
        assert_eq!(record.method, "/api/v1/lineage");
        let before = found.insert(record.request_id.clone(), record.subject.clone());
        assert_eq!(before, None, "{record:?}");
    }
    assert_eq!(found, expected);
    // Some shared a commit, and say with which request.
    let shared: Vec<_> = written.iter().filter(|it| it.changes.is_empty()).collect();
    assert!(!shared.is_empty());
    for record in shared {
        let with = record.reason.strip_prefix("stored with the request ");
        let with = written.iter().find(|it| Some(&*it.request_id) == with);
        let with = with.unwrap_or_else(|| panic!("{record:?}"));
        assert_eq!(with.subject, record.subject);
        assert!(!with.changes.is_empty(), "{with:?}");
    }
}

/// The same event from two subjects is two messages.
async fn events_of_two_subjects_are_apart(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["writer", "admin"]);
    let store = open(backend, folder.path()).await;
    let text = event("r1");
    for token in [0, 1, 0] {
        let bearer = tokens[token].bearer();
        tell(store.port(), &bearer, "r", &text).await;
    }
    let messages = query(store.url(), "SELECT answer FROM PedigreeMessage").await;
    assert_eq!(messages.len(), 2, "{messages:?}");
}

async fn the_last_refusals_are_stored_at_a_stop(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::new(folder.path(), "admin");
    let file = write_file(folder.path(), &[&token.entry]);
    assert!(file.ends_with(FILE));
    let database = TestDatabase::new(backend);
    let start = || Server::on(&database, &["--security", file.to_str().unwrap()]);
    let server = start();
    put(server.client().await, "Data", &["Bearer x"])
        .await
        .unwrap_err();
    server.stop();
    let server = start();
    let channel = server.connect().await;
    let all = loop {
        // Those of the last server may not have a position yet.
        let all = records(&channel, &token.bearer()).await.unwrap();
        if !all.is_empty() {
            break all;
        }
    };
    assert_eq!(all[0].outcome(), Outcome::Unauthenticated, "{all:?}");
    assert_eq!(all[0].subject, "anonymous");
    server.stop();
}
