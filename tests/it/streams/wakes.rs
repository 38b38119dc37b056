//! The word that servers on one PostgreSQL database give each other.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::timeout;

use crate::support::prelude::*;

on_backend!(postgres, Postgres: a_write_is_told_to_other_servers);

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
