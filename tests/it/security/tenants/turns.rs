//! Callers take turns in waiting for connections to a database.

use std::time::Duration;

use sqlx::Connection;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::databases::{eventually, new_name, value};
use super::{Tenants, named, put};
use crate::security::MadeToken;
use crate::serving::put_type;
use crate::sql::connect;
use crate::support::{Backend, TestDatabase};

on_every_server! {
    a_caller_with_many_writes_does_not_delay_another,
}

/// More than there are connections for writes.
const MANY: usize = 24;

/// The time within which writes that were sent reach the queue.
const ARRIVAL_TIME: Duration = Duration::from_secs(1);

/// How many writes of the greedy caller may come before that of the other one: those that have
/// connections, that whose turn it was, and as many that were answered at the same time.
const MOST_BEFORE: usize = 8;

async fn a_caller_with_many_writes_does_not_delay_another(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let other = MadeToken::new(folder.path(), "other");
    let name = new_name();
    let lines = format!(
        "{}[[grant]]\nsubjects = [\"token:other\"]\nrole = \"writer\"\ntenant = \"*\"\n",
        other.entry
    );
    let databases = [(name.clone(), TestDatabase::new(backend))];
    let tenants = Tenants::on(backend, databases, &lines, |config| {
        config.database.connections = 10;
        config.database.wait = Duration::from_secs(30);
    })
    .await;
    tenants.put(&name, "First").await.unwrap();

    // Whoever creates a type waits for this lock, on a connection.
    let mut connection = connect(&tenants.databases[0].1.url).await;
    let mut locked = connection.begin().await.unwrap();
    sqlx::query("SELECT name FROM PedigreeLock WHERE name = 'structure' FOR UPDATE")
        .execute(&mut *locked)
        .await
        .unwrap();
    let (sender, mut order) = mpsc::unbounded_channel();
    let mut writing = JoinSet::new();
    let mut write = |token: &MadeToken, caller: &'static str, type_name: String| {
        let request = named(put_type(&type_name), token, Some(&name));
        let (client, sender) = (tenants.client(), sender.clone());
        writing.spawn(async move {
            put(client, request).await.unwrap();
            sender.send(caller).unwrap();
        });
    };
    for number in 0..MANY {
        write(&tenants.token, "greedy", format!("Type{number}"));
    }
    let queued = || value("pedigree_db_connections_waiting", &name);
    eventually("they wait", async || queued() >= (MANY / 2) as u64).await;
    // The rest of them must not be taken for the other one below.
    tokio::time::sleep(ARRIVAL_TIME).await;
    write(&other, "other", "Other".into());
    let all = queued() + 1;
    eventually("it waits behind them", async || queued() >= all).await;
    locked.rollback().await.unwrap();
    writing.join_all().await;
    drop(sender);
    let mut before = 0;
    while order.recv().await != Some("other") {
        before += 1;
    }
    assert!(before <= MOST_BEFORE, "{before} of {MANY}");
}
