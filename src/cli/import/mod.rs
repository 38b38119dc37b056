//! `pedigree import`: takes over what another system has recorded.
//!
//! * `target`: the graph, into which everything is written; `files`: bytes of files.
//! * `mlflow`: from a server of `MLflow`.

mod files;
mod mlflow;
mod target;

use std::io::stdout;

use clap::{Args, Subcommand};

use self::mlflow::MlflowImportArgs;
use self::target::ImportTarget;
use super::Failure;
use super::output::report;
use crate::config::{Config, ConfigArgs};
use crate::graph::{Clock, Graph};
use crate::server;

#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    from: ImportFrom,
}

/// What is imported.
#[derive(Debug, Subcommand)]
enum ImportFrom {
    /// The experiments, runs and models of a tracking server of `MLflow`
    Mlflow(Box<MlflowImportArgs>),
}

impl ImportArgs {
    /// The options of the database.
    pub(super) fn options(&self) -> &ConfigArgs {
        let ImportFrom::Mlflow(args) = &self.from;
        &args.options
    }
}

/// Runs the command. It prints a line for each experiment, and in the end what was new.
pub(super) async fn run(args: &ImportArgs, config: &Config) -> Result<(), Failure> {
    let ImportFrom::Mlflow(args) = &args.from;
    let source = args.open(config)?;
    let database = server::open(config).await;
    let database = database.map_err(|error| config.database.unusable(error))?;
    let graph = Graph::new(database.clone(), config.history, Clock::default());
    let imported = source.import(ImportTarget::new(&graph)).await;
    database.close().await;
    report(&mut stdout(), imported?);
    Ok(())
}
