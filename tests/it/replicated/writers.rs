//! Clients that write while something happens to the databases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::support::Replica;
use crate::support::prelude::*;

/// What the clients of one server have seen.
#[derive(Default)]
struct Seen {
    stored: AtomicUsize,
    refusals: Mutex<BTreeMap<String, usize>>,
}

impl Seen {
    fn refused(&self) -> usize {
        self.refusals.lock().unwrap().values().sum()
    }

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

/// Clients of servers, in turn, which write until [`Self::end`].
pub struct Writers {
    seen: Vec<Arc<Seen>>,
    is_over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<String>>>,
}

impl Writers {
    /// Starts so many clients, which put artifacts of this type.
    pub fn start(servers: &[Replica], type_id: i64, clients: usize) -> Self {
        let seen: Vec<Arc<Seen>> = servers.iter().map(|_| Arc::default()).collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let tasks = (0..clients).map(|client| {
            let place = client % servers.len();
            let (server, seen) = (servers[place].clone(), seen[place].clone());
            tokio::spawn(write(server, type_id, client, seen, is_over.clone()))
        });
        Self {
            tasks: tasks.collect(),
            seen,
            is_over,
        }
    }

    /// Waits until the clients of a server have stored so many more.
    pub async fn wait_for_more(&self, place: usize, more: usize) {
        self.seen[place].wait_for_more(more).await;
    }

    /// Waits until the clients of a server have been refused so often.
    pub async fn wait_for_refusals(&self, place: usize, count: usize) {
        let end = Instant::now() + Duration::from_mins(2);
        while self.seen[place].refused() < count {
            assert!(Instant::now() < end, "waited in vain for refusals");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends them, and returns the names of what was acknowledged. Nothing may have been refused but
    /// with UNAVAILABLE.
    pub async fn end(self) -> BTreeSet<String> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut acknowledged = BTreeSet::new();
        for task in self.tasks {
            acknowledged.extend(task.await.unwrap());
        }
        for (place, seen) in self.seen.iter().enumerate() {
            let refusals = seen.refusals.lock().unwrap();
            println!("server {}: refused {refusals:?}", place + 1);
            let unexpected: Vec<_> = refusals
                .keys()
                .filter(|what| !what.starts_with("Unavailable: "))
                .collect();
            assert!(unexpected.is_empty(), "{unexpected:?}");
        }
        acknowledged
    }
}
