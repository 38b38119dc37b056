//! PostgreSQL: names and meanings are libpq's.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
pub use sqlx::postgres::PgSslMode as SslMode;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row};
use tokio::time::timeout;

use super::hosts::{Host, ServerRole, TargetSession, write_hosts};
use super::tls::{self, Identity};
use super::{Connect, STATEMENT_CACHE_CAPACITY, passfile, quoted};
use crate::error::{Error, Result};
use crate::storage::database::Pools;
use crate::storage::db_error;
use crate::storage::session::{HostLogin, Servers};

/// The port of a server that is given none.
pub const DEFAULT_PORT: u16 = 5432;

/// How long a look at what is between the server and the database may take. A pooler with one
/// session left gives the second connection none.
const POOLER_LOOK_TIME: Duration = Duration::from_secs(2);

/// Why a pooler is refused.
const OTHER_SESSIONS: &str = "a connection pooler gives the transactions of a connection other \
     sessions of the database; it must give each connection one (PgBouncer: pool_mode = session)";

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// At least one.
    pub hosts: Vec<Host>,
    pub target: TargetSession,
    /// `None` for the one that `PGUSER` names, or the operating system's.
    pub user: Option<String>,
    /// `None` to look it up in the password file.
    pub password: Option<SecretString>,
    /// `None` for the file that `PGPASSFILE` names, or `~/.pgpass`.
    pub passfile: Option<PathBuf>,
    pub database: String,
    pub sslmode: SslMode,
    /// Path of the authorities to trust beside the public ones, in PEM. With it a server's
    /// certificate is checked in every mode that speaks TLS.
    pub sslrootcert: Option<PathBuf>,
    pub identity: Option<Identity>,
    /// Names and values of settings for each session, as `options=-c name=value` gives them.
    pub settings: Vec<(String, String)>,
}

impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        write_hosts(f, &self.hosts)?;
        write!(f, "/{}", self.database)
    }
}

impl Postgres {
    /// Connects; `None` when there is no such database and `to` does not ask for it.
    pub(super) async fn pools(&self, to: &Connect) -> Result<Option<Pools>> {
        let logins = self.hosts.iter().map(|host| self.login(host));
        let servers = Servers::new(logins.collect::<Result<_>>()?, self.target);
        let opening = to.opening_permits().await?;
        if !servers.has_database().await? {
            if !to.create {
                return Ok(None);
            }
            self.create(&servers).await?;
        }
        if gives_other_sessions(&servers).await {
            return Err(Error::FailedPrecondition(OTHER_SESSIONS.into()));
        }
        drop(opening);
        let shares = to.shares(servers, &self.settings).await?;
        Ok(Some(Pools::Postgres(shares)))
    }

    /// How to log in at a host.
    fn login(&self, host: &Host) -> Result<HostLogin<sqlx::Postgres>> {
        let options = self.options(host)?;
        let ways = self.modes(host).iter();
        let ways = ways.map(|mode| options.clone().ssl_mode(*mode));
        Ok(HostLogin::new(host.to_string(), ways.collect()))
    }

    fn options(&self, host: &Host) -> Result<PgConnectOptions> {
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&host.name)
            .port(host.port)
            .database(&self.database)
            .application_name("pedigree")
            // A pooler refuses it as a parameter of the start; `settings` sets it.
            .extra_float_digits(None)
            .statement_cache_capacity(STATEMENT_CACHE_CAPACITY)
            .disable_statement_logging();
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        let login = passfile::ServerLogin {
            host: &host.name,
            port: host.port,
            database: &self.database,
            user: options.get_username(),
        };
        let password = match &self.password {
            Some(password) => Some(password.clone()),
            None => passfile::find(self.passfile.as_deref(), &login),
        };
        if let Some(password) = password {
            options = options.password(password.expose_secret());
        }
        if let Some(root) = &self.sslrootcert {
            let authorities = tls::authorities(std::slice::from_ref(root))?;
            options = options.ssl_root_cert_from_pem(authorities);
        }
        if let Some(identity) = &self.identity {
            options = options
                .ssl_client_cert(&identity.cert)
                .ssl_client_key_from_pem(identity.key_pem()?);
        }
        Ok(options)
    }

    /// The modes to try, in this order. A Unix socket has no TLS.
    fn modes(&self, host: &Host) -> &'static [SslMode] {
        let check = self.sslrootcert.is_some();
        match self.sslmode {
            _ if host.name.starts_with('/') => &[SslMode::Disable],
            SslMode::Disable => &[SslMode::Disable],
            SslMode::Allow if check => &[SslMode::Disable, SslMode::VerifyCa],
            SslMode::Allow => &[SslMode::Disable, SslMode::Require],
            SslMode::Prefer if check => &[SslMode::VerifyCa, SslMode::Disable],
            SslMode::Prefer => &[SslMode::Require, SslMode::Disable],
            SslMode::Require if !check => &[SslMode::Require],
            SslMode::Require | SslMode::VerifyCa => &[SslMode::VerifyCa],
            SslMode::VerifyFull => &[SslMode::VerifyFull],
        }
    }

    /// Creates the database. That another process was faster is fine.
    async fn create(&self, servers: &Servers<sqlx::Postgres>) -> Result<()> {
        let maintenance = servers.map(|options| options.database("postgres"));
        let sql = format!("CREATE DATABASE {}", quoted(&self.database, '"'));
        let connected = maintenance.connect().await.map_err(db_error::classify)?;
        let mut connection = connected.connection;
        let created = connection.execute(AssertSqlSafe(sql)).await;
        match (created, servers.greet().await) {
            (Err(error), Err(_)) => Err(db_error::classify(error)),
            _ => Ok(()),
        }
    }
}

/// Whether something between gives the transactions of a connection any sessions of the database.
/// Settings of a session and prepared statements would then be lost without an error.
async fn gives_other_sessions(servers: &Servers<sqlx::Postgres>) -> bool {
    let looking = async {
        let mut one = servers.connect().await?.connection;
        let mut other = servers.connect().await?.connection;
        let first = session(&mut one).await?;
        // A connection that asks twice meets the next session where they take turns.
        let second = [session(&mut other).await?, session(&mut other).await?];
        let last = session(&mut one).await?;
        let _ = tokio::join!(one.close(), other.close());
        let are_own = first == last && second[0] == second[1] && first != second[0];
        Ok::<_, sqlx::Error>(!are_own)
    };
    // An error here is not reported: the pool opens a connection next, and reports its error.
    matches!(timeout(POOLER_LOOK_TIME, looking).await, Ok(Ok(true)))
}

/// The number of the session that runs this.
async fn session(connection: &mut PgConnection) -> sqlx::Result<i32> {
    let query = sqlx::raw_sql("SELECT pg_catalog.pg_backend_pid()");
    query.fetch_one(connection).await?.try_get(0)
}

/// What the server of a connection is.
pub(in crate::storage) async fn role(connection: &mut PgConnection) -> sqlx::Result<ServerRole> {
    let query = sqlx::raw_sql(
        "SELECT pg_catalog.pg_is_in_recovery(),
            pg_catalog.current_setting('transaction_read_only')::bool",
    );
    let row = query.fetch_one(connection).await?;
    let is_read_only: bool = row.try_get(1)?;
    Ok(ServerRole {
        is_writable: !is_read_only,
        is_standby: row.try_get(0)?,
    })
}

/// PostgreSQL has no clusters whose nodes vote.
pub(in crate::storage) fn has_quorum(
    _: &mut PgConnection,
) -> impl Future<Output = sqlx::Result<bool>> + Send + use<> {
    std::future::ready(Ok(true))
}
