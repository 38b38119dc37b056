//! Targets that are away, slow, or refuse.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::target::{NotingTarget, Received};
use super::{TargetsFile, entry, wait_for};
use crate::binary::Server;
use crate::openlineage::{PATH, of_run, post};
use crate::serving::{TcpProxy, get};
use crate::support::prelude::*;
use crate::support::{Backend, Replica, TestDatabase};

once! {
    events_are_sent_again_until_they_are_taken,
    an_event_that_is_refused_is_left_out_and_takes_no_other_with_it,
    a_dead_target_delays_no_other,
    a_target_chooses_what_it_gets,
    an_array_is_split_until_only_what_is_wrong_is_left_out,
    what_an_array_does_not_take_is_sent_again,
    metrics_say_what_is_sent_and_refused,
}

const BACKEND: Backend = Backend::SqliteFile;

/// Puts executions of types with these names.
async fn put(store: &Store, types: &[&str]) {
    for name in types {
        let id = store.put_type::<Execution>(name, &[]).await;
        store.put(Execution::new(id, name)).await;
    }
}

fn jobs(events: &[Json]) -> Vec<String> {
    let job = |event: &Json| event["job"]["name"].as_str().unwrap().to_owned();
    events.iter().map(job).collect()
}

async fn has_jobs(target: &NotingTarget, expected: &[&str]) {
    wait_for("events", async || {
        (jobs(&target.taken()) == expected).then_some(())
    })
    .await;
}

async fn events_are_sent_again_until_they_are_taken() {
    let answers = [(503, "Retry-After: 1\r\n"), (500, ""), (401, "")];
    let target = NotingTarget::after(&answers).await;
    let file = TargetsFile::new(&[entry("noting", target.port, "")]);
    let store = file.serve(BACKEND).await;
    let start = std::time::Instant::now();
    put(&store, &["A", "B"]).await;
    has_jobs(&target, &["A", "B"]).await;
    assert!(start.elapsed().as_secs() >= 1, "the pause was not kept");
    let statuses: Vec<u16> = target.received().iter().map(|it| it.status).collect();
    assert_eq!(statuses, [503, 500, 401, 201, 201]);
    let first = &target.received()[0];
    assert_eq!(first.path, "/api/v1/lineage");
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.header("authorization"), None);
}

async fn an_event_that_is_refused_is_left_out_and_takes_no_other_with_it() {
    let refuse = |request: &Received| {
        let is_wrong = request.body["job"]["name"] == "B";
        (if is_wrong { 400 } else { 201 }, "", String::new())
    };
    let target = NotingTarget::answering(&[], Arc::new(refuse)).await;
    let file = TargetsFile::new(&[entry("noting", target.port, "")]);
    let store = file.serve(BACKEND).await;
    put(&store, &["A", "B", "C"]).await;
    has_jobs(&target, &["A", "C"]).await;
    let refused = target.received();
    let refused = refused.iter().filter(|request| request.status == 400);
    assert_eq!(refused.count(), 1);
}

async fn a_dead_target_delays_no_other() {
    let (healthy, dead) = (
        NotingTarget::after(&[]).await,
        NotingTarget::after(&[]).await,
    );
    let mut proxy = TcpProxy::to(dead.port).await;
    let file = TargetsFile::new(&[
        entry("dead", proxy.port, ""),
        entry("healthy", healthy.port, ""),
    ]);
    let store = file.serve(BACKEND).await;
    put(&store, &["A", "B"]).await;
    has_jobs(&healthy, &["A", "B"]).await;
    assert!(dead.received().is_empty());
    proxy.open().await;
    has_jobs(&dead, &["A", "B"]).await;
}

async fn a_target_chooses_what_it_gets() {
    let (types, contexts) = (
        NotingTarget::after(&[]).await,
        NotingTarget::after(&[]).await,
    );
    let doors = NotingTarget::after(&[]).await;
    let file = TargetsFile::new(&[
        entry("types", types.port, "types = ['B', 'D']\nnamespace = 'n'"),
        entry("contexts", contexts.port, "contexts = ['here']"),
        entry("doors", doors.port, "doors = ['pedigree']"),
    ]);
    let store = file.serve(BACKEND).await;
    let context = store.put_type::<Context>("C", &[]).await;
    let here = store.put(Context::new(context, "here")).await;
    let mut executions = Vec::new();
    for name in ["A", "B", "C", "D"] {
        let id = store.put_type::<Execution>(name, &[]).await;
        executions.push(store.put(Execution::new(id, name)).await);
    }
    let members = put_members(&[], &[(executions[2], here)]);
    store.ask(members).await;
    has_jobs(&types, &["B", "D"]).await;
    assert!(
        types
            .taken()
            .iter()
            .all(|event| event["job"]["namespace"] == "n")
    );
    // A run that was put into the context before it was read is sent for both changes.
    wait_for("C", async || {
        let mut found = jobs(&contexts.taken());
        found.dedup();
        (found == ["C"]).then_some(())
    })
    .await;
    assert!(doors.received().is_empty());
}

async fn an_array_is_split_until_only_what_is_wrong_is_left_out() {
    let refuse = |request: &Received| {
        let is_wrong = jobs(&request.events()).contains(&"C".to_owned());
        (if is_wrong { 422 } else { 204 }, "", String::new())
    };
    let target = NotingTarget::answering(&[(503, "")], Arc::new(refuse)).await;
    let more = "batch = 100\ncompression = 'gzip'";
    let file = TargetsFile::new(&[entry("noting", target.port, more)]);
    let database = TestDatabase::new(BACKEND);
    // All of them are there before the server sends the first.
    let before = Store::on(database, |_| {}).await;
    put(&before, &["A", "B", "C", "D", "E"]).await;
    let path = Some(file.path());
    let copy = Replica::with(before.url(), |config| {
        config.openlineage_targets = path;
    })
    .await;
    has_jobs(&target, &["A", "B", "D", "E"]).await;
    let first = &target.received()[0];
    assert_eq!(first.path, "/api/v1/lineage/batch");
    assert_eq!(first.header("content-encoding"), Some("gzip"));
    assert_eq!(first.events().len(), 5);
    drop(copy);
}

async fn what_an_array_does_not_take_is_sent_again() {
    let seen = std::sync::atomic::AtomicBool::new(false);
    let partly = move |_: &Received| {
        if seen.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return (204, "", String::new());
        }
        let failed = json!([{"index": 0, "reason": "busy", "retriable": true}]);
        let body = json!({"status": "partial_success", "failed_events": failed});
        (200, "", body.to_string())
    };
    let target = NotingTarget::answering(&[], Arc::new(partly)).await;
    let file = TargetsFile::new(&[entry("noting", target.port, "batch = 10")]);
    let store = file.serve(BACKEND).await;
    put(&store, &["A"]).await;
    has_jobs(&target, &["A", "A"]).await;
}

async fn metrics_say_what_is_sent_and_refused() {
    let refuse = |request: &Received| {
        let is_wrong = request.body["job"]["name"] == "B";
        (if is_wrong { 400 } else { 201 }, "", String::new())
    };
    let target = NotingTarget::answering(&[(500, "")], Arc::new(refuse)).await;
    let more = "doors = ['openlineage']";
    let file = TargetsFile::new(&[entry("noting", target.port, more)]);
    let path = file.path();
    let database = TestDatabase::new(BACKEND);
    let targets = ["--openlineage-targets", path.to_str().unwrap()];
    let server = Server::on(&database, &[&targets[..], &["--admin-port", "0"]].concat());
    for (second, name) in [(1, "A"), (2, "B"), (3, "C")] {
        let event = of_run("COMPLETE", name, second).to_string();
        assert_eq!(post(server.port, PATH, event.as_bytes()).await.status, 201);
    }
    has_jobs(&target, &["A", "C"]).await;
    let expected = [
        "pedigree_openlineage_sent_total{target=\"noting\"} 2",
        "pedigree_openlineage_refused_total{target=\"noting\"} 1",
        "pedigree_openlineage_failures_total{target=\"noting\"} 1",
        "pedigree_openlineage_lag_seconds{target=\"noting\"} 0",
    ];
    wait_for("the metrics", async || {
        let metrics = get(server.admin(), "/metrics").await.text();
        let mut expected = expected.iter();
        expected.all(|line| metrics.contains(line)).then_some(())
    })
    .await;
}
