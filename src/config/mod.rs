//! Arguments, environment and file become one validated configuration. A flag beats the environment, which beats the file.

mod print;
pub mod serving;
mod settings;
#[cfg(test)]
mod tests;
pub mod tls;
mod unreadable;
mod upstream;

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, iter};

use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use self::serving::Serving;
use self::settings::Settings;
use crate::api::grpc::lineage::Batches;
use crate::cli;
use crate::error::{Error, Result};
use crate::graph::History;
use crate::storage::connect::{Address, Connect};
use crate::storage::migrate::Migration;

/// How long requests that are under way may usually take after a signal to stop.
const GRACE: Duration = Duration::from_secs(25);

/// Everything the server needs to know, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub database: Connect,
    pub migration: Migration,
    pub history: History,
    /// How messages of a stream are put together.
    pub batches: Batches,
    /// How clients reach the server.
    pub serving: Serving,
    /// How long requests that are under way may take after a signal to stop.
    pub grace: Duration,
    pub log: Log,
    /// Where traces are sent over OTLP.
    pub otlp_endpoint: Option<String>,
    /// What whoever started the server should know of this, to be logged as warnings.
    pub notes: Vec<String>,
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
    /// Let the history learn what other programs wrote: since it begins, or all.
    Reconcile {
        all: bool,
    },
    /// Say what the configuration is.
    PrintConfig,
}

/// What the process is called for.
#[derive(Debug)]
pub enum Program {
    /// To work on a database.
    Server(Task, Box<Config>),
    /// To ask a server.
    Client(Box<cli::Command>),
}

/// A metadata and lineage server for machine learning, speaking the ML Metadata gRPC protocol.
///
/// Every option can also be given by the environment variable named with it, or as a key of the configuration file
/// (its name with underscores: `grpc_port = 8080`). The flags of ML Metadata's server can be written as it has them: -flag=value,
/// --flag value, --noflag for one that is on or off, and --flagfile=FILE for a file with a flag a line.
#[derive(Debug, Default, Parser)]
#[command(
    name = "pedigree",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    args_override_self = true
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
    /// Add to the history of changes what other programs wrote to the database's tables, and end
    Reconcile(Reconcile),
    #[command(flatten)]
    Client(cli::Command),
}

#[derive(Debug, Default, Args)]
struct Options {
    /// Configuration file, in TOML
    #[arg(long, value_name = "FILE", env = "PEDIGREE_CONFIG")]
    config: Option<PathBuf>,

    /// Only say what the configuration is, without secrets
    #[arg(long)]
    print_config: bool,

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

#[derive(Debug, Args)]
struct Reconcile {
    /// Also what is older than the history: afterwards, it begins with the whole graph
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    options: Options,
}

/// What the process finds beside its arguments and our own variables.
#[derive(Debug, Default)]
struct Surroundings {
    /// Whether it was called by the name of upstream's server, in whose place it is then.
    for_upstream: bool,
    /// `GRPC_PORT`, a variable of upstream's image.
    grpc_port: Option<String>,
}

impl Surroundings {
    fn of_process(name: &OsStr) -> Self {
        Self {
            for_upstream: Path::new(name).file_name() == Some("metadata_store_server".as_ref()),
            grpc_port: env::var("GRPC_PORT").ok(),
        }
    }

    /// The address to listen on where none is given.
    const fn host(&self) -> IpAddr {
        IpAddr::V4(if self.for_upstream {
            Ipv4Addr::UNSPECIFIED
        } else {
            Ipv4Addr::LOCALHOST
        })
    }

    /// The database where none is named.
    const fn database(&self) -> &'static str {
        if self.for_upstream {
            "sqlite::memory:"
        } else {
            "sqlite:pedigree.db"
        }
    }
}

impl Command {
    fn read(self, around: &Surroundings) -> Result<(Task, Config)> {
        let (task, migration, options) = match self.task {
            // What is for a client was taken by [`Program::from_process`].
            None | Some(Subtask::Client(_)) => (Task::Serve, None, self.options),
            Some(Subtask::Serve(options)) => (Task::Serve, None, options),
            Some(Subtask::Reconcile(Reconcile { all, options })) => {
                (Task::Reconcile { all }, None, options)
            }
            Some(Subtask::Migrate(migrate)) => {
                let task = if migrate.dry_run {
                    Task::PlanMigration
                } else {
                    Task::Migrate
                };
                let migration = Migration {
                    upgrade: true,
                    widen: migrate.widen,
                    downgrade_to: migrate.downgrade_to,
                };
                (task, Some(migration), migrate.options)
            }
        };
        let task = if options.print_config {
            Task::PrintConfig
        } else {
            task
        };
        let mut config = options.read(around)?;
        config.migration = migration.unwrap_or(config.migration);
        Ok((task, config))
    }
}

impl Options {
    /// Adds what upstream's settings and the file say, fills in defaults, and reports all that is wrong at once.
    fn read(self, around: &Surroundings) -> Result<Config> {
        let file = match &self.config {
            Some(path) => settings::read(path)?,
            None => Settings::default(),
        };
        let mut wrong = Vec::new();
        let mut upstream = self.upstream.read(&mut wrong);
        let mut settings = std::mem::take(&mut upstream.settings).or(self.settings);
        if settings.grpc_port.is_none() {
            settings.grpc_port = upstream::port("GRPC_PORT", around.grpc_port.clone(), &mut wrong);
        }
        settings.or(file).validate(upstream, around, wrong)
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
        if is_given && !address.dialect().has_logins() {
            wrong.push("database-user and database-password are for PostgreSQL and MySQL".into());
        }
        address.with_login(user, password)
    }

    fn database(&self, address: Address, create: bool, retries: Option<usize>) -> Connect {
        let usual = Connect::new(address);
        Connect {
            connections: self.database_connections.unwrap_or(usual.connections),
            wait: self.database_wait.map_or(usual.wait, |time| time.0),
            idle: self.database_idle.map_or(usual.idle, |time| time.0),
            age: self.database_age.map_or(usual.age, |time| time.0),
            create: self.database_create.unwrap_or(create),
            mysql_utf8mb4: self.mysql_utf8mb4.unwrap_or(usual.mysql_utf8mb4),
            retries: retries.unwrap_or(usual.retries),
            address: usual.address,
        }
    }

    fn history(&self) -> History {
        let usual = History::default();
        History {
            changes: self.history.map_or(usual.changes, |time| time.0),
            messages: self.record_memory.map_or(usual.messages, |time| time.0),
        }
    }

    fn batches(&self) -> Batches {
        let usual = Batches::default();
        Batches {
            most: self.record_batch.unwrap_or(usual.most),
            age: self.record_batch_age.map_or(usual.age, |time| time.0),
        }
    }

    /// Fills in defaults and reports all that is wrong at once, with what has been found before.
    fn validate(
        self,
        upstream: upstream::Said,
        around: &Surroundings,
        mut wrong: Vec<String>,
    ) -> Result<Config> {
        let mut notes = upstream.notes;
        if around.for_upstream && self.database_url.is_none() && upstream.database.is_none() {
            notes.push("no database is named: what is stored is lost when the server ends".into());
        }
        if self.database_url.is_some() && upstream.database.is_some() {
            wrong.push("database-url and ML Metadata's settings both name a database".to_owned());
        }
        let url = self.database_url.as_ref().map(ExposeSecret::expose_secret);
        let url = url.unwrap_or(around.database()).parse::<Address>();
        let url = url.map_err(|problem| wrong.push(format!("database-url {problem}")));
        let database = upstream
            .database
            .or(url.ok().map(|address| (address, true)));
        if self.record_batch == Some(0) {
            wrong.push("record-batch must be at least 1".to_owned());
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
        let serving = self.serving(upstream.certificates, &mut wrong);
        let database =
            database.map(|(address, create)| (self.with_login(address, &mut wrong), create));
        let (Some((address, create)), true) = (database, wrong.is_empty()) else {
            return Err(Error::invalid(wrong.join("; ")));
        };
        let database = self.database(address, create, upstream.retries);
        let host = self.grpc_host.unwrap_or(around.host());
        Ok(Config {
            listen: SocketAddr::new(host, self.grpc_port.unwrap_or(8080)),
            database,
            migration: Migration {
                upgrade: self.upgrade_schema.unwrap_or(upstream.upgrade),
                widen: false,
                downgrade_to: self.downgrade_schema_to.or(upstream.downgrade_to),
            },
            history: self.history(),
            batches: self.batches(),
            serving,
            grace: self.shutdown_grace.map_or(GRACE, |time| time.0),
            log: Log {
                format: self.log_format.unwrap_or_default(),
                level,
            },
            otlp_endpoint: self.otlp_endpoint,
            notes,
        })
    }
}

impl Program {
    /// What this process is to do, with its configuration. Ends the process for `--help` and `--version`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for options and files that cannot be read and for values that make no sense.
    pub fn from_process() -> Result<Self> {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_else(|| "pedigree".into());
        let around = Surroundings::of_process(&name);
        let arguments = upstream::gflags::rewrite(arguments).map_err(Error::invalid)?;
        let words: Vec<_> = iter::once(name).chain(arguments).collect();
        let command = Command::try_parse_from(&words).map_err(|error| {
            if error.use_stderr() {
                unreadable::all(error, &words)
            } else {
                error.exit()
            }
        })?;
        if let Some(Subtask::Client(command)) = command.task {
            return Ok(Self::Client(Box::new(command)));
        }
        let (task, config) = command.read(&around)?;
        Ok(Self::Server(task, Box::new(config)))
    }
}
