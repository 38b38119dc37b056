//! Flags, environment variables and a file become one validated configuration. A flag takes
//! precedence over the environment, which takes precedence over the file.
//!
//! [`options`] is the list of options; [`sources`] finds the value of each; [`compat`] adds the
//! flags and the file of ML Metadata's server.

mod compat;
mod database;
mod log;
mod options;
#[cfg(test)]
mod page;
mod print;
mod redact;
mod resources;
pub mod serving;
mod sources;
mod spec;
#[cfg(test)]
mod tests;
pub mod tls;
mod values;

use std::env;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use self::compat::UpstreamSettings;
pub use self::compat::gflags::rewrite;
pub use self::log::{Log, LogFormat};
use self::options::Options;
pub use self::redact::without_logins;
use self::serving::Serving;
pub(crate) use self::sources::read_text;
use self::sources::{GivenOptions, OptionSource};
pub use self::values::parse_duration;
use crate::api::grpc::lineage::Batches;
use crate::graph::Retention;
use crate::storage::connect::Connect;
use crate::storage::migrate::Migration;

/// The configuration of a server, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub database: Connect,
    /// The standby for reads that take long.
    pub standby: Option<Connect>,
    pub migration: Migration,
    pub history: Retention,
    /// How messages of a Record stream share commits.
    pub batches: Batches,
    /// How clients reach the server.
    pub serving: Serving,
    /// How long requests in flight may take after a signal to stop.
    pub grace: Duration,
    pub log: Log,
    /// The file of targets to which lineage is sent.
    pub openlineage_targets: Option<PathBuf>,
    /// Where traces are sent over OTLP.
    pub otlp_endpoint: Option<String>,
    /// What should be logged about this configuration when it is used.
    pub warnings: Vec<String>,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} (see --help)", problems.join("; "))]
pub struct ConfigError {
    pub problems: Vec<String>,
}

impl ConfigError {
    fn new(problem: String) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

/// The arguments of every command that uses a database.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// Configuration file, in TOML
    #[arg(
        long,
        value_name = "FILE",
        env = "PEDIGREE_CONFIG",
        hide_env_values = true
    )]
    config: Option<PathBuf>,

    /// Print the effective configuration as such a file, without secrets, and exit
    #[arg(long)]
    pub print_config: bool,

    #[command(flatten)]
    given: GivenOptions,

    #[command(flatten)]
    upstream: compat::Flags,
}

/// A configuration, and how `--print-config` prints it.
#[derive(Clone, Debug)]
pub struct LoadedConfig {
    pub config: Config,
    pub text: String,
}

/// What the process has besides its arguments and our own environment variables.
#[derive(Clone, Debug, Default)]
pub struct ProcessEnv {
    /// Whether it was called by the name of ML Metadata's server, whose defaults then apply.
    is_compat: bool,
    /// `GRPC_PORT`, a variable of ML Metadata's image.
    grpc_port: Option<String>,
}

impl ProcessEnv {
    /// The environment of this process, called by `name`.
    #[must_use]
    pub fn new(name: &OsStr) -> Self {
        Self {
            is_compat: Path::new(name).file_name() == Some("metadata_store_server".as_ref()),
            grpc_port: env::var("GRPC_PORT").ok(),
        }
    }

    fn add_to(&self, given: &mut GivenOptions) {
        if !given.has("grpc_port", OptionSource::ImageVariable) {
            let port = self.grpc_port.clone();
            if let Some(port) = compat::port("GRPC_PORT", port, &mut given.problems) {
                given.add(
                    "grpc_port",
                    OptionSource::ImageVariable,
                    "GRPC_PORT",
                    &port.to_string(),
                );
            }
        }
        if self.is_compat {
            for (name, text) in [
                ("grpc_host", "0.0.0.0"),
                ("database_url", "sqlite::memory:"),
            ] {
                given.add(name, OptionSource::Fallback, name, text);
            }
        }
    }
}

impl ConfigArgs {
    /// Adds the file and ML Metadata's settings, fills in defaults, and checks everything.
    ///
    /// # Errors
    ///
    /// With all problems at once. They quote no secret.
    pub fn load(self, process: &ProcessEnv) -> Result<LoadedConfig, ConfigError> {
        let mut given = self.given;
        if let Some(path) = &self.config {
            given.add_file(path)?;
        }
        let mut upstream = self.upstream.read(&mut given);
        process.add_to(&mut given);
        if process.is_compat && !names_database(&given) && upstream.database.is_none() {
            let warning = "no database is named: the data is lost when the server ends";
            upstream.warnings.push(warning.to_owned());
        }
        load(given, upstream)
    }
}

impl Config {
    /// The configuration with nothing given but the URL of the database.
    ///
    /// # Errors
    ///
    /// If the URL cannot be used.
    pub fn with_url(url: &str) -> Result<Self, ConfigError> {
        let mut given = GivenOptions::default();
        given.add("database_url", OptionSource::Flag, "--database-url", url);
        load(given, UpstreamSettings::default()).map(|loaded| loaded.config)
    }
}

fn names_database(given: &GivenOptions) -> bool {
    given.has("database_url", OptionSource::File)
}

/// Reads and checks all options.
fn load(mut given: GivenOptions, upstream: UpstreamSettings) -> Result<LoadedConfig, ConfigError> {
    let options = Options::read(&given);
    let mut problems = std::mem::take(&mut given.problems);
    check(&given, &upstream, &mut problems);
    let Some(options) = options else {
        return Err(ConfigError { problems });
    };
    let login = database::login(&options, &mut problems);
    let database = database::connect(&options, &upstream, &login, &mut problems);
    let standby = database::standby(&options, &database, &login, &mut problems);
    if options.openlineage_targets.is_some() && options.change_retention.0.is_zero() {
        let rule = "openlineage-targets needs a history: change-retention must not be 0";
        problems.push(rule.to_owned());
    }
    if options
        .audit_retention
        .is_some_and(|audit| audit < options.change_retention)
    {
        let rule = "audit-retention must not be shorter than change-retention";
        problems.push(rule.to_owned());
    }
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    let config = Config {
        listen: SocketAddr::new(options.grpc_host, options.grpc_port),
        database,
        standby,
        migration: database::migration(&options),
        history: database::history(&options),
        batches: Batches {
            most: options.record_batch.0 as usize,
            age: options.record_batch_linger,
        },
        serving: Serving::new(&options, upstream.certificates),
        grace: options.shutdown_grace,
        log: Log {
            format: options.log_format,
            level: options.log_level.0,
        },
        openlineage_targets: options.openlineage_targets,
        otlp_endpoint: options.otlp_endpoint,
        warnings: upstream.warnings,
    };
    let text = print::print(&given, &config);
    Ok(LoadedConfig { config, text })
}

/// Finds options that exclude or need each other.
fn check(given: &GivenOptions, upstream: &UpstreamSettings, problems: &mut Vec<String>) {
    let has = |name| given.has(name, OptionSource::File);
    if has("database_url") && upstream.database.is_some() {
        problems.push("database-url and ML Metadata's settings both name a database".to_owned());
    }
    if has("database_password") && has("database_password_file") {
        problems.push("database-password and database-password-file exclude each other".to_owned());
    }
    if has("tls_cert") != has("tls_key") || has("tls_client_ca") && !has("tls_cert") {
        let rule = "tls-cert and tls-key go together, and tls-client-ca needs both";
        problems.push(rule.to_owned());
    }
    if has("tls_client_crl") && !has("tls_client_ca") {
        problems.push("tls-client-crl needs tls-client-ca".to_owned());
    }
    if has("tls_cert") && upstream.certificates.is_some() {
        problems.push("tls-cert and ssl_config both give a certificate".to_owned());
    }
}
