//! The admin port.

use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pedigree::config::Config;
use pedigree::error::{Error, StartError};
use pedigree::graph::Clock;
use pedigree::server::{self, Listeners};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::get;
use crate::binary::Server;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    requests_and_connections_are_counted,
}

/// The value of a metric that is rendered with exactly these labels.
fn value(metrics: &str, metric: &str) -> f64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {metric} in {metrics}"));
    line.parse().unwrap()
}

async fn requests_and_connections_are_counted() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &["--admin-port", "0"]);
    let client = server.client().await;
    for _ in 0..3 {
        let put = Artifact::put_type("Data", &[]);
        put.ask(client.clone()).await.unwrap();
    }
    let missing = pb::GetArtifactTypeRequest {
        type_name: Some("none".to_owned()),
        ..Default::default()
    };
    missing.ask(client).await.unwrap_err();

    let answer = get(server.admin(), "/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4")
    );
    let metrics = answer.text();
    let method = "/ml_metadata.MetadataStoreService";
    for (metric, expected) in [
        (
            format!(
                "pedigree_rpc_requests_total{{method=\"{method}/PutArtifactType\",code=\"OK\"}}"
            ),
            3.0,
        ),
        (
            format!(
                "pedigree_rpc_requests_total{{method=\"{method}/GetArtifactType\",code=\"NOT_FOUND\"}}"
            ),
            1.0,
        ),
        (
            format!("pedigree_rpc_duration_seconds_count{{method=\"{method}/PutArtifactType\"}}"),
            3.0,
        ),
        ("pedigree_rpc_in_flight".to_owned(), 0.0),
        ("pedigree_transaction_retries_total".to_owned(), 0.0),
        (
            format!(
                "pedigree_build_info{{version=\"{}\",commit=\"unknown\"}}",
                env!("CARGO_PKG_VERSION")
            ),
            1.0,
        ),
        (
            "pedigree_db_connections{pool=\"write\",state=\"max\"}".to_owned(),
            1.0,
        ),
        (
            "pedigree_db_connections{pool=\"read\",state=\"max\"}".to_owned(),
            8.0,
        ),
    ] {
        assert!(
            (value(&metrics, &metric) - expected).abs() < 1e-9,
            "{metric}: {metrics}"
        );
    }
    assert_eq!(get(server.admin(), "/none").await.status, 404);
    server.stop();
}

async fn local_listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

/// Ends a listener from outside, as nothing in the program does.
fn end(listener: impl AsFd) {
    let socket: OwnedFd = listener.as_fd().try_clone_to_owned().unwrap();
    TcpStream::from(socket).shutdown(Shutdown::Both).unwrap();
}

/// Ends one listener of a server, which must end with this error.
async fn a_dead_listener_ends_the_server(which: fn(&Listeners) -> &TcpListener, expected: &str) {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let config = Config::with_url(&database.url).unwrap();
    let listeners = Listeners {
        main: local_listener().await,
        admin: Some(local_listener().await),
    };
    let admin = listeners.admin.as_ref().unwrap().local_addr().unwrap();
    let twin = which(&listeners).as_fd().try_clone_to_owned().unwrap();
    let stop = CancellationToken::new();
    let running =
        tokio::spawn(async move { server::run(&config, listeners, Clock::default(), stop).await });
    while get(admin.port(), "/readyz").await.status != 200 {
        tokio::task::yield_now().await;
    }
    end(twin);
    let ended = tokio::time::timeout(Duration::from_mins(1), running).await;
    let error = ended.unwrap().unwrap().unwrap_err();
    let is_internal = matches!(error, StartError::Failed(Error::Internal { .. }));
    assert!(is_internal, "{error:?}");
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_admin_listener_ends_the_server() {
    a_dead_listener_ends_the_server(
        |listeners| listeners.admin.as_ref().unwrap(),
        "the admin listener failed",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_main_listener_ends_the_server() {
    a_dead_listener_ends_the_server(|listeners| &listeners.main, "the listener failed").await;
}
