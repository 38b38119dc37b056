//! PostgreSQL with a standby that takes over, and servers that know both by a list of hosts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pedigree::graph::Clock;

use super::pair::Pair;
use super::writers::Writers;
use crate::python::sized;
use crate::sql::query;
use crate::streams::{Watcher, from_cursor, from_now};
use crate::support::Replica;
use crate::support::prelude::*;

with_servers! {
    failovers_by_the_list_of_hosts_lose_nothing,
    a_primary_that_says_nothing_is_left,
    a_primary_that_only_reads_is_left,
}

const CLIENTS: usize = 8;

/// How long after a promotion writes may be refused.
const MOVING_TIME: Duration = Duration::from_secs(5);

const NAMES: &str = "SELECT name FROM Artifact";

/// A server that knows both, and the id of a type.
async fn serve(pair: &Pair) -> (Replica, i64) {
    let server = Replica::at(&pair.list(), Clock::default()).await;
    let type_id = server.ask(Artifact::put_type("T", &[])).await;
    (server, type_id)
}

/// Checks that writes go on in time after a promotion at this moment.
async fn writes_go_on(writers: &Writers, promoted: Instant) {
    writers.wait_for_more(0, CLIENTS + 1).await;
    let took = promoted.elapsed();
    println!("writes went on {took:?} after the promotion");
    assert!(took < MOVING_TIME || !sized(false, true), "{took:?}");
}

/// Checks that a server has everything that was acknowledged.
async fn nothing_is_lost(url: &str, writers: Writers) {
    let acknowledged = writers.end().await;
    let stored: BTreeSet<String> = query(url, NAMES).await.into_iter().collect();
    println!(
        "{} acknowledged, {} stored",
        acknowledged.len(),
        stored.len()
    );
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

async fn failovers_by_the_list_of_hosts_lose_nothing() {
    let pair = Pair::start();
    let (server, type_id) = serve(&pair).await;
    let writers = Writers::start(&[server], type_id, CLIENTS);
    let (mut primary, mut standby) = (1, 2);
    for _ in 0..sized(2, 5) {
        writers.wait_for_more(0, 100).await;
        pair.kill(primary);
        pair.promote(standby);
        writes_go_on(&writers, Instant::now()).await;
        pair.rejoin(primary);
        (primary, standby) = (standby, primary);
    }
    nothing_is_lost(&pair.url(primary), writers).await;
}

async fn a_primary_that_says_nothing_is_left() {
    let pair = Pair::start();
    let (server, type_id) = serve(&pair).await;
    let writers = Writers::start(&[server], type_id, CLIENTS);
    writers.wait_for_more(0, 100).await;
    pair.freeze(1);
    pair.promote(2);
    writes_go_on(&writers, Instant::now()).await;
    nothing_is_lost(&pair.url(2), writers).await;
}

/// As after a switch-over by hand. Connections stay open, also that of LISTEN.
async fn a_primary_that_only_reads_is_left() {
    let pair = Pair::start();
    let (server, type_id) = serve(&pair).await;
    let mut watcher = Watcher::start(server.channel.clone(), from_now()).await;
    let writers = Writers::start(std::slice::from_ref(&server), type_id, CLIENTS);
    writers.wait_for_more(0, 100).await;
    pair.set(1, "default_transaction_read_only = on").await;
    pair.promote(2);
    writes_go_on(&writers, Instant::now()).await;
    let acknowledged = writers.end().await;
    let stored: BTreeSet<String> = query(&pair.url(2), NAMES).await.into_iter().collect();
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // The history goes on where it was, for a client that comes back too.
    let mut seen = 0;
    while seen < stored.len() {
        match watcher.next().await {
            Ok(changes) => seen += changes.len(),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                let resumed = from_cursor(&watcher.cursor);
                watcher = Watcher::start(server.channel.clone(), resumed).await;
            }
        }
    }
    let other = Replica::at(&pair.url(2), Clock::default()).await;
    let later = Artifact::new(type_id, "later");
    other.ask(Artifact::put(vec![later])).await;
    assert_eq!(watcher.until_quiet().await.len(), 1);
}
