//! The database is ended and restarted while sixteen clients write.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::{Tally, Writer};
use crate::binary::Server;
use crate::crash::{Acknowledged, Types, check, check_rows, put_types};
use crate::python::sized;
use crate::sql::query;
use crate::support::{Backend, Client};

on_every_server!(it_is_killed, it_is_restarted);

const WRITERS: usize = 16;

async fn it_is_killed(backend: Backend) {
    survives(backend, sized(3, 10), Cluster::kill).await;
}

async fn it_is_restarted(backend: Backend) {
    survives(backend, sized(1, 5), Cluster::halt).await;
}

async fn survives(backend: Backend, rounds: usize, end: fn(&Cluster)) {
    let cluster = Cluster::start(backend).await;
    let server = cluster.serve(&[]);
    let types = put_types(server.client().await).await;
    let (tally, stop) = (Tally::default(), Arc::new(AtomicBool::new(false)));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let client = server.client().await;
        let writer = write(client, types, tally.clone(), writer, stop.clone());
        writers.push(tokio::spawn(writer));
    }
    for round in 0..rounds {
        wait_for_more(&tally, "Ok", 100 + 37 * round).await;
        end(&cluster);
        wait_for_more(&tally, "Unavailable", WRITERS).await;
        cluster.start_again();
    }
    wait_for_more(&tally, "Ok", 100).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Acknowledged::new();
    let mut found = Vec::new();
    for writer in writers {
        let writer = writer.await.unwrap();
        acknowledged.extend(writer.acknowledged);
        found.extend(writer.found);
    }
    tally.show(&format!(
        "{backend:?}, {rounds} ends, {} executions acknowledged, {} found",
        acknowledged.executions.len(),
        found.len()
    ));
    check_all(&cluster, &server, &acknowledged, &found).await;
    Cluster::stop(server);
}

async fn write(
    client: Client,
    types: Types,
    tally: Tally,
    number: usize,
    stop: Arc<AtomicBool>,
) -> Writer {
    let mut writer = Writer::new(client, types, tally);
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        writer.write(&format!("writer {number} turn {turn}")).await;
    }
    writer
}

async fn check_all(
    cluster: &Cluster,
    server: &Server,
    acknowledged: &Acknowledged,
    found: &[String],
) {
    check(&server.client().await, acknowledged).await;
    let url = cluster.store_url();
    check_rows(&url).await;
    let stored = query(&url, "SELECT name FROM Execution").await;
    let stored: BTreeSet<String> = stored.into_iter().collect();
    assert!(found.iter().all(|name| stored.contains(name)));
}

/// Waits until so many more calls have ended so.
async fn wait_for_more(tally: &Tally, what: &str, more: usize) {
    let enough = tally.of(what) + more;
    let end = Instant::now() + Duration::from_mins(2);
    while tally.of(what) < enough {
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
