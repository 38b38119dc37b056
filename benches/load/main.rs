//! Measures Pedigree over gRPC beside its peers, in one run: `benches/run` starts it, `benches/README.md` explains it.
//!
//! * [`workloads`]: what is asked, as encoded requests that every peer gets.
//! * [`peer`]: who is asked: Pedigree's server, the released library's core, the database's own tool.
//! * [`measure`]: clients at work, and what it cost.
//! * [`table`]: the figures and their ratios.

#![expect(
    clippy::cast_precision_loss,
    reason = "figures, and values that only have to differ"
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
use peer::{Peer, Rival};
use table::Table;
use workloads::Workload;

/// As the server's, so that the tool leaves it more of the processors.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures Pedigree over gRPC beside its peers.
#[derive(Parser)]
struct Arguments {
    /// An existing folder for SQLite files, or the URL of a database server on which databases are made.
    #[arg(long)]
    database: String,
    /// The Python that has the `ml-metadata` wheel; without it there are no `wheel` and no `limit`.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Who is measured beside Pedigree.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "wheel,wheel-wal,limit"
    )]
    peers: Vec<Rival>,
    /// How many clients, each over a connection of its own.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    clients: Vec<usize>,
    /// How many requests are due in a second, answered or not, over all clients; without it each asks again once it is answered.
    #[arg(long)]
    rate: Option<f64>,
    /// How many processes with the wheel's core; each is a client.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    wheels: Vec<usize>,
    /// How many executions the stores have beyond the few that workloads need, each with two artifacts of five properties.
    #[arg(long, default_value_t = 0)]
    more: i64,
    /// How long a run lasts.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How often each peer has its turn; the figures are the medians.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// The workloads whose names contain one of these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the figures go, tab-separated, besides standard output.
    #[arg(long)]
    out: Option<PathBuf>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }

    /// A turn of a peer at a workload, with each number of clients.
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
            let run = Run::of(peer, workload, count, self.seconds, self.rate).await?;
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
    let mut peers = vec![Peer::pedigree(database, arguments.more)?];
    for &rival in &arguments.peers {
        let python = arguments.python.as_deref();
        peers.extend(Peer::rival(rival, python, database, arguments.more)?);
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
            // The peers take turns, so that a slow moment of the machine is everybody's.
            for _ in 0..arguments.repeat {
                for peer in peers.iter().filter(|peer| peer.can(&workload)) {
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
