//! `pedigree import`: takes over what another system has recorded.
//!
//! * `target`: the graph, into which everything is written; `files`: bytes of files; `facts`: texts
//!   and keys.
//! * `mlflow`: from a server of `MLflow`; `wandb`: from an export of Weights & Biases; `neptune`:
//!   from one of Neptune.

mod facts;
mod files;
mod mlflow;
mod neptune;
mod target;
mod wandb;

use std::io::stdout;

use clap::{Args, Subcommand};

use self::mlflow::{MlflowImportArgs, MlflowOrigin};
use self::neptune::{NeptuneExport, NeptuneImportArgs};
use self::target::ImportTarget;
use self::wandb::{WandbExport, WandbImportArgs};
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
    /// The runs and artifacts of an export of Weights & Biases
    Wandb(Box<WandbImportArgs>),
    /// The runs of an export of Neptune, as neptune-exporter writes it
    Neptune(Box<NeptuneImportArgs>),
}

/// A source that is there.
enum ImportSource {
    Mlflow(Box<MlflowOrigin>),
    Wandb(WandbExport),
    Neptune(NeptuneExport),
}

impl ImportArgs {
    /// The options of the database.
    pub(super) fn options(&self) -> &ConfigArgs {
        match &self.from {
            ImportFrom::Mlflow(args) => &args.options,
            ImportFrom::Wandb(args) => &args.options,
            ImportFrom::Neptune(args) => &args.options,
        }
    }
}

/// Runs the command. It prints a line for each experiment or run, and in the end what was new.
pub(super) async fn run(args: &ImportArgs, config: &Config) -> Result<(), Failure> {
    let source = match &args.from {
        ImportFrom::Mlflow(args) => ImportSource::Mlflow(Box::new(args.open(config)?)),
        ImportFrom::Wandb(args) => ImportSource::Wandb(args.open()?),
        ImportFrom::Neptune(args) => ImportSource::Neptune(args.open(config)?),
    };
    let database = server::open(config).await;
    let database = database.map_err(|error| config.database.unusable(error))?;
    let graph = Graph::new(database.clone(), config.history, Clock::default());
    let target = ImportTarget::new(&graph);
    let imported = match source {
        ImportSource::Mlflow(source) => source.import(target).await,
        ImportSource::Wandb(source) => source.import(target).await,
        ImportSource::Neptune(source) => source.import(target).await,
    };
    database.close().await;
    report(&mut stdout(), imported?);
    Ok(())
}
