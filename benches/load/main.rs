//! Measures Pedigree over gRPC beside its peers, in one run: `benches/run` starts it, `benches/README.md` explains it.
//!
//! * [`workloads`]: what is asked, as encoded requests that every peer gets.
//! * [`peer`]: who is asked: Pedigree's server, the released library's core, the database's own tool.
//! * [`measure`]: a closed loop of clients, and what it cost.
//! * [`table`]: the figures and their ratios.

#![expect(
    clippy::cast_precision_loss,
    reason = "figures, and values that only have to differ"
)]

#[path = "../../tests/it/support/bytes.rs"]
mod bytes;
mod measure;
mod peer;
#[path = "../common/server.rs"]
mod server;
mod table;
mod workloads;

use std::path::PathBuf;

use clap::Parser;

use measure::Run;
use peer::Peer;
use table::Table;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures Pedigree over gRPC beside its peers.
#[derive(Parser)]
struct Arguments {
    /// An existing folder for SQLite files, or the URL of a database server on which databases are made.
    #[arg(long)]
    database: String,
    /// The Python that has the `ml-metadata` wheel; without it nothing but Pedigree is measured.
    #[arg(long)]
    python: Option<PathBuf>,
    /// How many clients, each a closed loop over a connection of its own.
    #[arg(long, value_delimiter = ',', default_value = "1,8,64")]
    clients: Vec<usize>,
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

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let mut peers = vec![Peer::pedigree(&arguments.database, folder.path())?];
    if let Some(python) = &arguments.python {
        peers.push(Peer::wheel(python, &arguments.database, folder.path()));
        peers.push(Peer::limit(python, &arguments.database, folder.path())?);
    }
    for peer in &peers {
        peer.fill(arguments.more).await?;
    }
    let mut table = Table::default();
    println!("{}", Table::HEAD);
    for workload in workloads::all() {
        if !arguments.only.is_empty()
            && !arguments
                .only
                .iter()
                .any(|part| workload.name.contains(part))
        {
            continue;
        }
        let clients: &[usize] = if workload.is_slow {
            &[1]
        } else {
            &arguments.clients
        };
        // The peers take turns, so that a slow moment of the machine is everybody's.
        for _ in 0..arguments.repeat {
            for peer in &peers {
                let counts = peer.counts(clients, &arguments.wheels);
                for &count in counts.iter().filter(|_| peer.can(&workload)) {
                    let run = Run::of(peer, &workload, count, arguments.seconds).await?;
                    table.add(peer.name, workload.name, count, run);
                }
            }
        }
        table.print(workload.name);
    }
    match &arguments.out {
        Some(path) => Ok(std::fs::write(path, table.to_tsv(&arguments.database))?),
        None => Ok(()),
    }
}
