//! A Galera cluster of three nodes, and a server at each.

use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pedigree::graph::Clock;
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::Status;

use crate::sql::{query, run_now, run_sql};
use crate::support::{Ask, Replica};

/// The nodes' URLs. `tests/databases` starts the cluster when the first case asks for it, and
/// `tests/databases stop` ends it.
static NODES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let urls = script(&["galera", "start"]);
    urls.lines().map(str::to_owned).collect()
});

/// How many cases may use the cluster at once: all of them, or one that kills nodes.
const MAX_CASES: u32 = 64;

static CASES: Semaphore = Semaphore::const_new(MAX_CASES as usize);

/// Has `tests/databases` do something, and returns what it prints.
fn script(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/databases");
    let done = Command::new(script)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(done.status.success(), "tests/databases {arguments:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// A database of a case in the cluster, which is deleted when this is dropped.
pub struct Cluster {
    /// The URLs of the database, one for each node.
    pub urls: Vec<String>,
    _turn: SemaphorePermit<'static>,
}

impl Cluster {
    /// A database that the first server creates.
    pub async fn open() -> Self {
        Self::in_turn(1).await
    }

    /// The same, while no other case uses the cluster.
    pub async fn open_alone() -> Self {
        Self::in_turn(MAX_CASES).await
    }

    async fn in_turn(cases: u32) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let turn = CASES.acquire_many(cases).await.unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("galera_{}_{number}", process::id());
        let of_node = |url: &String| {
            let (server, _) = url.rsplit_once('/').unwrap();
            format!("{server}/{name}")
        };
        Self {
            urls: NODES.iter().map(of_node).collect(),
            _turn: turn,
        }
    }

    /// Ends a node, counted from 1, with SIGKILL.
    pub fn kill(number: usize) {
        script(&["galera", "kill", &number.to_string()]);
    }

    /// Starts a node again, which joins the others.
    pub fn rejoin(number: usize) {
        script(&["galera", "rejoin", &number.to_string()]);
    }

    /// The URL of the database at whichever node is used.
    pub fn list(&self) -> String {
        let places = self.urls.iter().map(|url| {
            let (_, place) = url.split_once('@').unwrap();
            place.split_once('/').unwrap().0
        });
        let places = places.collect::<Vec<_>>().join(",");
        let (login, rest) = self.urls[0].split_once('@').unwrap();
        let (_, name) = rest.split_once('/').unwrap();
        format!("{login}@{places}/{name}")
    }

    /// A server at each node, started one after the other.
    pub async fn servers(&self) -> Vec<Replica> {
        let mut servers = Vec::new();
        for url in &self.urls {
            servers.push(Replica::at(url, Clock::default()).await);
        }
        servers
    }

    /// A server at each node, all started at the same time.
    pub async fn servers_at_once(&self) -> Vec<Replica> {
        let start = |url: &String| {
            let url = url.clone();
            tokio::spawn(async move { Replica::at(&url, Clock::default()).await })
        };
        let starting: Vec<_> = self.urls.iter().map(start).collect();
        let mut servers = Vec::new();
        for started in starting {
            servers.push(started.await.unwrap());
        }
        servers
    }

    /// The only column of a query at each node, once all nodes have applied what any of them has
    /// committed.
    pub async fn query_everywhere(&self, sql: &'static str) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for url in &self.urls {
            // The session that runs this waits; its effect is that of the node.
            run_sql(url, "SET SESSION wsrep_sync_wait = 7; SELECT 1").await;
            found.push(query(url, sql).await);
        }
        found
    }
}

/// If the case fails, the ends of the nodes' logs are printed.
impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}", script(&["galera", "log"]));
        }
        let (server, name) = self.urls[0].rsplit_once('/').unwrap();
        run_now(
            &format!("{server}/mysql"),
            format!("DROP DATABASE IF EXISTS {name}"),
        );
    }
}

/// Sends a request through each server at once, and returns the answers in their order.
pub async fn at_once<A: Ask>(
    servers: &[Replica],
    request: impl Fn(usize) -> A,
) -> Vec<Result<A::Answer, Status>>
where
    A::Answer: 'static,
{
    let calls: Vec<_> = servers
        .iter()
        .enumerate()
        .map(|(place, server)| {
            let (server, request) = (server.clone(), request(place));
            tokio::spawn(async move { server.send(request).await })
        })
        .collect();
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}
