//! The budget of connections: it is kept, and a server that grants fewer is made do with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pedigree::storage::{Database, is_busy};

use crate::binary::Server;
use crate::faults::cluster::Cluster;
use crate::sql::query;
use crate::streams::{Watcher, from_the_beginning};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

on_every_server! {
    a_budget_counts_all_connections,
    calls_wait_where_few_connections_are_granted,
}

on_every_database!(a_database_is_there_while_all_connections_are_in_use);

const CLIENTS: usize = 12;

/// How often each client writes and reads.
const ROUNDS: usize = 25;

/// Writes and reads with all clients; no call may fail.
async fn work(server: &Server) {
    let client = server.client().await;
    let type_id = Artifact::put_type("T", &[]).ask(client).await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(tokio::spawn(work_alone(server.client().await, type_id)));
    }
    for client in clients {
        client.await.unwrap();
    }
}

async fn work_alone(client: Client, type_id: i64) {
    for _ in 0..ROUNDS {
        let put = Artifact::put(vec![Artifact::default().with_type(type_id)]);
        let ids = put.ask(client.clone()).await.unwrap();
        let read = Artifact::by_ids(&ids).ask(client.clone()).await.unwrap();
        assert_eq!(read.len(), 1);
    }
}

/// The sessions of the store.
async fn sessions(cluster: &Cluster) -> usize {
    let sql = match cluster.backend {
        Backend::Postgres => "SELECT usename::text FROM pg_stat_activity WHERE usename = 'store'",
        _ => "SELECT user FROM information_schema.processlist WHERE user = 'store'",
    };
    query(&cluster.url(), sql).await.len()
}

async fn a_budget_counts_all_connections(backend: Backend) {
    let cluster = Arc::new(Cluster::start(backend).await);
    for budget in [2, 3, 5] {
        let server = cluster.serve(&["--database-connections", &budget.to_string()]);
        let mut watcher = Watcher::start(server.connect().await, from_the_beginning()).await;
        let is_over = Arc::new(AtomicBool::new(false));
        let most = tokio::spawn({
            let (cluster, is_over) = (cluster.clone(), is_over.clone());
            async move {
                let mut most = 0;
                while !is_over.load(Ordering::Relaxed) {
                    most = most.max(sessions(&cluster).await);
                }
                most
            }
        });
        work(&server).await;
        watcher.take(CLIENTS * ROUNDS).await;
        is_over.store(true, Ordering::Relaxed);
        let most = most.await.unwrap();
        assert!((2..=budget).contains(&most), "{most} of {budget}");
        drop(watcher);
        Cluster::stop(server);
    }
}

async fn calls_wait_where_few_connections_are_granted(backend: Backend) {
    let cluster = Cluster::start(backend).await;
    Cluster::stop(cluster.serve(&[]));
    cluster
        .run_sql(match backend {
            Backend::Postgres => "ALTER ROLE store CONNECTION LIMIT 3",
            _ => "GRANT USAGE ON *.* TO 'store'@'%' WITH MAX_USER_CONNECTIONS 3",
        })
        .await;
    for budget in ["3", "16"] {
        let server = serve_when_free(&cluster, budget).await;
        let watcher = Watcher::start(server.connect().await, from_the_beginning()).await;
        work(&server).await;
        drop(watcher);
        Cluster::stop(server);
    }
}

/// Servers learn a bit later that the sessions before have ended.
async fn serve_when_free(cluster: &Cluster, budget: &str) -> Server {
    while sessions(cluster).await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cluster.serve(&["--database-connections", budget])
}

/// What probes ask has a connection of its own, or says at least that all others are in use.
async fn a_database_is_there_while_all_connections_are_in_use(backend: Backend) {
    let store = TestDatabase::new(backend);
    for budget in [2, 3, 16] {
        let database = Database::open(&store.url, budget).await.unwrap();
        let (writers, readers) = match (backend, budget) {
            (Backend::SqliteFile, _) => (1, budget.div_ceil(2)),
            (_, 16) => (8, 7),
            _ => (1, 1),
        };
        let mut used = Vec::new();
        for _ in 0..writers {
            used.push(database.write().await.unwrap());
        }
        for _ in 0..readers {
            used.push(database.read().await.unwrap());
        }
        match database.check().await {
            Ok(()) => {}
            Err(error) => {
                assert!(budget == 2 && backend != Backend::SqliteFile, "{error}");
                assert!(is_busy(&error), "{error}");
            }
        }
        drop(used);
        database.check().await.unwrap();
        database.close().await;
    }
}
