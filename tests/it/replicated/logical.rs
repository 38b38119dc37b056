//! PostgreSQL's logical replication copies rows, but no sequences. A subscriber that becomes the
//! database: the server reports its sequences, and `pedigree migrate` advances them.

use pedigree::graph::Clock;

use super::pair::Pair;
use crate::binary::Server;
use crate::migrate::{assert_says, said};
use crate::sql::{query, run_sql};
use crate::support::prelude::*;
use crate::support::{Backend, Replica, TestDatabase};

with_servers!(a_subscriber_is_told_of_its_sequences_and_mended);

/// Empties a store, whose rows are to come from another one.
const TRUNCATE: &str = "DO $$ BEGIN EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(tablename, ', ') FROM pg_tables WHERE schemaname = 'public'
); END $$";

/// The tables whose rows are still being copied.
const UNREADY: &str = "SELECT CAST(CAST(srrelid AS regclass) AS TEXT) FROM pg_subscription_rel
                       WHERE srsubstate <> 'r'";

/// Committed changes without a position yet, whose ids come from a sequence too.
const OUTBOX: &str = "SELECT CAST(id AS TEXT) FROM PedigreeOutbox";

const NAMES: &str = "SELECT name FROM Artifact ORDER BY id";

async fn a_subscriber_is_told_of_its_sequences_and_mended() {
    let pair = Pair::start();
    let publisher = Replica::at(&pair.url(1), Clock::default()).await;
    let type_id = publisher.ask(Artifact::put_type("T", &[])).await;
    let put = |name: &str| Artifact::put(vec![Artifact::new(type_id, name)]);
    publisher.ask(put("copied")).await;
    let publish = "CREATE PUBLICATION everything FOR ALL TABLES";
    run_sql(&pair.url(1), publish).await;
    let database = TestDatabase::new(Backend::Postgres);
    run_sql(&database.url, TRUNCATE).await;
    let from = pair.url(1);
    let subscribe =
        format!("CREATE SUBSCRIPTION everything CONNECTION '{from}' PUBLICATION everything");
    run_sql(&database.url, subscribe).await;
    while !query(&database.url, UNREADY).await.is_empty() {}
    publisher.ask(put("replicated")).await;
    while query(&database.url, NAMES).await != ["copied", "replicated"] {}
    while !query(&database.url, OUTBOX).await.is_empty() {}
    run_sql(&database.url, "DROP SUBSCRIPTION everything").await;

    let server = Server::on(&database, &["--admin-port", "0"]);
    let line = "sequences: NOT OK: are behind their tables (Artifact, Type), as after logical \
                replication: new rows are refused as if they existed; run `pedigree migrate`";
    assert_says(&server, line).await;
    let refused = put("new").ask(server.client().await).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
    let expected = [
        "advanced the sequence of Artifact",
        "advanced the sequence of Type",
        "nothing to do: the schema has version 10",
    ];
    assert_eq!(said(&database, &[]), expected);
    put("new").ask(server.client().await).await.unwrap();
    let other = Artifact::put_type("U", &[]).ask(server.client().await);
    assert!(other.await.unwrap() > type_id);
    server.stop();
    assert_eq!(said(&database, &[])[..], expected[2..]);
}
