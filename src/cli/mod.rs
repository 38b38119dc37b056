//! The commands. `serve`, `migrate`, `reconcile`, `adopt`, `import` and `artifacts` use a database;
//! `record`, `watch`, `trace`, `facets`, `models`, `audit`, `run`, `collect`, `reproduce`,
//! `export-provenance` and `report` are clients of a server; `token` and `policy` need neither.

mod adopt;
mod args;
mod artifacts;
mod as_of;
mod audit;
mod blob_store;
mod client;
mod collect;
mod databases;
mod digests;
mod draw;
mod export_provenance;
mod facets;
mod history;
mod import;
mod json;
mod migrate;
mod models;
mod output;
mod picture;
mod policy;
mod reconcile;
mod record;
mod recorder;
mod report;
mod reproduce;
mod run;
mod serve;
mod sink;
mod token;
mod trace;
mod traced;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;
use std::{fmt, iter};

use tonic::Status;

use self::args::Invocation;
use crate::config::{self, Config, ConfigArgs, ConfigError, LoadedConfig, ProcessEnv};
use crate::error::{Error, StartError};
use crate::telemetry::Telemetry;

/// Why a command failed, in one line for the user.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(output::printable(&error.to_string()))
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(output::printable(&client::describe(&status)))
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

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self(args::problem(&error))
    }
}

/// Runs the command of a command line, whose first word is the program's name. Returns the exit
/// code of what succeeded: `run` passes on that of its command.
///
/// # Errors
///
/// If the arguments are wrong or the command fails.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode, Failure> {
    let mut arguments = arguments.into_iter();
    let name = arguments.next().unwrap_or_else(|| "pedigree".into());
    let process = ProcessEnv::new(&name);
    let words = config::rewrite(arguments)?;
    let words: Vec<_> = iter::once(name).chain(words).collect();
    let done = match Invocation::parse(&words, &process)? {
        Invocation::Serve(options) => {
            with_config(&options, &process, async |config| serve::run(config).await).await
        }
        Invocation::Migrate(args) => {
            let command = async |config: &Config| migrate::run(&args, config).await;
            with_config(&args.options, &process, command).await
        }
        Invocation::Reconcile(args) => {
            let command = async |config: &Config| reconcile::run(&args, config).await;
            with_config(&args.options, &process, command).await
        }
        Invocation::Adopt(options) => with_config(&options, &process, adopt::run).await,
        Invocation::Import(args) => {
            let command = async |config: &Config| import::run(&args, config).await;
            with_config(args.options(), &process, command).await
        }
        Invocation::Artifacts(args) => {
            let command = async |config: &Config| artifacts::run(&args, config).await;
            with_config(args.options(), &process, command).await
        }
        Invocation::Record(args) => args.run().await,
        Invocation::Watch(args) => args.run().await,
        Invocation::Trace(args) => args.run().await,
        Invocation::Facets(args) => args.run().await,
        Invocation::Models(args) => args.run().await,
        Invocation::Audit(args) => args.run().await,
        Invocation::Run(args) => return args.run().await,
        Invocation::Collect(args) => args.run().await,
        Invocation::Reproduce(args) => return args.run().await,
        Invocation::ExportProvenance(args) => args.run().await,
        Invocation::Report(args) => args.run().await,
        Invocation::Token(args) => args.run(),
        Invocation::Policy(args) => args.run(),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Runs a command that uses a database, with logs and traces, unless the configuration is only to
/// be printed.
async fn with_config(
    options: &ConfigArgs,
    process: &ProcessEnv,
    command: impl AsyncFnOnce(&Config) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let LoadedConfig { config, text } = options.clone().load(process)?;
    let telemetry = Telemetry::start(&config.log, config.otlp_endpoint.as_deref())?;
    for warning in &config.warnings {
        tracing::warn!(target: "pedigree", "{warning}");
    }
    let done = if options.print_config {
        output::write(&mut std::io::stdout(), text).map(drop)
    } else {
        command(&config).await
    };
    telemetry.flush();
    done
}
