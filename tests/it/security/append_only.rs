//! The history where triggers make it append-only: its rows do not change, and retention deletes
//! them.

use std::time::Duration;

use pedigree::graph::{Clock, Graph, Retention};
use pedigree::storage::Database;
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use crate::migrate::said;
use crate::sql::{connect, query};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    the_history_cannot_be_changed,
    neither_can_its_large_values,
    a_protection_without_large_values_is_completed,
    its_retention_ends_all_the_same,
}

pub const REFUSED: &str = "the history is append-only";

/// Positions and times.
pub async fn rows(url: &str) -> Vec<String> {
    let rows = "SELECT CONCAT(position, ' ', time_since_epoch) FROM PedigreeChange \
                ORDER BY position";
    query(url, rows).await
}

/// The parts of large values.
const PARTS: &str = "SELECT CONCAT(LENGTH(content), ' ', part_number) FROM PedigreeLargeValue \
                     ORDER BY id, part_number";

/// Adds a row with a large value to the history.
async fn put_large(store: &Store, name: &str) {
    let known = rows(store.url()).await.len();
    let type_id = store.ask(Artifact::put_type("Type0", &[])).await;
    let much = text("x".repeat(2_000_000));
    let node = Artifact::new(type_id, name).with_custom("much", much);
    store.ask(Artifact::put(vec![node])).await;
    store.tick();
    while rows(store.url()).await.len() == known {
        tokio::task::yield_now().await;
    }
}

/// A store with five rows of history.
async fn open(backend: Backend) -> Store {
    let database = TestDatabase::missing(backend);
    let lines = said(&database, &["--append-only"]);
    assert!(
        lines[2].starts_with("protection of the history, "),
        "{lines:?}"
    );
    let again = said(&database, &["--append-only"]);
    assert_eq!(again, ["nothing to do: the schema has version 10"]);
    let store = Store::on(database, |_| {}).await;
    for number in 0..5 {
        store
            .ask(Artifact::put_type(&format!("Type{number}"), &[]))
            .await;
        store.tick();
    }
    while rows(store.url()).await.len() < 5 {
        tokio::task::yield_now().await;
    }
    store
}

/// What a database says to a statement.
pub async fn run(url: &str, sql: &'static str) -> Result<(), String> {
    let mut connection = connect(url).await;
    let ran = sqlx::raw_sql(sql).execute(&mut connection).await;
    connection.close().await.unwrap();
    ran.map(drop).map_err(|error| error.to_string())
}

async fn the_history_cannot_be_changed(backend: Backend) {
    let store = open(backend).await;
    let before = rows(store.url()).await;
    let mut statements = vec![
        "UPDATE PedigreeChange SET changes = changes WHERE position = 2",
        "UPDATE PedigreeChange SET time_since_epoch = 0",
        "DELETE FROM PedigreeChange WHERE position = 5",
        "DELETE FROM PedigreeChange WHERE position = 1",
        "DELETE FROM PedigreeChange",
    ];
    match backend {
        Backend::Postgres => statements.push("TRUNCATE PedigreeChange"),
        _ => statements.push(
            "REPLACE INTO PedigreeChange \
             SELECT position, 0, changes FROM PedigreeChange WHERE position = 3",
        ),
    }
    for statement in statements {
        let refused = run(store.url(), statement).await.unwrap_err();
        assert!(refused.contains(REFUSED), "{statement}: {refused}");
        assert_eq!(rows(store.url()).await, before, "{statement}");
    }
    store.ask(Artifact::put_type("Later", &[])).await;
}

async fn neither_can_its_large_values(backend: Backend) {
    let store = open(backend).await;
    put_large(&store, "a").await;
    put_large(&store, "b").await;
    let before = query(store.url(), PARTS).await;
    assert_eq!(before.len(), 4);
    let mut statements = vec![
        "UPDATE PedigreeLargeValue SET content = content",
        "UPDATE PedigreeLargeValue SET part_number = 7 WHERE part_number = 1",
        "DELETE FROM PedigreeLargeValue WHERE part_number = 1",
        "DELETE FROM PedigreeLargeValue",
    ];
    match backend {
        Backend::Postgres => statements.push("TRUNCATE PedigreeLargeValue"),
        _ => statements.push(
            "REPLACE INTO PedigreeLargeValue \
             SELECT id, part_number, 'other' FROM PedigreeLargeValue WHERE part_number = 0",
        ),
    }
    for statement in statements {
        let refused = run(store.url(), statement).await.unwrap_err();
        assert!(refused.contains(REFUSED), "{statement}: {refused}");
        assert_eq!(query(store.url(), PARTS).await, before, "{statement}");
    }
    put_large(&store, "later").await;
}

/// The triggers of a version that protected the rows alone.
async fn a_protection_without_large_values_is_completed(backend: Backend) {
    let database = TestDatabase::missing(backend);
    said(&database, &["--append-only"]);
    let drops: &[&'static str] = match backend {
        Backend::Postgres => &[
            "DROP TRIGGER pedigree_large_value_update ON PedigreeLargeValue",
            "DROP TRIGGER pedigree_large_value_delete ON PedigreeLargeValue",
            "DROP TRIGGER pedigree_large_value_truncate ON PedigreeLargeValue",
        ],
        _ => &[
            "DROP TRIGGER pedigree_large_value_update",
            "DROP TRIGGER pedigree_large_value_delete",
        ],
    };
    for statement in drops {
        run(&database.url, statement).await.unwrap();
    }
    let lines = said(&database, &["--append-only"]);
    assert!(
        lines[0].starts_with("protection of the history, "),
        "{lines:?}"
    );
    let again = said(&database, &["--append-only"]);
    assert_eq!(again, ["nothing to do: the schema has version 10"]);
}

async fn its_retention_ends_all_the_same(backend: Backend) {
    let store = open(backend).await;
    put_large(&store, "a").await;
    put_large(&store, "b").await;
    // The newest row stays, and has its values.
    let before = query(store.url(), PARTS).await;
    let database = Database::open(store.url(), 4).await.unwrap();
    let clock = Clock::stopped();
    clock.advance(3_600_000);
    let retention = Retention {
        changes: Duration::from_mins(1),
        ..Retention::default()
    };
    let graph = Graph::new(database.clone(), retention, clock);
    let stop = CancellationToken::new();
    let pruned = async {
        while rows(store.url()).await.len() > 1 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(graph.maintain_history(&stop), pruned);
    database.close().await;
    // What is left is the newest row, which still cannot go.
    let refused = run(store.url(), "DELETE FROM PedigreeChange")
        .await
        .unwrap_err();
    assert!(refused.contains(REFUSED), "{refused}");
    assert!(rows(store.url()).await[0].starts_with("7 "));
    assert_eq!(before.len(), 4);
    assert_eq!(query(store.url(), PARTS).await.len(), 2);
    let refused = run(store.url(), "DELETE FROM PedigreeLargeValue").await;
    assert!(refused.unwrap_err().contains(REFUSED));
}
