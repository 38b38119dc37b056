//! The word that servers on one PostgreSQL database give each other.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::timeout;

use super::{Watcher, from_now};
use crate::sql::run_sql;
use crate::support::prelude::*;

on_backend!(
    postgres,
    Postgres: a_write_is_told_to_other_servers changes_are_watched_where_notify_fails
);

/// A server that nobody watches says it at once, and once more when it has given the change its
/// position.
async fn a_write_is_told_to_other_servers(store: Store) {
    let mut listener = PgListener::connect(store.url()).await.unwrap();
    listener.listen("pedigree").await.unwrap();
    store.ask(Artifact::put_type("Data", &[])).await;
    for word in ["first", "second"] {
        let heard = timeout(Duration::from_secs(20), listener.recv()).await;
        assert!(
            matches!(heard, Ok(Ok(_))),
            "no {word} notification: {heard:?}"
        );
    }
}

/// As where the queue of notifications is full: servers look for changes by themselves.
async fn changes_are_watched_where_notify_fails(store: Store) {
    let lose = "ALTER FUNCTION pg_catalog.pg_notify(text, text) RENAME TO pg_notify_lost";
    run_sql(store.url(), lose).await;
    let other = store.replica().await;
    let mut watchers = Vec::new();
    for channel in [&store.channel, &other.channel] {
        watchers.push(Watcher::start(channel.clone(), from_now()).await);
    }
    store.ask(Artifact::put_type("Data", &[])).await;
    for watcher in &mut watchers {
        let seen = timeout(Duration::from_secs(20), watcher.take(1)).await;
        assert_eq!(seen.unwrap().len(), 1);
    }
}
