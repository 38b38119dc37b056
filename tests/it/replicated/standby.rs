//! Reads at a standby: they see what was committed before them, whatever becomes of the standby.

use std::time::Duration;

use pedigree::graph::Clock;
use pedigree::proto::pedigree::lineage::v1::TraceRequest;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use tokio::time::timeout;
use tonic::Status;

use super::cluster::Cluster;
use super::pair::Pair;
use super::writers::Writers;
use crate::python::sized;
use crate::sql::{query, run_sql};
use crate::streams::{Watcher, from_cursor, from_now};
use crate::support::Replica;
use crate::support::prelude::*;

with_servers! {
    traces_lists_and_watches_are_read_at_the_standby,
    what_any_server_has_stored_is_traced_while_the_standby_lags,
    a_standby_that_is_away_or_silent_is_done_without,
    a_standby_that_was_promoted_is_not_read,
    a_node_of_a_cluster_serves_as_standby,
}

/// More than the first part of a list.
const NODES: usize = 600;

const CLIENTS: usize = 8;

/// How long the standby may take to be used.
const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: &str = "SELECT pg_wal_replay_pause()";
const RESUME: &str = "SELECT pg_wal_replay_resume()";

/// How many changes are not in the history yet, how far it is, and what artifacts say.
const STATE: &str = "
    SELECT CONCAT(
        (SELECT COUNT(*) FROM PedigreeOutbox), ' ', (SELECT MAX(position) FROM PedigreeChange), ' ',
        (SELECT MAX(uri) FROM Artifact))";

/// A primary whose commits do not wait for its standby, and a server that uses both.
struct Served {
    pair: Pair,
    server: Replica,
    type_id: i64,
    /// The ids of artifacts.
    ids: Vec<i64>,
}

impl Served {
    async fn start() -> Self {
        let pair = Pair::start();
        pair.wait_for_no_standby(1).await;
        let server = Replica::with_standby(&pair.url(1), &pair.url(2)).await;
        let type_id = server.ask(Artifact::put_type("T", &[])).await;
        let new = |number: usize| Artifact::new(type_id, &number.to_string());
        let ids = server.ask(Artifact::put((0..NODES).map(new).collect()));
        Self {
            ids: ids.await,
            pair,
            server,
            type_id,
        }
    }

    /// Stops the replay at the standby when it has everything, and then has the primary say who it
    /// is: no change of the history, so that the standby may still be read.
    async fn tell_apart(&self) {
        let [primary, standby] = [self.pair.url(1), self.pair.url(2)];
        run_sql(&primary, "UPDATE Artifact SET uri = 'either'").await;
        loop {
            let state = query(&primary, STATE).await;
            if state[0].starts_with("0 ") && query(&standby, STATE).await == state {
                break;
            }
        }
        self.pair.run_sql(2, PAUSE).await;
        run_sql(&primary, "UPDATE Artifact SET uri = 'primary'").await;
    }

    async fn put(&self, name: &str) -> i64 {
        let new = Artifact::new(self.type_id, name);
        self.server.ask(Artifact::put(vec![new])).await[0]
    }

    async fn traces_at_primary(&self) -> bool {
        let found = traced(&self.server, self.ids[0]).await.unwrap();
        found.uri() == "primary"
    }

    /// Waits until traces are read at the standby, after [`Self::tell_apart`].
    async fn traces_go_to_the_standby(&self) {
        let used = async { while self.traces_at_primary().await {} };
        timeout(PATIENCE, used).await.unwrap();
    }
}

/// An artifact as `Trace` finds it.
async fn traced(server: &Replica, id: i64) -> Result<Artifact, Status> {
    let mut client = LineageServiceClient::new(server.channel.clone());
    let request = TraceRequest {
        artifact_ids: vec![id],
        ..TraceRequest::default()
    };
    let mut responses = client.trace(request).await?.into_inner();
    let first = responses.message().await?.unwrap();
    Ok(first.artifacts[0].clone())
}

async fn traces_lists_and_watches_are_read_at_the_standby() {
    let served = Served::start().await;
    let mut watcher = Watcher::start(served.server.channel.clone(), from_now()).await;
    served.put("first").await;
    watcher.take(1).await;
    served.put("second").await;
    served.put("third").await;
    served.tell_apart().await;
    served.traces_go_to_the_standby().await;
    let listed = served.server.ask(Artifact::list(None)).await;
    assert_eq!(listed.nodes.len(), NODES + 3);
    assert_eq!(listed.nodes[0].uri(), "either");
    // Where a row is gone, the history since the cursor is not kept any more.
    let position: i64 = watcher.cursor.split('@').next().unwrap().parse().unwrap();
    let lose = format!(
        "DELETE FROM PedigreeChange WHERE position = {}",
        position + 1
    );
    run_sql(&served.pair.url(1), lose).await;
    let resumed = from_cursor(&watcher.cursor);
    let mut resumed = Watcher::start(served.server.channel.clone(), resumed).await;
    assert!(!resumed.take(1).await.is_empty());
}

async fn what_any_server_has_stored_is_traced_while_the_standby_lags() {
    let served = Served::start().await;
    let urls = [1, 2].map(|number| served.pair.url(number));
    let other = Replica::with_standby(&urls[0], &urls[1]).await;
    let servers = [&served.server, &other];
    served.tell_apart().await;
    served.traces_go_to_the_standby().await;
    let id = served.put("while the standby stands still").await;
    for server in servers {
        assert_eq!(traced(server, id).await.unwrap().id, Some(id));
    }
    served.pair.run_sql(2, RESUME).await;
    let writers = Writers::start(std::slice::from_ref(&other), served.type_id, CLIENTS);
    for round in 0..sized(50, 300) {
        let id = served.put(&format!("round {round}")).await;
        for server in servers {
            let found = traced(server, id).await;
            assert!(found.is_ok(), "round {round}: {found:?}");
        }
    }
    writers.end().await;
}

async fn a_standby_that_is_away_or_silent_is_done_without() {
    let served = Served::start().await;
    served.tell_apart().await;
    served.traces_go_to_the_standby().await;
    served.pair.freeze(2);
    assert!(served.traces_at_primary().await);
    assert_eq!(
        served.server.ask(Artifact::list(None)).await.nodes.len(),
        NODES
    );
    served.pair.thaw(2);
    served.traces_go_to_the_standby().await;
    served.pair.kill(2);
    assert!(served.traces_at_primary().await);
    served.pair.rejoin_async(2);
    served.tell_apart().await;
    served.traces_go_to_the_standby().await;
}

async fn a_standby_that_was_promoted_is_not_read() {
    let served = Served::start().await;
    served.tell_apart().await;
    served.traces_go_to_the_standby().await;
    served.pair.run_sql(2, RESUME).await;
    served.pair.promote(2);
    let other = Replica::at(&served.pair.url(2), Clock::default()).await;
    let elsewhere = Artifact::new(served.type_id, "elsewhere");
    other.ask(Artifact::put(vec![elsewhere])).await;
    while !query(&served.pair.url(2), STATE).await[0].starts_with("0 ") {}
    // The histories have a row at the same position each.
    let id = served.put("here").await;
    assert!(served.traces_at_primary().await);
    assert_eq!(traced(&served.server, id).await.unwrap().name(), "here");
}

async fn a_node_of_a_cluster_serves_as_standby() {
    let cluster = Cluster::open().await;
    let server = Replica::with_standby(&cluster.urls[0], &cluster.urls[1]).await;
    let type_id = server.ask(Artifact::put_type("T", &[])).await;
    for round in 0..sized(30, 150) {
        let new = Artifact::new(type_id, &round.to_string());
        let id = server.ask(Artifact::put(vec![new])).await[0];
        assert_eq!(
            traced(&server, id).await.unwrap().id,
            Some(id),
            "round {round}"
        );
    }
}
