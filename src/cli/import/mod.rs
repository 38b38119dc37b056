//! `pedigree import`: takes over what another system has recorded.
//!
//! * `source`: the answers of a server of `MLflow`; `records`: what these have.
//! * `copy`: their way into the graph.

mod copy;
mod records;
mod source;

use std::io::stdout;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use url::Url;

use self::copy::Importer;
use self::source::MlflowSource;
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
    /// The experiments, runs and models of a tracking server of `MLflow`; files stay where they are
    Mlflow(Box<MlflowImportArgs>),
}

#[derive(Debug, Args)]
struct MlflowImportArgs {
    /// URL of the tracking server
    #[arg(value_name = "URL")]
    url: Url,

    /// File of a token to send to that server, which is read once
    #[arg(long, value_name = "FILE")]
    source_token_file: Option<PathBuf>,

    /// Certificate authority of that server, a PEM file; otherwise those of browsers
    #[arg(long, value_name = "FILE")]
    source_ca_cert: Option<PathBuf>,

    #[command(flatten)]
    options: ConfigArgs,
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
    let (token, ca_file) = (&args.source_token_file, &args.source_ca_cert);
    let source = MlflowSource::open(&args.url, token.as_deref(), ca_file.as_deref())?;
    let database = server::open(config).await;
    let database = database.map_err(|error| config.database.unusable(error))?;
    let graph = Graph::new(database.clone(), config.history, Clock::default());
    let imported = Importer::new(&source, &graph).run().await;
    database.close().await;
    report(&mut stdout(), imported?);
    Ok(())
}
