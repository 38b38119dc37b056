//! How connections are made: URL, limits, TLS, and the database itself when it is missing.

use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Pool};

use super::driver::{Database, Pools};
use super::fault;
use crate::error::{Error, Result};

/// How long a statement waits for another process that writes the same SQLite file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 512;

/// What to connect to, and with how many connections.
#[derive(Clone, Debug)]
pub struct Connect {
    /// `sqlite:PATH`, `sqlite::memory:`, `postgres://…` or `mysql://…`. What the drivers know, such as TLS, is a parameter of
    /// the URL.
    pub url: String,
    /// The most connections at once.
    pub connections: u32,
    /// How long a request waits for one of them.
    pub wait: Duration,
    /// How long an unused connection stays open.
    pub idle: Duration,
    /// How long any connection stays open.
    pub age: Duration,
    /// Whether a missing PostgreSQL or MySQL database is created. A missing SQLite file always is.
    pub create: bool,
    /// Whether MySQL text travels as utf8mb4. Upstream's servers send UTF-8 as if it were latin1, and databases that they
    /// share need the same.
    pub mysql_utf8mb4: bool,
}

impl Connect {
    /// The usual limits for this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 16,
            wait: Duration::from_secs(10),
            idle: Duration::from_mins(10),
            age: Duration::from_mins(30),
            create: true,
            mysql_utf8mb4: false,
        }
    }

    /// The URL without what must not be shown: user and password go, and so do the parameters.
    #[must_use]
    pub fn public_url(&self) -> String {
        let shown = self.url.split(['?', '#']).next().unwrap_or_default();
        match (shown.split_once("://"), shown.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
            _ => shown.to_owned(),
        }
    }

    fn limits<DB: sqlx::Database>(&self, connections: u32) -> PoolOptions<DB> {
        PoolOptions::new()
            .max_connections(connections.max(1))
            .acquire_timeout(self.wait)
            .idle_timeout(self.idle)
            .max_lifetime(self.age)
            // A connection that died is noticed when a transaction begins on it, which then begins on another.
            .test_before_acquire(false)
    }

    /// Half of the connections, for each of two pools.
    const fn half(&self) -> u32 {
        self.connections.div_ceil(2)
    }
}

impl Database {
    /// Connects to a URL with the usual limits and at most this many connections.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub async fn open(url: &str, connections: u32) -> Result<Self> {
        let to = Connect {
            connections,
            ..Connect::new(url)
        };
        Self::connect(&to).await
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the URL cannot be used, `Unavailable` when the database cannot be reached.
    pub async fn connect(to: &Connect) -> Result<Self> {
        let pools = match to.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => sqlite(to).await?,
            Some("postgres" | "postgresql") => postgres(to).await?,
            Some("mysql" | "mariadb") => mysql(to).await?,
            _ => {
                return Err(Error::invalid(
                    "the database URL must start with sqlite:, postgres: or mysql:",
                ));
            }
        };
        Ok(Self::of(pools))
    }
}

fn unusable(error: &sqlx::Error) -> Error {
    // The driver's text may quote the URL, and with it a password.
    let why = match error {
        sqlx::Error::Configuration(_) => "it has a part that the driver cannot read",
        _ => "it is not of the form that the driver expects",
    };
    Error::invalid(format!("cannot use the database URL: {why}"))
}

async fn sqlite(to: &Connect) -> Result<Pools> {
    let options = SqliteConnectOptions::from_str(&to.url)
        .map_err(|error| unusable(&error))?
        .create_if_missing(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS)
        .synchronous(SqliteSynchronous::Full);
    let one = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(to.wait.max(BUSY_TIMEOUT * 2))
        .idle_timeout(None)
        .max_lifetime(None);
    if to.url.starts_with("sqlite::memory:") {
        let only = one.connect_with(options).await.map_err(fault::from)?;
        return Ok(Pools::Sqlite {
            writer: only.clone(),
            reader: only,
        });
    }
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let writer = one
        .connect_with(options.clone())
        .await
        .map_err(fault::from)?;
    let reader = to
        .limits(to.half())
        .connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(Pools::Sqlite { writer, reader })
}

async fn postgres(to: &Connect) -> Result<Pools> {
    let options = PgConnectOptions::from_str(&to.url)
        .map_err(|error| unusable(&error))?
        .application_name("pedigree")
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    if to.create {
        create_postgres(&options).await?;
    }
    let pool: PgPoolOptions = to.limits(to.half());
    Ok(Pools::Postgres {
        writer: connect(pool.clone(), options.clone()).await?,
        reader: pool.connect_lazy_with(options),
    })
}

async fn mysql(to: &Connect) -> Result<Pools> {
    let options = MySqlConnectOptions::from_str(&to.url)
        .map_err(|error| unusable(&error))?
        .charset(if to.mysql_utf8mb4 {
            "utf8mb4"
        } else {
            "latin1"
        })
        // Strictness and operators stay as upstream's connections have them.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    if to.create {
        create_mysql(&to.url, &options).await?;
    }
    let pool: MySqlPoolOptions = to.limits(to.half());
    // A write sees what others committed while it waited for their locks; a read sees one state.
    let writers = pool.clone().after_connect(|connection, _| {
        Box::pin(async move {
            connection
                .execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
                .await
                .map(|_| ())
        })
    });
    Ok(Pools::MySql {
        writer: connect(writers, options.clone()).await?,
        reader: pool.connect_lazy_with(options),
    })
}

/// A pool whose first connection works.
async fn connect<DB: sqlx::Database>(
    pool: PoolOptions<DB>,
    options: <DB::Connection as Connection>::Options,
) -> Result<Pool<DB>> {
    pool.connect_with(options).await.map_err(fault::from)
}

/// Creates the database when the server does not know it. That another process was faster is fine.
async fn create_postgres(options: &PgConnectOptions) -> Result<()> {
    let (Err(error), Some(name)) = (options.connect().await, options.get_database()) else {
        return Ok(());
    };
    if !fault::is_missing_database(&error) {
        return Err(fault::from(error));
    }
    let server = options.clone().database("postgres");
    let sql = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
    let mut connection = server.connect().await.map_err(fault::from)?;
    let created = connection.execute(AssertSqlSafe(sql)).await;
    match (created, options.connect().await) {
        (Err(error), Err(_)) => Err(fault::from(error)),
        _ => Ok(()),
    }
}

/// As [`create_postgres`].
async fn create_mysql(url: &str, options: &MySqlConnectOptions) -> Result<()> {
    let (Err(error), Some(name)) = (options.connect().await, options.get_database()) else {
        return Ok(());
    };
    if !fault::is_missing_database(&error) {
        return Err(fault::from(error));
    }
    let server =
        MySqlConnectOptions::from_str(&without_database(url)).map_err(|error| unusable(&error))?;
    let mut connection = server.connect().await.map_err(fault::from)?;
    let sql = format!(
        "CREATE DATABASE IF NOT EXISTS `{}`",
        name.replace('`', "``")
    );
    let created = connection.execute(AssertSqlSafe(sql)).await;
    created.map(|_| ()).map_err(fault::from)
}

/// A URL without its path.
fn without_database(url: &str) -> String {
    let (front, parameters) = url.split_once('?').unwrap_or((url, ""));
    let authority = front.find("://").map_or(0, |at| at + 3);
    let end = front[authority..]
        .find('/')
        .map_or(front.len(), |at| authority + at);
    format!("{}?{parameters}", &front[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let shown = |url: &str| Connect::new(url).public_url();
        assert_eq!(
            shown("postgres://u:p%40@h:1/db?sslkey=x"),
            "postgres://h:1/db"
        );
        assert_eq!(shown("mysql://u:p@@h/db"), "mysql://h/db");
        assert_eq!(shown("sqlite:a@b.db"), "sqlite:a@b.db");
        for url in ["postgres://u:secret@h:x/db", "mysql://u:secret@/:::"] {
            let options = PgConnectOptions::from_str(url).err();
            assert!(options.is_none_or(|error| !unusable(&error).to_string().contains("secret")));
        }
    }

    #[test]
    fn the_server_is_what_stands_before_the_database() {
        assert_eq!(
            without_database("mysql://u:p@h:1/db?a=b"),
            "mysql://u:p@h:1?a=b"
        );
        assert_eq!(without_database("mysql://h"), "mysql://h?");
    }
}
