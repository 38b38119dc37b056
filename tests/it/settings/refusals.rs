//! Permanent refusals of a database: their code asks for no retry, and requests are served again
//! once an operator has removed the cause.

use std::fs;
use std::time::Duration;

use pb::PutArtifactsRequest;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use tonic::Status;

use crate::binary::{Server, run, wait_for};
use crate::crash::{Types, execution, put_types};
use crate::faults::cluster::Cluster;
use crate::serving::get;
use crate::streams::{Recording, code_of, message};
use crate::support::prelude::*;
use crate::support::{Backend, Client};

on_every_server! {
    a_database_that_only_reads,
    a_right_that_is_taken_away,
    a_table_that_is_away,
    a_login_that_is_no_longer_accepted,
    a_user_that_does_not_exist_ends_the_start,
}
with_servers! {
    a_database_without_a_character,
    a_request_beyond_the_packets_of_mysql,
}

struct Served {
    server: Server,
    client: Client,
    types: Types,
    writes: usize,
}

impl Served {
    async fn by(cluster: &Cluster) -> Self {
        let server = cluster.serve(&["--admin-port", "0"]);
        let client = server.client().await;
        let types = put_types(client.clone()).await;
        let mut fixture = Self {
            server,
            client,
            types,
            writes: 0,
        };
        fixture.write().await.unwrap();
        fixture
    }

    async fn write(&mut self) -> Result<(), Status> {
        self.writes += 1;
        let name = format!("write {}", self.writes);
        let put = execution(self.types, &name).ask(self.client.clone()).await;
        put.map(|_| ())
    }

    /// Waits until the probes have this status.
    async fn is_ready(&self, status: u16) {
        while get(self.server.admin(), "/readyz").await.status != status {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn read(&self) -> Result<usize, Status> {
        let page = Execution::list(None).ask(self.client.clone()).await?;
        Ok(page.nodes.len())
    }
}

#[track_caller]
fn assert_refused<T>(answer: Result<T, Status>, code: Code, text: &str) {
    let status = answer.err().unwrap();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(text), "{status:?}");
}

async fn a_database_that_only_reads(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    let mut served = Served::by(&cluster).await;
    let [start, end] = match backend {
        Backend::Postgres => ["on", "off"].map(|mode| {
            let set = format!("ALTER SYSTEM SET default_transaction_read_only = {mode}");
            [set, "SELECT pg_reload_conf()".to_owned()]
        }),
        _ => [1, 0].map(|mode| [format!("SET GLOBAL read_only = {mode}"), "DO 0".to_owned()]),
    };
    for sql in start {
        cluster.run_sql(sql).await;
    }
    served.is_ready(503).await;
    let text = "the database is read-only";
    assert_refused(served.write().await, Code::FailedPrecondition, text);
    assert_eq!(served.read().await.unwrap(), 1);
    let other = cluster.serve(&["--admin-port", "0"]);
    assert_eq!(get(other.admin(), "/readyz").await.status, 503);
    Cluster::stop(other);
    for sql in end {
        cluster.run_sql(sql).await;
    }
    served.is_ready(200).await;
    served.write().await.unwrap();
    Cluster::stop(served.server);
}

async fn a_right_that_is_taken_away(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    let mut served = Served::by(&cluster).await;
    let [take, give] = match backend {
        Backend::Postgres => [
            "REVOKE INSERT ON Execution FROM store",
            "GRANT INSERT ON Execution TO store",
        ],
        _ => [
            "REVOKE INSERT ON store.* FROM store",
            "GRANT INSERT ON store.* TO store",
        ],
    };
    cluster.run_sql_in_store(take).await;
    // MySQL's sessions keep the rights that they had.
    cluster.close_sessions().await;
    let text = "the user of the database lacks a right";
    assert_refused(served.write().await, Code::FailedPrecondition, text);
    assert_eq!(served.read().await.unwrap(), 1);
    served.is_ready(503).await;
    let other = cluster.serve(&["--admin-port", "0"]);
    assert_eq!(get(other.admin(), "/readyz").await.status, 503);
    Cluster::stop(other);
    cluster.run_sql_in_store(give).await;
    cluster.close_sessions().await;
    served.write().await.unwrap();
    served.is_ready(200).await;
    let log = served.server.process.log();
    assert!(log.contains("denied"), "{log}");
    Cluster::stop(served.server);
}

async fn a_table_that_is_away(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    let mut served = Served::by(&cluster).await;
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    cluster
        .run_sql_in_store(rename("Execution", "Elsewhere"))
        .await;
    let text = "a table of the database is missing";
    assert_refused(served.write().await, Code::FailedPrecondition, text);
    assert_refused(served.read().await, Code::FailedPrecondition, text);
    served.is_ready(503).await;
    cluster
        .run_sql_in_store(rename("Elsewhere", "Execution"))
        .await;
    served.write().await.unwrap();
    served.is_ready(200).await;
    assert_eq!(served.read().await.unwrap(), 2);
    Cluster::stop(served.server);
}

async fn a_login_that_is_no_longer_accepted(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    let mut served = Served::by(&cluster).await;
    let password = |word: &str| match backend {
        Backend::Postgres => format!("ALTER ROLE store PASSWORD '{word}'"),
        _ => format!("ALTER USER store IDENTIFIED BY '{word}'"),
    };
    cluster.run_sql(password("another")).await;
    // A session that logged in just before is seen by a later round.
    loop {
        cluster.close_sessions().await;
        if served.write().await.is_err() && served.read().await.is_err() {
            break;
        }
    }
    let text = "the login is refused";
    assert_refused(served.write().await, Code::FailedPrecondition, text);
    assert_refused(served.read().await, Code::FailedPrecondition, text);
    served.is_ready(503).await;
    cluster.run_sql(password("kPq7vX")).await;
    served.write().await.unwrap();
    served.is_ready(200).await;
    Cluster::stop(served.server);
}

/// Whether by a password or, where none is asked for, by the name alone.
async fn a_user_that_does_not_exist_ends_the_start(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    let url = cluster.store_url().replace("//store:", "//missing:");
    for trusts in [false, true] {
        if trusts && backend == Backend::Postgres {
            let rules = cluster.home().join("data/pg_hba.conf");
            fs::write(rules, "host all all 127.0.0.1/32 trust\n").unwrap();
            cluster.run_sql("SELECT pg_reload_conf()").await;
            // The server reads it a bit later.
            wait_for("the rules", || {
                let log = fs::read_to_string(cluster.home().join("log")).unwrap();
                log.contains("SIGHUP").then_some(())
            });
        }
        let ended = run(cluster.command(&url, &[]));
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let lines: Vec<_> = ended.stderr.lines().collect();
        let last = lines.last().unwrap();
        assert!(last.contains("the login is refused"), "{ended:?}");
        assert!(!last.contains("at line"), "{last}");
    }
}

async fn a_database_without_a_character() {
    let cluster = Cluster::start(Backend::Postgres).await;
    cluster.run_sql("DROP DATABASE store").await;
    cluster
        .run_sql(
            "CREATE DATABASE store OWNER store ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
        )
        .await;
    let server = cluster.serve(&[]);
    let client = server.client().await;
    let type_id = Artifact::put_type("T", &[]).ask(client.clone()).await;
    let type_id = type_id.unwrap();
    let put = |name: &str| Artifact::put(vec![Artifact::new(type_id, name)]);
    put("é").ask(client.clone()).await.unwrap();
    let lacks = "the encoding of this database lacks a character";
    let refused = put("😀").ask(client.clone()).await;
    assert_refused(refused, Code::InvalidArgument, lacks);
    let refused = Artifact::by_name("T", "😀").ask(client.clone()).await;
    assert_refused(refused, Code::InvalidArgument, lacks);

    let mut recording = Recording::start(server.connect().await).await;
    let messages = ["a", "😀", "b"].map(|name| {
        let put = PutArtifactsRequest {
            artifacts: vec![Artifact::new(type_id, name)],
            ..PutArtifactsRequest::default()
        };
        message(&format!("{:?}", name.as_bytes()), Change::PutArtifacts(put))
    });
    let answers = recording.say(messages.to_vec()).await;
    let codes: Vec<_> = answers.iter().map(code_of).collect();
    assert_eq!(codes, [Code::Ok, Code::InvalidArgument, Code::Ok]);
    Cluster::stop(server);
}

/// A packet a bit too large is answered; one far beyond the limit is met by a closed connection.
async fn a_request_beyond_the_packets_of_mysql() {
    let cluster = Cluster::start(Backend::MySql).await;
    cluster
        .run_sql("SET GLOBAL max_allowed_packet = 1048576")
        .await;
    let mut served = Served::by(&cluster).await;
    let put_type = Artifact::put_type("T", &[]).ask(served.client.clone());
    let type_id = put_type.await.unwrap();
    for bytes in [1 << 20, 30 << 20] {
        let artifact = Artifact::new(type_id, &format!("of {bytes}"));
        let artifact = artifact.with_custom("t", text("x".repeat(bytes)));
        let put = Artifact::put(vec![artifact])
            .ask(served.client.clone())
            .await;
        assert_refused(put, Code::InvalidArgument, "max_allowed_packet");
        served.write().await.unwrap();
    }
    Cluster::stop(served.server);
}
