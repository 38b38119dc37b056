//! `pedigree artifacts`: the bytes of files that clients upload.

use std::io::stdout;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};

use super::Failure;
use super::databases::TenantArgs;
use super::output::report;
use crate::blobs::{BlobDigest, BlobStore, SweepRule, Swept};
use crate::config::{Config, ConfigArgs, parse_duration};
use crate::error::Error;
use crate::graph::{Clock, Graph};
use crate::policy::TenantName;
use crate::server;
use crate::storage::connect::Connect;

#[derive(Debug, Args)]
pub struct ArtifactsArgs {
    #[command(subcommand)]
    command: ArtifactsCommand,
}

#[derive(Debug, Subcommand)]
enum ArtifactsCommand {
    /// Remove bytes from the artifact store that the database names nowhere, and uploads that were
    /// never finished
    Sweep(Box<SweepArgs>),
}

#[derive(Debug, Args)]
struct SweepArgs {
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Remove nothing that was written within this time: an upload may not be recorded yet
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "24h")]
    older_than: Duration,

    #[command(flatten)]
    tenants: TenantArgs,

    #[command(flatten)]
    options: ConfigArgs,
}

impl ArtifactsArgs {
    pub(super) fn options(&self) -> &ConfigArgs {
        let ArtifactsCommand::Sweep(args) = &self.command;
        &args.options
    }
}

/// Runs the command, and prints what was removed.
pub(super) async fn run(args: &ArtifactsArgs, config: &Config) -> Result<(), Failure> {
    let ArtifactsCommand::Sweep(args) = &args.command;
    let now = Duration::from_millis(Clock::default().now().unsigned_abs());
    let rule = SweepRule {
        before: SystemTime::UNIX_EPOCH + now.saturating_sub(args.older_than),
        is_dry: args.dry_run,
    };
    let store = BlobStore::open(&config.serving.artifact_store)?;
    let verb = if args.dry_run { "would be" } else { "were" };
    let work = async |tenant: Option<&TenantName>, to: &Connect| {
        let blobs = store.of_tenant(tenant.and_then(TenantName::unless_default));
        let swept = sweep(&blobs, rule, config, to).await;
        let swept = swept.map_err(|error| to.unusable(error))?;
        let line = format!(
            "{} blobs and {} unfinished uploads, {} bytes, {verb} removed",
            swept.blobs, swept.unfinished, swept.bytes
        );
        report(&mut stdout(), line);
        Ok(())
    };
    args.tenants.for_each(config, "swept", work).await
}

async fn sweep(
    blobs: &BlobStore,
    rule: SweepRule,
    config: &Config,
    to: &Connect,
) -> Result<Swept, Error> {
    let database = server::open_at(to, config).await?;
    let graph = Graph::new(database.clone(), config.history, Clock::default());
    let swept = sweep_by(&graph, blobs, rule).await;
    database.close().await;
    swept
}

/// Removes what the graph names nowhere.
async fn sweep_by(graph: &Graph, blobs: &BlobStore, rule: SweepRule) -> Result<Swept, Error> {
    let files = graph.files();
    let is_empty = files.is_empty().await?;
    let needed = async |digests: Vec<BlobDigest>| {
        if is_empty {
            let text = "the database names no file: is it that of this artifact store?";
            return Err(Error::FailedPrecondition(text.into()));
        }
        let texts: Vec<&str> = digests.iter().map(BlobDigest::as_str).collect();
        let named = files.named(&texts).await?;
        Ok(named
            .iter()
            .filter_map(|it| BlobDigest::parse(it))
            .collect())
    };
    blobs.sweep(rule, needed).await
}
