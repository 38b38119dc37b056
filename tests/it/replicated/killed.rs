//! A node of a Galera cluster is killed while clients write through all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use super::cluster::Cluster;
use crate::python::sized;
use crate::support::Replica;
use crate::support::prelude::*;

with_servers!(a_killed_node_loses_nothing_that_was_acknowledged);

const CLIENTS: usize = 48;

/// The node that is killed, counted from 1.
const KILLED_NODE: usize = 3;

/// What the clients of one server have seen.
#[derive(Default)]
struct Seen {
    stored: AtomicUsize,
    refusals: Mutex<BTreeMap<String, usize>>,
}

impl Seen {
    async fn wait_for_more(&self, more: usize) {
        let enough = self.stored.load(Ordering::Relaxed) + more;
        let end = Instant::now() + Duration::from_mins(2);
        while self.stored.load(Ordering::Relaxed) < enough {
            assert!(Instant::now() < end, "waited in vain for writes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Puts artifacts until the end, and returns the names of those that were acknowledged.
async fn write(
    server: Replica,
    type_id: i64,
    client: usize,
    seen: Arc<Seen>,
    is_over: Arc<AtomicBool>,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for turn in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("{client} {turn}");
        let put = Artifact::put(vec![Artifact::new(type_id, &name)]);
        match server.send(put).await {
            Ok(_) => {
                acknowledged.push(name);
                seen.stored.fetch_add(1, Ordering::Relaxed);
            }
            Err(status) => {
                let what = format!("{:?}: {}", status.code(), status.message());
                *seen.refusals.lock().unwrap().entry(what).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    acknowledged
}

async fn a_killed_node_loses_nothing_that_was_acknowledged() {
    let cluster = Cluster::open_alone().await;
    let servers = cluster.servers().await;
    let type_id = servers[0].ask(Artifact::put_type("T", &[])).await;
    let seen: Vec<Arc<Seen>> = servers.iter().map(|_| Arc::default()).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let place = client % servers.len();
            let (server, seen) = (servers[place].clone(), seen[place].clone());
            tokio::spawn(write(server, type_id, client, seen, is_over.clone()))
        })
        .collect();
    for _ in 0..sized(1, 3) {
        for seen in &seen {
            seen.wait_for_more(100).await;
        }
        block_in_place(|| Cluster::kill(KILLED_NODE));
        for survivor in &seen[..KILLED_NODE - 1] {
            survivor.wait_for_more(100).await;
        }
        block_in_place(|| Cluster::rejoin(KILLED_NODE));
        seen[KILLED_NODE - 1].wait_for_more(100).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut acknowledged = BTreeSet::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    for (place, seen) in seen.iter().enumerate() {
        let refusals = seen.refusals.lock().unwrap();
        println!("node {}: refused {refusals:?}", place + 1);
        let unexpected: Vec<_> = refusals
            .keys()
            .filter(|what| !what.starts_with("Unavailable: "))
            .collect();
        assert!(unexpected.is_empty(), "{unexpected:?}");
    }
    let names = "SELECT name FROM Artifact ORDER BY name";
    let found = cluster.query_everywhere(names).await;
    println!(
        "{} acknowledged, {} stored",
        acknowledged.len(),
        found[0].len()
    );
    assert!(found.iter().all(|names| *names == found[0]));
    let stored: BTreeSet<String> = found.into_iter().next().unwrap().into_iter().collect();
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
