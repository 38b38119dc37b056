//! The word that servers on one PostgreSQL database give each other.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::timeout;

use crate::support::Backend;
use crate::support::prelude::*;

/// A server that nobody watches says it at once, and once more when it has given the change its position.
#[tokio::test]
async fn a_write_is_told_to_other_servers() {
    let store = Store::open(Backend::Postgres).await;
    let mut listener = PgListener::connect(store.url()).await.unwrap();
    listener.listen("pedigree").await.unwrap();
    store.ask(Artifact::put_type("Data", &[])).await;
    for word in ["first", "second"] {
        let heard = timeout(Duration::from_secs(20), listener.recv()).await;
        heard.expect(word).unwrap();
    }
}
