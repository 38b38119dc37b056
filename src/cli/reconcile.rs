//! `pedigree reconcile`: adds to the change history what other programs wrote to the database.

use clap::Args;

use super::{Failure, history, migrate};
use crate::config::{Config, ConfigArgs};
use crate::graph::ReconcileScope;

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
    history::add(config, async |graph, caller| {
        graph.reconcile(caller, scope).await
    })
    .await
}
