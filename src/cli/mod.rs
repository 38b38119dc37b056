//! The commands that talk to a server as any client does: write lineage, watch it, trace it.

mod draw;
mod json;
mod record;
mod server;
mod trace;
mod watch;

use std::fmt;
use std::io::BufReader;

use clap::Subcommand;
use tonic::Status;

/// A command for a server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store what a file of JSON lines says, each line a `RecordRequest` with an id; lines are sent again when a connection is lost
    Record(record::Record),
    /// Print every change of the graph, and go on after a lost connection
    Watch(watch::Watch),
    /// Print where artifacts or executions come from, or what depends on them
    Trace(trace::Trace),
}

/// Why a command could not do what it was to do, for who called it.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(server::said(&status))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Runs a command to its end.
///
/// # Errors
///
/// With what the server or the input had against it.
pub async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Record(record) => match record.file() {
            Some(path) => {
                let file = std::fs::File::open(path)
                    .map_err(|error| Failure(format!("{}: {error}", path.display())))?;
                record.run(BufReader::new(file)).await
            }
            None => record.run(BufReader::new(std::io::stdin())).await,
        },
        Command::Watch(watch) => watch.run(&mut std::io::stdout()).await,
        Command::Trace(trace) => trace.run(&mut std::io::stdout()).await,
    }
}
