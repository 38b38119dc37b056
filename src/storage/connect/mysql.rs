//! MySQL and MariaDB.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::MySqlConnectOptions;
pub use sqlx::mysql::MySqlSslMode as SslMode;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySqlConnection, Row};

use super::hosts::{Host, ServerRole, TargetSession, write_hosts};
use super::tls::{self, Identity};
use super::{Connect, STATEMENT_CACHE_CAPACITY, quoted};
use crate::error::Result;
use crate::storage::database::Pools;
use crate::storage::db_error;
use crate::storage::session::{HostLogin, Servers};

/// The port of a server that is given none.
pub const DEFAULT_PORT: u16 = 3306;

/// A MySQL database.
#[derive(Clone, Debug)]
pub struct MySql {
    pub server: MySqlAddress,
    /// `None` for `root`, the driver's default.
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub database: String,
    /// Which of several hosts is used. A host that takes no writes is a standby.
    pub target: TargetSession,
    pub ssl_mode: SslMode,
    /// Paths of files, or of folders with files, of authorities to trust beside the public ones, in
    /// PEM.
    pub authorities: Vec<PathBuf>,
    pub identity: Option<Identity>,
}

/// Where the server listens.
#[derive(Clone, Debug)]
pub enum MySqlAddress {
    /// At least one host.
    Tcp(Vec<Host>),
    Socket(PathBuf),
}

impl fmt::Display for MySql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            MySqlAddress::Tcp(hosts) => {
                f.write_str("mysql://")?;
                write_hosts(f, hosts)?;
                write!(f, "/{}", self.database)
            }
            MySqlAddress::Socket(path) => write!(f, "mysql://{}/{}", path.display(), self.database),
        }
    }
}

impl MySql {
    /// Connects; `None` when there is no such database and `to` does not ask for it.
    pub(super) async fn pools(&self, to: &Connect) -> Result<Option<Pools>> {
        let server = self.servers(to)?;
        let servers = server.map(|options| options.database(&self.database));
        let opening = to.opening_permits().await?;
        if !servers.has_database().await? {
            if !to.create {
                return Ok(None);
            }
            self.create(&server).await?;
        }
        drop(opening);
        let shares = to.shares(servers, &[]).await?;
        Ok(Some(Pools::MySql(shares)))
    }

    /// The servers, without a database.
    fn servers(&self, to: &Connect) -> Result<Servers<sqlx::MySql>> {
        let options = self.options(to)?;
        let places = match &self.server {
            MySqlAddress::Tcp(hosts) => hosts
                .iter()
                .map(|host| {
                    let options = options.clone().host(&host.name).port(host.port);
                    (host.to_string(), options)
                })
                .collect(),
            MySqlAddress::Socket(path) => {
                vec![(path.display().to_string(), options.socket(path))]
            }
        };
        let logins = places.into_iter().map(|(name, options)| {
            let ways = self.modes().iter();
            let ways = ways.map(|mode| options.clone().ssl_mode(*mode));
            HostLogin::new(name, ways.collect())
        });
        Ok(Servers::new(logins.collect(), self.target))
    }

    /// Options that name neither server nor database.
    fn options(&self, to: &Connect) -> Result<MySqlConnectOptions> {
        let mut options = MySqlConnectOptions::new()
            .charset(if to.mysql_utf8mb4 {
                "utf8mb4"
            } else {
                "latin1"
            })
            // `settings` pins what sqlx would only add to.
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .statement_cache_capacity(STATEMENT_CACHE_CAPACITY)
            .disable_statement_logging();
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password.expose_secret());
        }
        if !self.authorities.is_empty() {
            options = options.ssl_ca_from_pem(tls::authorities(&self.authorities)?);
        }
        if let Some(identity) = &self.identity {
            options = options
                .ssl_client_cert(&identity.cert)
                .ssl_client_key_from_pem(identity.key_pem()?);
        }
        Ok(options)
    }

    /// The modes to try, in this order: sqlx does not go on without TLS when a server offers a kind
    /// of it that is too old.
    fn modes(&self) -> &'static [SslMode] {
        match self.ssl_mode {
            SslMode::Disabled => &[SslMode::Disabled],
            SslMode::Preferred => &[SslMode::Required, SslMode::Disabled],
            SslMode::Required => &[SslMode::Required],
            SslMode::VerifyCa => &[SslMode::VerifyCa],
            SslMode::VerifyIdentity => &[SslMode::VerifyIdentity],
        }
    }

    /// Creates the database. That another process was faster is fine.
    async fn create(&self, servers: &Servers<sqlx::MySql>) -> Result<()> {
        // The name is UTF-8, whatever the texts in the database are.
        let servers = servers.map(|options| options.charset("utf8mb4"));
        let connected = servers.connect().await.map_err(db_error::classify)?;
        let mut connection = connected.connection;
        let name = quoted(&self.database, '`');
        let sql = format!("CREATE DATABASE IF NOT EXISTS {name}");
        let created = connection.execute(AssertSqlSafe(sql)).await;
        created.map(|_| ()).map_err(db_error::classify)
    }
}

/// The number of a Galera node's state that has applied what the others have.
const SYNCED: &[u8] = b"4";

/// What the server of a connection is. Servers without Galera do not know some of the names.
pub(in crate::storage) async fn role(connection: &mut MySqlConnection) -> sqlx::Result<ServerRole> {
    let variables = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'wsrep_on')";
    let variables = values(connection, variables).await?;
    let is = |name: &str, value: &[u8]| {
        let mut values = variables.iter().filter(|(of, _)| of == name.as_bytes());
        values.any(|(_, has)| has == value)
    };
    let mut is_writable = is("read_only", b"OFF");
    if is_writable && is("wsrep_on", b"ON") {
        let states =
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state', 'wsrep_ready')";
        let states = values(connection, states).await?;
        is_writable = states
            .iter()
            .all(|(_, state)| state == SYNCED || state == b"ON");
    }
    Ok(ServerRole {
        is_writable,
        is_standby: !is_writable,
    })
}

/// Whether the server of a connection is no node of a Galera cluster, or one with a quorum. A node
/// without one refuses most statements, but answers this.
pub(in crate::storage) async fn has_quorum(connection: &mut MySqlConnection) -> sqlx::Result<bool> {
    let status = values(connection, "SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'").await?;
    Ok(status.iter().all(|(_, value)| value != b"non-Primary"))
}

/// Names and values that a SHOW statement answers.
async fn values(
    connection: &mut MySqlConnection,
    show: &'static str,
) -> sqlx::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let rows = sqlx::raw_sql(show).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((row.try_get_unchecked(0)?, row.try_get_unchecked(1)?)))
        .collect()
}
