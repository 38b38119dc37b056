//! Flags, environment and file become one validated configuration. A flag beats the environment, which beats the file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::storage::connect::{Address, Connect};
use crate::storage::migrate::Migration;

/// Everything the server needs to know, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub database: Connect,
    pub migration: Migration,
    /// The largest request, in bytes.
    pub max_request: usize,
    /// How long requests that are under way may take after a signal to stop.
    pub grace: Duration,
    pub log: Log,
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

/// A metadata and lineage server for machine learning, speaking the ML Metadata gRPC protocol.
///
/// Every option can also be given by the environment variable named with it, or as a key of the configuration file
/// (its name with underscores: `grpc_port = 8080`).
#[derive(Debug, Default, Parser)]
#[command(name = "pedigree", version, max_term_width = 100)]
struct Command {
    /// Configuration file, in TOML
    #[arg(long, value_name = "FILE", env = "PEDIGREE_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

/// The options, each in the three ways it can be given.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", env = "PEDIGREE_GRPC_HOST")]
    grpc_host: Option<IpAddr>,

    /// Port to listen on; 0 takes a free one [default: 8080]
    #[arg(long, value_name = "PORT", env = "PEDIGREE_GRPC_PORT")]
    grpc_port: Option<u16>,

    /// Database: `sqlite:PATH`, `postgres://…`, `mysql://…`, or `sqlite::memory:` for one that lives as long as the process
    /// [default: sqlite:pedigree.db]
    #[arg(
        long,
        value_name = "URL",
        env = "PEDIGREE_DATABASE_URL",
        hide_env_values = true
    )]
    database_url: Option<String>,

    /// Most connections to the database, half of them for writing [default: 16]
    #[arg(long, value_name = "N", env = "PEDIGREE_DATABASE_CONNECTIONS")]
    database_connections: Option<u32>,

    /// Seconds that a request waits for a connection [default: 10]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_DATABASE_WAIT")]
    database_wait: Option<u64>,

    /// Seconds that an unused connection stays open [default: 600]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_DATABASE_IDLE")]
    database_idle: Option<u64>,

    /// Seconds that any connection stays open [default: 1800]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_DATABASE_AGE")]
    database_age: Option<u64>,

    /// Whether a missing PostgreSQL or MySQL database is created [default: true]
    #[arg(long, value_name = "BOOL", env = "PEDIGREE_DATABASE_CREATE")]
    database_create: Option<bool>,

    /// Whether MySQL text travels as utf8mb4, for databases that upstream's servers never open; they send UTF-8 as latin1
    /// [default: false]
    #[arg(
        long, value_name = "BOOL", env = "PEDIGREE_MYSQL_UTF8MB4",
        num_args = 0..=1, default_missing_value = "true"
    )]
    mysql_utf8mb4: Option<bool>,

    /// Upgrade a database of an older schema version at start
    #[arg(
        long, value_name = "BOOL", env = "PEDIGREE_UPGRADE_SCHEMA",
        num_args = 0..=1, default_missing_value = "true"
    )]
    upgrade_schema: Option<bool>,

    /// Downgrade the database to this schema version, for an older server, and exit
    #[arg(long, value_name = "VERSION", env = "PEDIGREE_DOWNGRADE_SCHEMA_TO")]
    downgrade_schema_to: Option<i64>,

    /// Largest request, in bytes [default: 134217728]
    #[arg(long, value_name = "BYTES", env = "PEDIGREE_MAX_REQUEST_BYTES")]
    max_request_bytes: Option<usize>,

    /// Seconds that requests under way may take after a signal to stop [default: 25]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_SHUTDOWN_GRACE")]
    shutdown_grace: Option<u64>,

    /// Shape of log lines [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", env = "PEDIGREE_LOG_FORMAT")]
    log_format: Option<LogFormat>,

    /// Log level: error, warn, info, debug, trace, or directives such as info,sqlx=debug [default: info]
    #[arg(long, value_name = "LEVEL", env = "PEDIGREE_LOG_LEVEL")]
    log_level: Option<String>,
}

impl Settings {
    /// These settings, and where they are silent the others.
    fn or(self, other: Self) -> Self {
        Self {
            grpc_host: self.grpc_host.or(other.grpc_host),
            grpc_port: self.grpc_port.or(other.grpc_port),
            database_url: self.database_url.or(other.database_url),
            database_connections: self.database_connections.or(other.database_connections),
            database_wait: self.database_wait.or(other.database_wait),
            database_idle: self.database_idle.or(other.database_idle),
            database_age: self.database_age.or(other.database_age),
            database_create: self.database_create.or(other.database_create),
            mysql_utf8mb4: self.mysql_utf8mb4.or(other.mysql_utf8mb4),
            upgrade_schema: self.upgrade_schema.or(other.upgrade_schema),
            downgrade_schema_to: self.downgrade_schema_to.or(other.downgrade_schema_to),
            max_request_bytes: self.max_request_bytes.or(other.max_request_bytes),
            shutdown_grace: self.shutdown_grace.or(other.shutdown_grace),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
        }
    }

    fn database(&self, address: Address) -> Connect {
        let usual = Connect::new(address);
        Connect {
            connections: self.database_connections.unwrap_or(usual.connections),
            wait: self.database_wait.map_or(usual.wait, Duration::from_secs),
            idle: self.database_idle.map_or(usual.idle, Duration::from_secs),
            age: self.database_age.map_or(usual.age, Duration::from_secs),
            create: self.database_create.unwrap_or(usual.create),
            mysql_utf8mb4: self.mysql_utf8mb4.unwrap_or(usual.mysql_utf8mb4),
            address: usual.address,
        }
    }

    /// Fills in defaults and reports all that is wrong at once.
    fn validate(self) -> Result<Config> {
        let mut wrong = Vec::new();
        let url = self.database_url.as_deref();
        let address = url.unwrap_or("sqlite:pedigree.db").parse::<Address>();
        if let Err(problem) = &address {
            wrong.push(format!("database-url {problem}"));
        }
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
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong.join("; ")));
        }
        let database = self.database(address?);
        let host = self.grpc_host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Config {
            listen: SocketAddr::new(host, self.grpc_port.unwrap_or(8080)),
            database,
            migration: Migration {
                upgrade: self.upgrade_schema.unwrap_or(false),
                widen: false,
                downgrade_to: self.downgrade_schema_to,
            },
            max_request: self.max_request_bytes.unwrap_or(128 << 20),
            grace: Duration::from_secs(self.shutdown_grace.unwrap_or(25)),
            log: Log {
                format: self.log_format.unwrap_or_default(),
                level,
            },
        })
    }
}

impl Config {
    /// The configuration of this process. Ends it for `--help` and `--version`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for options and files that cannot be read and for values that make no sense.
    pub fn from_process() -> Result<Self> {
        let command = Command::try_parse().map_err(|error| {
            if error.use_stderr() {
                unreadable(&error)
            } else {
                error.exit()
            }
        })?;
        let file = match &command.config {
            Some(path) => read_file(path)?,
            None => Settings::default(),
        };
        command.settings.or(file).validate()
    }
}

/// What is wrong with the arguments, in one line: the first paragraph, without the usage that follows it.
fn unreadable(error: &clap::Error) -> Error {
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let problem = paragraph.strip_prefix("error: ").unwrap_or(&paragraph);
    Error::invalid(format!("{problem} (see --help)"))
}

fn read_file(path: &Path) -> Result<Settings> {
    let refused = |problem: String| {
        let path = path.display();
        Error::invalid(format!(
            "cannot use the configuration file {path}: {problem}"
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        refused(format!("line {line}: {}", error.message()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_beats_the_file_which_beats_the_default() {
        let file: Settings = toml::from_str("grpc_port = 1\nlog_format = \"json\"").unwrap();
        let flags = Command::parse_from(["pedigree", "--grpc-port", "2", "--upgrade-schema"]);
        let config = flags.settings.or(file).validate().unwrap();
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
        let text = settings.validate().unwrap_err().to_string();
        for part in ["database-url", "database-connections", "log-level"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(toml::from_str::<Settings>("grcp_port = 1").is_err());
    }
}
