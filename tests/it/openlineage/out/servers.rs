//! Several servers on one database, and servers that end without warning.

use std::collections::BTreeSet;

use super::target::NotingTarget;
use super::{TargetsFile, entry, tell_run, wait_for};
use crate::binary::Server;
use crate::openlineage::{PATH, of_run, post};
use crate::sql::query;
use crate::support::prelude::*;
use crate::support::{Backend, Replica, TestDatabase};

on_every_server! {
    one_of_two_servers_sends_and_the_other_takes_over,
}
on_every_database! {
    a_kill_loses_no_event,
}

const SENDER: &str = "SELECT sender FROM PedigreeTarget";

async fn put(store: &Store, name: &str) {
    let id = store.put_type::<Execution>(name, &[]).await;
    store.put(Execution::new(id, name)).await;
}

/// The jobs of the events in their order. One that came again, as a server ended before it noted
/// that the event was taken, counts once.
fn jobs(target: &NotingTarget) -> Vec<String> {
    let taken = target.taken();
    let job = |event: &serde_json::Value| event["job"]["name"].as_str().unwrap().to_owned();
    let mut jobs: Vec<String> = taken.iter().map(job).collect();
    jobs.dedup();
    jobs
}

async fn one_of_two_servers_sends_and_the_other_takes_over(backend: Backend) {
    let target = NotingTarget::after(&[]).await;
    let file = TargetsFile::new(&[entry("noting", target.port, "")]);
    let path = Some(file.path());
    // The third one sends nothing; it outlives the others.
    let store = Store::open(backend).await;
    let serve = || {
        let path = path.clone();
        Replica::with(store.url(), |config| config.openlineage_targets = path)
    };
    let first = serve().await;
    put(&store, "A").await;
    wait_for("A", async || (jobs(&target) == ["A"]).then_some(())).await;
    let sender = query(store.url(), SENDER).await;
    let second = serve().await;
    put(&store, "B").await;
    wait_for("B", async || (jobs(&target) == ["A", "B"]).then_some(())).await;
    assert_eq!(query(store.url(), SENDER).await, sender);
    drop(first);
    put(&store, "C").await;
    wait_for("C", async || {
        (jobs(&target) == ["A", "B", "C"]).then_some(())
    })
    .await;
    assert_ne!(query(store.url(), SENDER).await, sender);
    drop(second);
}

async fn a_kill_loses_no_event(backend: Backend) {
    let target = NotingTarget::after(&[]).await;
    let more = "doors = ['openlineage']";
    let file = TargetsFile::new(&[entry("noting", target.port, more)]);
    let path = file.path();
    let arguments = ["--openlineage-targets", path.to_str().unwrap()];
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &arguments);
    let mut expected = BTreeSet::new();
    for number in 0..30 {
        let name = format!("r{number}");
        let event = of_run("START", &name, number);
        let answer = post(server.port, PATH, event.to_string().as_bytes()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        expected.insert(name);
    }
    // Some are sent by now, and some are not.
    wait_for("an event", async || {
        (!target.taken().is_empty()).then_some(())
    })
    .await;
    server.kill();
    let sent_before = target.taken().len();
    let file = TargetsFile::new(&[entry("noting", target.port, more)]);
    let store = file.serve_on(database).await;
    tell_run(&store, "last", 40).await;
    expected.insert("last".to_owned());
    wait_for("all events", async || {
        let found: BTreeSet<String> = jobs(&target).into_iter().collect();
        (found == expected).then_some(())
    })
    .await;
    assert!(target.taken().len() >= sent_before);
}
