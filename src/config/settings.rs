//! The options, each a flag, an environment variable and a key of the configuration file.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde::Deserialize;

use super::LogFormat;
use super::unreadable::without_urls;
use crate::error::{Error, Result};

/// A time, given in seconds or parts of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Seconds(pub Duration);

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> std::result::Result<Self, String> {
        let time = Duration::try_from_secs_f64(seconds);
        time.map(Self).map_err(|error| error.to_string())
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
        seconds.try_into()
    }
}

/// The options, each in the three ways it can be given.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", env = "PEDIGREE_GRPC_HOST")]
    pub grpc_host: Option<IpAddr>,

    /// Port to listen on; 0 takes a free one [default: 8080]
    #[arg(long, value_name = "PORT", env = "PEDIGREE_GRPC_PORT")]
    pub grpc_port: Option<u16>,

    /// Database: `sqlite:PATH`, `postgres://…`, `mysql://…`, or `sqlite::memory:` for one that lives as long as the process
    /// [default: sqlite:pedigree.db]
    #[arg(
        long,
        value_name = "URL",
        env = "PEDIGREE_DATABASE_URL",
        hide_env_values = true
    )]
    pub database_url: Option<SecretString>,

    /// User of the database, beside a URL without one
    #[arg(long, value_name = "NAME", env = "PEDIGREE_DATABASE_USER")]
    pub database_user: Option<String>,

    /// Password of the user, as it is, beside a URL without one
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "PEDIGREE_DATABASE_PASSWORD",
        hide_env_values = true
    )]
    pub database_password: Option<SecretString>,

    /// File with the password of the user, in its first line
    #[arg(long, value_name = "FILE", env = "PEDIGREE_DATABASE_PASSWORD_FILE")]
    pub database_password_file: Option<PathBuf>,

    /// Most connections to the database, half of them for writing [default: 16]
    #[arg(long, value_name = "N", env = "PEDIGREE_DATABASE_CONNECTIONS")]
    pub database_connections: Option<u32>,

    /// Seconds that a request waits for a connection [default: 10]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_DATABASE_WAIT")]
    pub database_wait: Option<Seconds>,

    /// Seconds that an unused connection stays open [default: 600]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_DATABASE_IDLE")]
    pub database_idle: Option<Seconds>,

    /// Seconds that any connection stays open [default: 1800]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_DATABASE_AGE")]
    pub database_age: Option<Seconds>,

    /// Whether a missing PostgreSQL or MySQL database is created [default: true]
    #[arg(long, value_name = "BOOL", env = "PEDIGREE_DATABASE_CREATE")]
    pub database_create: Option<bool>,

    /// Whether MySQL text travels as utf8mb4, for databases that upstream's servers never open; they send UTF-8 as latin1
    /// [default: false]
    #[arg(
        long, value_name = "BOOL", env = "PEDIGREE_MYSQL_UTF8MB4",
        num_args = 0..=1, default_missing_value = "true"
    )]
    pub mysql_utf8mb4: Option<bool>,

    /// Upgrade a database of an older schema version at start
    #[arg(
        long, value_name = "BOOL", env = "PEDIGREE_UPGRADE_SCHEMA",
        num_args = 0..=1, default_missing_value = "true"
    )]
    pub upgrade_schema: Option<bool>,

    /// Downgrade the database to this schema version, for an older server, and exit
    #[arg(long, value_name = "VERSION", env = "PEDIGREE_DOWNGRADE_SCHEMA_TO")]
    pub downgrade_schema_to: Option<i64>,

    /// Seconds that the history of changes goes back, for those who watch; 0 keeps none [default: 604800]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_HISTORY")]
    pub history: Option<Seconds>,

    /// Seconds that the ids of recorded messages are known, so that none is stored twice [default: 604800]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_RECORD_MEMORY")]
    pub record_memory: Option<Seconds>,

    /// Most messages of a stream that are stored by one commit [default: 256]
    #[arg(long, value_name = "N", env = "PEDIGREE_RECORD_BATCH")]
    pub record_batch: Option<usize>,

    /// Seconds that a message waits for others to be stored with [default: 0.002]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_RECORD_BATCH_AGE")]
    pub record_batch_age: Option<Seconds>,

    /// Largest request, in bytes [default: 134217728]
    #[arg(long, value_name = "BYTES", env = "PEDIGREE_MAX_REQUEST_BYTES")]
    pub max_request_bytes: Option<usize>,

    /// Largest answer, in bytes [default: no limit]
    #[arg(long, value_name = "BYTES", env = "PEDIGREE_MAX_RESPONSE_BYTES")]
    pub max_response_bytes: Option<usize>,

    /// Most requests at once; further ones are refused [default: 1024]
    #[arg(long, value_name = "N", env = "PEDIGREE_MAX_REQUESTS")]
    pub max_requests: Option<usize>,

    /// Bytes of memory that long lists on the way to their clients take together; what does not fit is read twice [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "PEDIGREE_LIST_MEMORY")]
    pub list_memory: Option<usize>,

    /// Seconds that a client may leave a trace or a list unread for which a connection to the database is kept; at most 50
    /// [default: 30]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_STREAM_PATIENCE")]
    pub stream_patience: Option<Seconds>,

    /// Largest headers of a request, in bytes [default: 16384]
    #[arg(long, value_name = "BYTES", env = "PEDIGREE_MAX_METADATA_BYTES")]
    pub max_metadata_bytes: Option<u32>,

    /// Seconds that a client's connection may live; its requests under way are finished [default: no limit]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_CONNECTION_AGE")]
    pub connection_age: Option<Seconds>,

    /// Seconds that a client's connection may be without a request [default: no limit]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_CONNECTION_IDLE")]
    pub connection_idle: Option<Seconds>,

    /// Seconds of silence after which a client is asked whether it is there [default: 60]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_KEEPALIVE")]
    pub keepalive: Option<Seconds>,

    /// Seconds that it may take to answer that [default: 20]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_KEEPALIVE_TIMEOUT")]
    pub keepalive_timeout: Option<Seconds>,

    /// Address of the admin port [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", env = "PEDIGREE_ADMIN_HOST")]
    pub admin_host: Option<IpAddr>,

    /// Port of /livez, /readyz and /metrics over HTTP; 0 takes a free one [default: none]
    #[arg(long, value_name = "PORT", env = "PEDIGREE_ADMIN_PORT")]
    pub admin_port: Option<u16>,

    /// File with the server's certificate chain, in PEM; it is read again when it changes
    #[arg(long, value_name = "FILE", env = "PEDIGREE_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// File with the key of the certificate, in PEM
    #[arg(long, value_name = "FILE", env = "PEDIGREE_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// File with the authorities that certificates of clients must come from, in PEM [default: clients need none]
    #[arg(long, value_name = "FILE", env = "PEDIGREE_TLS_CLIENT_CA")]
    pub tls_client_ca: Option<PathBuf>,

    /// Origins whose pages browsers let call over gRPC-Web, separated by commas; * stands for all [default: none]
    #[arg(long, value_name = "ORIGINS", env = "PEDIGREE_WEB_ORIGINS")]
    pub web_origins: Option<String>,

    /// Where traces are sent over OTLP with gRPC, such as `http://127.0.0.1:4317` [default: nowhere]
    #[arg(long, value_name = "URL", env = "PEDIGREE_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,

    /// Seconds that requests under way may take after a signal to stop [default: 25]
    #[arg(long, value_name = "SECONDS", env = "PEDIGREE_SHUTDOWN_GRACE")]
    pub shutdown_grace: Option<Seconds>,

    /// Shape of log lines [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", env = "PEDIGREE_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Log level: error, warn, info, debug, trace, or directives such as info,sqlx=debug [default: info]
    #[arg(long, value_name = "LEVEL", env = "PEDIGREE_LOG_LEVEL")]
    pub log_level: Option<String>,
}

impl Settings {
    /// These settings, and where they are silent the others.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            grpc_host: self.grpc_host.or(other.grpc_host),
            grpc_port: self.grpc_port.or(other.grpc_port),
            database_url: self.database_url.or(other.database_url),
            database_user: self.database_user.or(other.database_user),
            database_password: self.database_password.or(other.database_password),
            database_password_file: self.database_password_file.or(other.database_password_file),
            database_connections: self.database_connections.or(other.database_connections),
            database_wait: self.database_wait.or(other.database_wait),
            database_idle: self.database_idle.or(other.database_idle),
            database_age: self.database_age.or(other.database_age),
            database_create: self.database_create.or(other.database_create),
            mysql_utf8mb4: self.mysql_utf8mb4.or(other.mysql_utf8mb4),
            upgrade_schema: self.upgrade_schema.or(other.upgrade_schema),
            downgrade_schema_to: self.downgrade_schema_to.or(other.downgrade_schema_to),
            history: self.history.or(other.history),
            record_memory: self.record_memory.or(other.record_memory),
            record_batch: self.record_batch.or(other.record_batch),
            record_batch_age: self.record_batch_age.or(other.record_batch_age),
            max_request_bytes: self.max_request_bytes.or(other.max_request_bytes),
            max_response_bytes: self.max_response_bytes.or(other.max_response_bytes),
            max_requests: self.max_requests.or(other.max_requests),
            list_memory: self.list_memory.or(other.list_memory),
            stream_patience: self.stream_patience.or(other.stream_patience),
            max_metadata_bytes: self.max_metadata_bytes.or(other.max_metadata_bytes),
            connection_age: self.connection_age.or(other.connection_age),
            connection_idle: self.connection_idle.or(other.connection_idle),
            keepalive: self.keepalive.or(other.keepalive),
            keepalive_timeout: self.keepalive_timeout.or(other.keepalive_timeout),
            admin_host: self.admin_host.or(other.admin_host),
            admin_port: self.admin_port.or(other.admin_port),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            tls_client_ca: self.tls_client_ca.or(other.tls_client_ca),
            web_origins: self.web_origins.or(other.web_origins),
            otlp_endpoint: self.otlp_endpoint.or(other.otlp_endpoint),
            shutdown_grace: self.shutdown_grace.or(other.shutdown_grace),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
        }
    }
}

/// The settings in a TOML file.
pub(super) fn read(path: &Path) -> Result<Settings> {
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
        refused(format!("line {line}: {}", without_urls(error.message())))
    })
}
