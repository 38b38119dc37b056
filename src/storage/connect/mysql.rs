//! MySQL and MariaDB.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::MySqlConnectOptions;
pub use sqlx::mysql::MySqlSslMode as SslMode;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use super::tls::{self, Identity};
use super::{Connect, Login, STATEMENT_CACHE_CAPACITY, login, quoted};
use crate::error::Result;
use crate::storage::database::Pools;
use crate::storage::db_error;

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
    pub ssl_mode: SslMode,
    /// Paths of files, or of folders with files, of authorities to trust beside the public ones, in
    /// PEM.
    pub authorities: Vec<PathBuf>,
    pub identity: Option<Identity>,
}

/// Where the server listens.
#[derive(Clone, Debug)]
pub enum MySqlAddress {
    Tcp { host: String, port: u16 },
    Socket(PathBuf),
}

impl fmt::Display for MySql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            MySqlAddress::Tcp { host, port } => {
                write!(f, "mysql://{host}:{port}/{}", self.database)
            }
            MySqlAddress::Socket(path) => write!(f, "mysql://{}/{}", path.display(), self.database),
        }
    }
}

impl MySql {
    /// Connects; `None` when there is no such database and `to` does not ask for it.
    pub(super) async fn pools(&self, to: &Connect) -> Result<Option<Pools>> {
        let server = self.server(to)?;
        let ways = self.modes().iter().map(|mode| {
            let named = server.clone().database(&self.database);
            named.ssl_mode(*mode)
        });
        let options = match login(ways.collect()).await? {
            Login::Accepted(options) => options,
            Login::NoDatabase(options) if to.create => {
                let server = server.ssl_mode(options.get_ssl_mode());
                self.create(&server).await?;
                options
            }
            Login::NoDatabase(_) => return Ok(None),
        };
        let shares = to.shares(options, &[]).await?;
        Ok(Some(Pools::MySql(shares)))
    }

    /// Options that name no database.
    fn server(&self, to: &Connect) -> Result<MySqlConnectOptions> {
        let options = MySqlConnectOptions::new()
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
        let mut options = match &self.server {
            MySqlAddress::Tcp { host, port } => options.host(host).port(*port),
            MySqlAddress::Socket(path) => options.socket(path),
        };
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
    async fn create(&self, server: &MySqlConnectOptions) -> Result<()> {
        // The name is UTF-8, whatever the texts in the database are.
        let server = server.clone().charset("utf8mb4");
        let mut connection = server.connect().await.map_err(db_error::classify)?;
        let name = quoted(&self.database, '`');
        let sql = format!("CREATE DATABASE IF NOT EXISTS {name}");
        let created = connection.execute(AssertSqlSafe(sql)).await;
        created.map(|_| ()).map_err(db_error::classify)
    }
}
