//! A node of a Galera cluster is killed while clients write through all of them.

use std::collections::BTreeSet;

use tokio::task::block_in_place;

use super::cluster::Cluster;
use super::writers::Writers;
use crate::python::sized;
use crate::support::prelude::*;

with_servers!(a_killed_node_loses_nothing_that_was_acknowledged);

const CLIENTS: usize = 48;

/// The node that is killed, counted from 1.
const KILLED_NODE: usize = 3;

async fn a_killed_node_loses_nothing_that_was_acknowledged() {
    let cluster = Cluster::open_alone().await;
    let servers = cluster.servers().await;
    let type_id = servers[0].ask(Artifact::put_type("T", &[])).await;
    let writers = Writers::start(&servers, type_id, CLIENTS);
    for _ in 0..sized(1, 3) {
        for place in 0..servers.len() {
            writers.wait_for_more(place, 100).await;
        }
        block_in_place(|| Cluster::kill(KILLED_NODE));
        for place in 0..KILLED_NODE - 1 {
            writers.wait_for_more(place, 100).await;
        }
        block_in_place(|| Cluster::rejoin(KILLED_NODE));
        writers.wait_for_more(KILLED_NODE - 1, 100).await;
    }
    let acknowledged = writers.end().await;
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
