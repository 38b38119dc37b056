//! Values that are too large for the rows of the history: watchers get them as they were, and they
//! are deleted with their rows.

use std::collections::BTreeSet;
use std::time::Duration;

use pb::value;
use pedigree::proto::pedigree::lineage::v1::{Change, change};
use prost_types::Struct;

use super::{Watcher, brief, from_now, from_the_beginning};
use crate::binary::Server;
use crate::security::retention::prune;
use crate::sql::{query, run_sql};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database!(
    large_values_come_as_the_change_left_them,
    large_values_go_with_their_rows,
    a_store_of_the_version_before_gets_what_it_lacks,
);

const ROW_IDS: &str = "SELECT CONCAT(COUNT(DISTINCT id), '') FROM PedigreeLargeValue";
const SMALL_ROWS: &str =
    "SELECT CONCAT(COUNT(*), '') FROM PedigreeChange WHERE LENGTH(changes) < 2000";
const ROWS: &str = "SELECT CONCAT(COUNT(*), '') FROM PedigreeChange";

/// A node with a text of more than a MiB, a large struct, and much more that is small.
fn large(type_id: i64, name: &str, letter: &str) -> Artifact {
    let long = letter.repeat(70_000);
    let kind = Some(prost_types::value::Kind::StringValue(long));
    let fields = [("k".to_owned(), prost_types::Value { kind })].into();
    let given = value::Value::StructValue(Struct { fields });
    let node = Artifact::new(type_id, name)
        .with_custom("text", text(letter.repeat(1_500_000)))
        .with_custom("struct", of(given));
    (0..10_000).fold(node, |node, number| {
        let named = format!("a rather long name of a small value: {number:0100}");
        node.with_custom(&named, int(number))
    })
}

fn artifacts(changes: &[Change]) -> Vec<Artifact> {
    let subjects = changes.iter().filter_map(|change| change.subject.clone());
    let nodes = subjects.filter_map(|subject| match subject {
        change::Subject::Artifact(node) => Some(node),
        _ => None,
    });
    nodes.collect()
}

async fn large_values_come_as_the_change_left_them(store: Store) {
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let id = store
        .ask(Artifact::put(vec![large(type_id, "large", "x")]))
        .await[0];
    let created = store.ask(Artifact::by_ids(&[id])).await.remove(0);
    let updated = Artifact {
        custom_properties: large(type_id, "large", "y").custom_properties,
        ..created.clone()
    };
    store.ask(Artifact::put(vec![updated])).await;
    let updated = store.ask(Artifact::by_ids(&[id])).await.remove(0);
    let small = store
        .ask(Artifact::put(vec![Artifact::new(type_id, "small")]))
        .await;
    let small = store.ask(Artifact::by_ids(&small)).await.remove(0);

    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    let changes = watcher.until_quiet().await;
    assert!(artifacts(&changes) == [created, updated, small]);
    assert_eq!(
        query(store.url(), SMALL_ROWS).await,
        query(store.url(), ROWS).await
    );
    assert_eq!(query(store.url(), ROW_IDS).await, ["2"]);

    // What was changed in the database is not sent.
    let tampering = "UPDATE PedigreeLargeValue SET content = (SELECT changes FROM PedigreeChange ORDER BY position LIMIT 1)";
    let missing = "DELETE FROM PedigreeLargeValue";
    for (sql, problem) in [
        (tampering, "is not as it was written"),
        (missing, "is missing"),
    ] {
        run_sql(store.url(), sql).await;
        // A store whose pages were not read.
        let replica = store.replica().await;
        let mut watcher = Watcher::start(replica.channel.clone(), from_the_beginning()).await;
        let status = loop {
            if let Err(status) = watcher.next().await {
                break status;
            }
        };
        assert_eq!(status.code(), Code::DataLoss);
        assert!(status.message().contains(problem), "{status:?}");
    }
}

async fn large_values_go_with_their_rows(store: Store) {
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let node = |number: usize| {
        let much = text(number.to_string().repeat(70_000));
        Artifact::new(type_id, &number.to_string()).with_custom("much", much)
    };
    // More rows with large values than one transaction deletes.
    store.ask(Artifact::put((0..20).map(node).collect())).await;
    store
        .ask(Artifact::put(vec![Artifact::new(type_id, "small")]))
        .await;
    store.ask(Artifact::put(vec![node(20)])).await;
    let mut watcher = Watcher::start(store.channel.clone(), from_the_beginning()).await;
    assert_eq!(watcher.take(23).await.len(), 23);
    assert_eq!(query(store.url(), ROW_IDS).await, ["21"]);

    prune(store.url(), Duration::from_hours(24)).await;
    assert_eq!(query(store.url(), ROWS).await, ["1"]);
    assert_eq!(query(store.url(), ROW_IDS).await, ["1"]);
    // The newest row stays, with its values.
    let replica = store.replica().await;
    let mut watcher = Watcher::start(replica.channel.clone(), from_the_beginning()).await;
    let kept = watcher.until_quiet().await;
    let stored = store.ask(Artifact::by_ids(&[22])).await;
    assert!(
        artifacts(&kept) == stored,
        "{:?}",
        kept.iter().map(brief).collect::<BTreeSet<_>>()
    );
}

/// Takes away what the version before had not, and adds a row as it wrote them: an update of
/// artifact 1, whose id alone it stored as the node was large, and an unknown operation.
async fn make_older(database: &TestDatabase, backend: Backend) {
    let (before, after) = match backend {
        Backend::Postgres => ("'\\x", "'"),
        _ => ("X'", "'"),
    };
    let row = "0a0a080210011a0408016001".to_owned() + "0a0a086310011a0408016001";
    for sql in [
        "DROP TABLE PedigreeLargeValue".to_owned(),
        "DELETE FROM PedigreeLock WHERE name <> 'structure'".to_owned(),
        format!(
            "INSERT INTO PedigreeChange (position, time_since_epoch, changes) \
             SELECT MAX(position) + 1, MAX(time_since_epoch), {before}{row}{after} FROM PedigreeChange"
        ),
    ] {
        run_sql(&database.url, sql).await;
    }
}

async fn a_store_of_the_version_before_gets_what_it_lacks(backend: Backend) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    let client = server.client().await;
    let type_id = Artifact::put_type("Data", &[])
        .ask(client.clone())
        .await
        .unwrap();
    let node = Artifact::new(type_id, "a").with_custom("text", text("now"));
    Artifact::put(vec![node]).ask(client).await.unwrap();
    // Everything has its position then.
    Watcher::start(server.connect().await, from_now()).await;
    server.stop();
    make_older(&database, backend).await;

    let server = Server::on(&database, &[]);
    let client = server.client().await.max_decoding_message_size(usize::MAX);
    let much = Artifact::new(type_id, "b").with_custom("much", text("x".repeat(100_000)));
    Artifact::put(vec![much]).ask(client.clone()).await.unwrap();
    let mut watcher = Watcher::start(server.connect().await, from_the_beginning()).await;
    let seen = watcher.take(4).await;
    let stored = Artifact::by_ids(&[1, 2]).ask(client).await.unwrap();
    assert_eq!(
        seen.iter().map(brief).collect::<Vec<_>>(),
        [
            "created artifact type Data",
            "created artifact 1",
            "updated artifact 1",
            "created artifact 2"
        ]
    );
    assert_eq!(artifacts(&seen)[1..], stored);
    server.stop();
}
