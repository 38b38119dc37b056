//! Clients give up in the midst of their calls.

use std::time::Duration;

use crate::crash::{Types, check_rows, execution, put_types, two_artifacts};
use crate::python::sized;
use crate::sql::query;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database!(cancelled_calls_leave_no_transaction);
// A transaction that is left open would stop the one connection for good.
in_memory_too!(cancelled_calls_leave_no_transaction);

/// Sessions of this database that are in a transaction.
const POSTGRES_SESSIONS: &str = "
    SELECT CONCAT(state, ': ', query) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";

const MYSQL_SESSIONS: &str = "
    SELECT CONCAT(p.command, ': ', t.trx_state) FROM information_schema.innodb_trx t
    JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
    WHERE p.db = DATABASE()";

/// One of the calls, given up after a while that depends on its number. Tells whether it ended
/// before.
async fn give_up(store: Store, types: Types, number: usize) -> bool {
    let patience = Duration::from_micros((number as u64 * 7919) % 250_000);
    let name = format!("cancelled {number}");
    let call = async {
        match number % 6 {
            0 | 1 => store.send(execution(types, &name)).await.map(|_| ()),
            2 => store.send(two_artifacts(types, &name)).await.map(|_| ()),
            3 => store.send(Artifact::list(None)).await.map(|_| ()),
            4 => {
                let filter = matching("name LIKE 'cancelled%' AND events_0.type = INPUT");
                store.send(Artifact::list(Some(filter))).await.map(|_| ())
            }
            _ => {
                let lineage = lineage(from_artifacts("name LIKE 'cancelled 1%'"), &[]);
                store.send(lineage).await.map(|_| ())
            }
        }
    };
    match tokio::time::timeout(patience, call).await {
        Ok(answer) => {
            answer.unwrap();
            true
        }
        Err(_) => false,
    }
}

async fn cancelled_calls_leave_no_transaction(store: Store) {
    let calls = sized(500, 5000);
    let types = put_types(store.client()).await;
    let mut ended = 0;
    store.ask(execution(types, "cancelled 1 not")).await;
    for wave in 0..calls / 25 {
        let calls =
            (0..25).map(|number| tokio::spawn(give_up(store.clone(), types, 25 * wave + number)));
        for call in calls.collect::<Vec<_>>() {
            ended += usize::from(call.await.unwrap());
        }
    }
    println!(
        "{:?}: {calls} calls, {ended} ended before they were given up",
        store.backend()
    );
    let sessions = match store.backend() {
        Backend::Postgres => POSTGRES_SESSIONS,
        Backend::MySql => MYSQL_SESSIONS,
        Backend::SqliteFile | Backend::SqliteMemory => "SELECT name FROM Type WHERE 1 = 0",
    };
    if store.backend() != Backend::SqliteMemory {
        no_more(&store, sessions).await;
        check_rows(store.url()).await;
    }
    // As many calls at once as there are connections, and more.
    let calls = (0..40).map(|number| {
        let name = format!("after {number}");
        let store = store.clone();
        tokio::spawn(async move { store.send(execution(types, &name)).await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(
        store.find::<Execution>("name LIKE 'after %'").await.len(),
        40
    );
}

/// Waits until a query gives nothing: what was given up may go on for a moment.
async fn no_more(store: &Store, sql: &'static str) {
    let mut left = Vec::new();
    for _ in 0..50 {
        left = query(store.url(), sql).await;
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{left:?}");
}
