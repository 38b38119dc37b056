//! The retention of the audit, which may be longer than that of the changes that `Watch` reads.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pedigree::graph::{Clock, Graph, Retention};
use pedigree::proto::pedigree::audit::v1::audit_service_client::AuditServiceClient;
use pedigree::proto::pedigree::audit::v1::{AuditRecord, ListRequest, Outcome};
use pedigree::proto::pedigree::lineage::v1::WatchRequest;
use pedigree::storage::Database;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::append_only::{REFUSED, rows, run as run_statement};
use super::audit::{records, wait_for_records, write_tokens};
use super::{FILE, MadeToken, put, with_authorization};
use crate::binary::{pedigree, run};
use crate::migrate::said;
use crate::sql::{query, run_sql};
use crate::streams::{Watcher, brief, from_cursor, from_the_beginning};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    the_audit_outlives_the_changes,
    the_audit_alone_can_be_kept,
}

const HOUR: Duration = Duration::from_hours(1);

const RETENTION: Retention = Retention {
    changes: HOUR,
    audit: Some(Duration::from_hours(10)),
    messages: HOUR,
};

/// How many messages are known.
const MESSAGES: &str = "SELECT CONCAT(COUNT(*), '') FROM PedigreeMessage";

/// An append-only store with this retention, and the tokens of a writer, a reader and an auditor.
async fn open(backend: Backend, folder: &Path, retention: Retention) -> (Store, [String; 3]) {
    let tokens = write_tokens(folder, "", &["writer", "reader", "auditor"]);
    fs::write(folder.join("token"), &tokens[2].text).unwrap();
    let database = TestDatabase::missing(backend);
    said(&database, &["--append-only"]);
    let file = folder.join(FILE);
    let store = Store::on(database, |config| {
        config.serving.security = Some(file);
        config.history = retention;
    });
    let bearer = |place: usize| MadeToken::bearer(&tokens[place]);
    (store.await, [0, 1, 2].map(bearer))
}

/// The changes of a watch until nothing comes, and the cursor after them.
async fn watched(
    store: &Store,
    request: WatchRequest,
    bearer: &str,
) -> Result<(Vec<String>, String), Status> {
    let channel = store.channel.clone();
    let mut watcher = Watcher::try_start_as(channel, request, &[bearer]).await?;
    let mut seen = Vec::new();
    loop {
        let changes = watcher.next().await?;
        if changes.is_empty() && !seen.is_empty() {
            return Ok((seen, watcher.cursor));
        }
        seen.extend(changes.iter().map(brief));
    }
}

/// The ids of the types that these records say were written.
fn written(records: &[AuditRecord]) -> Vec<i64> {
    let written = records.iter().filter(|it| it.outcome() == Outcome::Written);
    written.map(|record| record.changes[0].ids[0]).collect()
}

/// Prunes what has no retention left this long after now.
pub async fn prune(url: &str, later: Duration) {
    let old = "INSERT INTO PedigreeMessage (id, time_since_epoch, answer) VALUES ('old', 0, '')";
    run_sql(url, old).await;
    let database = Database::open(url, 4).await.unwrap();
    let clock = Clock::stopped();
    clock.advance(i64::try_from(later.as_millis()).unwrap());
    let graph = Graph::new(database.clone(), RETENTION, clock);
    let stop = CancellationToken::new();
    // Messages are pruned after the history.
    let pruned = async {
        while query(url, MESSAGES).await != ["0"] {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(graph.maintain_history(&stop), pruned);
    database.close().await;
}

async fn the_audit_outlives_the_changes(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let (store, [writer, reader, auditor]) = open(backend, folder.path(), RETENTION).await;
    let mut types = vec![put(store.client(), "First", &[&writer]).await.unwrap()];
    let (seen, cursor) = watched(&store, from_the_beginning(), &writer)
        .await
        .unwrap();
    assert_eq!(seen, ["created artifact type First"]);
    put(store.client(), "Other", &[&reader]).await.unwrap_err();
    wait_for_records(&store, &auditor, Outcome::PermissionDenied, 1).await;
    types.push(put(store.client(), "Second", &[&writer]).await.unwrap());
    store.wait(HOUR / 2);
    types.push(put(store.client(), "Third", &[&writer]).await.unwrap());

    // Within the retention of changes, a watch has all of them.
    let (seen, _) = watched(&store, from_cursor(&cursor), &writer)
        .await
        .unwrap();
    let names = ["Second", "Third"].map(|name| format!("created artifact type {name}"));
    assert_eq!(seen, names);
    store.wait(HOUR * 3 / 4);
    prune(store.url(), HOUR * 5 / 4).await;
    let (seen, _) = watched(&store, from_the_beginning(), &writer)
        .await
        .unwrap();
    assert_eq!(seen, names[1..]);
    let expired = watched(&store, from_cursor(&cursor), &writer).await;
    let expired = expired.unwrap_err();
    assert_eq!(expired.code(), Code::OutOfRange, "{expired:?}");

    // The audit has what watches have not.
    let listed = records(&store.channel, &auditor).await.unwrap();
    assert_eq!(written(&listed), types);
    let refused = |record: &&AuditRecord| record.outcome() == Outcome::PermissionDenied;
    assert_eq!(listed.iter().filter(refused).count(), 1);
    let arguments = ["audit", "export", "audit.jsonl", "--token-file", "token"];
    let mut export = pedigree(folder.path(), &arguments);
    export.env(
        "PEDIGREE_SERVER",
        format!("http://127.0.0.1:{}", store.port()),
    );
    let exported = run(export);
    assert!(exported.status.success(), "{exported:?}");
    let exported = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    assert_eq!(exported.matches("\"WRITTEN\"").count(), types.len());
    for delete in [
        "DELETE FROM PedigreeChange WHERE position = 1",
        "DELETE FROM PedigreeChange",
    ] {
        let refused = run_statement(store.url(), delete).await.unwrap_err();
        assert!(refused.contains(REFUSED), "{refused}");
    }

    // Its own retention ends too.
    prune(store.url(), Duration::from_hours(20)).await;
    assert_eq!(rows(store.url()).await.len(), 1);
    let request = with_authorization(ListRequest { cursor }, &[&auditor]);
    let listed = AuditServiceClient::new(store.channel.clone())
        .list(request)
        .await;
    assert_eq!(listed.unwrap_err().code(), Code::OutOfRange);
}

async fn the_audit_alone_can_be_kept(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let retention = Retention {
        changes: Duration::ZERO,
        ..RETENTION
    };
    let (store, [writer, _, auditor]) = open(backend, folder.path(), retention).await;
    let id = put(store.client(), "Data", &[&writer]).await.unwrap();
    let refused = watched(&store, from_the_beginning(), &writer).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    let listed = wait_for_records(&store, &auditor, Outcome::Written, 1).await;
    assert_eq!(written(&listed), [id]);
}
