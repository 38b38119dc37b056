//! Pools, transactions and rows: the only file that matches on the driver.

use sqlx::mysql::{MySqlPool, MySqlRow};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{FromRow, MySql, Pool, Postgres, Row, Sqlite, Transaction};

use super::column::Int;
use super::query::{Args, Query};
use super::{Dialect, fault};
use crate::error::{Error, Result};

/// A row that every driver can decode: `#[derive(FromRow)]`, or a tuple, of [`super::column`] types.
pub trait Record:
    for<'r> FromRow<'r, PgRow>
    + for<'r> FromRow<'r, MySqlRow>
    + for<'r> FromRow<'r, SqliteRow>
    + Send
    + Unpin
{
}
impl<T> Record for T where
    T: for<'r> FromRow<'r, PgRow>
        + for<'r> FromRow<'r, MySqlRow>
        + for<'r> FromRow<'r, SqliteRow>
        + Send
        + Unpin
{
}

/// A database: connections for transactions that write, and others for those that only read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pools: Pools,
}

/// On SQLite the writer is one connection, which puts writes in a queue: the place where waiting writes can later be
/// committed together. A store in memory has one connection for everything, because it lives in that connection.
#[derive(Clone, Debug)]
pub(super) enum Pools {
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
    Postgres {
        writer: PgPool,
        reader: PgPool,
    },
    MySql {
        writer: MySqlPool,
        reader: MySqlPool,
    },
}

impl Database {
    pub(super) const fn of(pools: Pools) -> Self {
        Self { pools }
    }

    /// The dialect of this database.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres { .. } => Dialect::Postgres,
            Pools::MySql { .. } => Dialect::MySql,
        }
    }

    /// Begins a transaction that sees one state of the database and writes nothing.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Exhausted` when no connection can be had.
    pub async fn read(&self) -> Result<Tx> {
        match self.pools.clone() {
            Pools::Sqlite { reader, .. } => begin(reader, "BEGIN").await.map(Tx::Sqlite),
            Pools::Postgres { reader, .. } => {
                let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                begin(reader, snapshot).await.map(Tx::Postgres)
            }
            Pools::MySql { reader, .. } => begin(reader, "START TRANSACTION READ ONLY")
                .await
                .map(Tx::MySql),
        }
    }

    /// Begins a transaction that may write. On SQLite it holds the write lock from the start, so that it never has to
    /// give up half-way because somebody else wrote.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], and `Contention` when another process holds the lock of a SQLite file for too long.
    pub async fn write(&self) -> Result<Tx> {
        match self.pools.clone() {
            Pools::Sqlite { writer, .. } => begin(writer, "BEGIN IMMEDIATE").await.map(Tx::Sqlite),
            Pools::Postgres { writer, .. } => begin(writer, "BEGIN").await.map(Tx::Postgres),
            Pools::MySql { writer, .. } => begin(writer, "START TRANSACTION").await.map(Tx::MySql),
        }
    }

    /// Closes all connections once they are idle; later transactions fail.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, reader } => tokio::join!(writer.close(), reader.close()),
            Pools::Postgres { writer, reader } => tokio::join!(writer.close(), reader.close()),
            Pools::MySql { writer, reader } => tokio::join!(writer.close(), reader.close()),
        };
    }
}

/// Begins a transaction, in a task of its own: tonic drops a handler when its client goes away, and sqlx 0.9.0 leaves an open
/// transaction in the pool when `begin` is dropped half-way (transact-rs/sqlx#4385).
///
/// A connection that died while it was idle shows it here, where nothing is lost yet: the next one is tried.
async fn begin<DB: sqlx::Database>(
    pool: Pool<DB>,
    statement: &'static str,
) -> Result<Transaction<'static, DB>> {
    let begun = tokio::spawn(async move {
        let mut connections = pool.options().get_max_connections();
        loop {
            match pool.begin_with(statement).await {
                Err(error) if connections > 0 && fault::is_lost(&error) => connections -= 1,
                Err(sqlx::Error::PoolTimedOut) => return Err(fault::no_connection(&pool)),
                begun => return begun.map_err(fault::from),
            }
        }
    });
    begun
        .await
        .map_err(|_| Error::internal("the task that begins a transaction ended early"))?
}

/// An open transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
    MySql(Transaction<'static, MySql>),
}

/// Runs `$body`, which may fail as the driver does, with the driver's connection and query.
macro_rules! with_driver {
    ($tx:expr, $query:expr, |$connection:ident, $prepared:ident| $body:expr) => {{
        let (text, args) = $query.into_parts()?;
        let done = match (&mut *$tx, args) {
            (Self::Sqlite(tx), Args::Sqlite(args)) => {
                let ($connection, $prepared) = (&mut **tx, sqlx::query_with(text, args));
                $body
            }
            (Self::Postgres(tx), Args::Postgres(args)) => {
                let ($connection, $prepared) = (&mut **tx, sqlx::query_with(text, args));
                $body
            }
            (Self::MySql(tx), Args::MySql(args)) => {
                let ($connection, $prepared) = (&mut **tx, sqlx::query_with(text, args));
                $body
            }
            _ => return Err(Error::internal("a query was built for another dialect")),
        };
        match done {
            Ok(done) => Ok(done),
            Err(error) => Err($tx.fault(error).await),
        }
    }};
}

impl Tx {
    /// The dialect to write queries in.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql(_) => Dialect::MySql,
        }
    }

    /// Starts a query in this transaction's dialect.
    #[must_use]
    pub fn sql(&self, text: &'static str) -> Query {
        Query::new(self.dialect(), text)
    }

    /// All rows of a query.
    ///
    /// # Errors
    ///
    /// Whatever the database answers, by [`fault::from`]; `DataLoss` for a row that cannot be decoded.
    pub async fn all<T: Record>(&mut self, query: Query) -> Result<Vec<T>> {
        with_driver!(self, query, |connection, prepared| {
            let rows = prepared.fetch_all(connection).await;
            rows.and_then(|rows| rows.iter().map(T::from_row).collect())
        })
    }

    /// The first row of a query, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Self::all`].
    pub async fn first<T: Record>(&mut self, query: Query) -> Result<Option<T>> {
        with_driver!(self, query, |connection, prepared| {
            let row = prepared.fetch_optional(connection).await;
            row.and_then(|row| row.map(|row| T::from_row(&row)).transpose())
        })
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    ///
    /// As [`Self::all`]; `AlreadyExists` when a unique key forbids the row.
    pub async fn run(&mut self, query: Query) -> Result<u64> {
        with_driver!(self, query, |connection, prepared| {
            let done = prepared.execute(connection).await;
            done.map(|done| done.rows_affected())
        })
    }

    /// What an error of the driver means.
    ///
    /// MySQL sends its error texts in the character set of the connection, and the driver cannot read one that is not UTF-8, as
    /// when it quotes half a character of a client's. The server is then asked for the number that came with it.
    async fn fault(&mut self, error: sqlx::Error) -> Error {
        let Self::MySql(tx) = self else {
            return fault::from(error);
        };
        if !matches!(error, sqlx::Error::Protocol(_)) {
            return fault::from(error);
        }
        let refusal = sqlx::raw_sql("SHOW ERRORS LIMIT 1").fetch_one(&mut **tx);
        match refusal.await.and_then(|row| row.try_get("Code")) {
            Ok(Int(fault::DUPLICATE_ENTRY)) => fault::duplicate(),
            _ => fault::from(error),
        }
    }

    /// Runs an INSERT of `rows` rows into a table with generated ids, and returns the ids in the order of the rows.
    ///
    /// SQLite and PostgreSQL return the ids, whose order they do not promise: they grow in the order of the rows, so sorting
    /// aligns them. MySQL numbers the rows of one INSERT in steps of `auto_increment_increment`.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) async fn insert_returning_ids(
        &mut self,
        mut query: Query,
        rows: usize,
    ) -> Result<Vec<i64>> {
        if let Self::MySql(tx) = self {
            let (text, Args::MySql(args)) = query.into_parts()? else {
                return Err(Error::internal("a query was built for another dialect"));
            };
            let done = match sqlx::query_with(text, args).execute(&mut **tx).await {
                Ok(done) => done,
                Err(error) => return Err(self.fault(error).await),
            };
            let first = i64::try_from(done.last_insert_id())
                .map_err(|_| Error::internal("a generated id is out of range"))?;
            let step = self
                .all::<(i64,)>(self.sql("SELECT CAST(@@auto_increment_increment AS SIGNED)"))
                .await?;
            let step = step.first().map_or(1, |row| row.0);
            return Ok((0..).map(|row| first + row * step).take(rows).collect());
        }
        query.push(" RETURNING id");
        let mut ids: Vec<i64> = self
            .all::<(Int,)>(query)
            .await?
            .into_iter()
            .map(|(id,)| id.0)
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Runs several statements without parameters, as a migration file holds them.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) async fn script(&mut self, sql: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ()),
            Self::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ()),
            Self::MySql(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ()),
        }
        .map_err(fault::from)
    }

    /// Makes everything in this transaction durable and visible.
    ///
    /// # Errors
    ///
    /// As [`Self::run`]; nothing is stored then.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
            Self::MySql(tx) => tx.commit().await,
        }
        .map_err(fault::from)
    }
}
