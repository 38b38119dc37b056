//! Measures Pedigree over gRPC beside its peers, in one run. `benches/run` starts it and
//! `benches/README.md` explains it.
//!
//! * [`workloads`]: the encoded requests that every peer gets.
//! * [`peer`]: Pedigree's server, the released library's core, the database's own tool.
//! * [`measure`]: runs of clients and their cost.
//! * [`table`]: the figures and their ratios.

#![expect(
    clippy::cast_precision_loss,
    reason = "figures, and values that only have to differ"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the tasks of a client end with its runtime"
)]

mod client;
mod grpc;
mod measure;
mod peer;
mod server;
mod table;
mod workloads;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use mimalloc::MiMalloc;

use measure::Run;
use peer::{More, Peer, Programs, Rival};
use table::Table;
use workloads::Workload;

/// The server's allocator, so that the tool takes less of the processors.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures Pedigree over gRPC beside its peers.
#[derive(Parser)]
struct Arguments {
    /// An existing folder for SQLite files, or the URL of a database server for new databases.
    #[arg(long)]
    database: String,
    /// The Python that has the `ml-metadata` wheel; without it there are no `wheel` and no `limit`.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Another build of the server, for the peer `baseline`.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// The URL of another database server, for the peer `elsewhere`.
    #[arg(long)]
    elsewhere: Option<String>,
    /// The peers to measure beside Pedigree.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "wheel,wheel-wal,limit"
    )]
    peers: Vec<Rival>,
    /// The numbers of clients, each with a connection of its own.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    clients: Vec<usize>,
    /// The rate of requests per second over all clients, answered or not (open loop). By default,
    /// each client sends its next request after the answer (closed loop).
    #[arg(long)]
    rate: Option<f64>,
    /// The numbers of processes with the wheel's core; each process is a client.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    wheels: Vec<usize>,
    /// The number of further executions in each store, each with two artifacts of five properties.
    #[arg(long, default_value_t = 0)]
    more: i64,
    /// The number of runs of OpenLineage in the store of each server.
    #[arg(long, default_value_t = 0)]
    lineage_runs: u64,
    /// The number of browsers that reload pages of lineage meanwhile.
    #[arg(long, default_value_t = 0)]
    browsers: usize,
    /// The duration of a run, in seconds.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// The number of runs of each peer; the figures are the medians.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Measure only workloads whose names contain one of these texts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// A file for the figures, tab-separated, besides standard output.
    #[arg(long)]
    out: Option<PathBuf>,
    /// `cargo bench` adds this flag.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }

    /// Measures a peer at a workload, with each number of clients.
    async fn measure(
        &self,
        peer: &Arc<Peer>,
        workload: &Workload,
        table: &mut Table,
    ) -> Result<()> {
        if self.rate.is_some() && !peer.is_server() {
            return Ok(());
        }
        let clients: &[usize] = if workload.is_slow {
            &[1]
        } else {
            &self.clients
        };
        for &count in peer.counts(clients, &self.wheels) {
            let browsers = peer.browsers(self.browsers).await?;
            let run = Run::of(peer, workload, count, self.seconds, self.rate).await?;
            drop(browsers);
            table.add(peer.name, workload.name, count, run);
            if let Some(beside) = workload.beside.filter(|_| peer.name == "pedigree") {
                let run = Run::of(peer, beside, count, self.seconds, self.rate).await?;
                table.add(beside.name, workload.name, count, run);
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let database = &arguments.database;
    let more = More {
        executions: arguments.more,
        lineage_runs: arguments.lineage_runs,
    };
    let mut peers = vec![Peer::pedigree(database, more)?];
    let programs = Programs {
        python: arguments.python.as_deref(),
        baseline: arguments.baseline.as_deref(),
        elsewhere: arguments.elsewhere.as_deref(),
    };
    for &rival in &arguments.peers {
        peers.extend(Peer::rival(rival, programs, database, more)?);
    }
    for peer in &peers {
        peer.fill().await?;
    }
    let mut table = Table::default();
    println!("{}", Table::HEAD);
    if arguments.wants("start") {
        for _ in 0..arguments.repeat {
            for peer in &mut peers {
                if let Some(run) = Run::of_start(peer).await? {
                    table.add(peer.name, "start", 1, run);
                }
            }
        }
        table.print("start");
    }
    let peers: Vec<_> = peers.into_iter().map(Arc::new).collect();
    for workload in workloads::all() {
        if arguments.wants(workload.name) && !(workload.is_slow && arguments.rate.is_some()) {
            // The peers take turns, so that a slow moment of the machine affects all of them. Each
            // turn begins with another peer: the first one measured is slower.
            let able: Vec<_> = peers.iter().filter(|peer| peer.can(&workload)).collect();
            for turn in 0..arguments.repeat {
                for peer in able.iter().cycle().skip(turn).take(able.len()) {
                    arguments.measure(peer, &workload, &mut table).await?;
                }
            }
            table.print(workload.name);
        }
    }
    match &arguments.out {
        Some(path) => Ok(std::fs::write(path, table.to_tsv(&arguments.database))?),
        None => Ok(()),
    }
}
