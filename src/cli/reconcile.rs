//! `pedigree reconcile`: adds to the change history what other programs wrote to the database.

use std::io::stdout;

use clap::Args;

use super::output::report;
use super::{Failure, migrate};
use crate::config::{Config, ConfigArgs};
use crate::graph::{Clock, Graph, ReconcileScope};
use crate::model::{Caller, Door};
use crate::server;

#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// Also add what is older than the history, which then begins with the whole graph
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    pub(super) options: ConfigArgs,
}

/// Runs the command, and prints how many changes were added.
pub(super) async fn run(args: &ReconcileArgs, config: &Config) -> Result<(), Failure> {
    if config.migration.downgrades() {
        return migrate::downgrade(config).await;
    }
    let scope = if args.all {
        ReconcileScope::All
    } else {
        ReconcileScope::SinceOldestChange
    };
    let caller = Caller::anonymous(Door::Command);
    let done = async {
        let database = server::open(config).await?;
        let graph = Graph::new(database.clone(), config.history, Clock::default());
        let added = graph.reconcile(&caller, scope).await;
        database.close().await;
        added
    };
    let address = &config.database.address;
    let added = done
        .await
        .map_err(|error| config.database.unusable(error))?;
    let line = format!("{address}: {added} changes added to the history");
    report(&mut stdout(), line);
    Ok(())
}
