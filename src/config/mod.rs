//! Arguments, environment and file become one validated configuration. A flag beats the environment, which beats the file.

pub mod serving;
mod settings;
pub mod tls;
mod upstream;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use self::serving::Serving;
use self::settings::Settings;
use crate::error::{Error, Result};
use crate::storage::Dialect;
use crate::storage::connect::{Address, Connect};
use crate::storage::migrate::Migration;

/// Everything the server needs to know, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub database: Connect,
    pub migration: Migration,
    /// How clients reach the server.
    pub serving: Serving,
    /// How long requests that are under way may take after a signal to stop.
    pub grace: Duration,
    pub log: Log,
    /// Where traces are sent over OTLP.
    pub otlp_endpoint: Option<String>,
}

/// How to log.
#[derive(Clone, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// A level, or directives such as `info,pedigree=debug`.
    pub level: String,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// What the process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Serve,
    /// Bring the schema up or down.
    Migrate,
    /// Say what that would do.
    PlanMigration,
}

/// A metadata and lineage server for machine learning, speaking the ML Metadata gRPC protocol.
///
/// Every option can also be given by the environment variable named with it, or as a key of the configuration file
/// (its name with underscores: `grpc_port = 8080`).
#[derive(Debug, Default, Parser)]
#[command(
    name = "pedigree",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
struct Command {
    #[command(subcommand)]
    task: Option<Subtask>,

    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Subtask {
    /// Serve, as without a command
    Serve(Options),
    /// Create the database's schema or bring it to this version's, and end
    Migrate(Migrate),
}

#[derive(Debug, Default, Args)]
struct Options {
    /// Configuration file, in TOML
    #[arg(long, value_name = "FILE", env = "PEDIGREE_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    upstream: upstream::Flags,
}

#[derive(Debug, Args)]
struct Migrate {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    /// Also widen the columns of an existing PostgreSQL or MySQL database, so that it holds integers of 64 bits and, on
    /// PostgreSQL, long texts; upstream's servers can use it as before
    #[arg(long, conflicts_with = "downgrade_to")]
    widen: bool,

    /// Bring the schema down to this version instead, for an older server
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(0..))]
    downgrade_to: Option<i64>,

    #[command(flatten)]
    options: Options,
}

impl Command {
    fn read(self) -> Result<(Task, Config)> {
        let migrate = match self.task {
            None => return Ok((Task::Serve, self.options.read()?)),
            Some(Subtask::Serve(options)) => return Ok((Task::Serve, options.read()?)),
            Some(Subtask::Migrate(migrate)) => migrate,
        };
        let task = if migrate.dry_run {
            Task::PlanMigration
        } else {
            Task::Migrate
        };
        let config = Config {
            migration: Migration {
                upgrade: true,
                widen: migrate.widen,
                downgrade_to: migrate.downgrade_to,
            },
            ..migrate.options.read()?
        };
        Ok((task, config))
    }
}

impl Options {
    /// Adds what the file says, fills in defaults, and reports all that is wrong at once.
    fn read(self) -> Result<Config> {
        let file = match &self.config {
            Some(path) => settings::read(path)?,
            None => Settings::default(),
        };
        self.settings.or(file).validate(&self.upstream)
    }
}

impl Settings {
    /// The address with the login that is given beside it.
    fn with_login(&self, address: Address, wrong: &mut Vec<String>) -> Address {
        let from_file = self.database_password_file.as_ref().and_then(|path| {
            let read = std::fs::read_to_string(path);
            let refused = |error| {
                wrong.push(format!(
                    "database-password-file {}: {error}",
                    path.display()
                ));
            };
            let text = read.map_err(refused).ok()?;
            Some(SecretString::from(text.lines().next().unwrap_or_default()))
        });
        let password = match (self.database_password.clone(), from_file) {
            (Some(_), Some(_)) => {
                wrong
                    .push("database-password and database-password-file exclude each other".into());
                None
            }
            (given, from_file) => given.or(from_file),
        };
        let (user, is_given) = (
            self.database_user.clone(),
            self.database_user.is_some() || password.is_some(),
        );
        if is_given && address.dialect() == Dialect::Sqlite {
            wrong.push("database-user and database-password are for PostgreSQL and MySQL".into());
        }
        address.with_login(user, password)
    }

    fn database(&self, address: Address, create: bool, retries: Option<usize>) -> Connect {
        let usual = Connect::new(address);
        Connect {
            connections: self.database_connections.unwrap_or(usual.connections),
            wait: self.database_wait.map_or(usual.wait, Duration::from_secs),
            idle: self.database_idle.map_or(usual.idle, Duration::from_secs),
            age: self.database_age.map_or(usual.age, Duration::from_secs),
            create: self.database_create.unwrap_or(create),
            mysql_utf8mb4: self.mysql_utf8mb4.unwrap_or(usual.mysql_utf8mb4),
            retries: retries.unwrap_or(usual.retries),
            address: usual.address,
        }
    }

    /// Fills in defaults and reports all that is wrong at once.
    fn validate(self, upstream: &upstream::Flags) -> Result<Config> {
        let mut wrong = Vec::new();
        let upstream = upstream.read(&mut wrong);
        if self.database_url.is_some() && upstream.database.is_some() {
            wrong.push("database-url and ML Metadata's settings both name a database".to_owned());
        }
        let url = self.database_url.as_ref().map(ExposeSecret::expose_secret);
        let url = url.unwrap_or("sqlite:pedigree.db").parse::<Address>();
        let url = url.map_err(|problem| wrong.push(format!("database-url {problem}")));
        let database = upstream
            .database
            .or(url.ok().map(|address| (address, true)));
        if self.database_connections.is_some_and(|most| most < 2) {
            wrong.push("database-connections must be at least 2".to_owned());
        }
        let level = self.log_level.clone().unwrap_or_else(|| "info".into());
        if level
            .parse::<tracing_subscriber::filter::Targets>()
            .is_err()
        {
            wrong.push(format!(
                "log-level `{level}` is neither a level nor directives"
            ));
        }
        let serving = self.serving(&mut wrong);
        let database =
            database.map(|(address, create)| (self.with_login(address, &mut wrong), create));
        let (Some((address, create)), true) = (database, wrong.is_empty()) else {
            return Err(Error::invalid(wrong.join("; ")));
        };
        let database = self.database(address, create, upstream.retries);
        let host = self.grpc_host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Config {
            listen: SocketAddr::new(host, self.grpc_port.unwrap_or(8080)),
            database,
            migration: Migration {
                upgrade: self.upgrade_schema.unwrap_or(upstream.upgrade),
                widen: false,
                downgrade_to: self.downgrade_schema_to.or(upstream.downgrade_to),
            },
            serving,
            grace: Duration::from_secs(self.shutdown_grace.unwrap_or(25)),
            log: Log {
                format: self.log_format.unwrap_or_default(),
                level,
            },
            otlp_endpoint: self.otlp_endpoint,
        })
    }
}

impl Config {
    /// What this process is to do, and its configuration. Ends the process for `--help` and `--version`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for options and files that cannot be read and for values that make no sense.
    pub fn from_process() -> Result<(Task, Self)> {
        let command = Command::try_parse().map_err(|error| {
            if error.use_stderr() {
                unreadable(&error)
            } else {
                error.exit()
            }
        })?;
        command.read()
    }
}

/// What is wrong with the arguments, in one line: the first paragraph, without the usage that follows it.
fn unreadable(error: &clap::Error) -> Error {
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let problem = paragraph.strip_prefix("error: ").unwrap_or(&paragraph);
    Error::invalid(format!("{} (see --help)", without_urls(problem)))
}

/// A text without the URLs that it may quote, nor anything else that has a login in it.
fn without_urls(text: &str) -> String {
    let ends = |letter: char| letter.is_whitespace() || "'\"`".contains(letter);
    let words = text.split_inclusive(ends).map(|word| {
        let (bare, end) = word.split_at(word.trim_end_matches(ends).len());
        let secret = bare.contains("://") || bare.contains('@');
        if secret {
            format!("…{end}")
        } else {
            word.to_owned()
        }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_beats_the_file_which_beats_the_default() {
        let file: Settings = toml::from_str("grpc_port = 1\nlog_format = \"json\"").unwrap();
        let flags = Command::parse_from(["pedigree", "--grpc-port", "2", "--upgrade-schema"]);
        let config = flags
            .options
            .settings
            .or(file)
            .validate(&flags.options.upstream)
            .unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:2");
        assert_eq!(config.log.format, LogFormat::Json);
        assert_eq!(config.database.address.to_string(), "sqlite:pedigree.db");
        assert!(config.migration.upgrade);
    }

    #[test]
    fn all_that_is_wrong_is_reported_at_once() {
        let settings = Settings {
            database_url: Some("oracle:x".into()),
            database_connections: Some(0),
            log_level: Some("pedigree=loud".into()),
            ..Settings::default()
        };
        let text = settings
            .validate(&upstream::Flags::default())
            .unwrap_err()
            .to_string();
        for part in ["database-url", "database-connections", "log-level"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(toml::from_str::<Settings>("grcp_port = 1").is_err());
    }
}
