//! Clients of servers at every node of a cluster write around the same nodes, and all succeed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::cluster::Cluster;
use crate::contention::{COUNTS, executions_around};
use crate::python::sized;
use crate::support::prelude::*;

with_servers!(executions_around_one_artifact_at_every_node);

const CLIENTS: usize = 48;

async fn executions_around_one_artifact_at_every_node() {
    let cluster = Cluster::open_alone().await;
    let servers = cluster.servers().await;
    let types = (
        servers[0].ask(Artifact::put_type("A", &[])).await,
        servers[0].ask(Execution::put_type("E", &[])).await,
        servers[0].ask(Context::put_type("C", &[])).await,
    );
    let put = Artifact::put(vec![Artifact::new(types.0, "shared")]);
    let ids = servers[0].ask(put).await;
    let shared = servers[0].ask(Artifact::by_ids(&ids)).await.remove(0);
    let contexts = ["c1", "c2"].map(|name| Context::new(types.2, name));
    let ids = servers[0].ask(Context::put(contexts.into())).await;
    let contexts = servers[0].ask(Context::by_ids(&ids)).await;

    let calls = sized(300, 1500);
    let next = Arc::new(AtomicUsize::new(0));
    let put = executions_around(shared, types.1, contexts);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let server = servers[client % servers.len()].clone();
            let (next, put) = (next.clone(), put.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls {
                        return times;
                    }
                    let began = Instant::now();
                    server.ask(put(number)).await;
                    times.push(began.elapsed());
                }
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    times.sort_unstable();
    let (p50, p99) = (times[calls / 2], times[calls * 99 / 100]);
    println!("{calls} calls, p50 {p50:?}, p99 {p99:?}");

    let expected = [calls, 1 + calls, 2, 2 * calls, 2 * calls, 2 * (calls + 1)];
    let expected = expected.map(|count| count.to_string());
    for counts in cluster.query_everywhere(COUNTS).await {
        assert_eq!(counts, expected);
    }
}
