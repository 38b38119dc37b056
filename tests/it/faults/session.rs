//! What happens to one session or one statement: somebody stops it, or holds what it needs.

use std::time::Duration;

use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tokio::task::JoinHandle;
use tonic::Status;

use super::UNCERTAIN;
use crate::python::sized;
use crate::sql::{TableLock, connect, query, run_sql};
use crate::support::Backend;
use crate::support::prelude::*;

on_every_server! {
    a_stopped_statement,
    a_closed_session,
    an_idle_session_that_was_closed,
    a_type_that_was_lost_with_its_sessions,
    a_lock_that_is_given_back,
    a_lock_that_is_held_for_ever,
    a_reader_does_not_wait,
    a_statement_that_nobody_waits_for,
}

/// Somebody else who holds a lock on an artifact.
struct Locked {
    id: i64,
    holder: AnyConnection,
}

impl Locked {
    async fn new(store: &Store) -> Self {
        let type_id = store.put_type::<Artifact>("T", &[]).await;
        let id = store.put(Artifact::new(type_id, "n")).await;
        let mut holder = connect(store.url()).await;
        let lock = format!("START TRANSACTION; SELECT id FROM Artifact WHERE id = {id} FOR UPDATE");
        run(&mut holder, lock).await;
        Self { id, holder }
    }

    /// A call that has begun to wait for the lock.
    async fn waiting(&self, store: &Store) -> JoinHandle<Result<Vec<i64>, Status>> {
        let update = Artifact::default()
            .with_id(self.id)
            .with_custom("k", int(1));
        // What comes before it in the same transaction must not stay either.
        let type_id = store.put_type::<Artifact>("T", &[]).await;
        let puts = vec![Artifact::new(type_id, "with it"), update];
        let call = tokio::spawn({
            let store = store.clone();
            async move { store.send(Artifact::put(puts)).await }
        });
        while sessions(store).await.is_empty() {
            assert!(!call.is_finished(), "it did not wait");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        call
    }

    async fn give_back(mut self) {
        run(&mut self.holder, "ROLLBACK".to_owned()).await;
        self.holder.close().await.unwrap();
    }
}

async fn run(connection: &mut AnyConnection, sql: String) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    sql.execute(connection).await.unwrap();
}

/// The sessions of this database that wait for a lock.
async fn sessions(store: &Store) -> Vec<String> {
    let sql = match store.backend() {
        Backend::Postgres => {
            "SELECT CAST(pid AS TEXT) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
        _ => {
            // InnoDB's own view of it is as old as it likes while somebody keeps asking.
            "SELECT CAST(id AS CHAR) FROM information_schema.processlist
             WHERE db = DATABASE() AND command IN ('Query', 'Execute') AND time_ms > 300"
        }
    };
    query(store.url(), sql).await
}

/// Has the database do something to each of the sessions.
async fn on_each(store: &Store, sessions: &[String], postgres: &str, mysql: &str) {
    for id in sessions {
        let sql = match store.backend() {
            Backend::Postgres => format!("SELECT {postgres}({id})"),
            _ => format!("{mysql} {id}"),
        };
        run_sql(store.url(), sql).await;
    }
}

/// Checks that a call was told that the database is away, and that nothing of it is stored.
async fn assert_unavailable(store: &Store, call: JoinHandle<Result<Vec<i64>, Status>>) {
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(status.message(), "the database is not available");
    assert!(!status.message().contains(UNCERTAIN));
    assert_eq!(store.ask(Artifact::list(None)).await.nodes.len(), 1);
}

async fn update(store: &Store, id: i64) {
    let update = Artifact::default().with_id(id).with_custom("k", int(2));
    store.put(update).await;
}

async fn a_stopped_statement(store: Store) {
    let locked = Locked::new(&store).await;
    let call = locked.waiting(&store).await;
    let waiting = sessions(&store).await;
    on_each(&store, &waiting, "pg_cancel_backend", "KILL QUERY").await;
    assert_unavailable(&store, call).await;
    let id = locked.id;
    locked.give_back().await;
    update(&store, id).await;
}

async fn a_closed_session(store: Store) {
    let locked = Locked::new(&store).await;
    let call = locked.waiting(&store).await;
    let waiting = sessions(&store).await;
    on_each(&store, &waiting, "pg_terminate_backend", "KILL CONNECTION").await;
    assert_unavailable(&store, call).await;
    let id = locked.id;
    locked.give_back().await;
    update(&store, id).await;
}

async fn an_idle_session_that_was_closed(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    for round in 0..5 {
        let calls = (0..40).map(|number| {
            let store = store.clone();
            let artifact = Artifact::new(type_id, &format!("{round} {number}"));
            tokio::spawn(async move { store.put(artifact).await })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        close_sessions(&store).await;
    }
    let all = pages_of(100);
    assert_eq!(store.walk::<Artifact>(all).await.concat().len(), 200);
}

/// Closes the sessions of this moment, each once it is idle.
async fn close_sessions(store: &Store) {
    let idle = match store.backend() {
        Backend::Postgres => {
            "SELECT CAST(pid AS TEXT) FROM pg_stat_activity
             WHERE datname = current_database() AND state = 'idle' AND pid <> pg_backend_pid()"
        }
        _ => {
            "SELECT CAST(id AS CHAR) FROM information_schema.processlist
             WHERE db = DATABASE() AND command = 'Sleep' AND id <> CONNECTION_ID()"
        }
    };
    let mut open = all_sessions(store).await;
    assert!(!open.is_empty());
    while !open.is_empty() {
        let mut closed = query(store.url(), idle).await;
        closed.retain(|session| open.contains(session));
        on_each(store, &closed, "pg_terminate_backend", "KILL CONNECTION").await;
        let left = all_sessions(store).await;
        open.retain(|session| left.contains(session) && !closed.contains(session));
    }
}

/// A standby that takes over can lack the newest types.
async fn a_type_that_was_lost_with_its_sessions(store: Store) {
    let type_id = store.put_type::<Artifact>("Lost", &[]).await;
    for name in ["a", "b"] {
        store.put(Artifact::new(type_id, name)).await;
    }
    let deletion = format!("DELETE FROM Artifact; DELETE FROM Type WHERE id = {type_id}");
    run_sql(store.url(), deletion).await;
    close_sessions(&store).await;
    let lost = store
        .send(Artifact::put(vec![Artifact::new(type_id, "c")]))
        .await;
    let unknown = store
        .send(Artifact::put(vec![Artifact::new(i64::MAX, "c")]))
        .await;
    assert_eq!(lost.unwrap_err().code(), unknown.unwrap_err().code());
    let stored = query(store.url(), "SELECT name FROM Artifact").await;
    assert!(stored.is_empty(), "{stored:?}");
}

/// Longer than one wait for a lock.
async fn a_lock_that_is_given_back(store: Store) {
    let locked = Locked::new(&store).await;
    let call = locked.waiting(&store).await;
    tokio::time::sleep(Duration::from_secs(sized(6, 12))).await;
    assert!(!call.is_finished());
    locked.give_back().await;
    call.await.unwrap().unwrap();
}

async fn a_lock_that_is_held_for_ever(store: Store) {
    if !sized(false, true) {
        return;
    }
    let locked = Locked::new(&store).await;
    let call = locked.waiting(&store).await;
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Aborted, "{status:?}");
    assert_eq!(store.ask(Artifact::list(None)).await.nodes.len(), 1);
    locked.give_back().await;
}

async fn a_reader_does_not_wait(store: Store) {
    let locked = Locked::new(&store).await;
    let call = locked.waiting(&store).await;
    let read: Artifact = store.get(locked.id).await;
    assert!(read.custom_properties.is_empty());
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    store.put(Artifact::new(type_id, "another")).await;
    assert!(!call.is_finished());
    locked.give_back().await;
    call.await.unwrap().unwrap();
}

/// Its connection is closed, and with it the session: a pool whose sessions wait for nobody is of
/// no use.
async fn a_statement_that_nobody_waits_for(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    store.put(Artifact::new(type_id, "n")).await;
    let lock = TableLock::of(store.backend(), store.url(), "Artifact").await;
    let call = tokio::spawn({
        let store = store.clone();
        async move { store.send(Artifact::list(None)).await }
    });
    let waiting = loop {
        let waiting = sessions(&store).await;
        assert!(!call.is_finished(), "it did not wait");
        if let [session] = waiting.as_slice() {
            break session.clone();
        }
    };
    call.abort();
    while all_sessions(&store).await.contains(&waiting) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    lock.release().await;
    assert_eq!(store.ask(Artifact::list(None)).await.nodes.len(), 1);
}

/// The sessions of this database.
async fn all_sessions(store: &Store) -> Vec<String> {
    let sql = match store.backend() {
        Backend::Postgres => {
            "SELECT CAST(pid AS TEXT) FROM pg_stat_activity WHERE datname = current_database()"
        }
        _ => "SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE db = DATABASE()",
    };
    query(store.url(), sql).await
}
