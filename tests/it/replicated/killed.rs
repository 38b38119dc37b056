//! Nodes of a Galera cluster are killed while clients write through all of them.

use std::collections::BTreeSet;

use tokio::task::block_in_place;

use super::cluster::Cluster;
use super::writers::Writers;
use crate::python::sized;
use crate::sql::run_sql;
use crate::support::prelude::*;

with_servers! {
    a_killed_node_loses_nothing_that_was_acknowledged,
    a_quorum_that_is_lost_and_restored_loses_nothing,
}

const CLIENTS: usize = 48;

const BOOTSTRAP: &str = "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'";

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
    nothing_is_lost(&cluster, writers).await;
}

/// Of three nodes, one alone has no quorum: an administrator makes it the cluster.
async fn a_quorum_that_is_lost_and_restored_loses_nothing() {
    let cluster = Cluster::open_alone().await;
    let servers = cluster.servers().await;
    let type_id = servers[0].ask(Artifact::put_type("T", &[])).await;
    let writers = Writers::start(&servers, type_id, CLIENTS);
    for place in 0..servers.len() {
        writers.wait_for_more(place, 100).await;
    }
    for number in [2, 3] {
        block_in_place(|| Cluster::kill(number));
    }
    writers.wait_for_refusals(0, CLIENTS).await;
    servers[0].is_not_serving().await;
    run_sql(&cluster.urls[0], BOOTSTRAP).await;
    writers.wait_for_more(0, 100).await;
    for number in [2, 3] {
        block_in_place(|| Cluster::rejoin(number));
        writers.wait_for_more(number - 1, 100).await;
    }
    nothing_is_lost(&cluster, writers).await;
}

/// Checks that all nodes have the same, with everything that was acknowledged.
async fn nothing_is_lost(cluster: &Cluster, writers: Writers) {
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
