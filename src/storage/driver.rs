//! Transactions and rows. This file and [`super::database`] are the only ones that match on the
//! driver.

use std::time::{Duration, Instant};

use sqlx::mysql::MySqlQueryResult;
use sqlx::postgres::PgQueryResult;
use sqlx::{AssertSqlSafe, Either, Executor, MySql, Postgres, Row, SqlSafeStr, SqlStr};
use tokio_stream::StreamExt;

use super::column::{FromRow, FromRows, RawInt};
use super::journal::Journal;
use super::query::{Args, Query};
use super::session::{Session, to_the_end, watch};
use super::statement::{boxed, instrument};
use super::type_cache::{ReadTime, TypeCache};
use super::{Dialect, db_error, sqlite};
use crate::error::{Error, Result};

/// The result of an INSERT, by driver.
trait Inserted {
    /// The id of the first row, on MySQL.
    fn first_id(&self) -> u64 {
        0
    }
}

impl Inserted for PgQueryResult {}

impl Inserted for MySqlQueryResult {
    fn first_id(&self) -> u64 {
        self.last_insert_id()
    }
}

/// What an INSERT into a table with generated ids has answered.
#[derive(Default)]
struct GeneratedIds {
    /// The id of the first row, where the server returns no other.
    first: u64,
    /// The ids that it returned as rows.
    returned: Vec<i64>,
}

/// SQLite returns ids as rows of a query.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of every read of SQLite"
)]
fn no_generated_ids(_: &mut rusqlite::Statement<'_>) -> rusqlite::Result<GeneratedIds> {
    Ok(GeneratedIds::default())
}

/// An open transaction. It is rolled back if it is dropped without [`Tx::commit`].
#[derive(Debug)]
pub struct Tx {
    dialect: Dialect,
    /// `None` while a statement runs, and for good if its caller was dropped meanwhile.
    open: Option<Open>,
    pub(super) journal: Journal,
    types: TypeCache,
    began: ReadTime,
    /// How many of its statements changed types.
    type_changes: u32,
}

/// The connection of a transaction.
#[derive(Debug)]
pub(super) enum Open {
    Sqlite(sqlite::SqliteSession),
    Postgres(Session<Postgres>),
    MySql(Session<MySql>),
}

/// Runs `$run` with a connection and a statement, to its end even when the caller is dropped, and
/// gives the connection back. Runs it again on another connection when this one had died before.
macro_rules! run {
    ($tx:expr, $name:expr, $variant:ident($session:ident), |$connection:ident, $statement:ident| $run:expr) => {{
        let running = to_the_end($session.tasks(), async move {
            let mut next = $statement;
            let done = loop {
                let again = $session.may_be_dead().then(|| next.clone());
                let $statement = next;
                let done = match $session.start() {
                    Ok(($connection, watched)) => watch(watched, async move { $run }).await,
                    Err(error) => Err(error),
                };
                let done = $session.end(done).await;
                let Some(again) = again else { break done };
                match $session.replace_dead().await {
                    Ok(true) => next = again,
                    Ok(false) => break done,
                    Err(error) => break Err(error),
                }
            };
            ($session, done)
        });
        let (session, done) = instrument($name, running).await;
        $tx.open = Some(Open::$variant(session));
        done
    }};
}

/// Runs `$run` with a connection and a query of sqlx, or `$read` with a statement of SQLite.
macro_rules! with_driver {
    ($tx:expr, $query:expr, $read:expr, |$connection:ident, $prepared:ident| $run:expr) => {{
        let (name, long, size) = ($query.name(), $query.is_long(), $query.size());
        let (AssertSqlSafe(text), args) = $query.into_parts()?;
        match ($tx.take()?, args) {
            (Open::Sqlite(session), Args::Sqlite(values)) => {
                let statement = sqlite::Statement { text, values, long };
                let (session, done) = instrument(name, session.run(statement, $read)).await;
                $tx.open = session.map(Open::Sqlite);
                done
            }
            (Open::Postgres(mut session), Args::Postgres(args)) => {
                let (began, limit) = (Instant::now(), session.time_limit());
                let statement = (text, args);
                let done = run!($tx, name, Postgres(session), |$connection, statement| {
                    let (text, args) = statement;
                    let $prepared = sqlx::query_with(AssertSqlSafe(text), args);
                    $run
                });
                done.map_err(|error| db_error::classify_statement(error, began.elapsed(), limit))
            }
            (Open::MySql(session), Args::MySql(_)) if size > session.max_bytes() => {
                let max = session.max_bytes();
                $tx.open = Some(Open::MySql(session));
                Err(Error::invalid(format!(
                    "a statement of {size} bytes is larger than the {max} that the database takes \
                     (max_allowed_packet)"
                )))
            }
            (Open::MySql(mut session), Args::MySql(args)) => {
                let (began, limit) = (Instant::now(), session.time_limit());
                let statement = (text, args);
                let done = run!($tx, name, MySql(session), |$connection, statement| {
                    let (text, args) = statement;
                    let $prepared = sqlx::query_with(AssertSqlSafe(text), args);
                    $run
                });
                match done {
                    Ok(done) => Ok(done),
                    Err(error) => Err($tx.mysql_error(error, began.elapsed(), limit).await),
                }
            }
            _ => Err(Error::internal("a query was built for another dialect")),
        }
    }};
}

impl Tx {
    pub(super) fn of(dialect: Dialect, open: Open, types: TypeCache, began: ReadTime) -> Self {
        Self {
            dialect,
            open: Some(open),
            journal: Journal::default(),
            types,
            began,
            type_changes: 0,
        }
    }

    /// The dialect to write queries in.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The cache of types, unless this transaction changes types: what it reads is not committed.
    pub(super) fn types(&self) -> Option<(&TypeCache, ReadTime)> {
        (self.type_changes == 0).then_some((&self.types, self.began))
    }

    /// Counts a statement that changes types.
    pub(super) fn change_types(&mut self) {
        self.type_changes += 1;
    }

    /// How many statements changed types until now, those that were rolled back included.
    #[must_use]
    pub const fn type_changes(&self) -> u32 {
        self.type_changes
    }

    fn take(&mut self) -> Result<Open> {
        let ended = || Error::internal("a transaction was used after its end");
        self.open.take().ok_or_else(ended)
    }

    /// Starts a query in this transaction's dialect. The name in logs and traces is the function
    /// that runs it.
    #[must_use]
    pub fn sql(&self, name: &'static str, text: &'static str) -> Query {
        Query::new(name, self.dialect(), text)
    }

    /// All rows of a query.
    ///
    /// # Errors
    ///
    /// Whatever the database answers, by [`db_error::classify`]; `DataLoss` for a row that cannot
    /// be decoded.
    pub async fn all<T: FromRow>(&mut self, query: Query) -> Result<Vec<T>> {
        self.gather(query).await
    }

    /// All rows of a query, collected.
    ///
    /// # Errors
    ///
    /// As [`Self::all`].
    pub(super) async fn gather<T: FromRows>(&mut self, query: Query) -> Result<T> {
        boxed(async move {
            with_driver!(self, query, sqlite::gather, |connection, prepared| {
                let mut rows = prepared.fetch(connection);
                let mut gathered = T::default();
                while let Some(row) = rows.next().await {
                    gathered.add_row(&row?)?;
                }
                Ok(gathered)
            })
        })
        .await
    }

    /// The first row of a query, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Self::all`].
    pub async fn first<T: FromRow>(&mut self, query: Query) -> Result<Option<T>> {
        boxed(async move {
            with_driver!(self, query, sqlite::first, |connection, prepared| {
                let row = prepared.fetch_optional(connection).await;
                row.and_then(|row| row.as_ref().map(T::from_row).transpose())
            })
        })
        .await
    }

    /// Runs a statement and returns the number of changed rows.
    ///
    /// # Errors
    ///
    /// As [`Self::all`]; `AlreadyExists` when a unique key forbids the row.
    pub async fn run(&mut self, query: Query) -> Result<u64> {
        boxed(async move {
            with_driver!(self, query, sqlite::changed, |connection, prepared| {
                let done = prepared.execute(connection).await;
                done.map(|done| done.rows_affected())
            })
        })
        .await
    }

    /// Classifies an error of the driver.
    ///
    /// MySQL sends its error texts in the character set of the connection, and the driver refuses
    /// texts that are not UTF-8, as of an error that quotes half a character of a value. The server
    /// is then asked for the error number.
    async fn mysql_error(&mut self, error: sqlx::Error, took: Duration, limit: Duration) -> Error {
        let mut session = match (&error, self.open.take()) {
            (sqlx::Error::Protocol(_), Some(Open::MySql(session))) => session,
            (_, open) => {
                self.open = open;
                return db_error::classify_statement(error, took, limit);
            }
        };
        let statement = "SHOW ERRORS LIMIT 1";
        let refusal = run!(
            self,
            "driver::show_errors",
            MySql(session),
            |connection, statement| sqlx::raw_sql(statement).fetch_one(connection).await
        );
        match refusal.and_then(|row| row.try_get("Code")) {
            Ok(RawInt(db_error::DUPLICATE_ENTRY)) => db_error::duplicate(),
            _ => db_error::classify(error),
        }
    }

    /// Runs an INSERT of `rows` rows into a table with generated ids, and returns the ids in the
    /// order of the rows.
    ///
    /// SQLite, PostgreSQL and MariaDB return the ids in an undefined order. Ids grow in the order
    /// of the rows, so they are sorted. MySQL, and MariaDB before version 10.5, answer the first
    /// id, and number the rows of one INSERT in steps of `auto_increment_increment`. A Galera
    /// cluster changes that variable in running sessions whenever a node comes or goes.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) async fn insert_returning_ids(
        &mut self,
        mut query: Query,
        rows: usize,
    ) -> Result<Vec<i64>> {
        query.push(self.dialect.returning_ids());
        if !self.dialect.returns_rows() {
            let inserted = with_driver!(self, query, no_generated_ids, |connection, prepared| {
                let mut inserted = GeneratedIds::default();
                let mut answers = connection.fetch_many(prepared);
                while let Some(answer) = answers.next().await {
                    match answer? {
                        Either::Left(done) => inserted.first = done.first_id(),
                        Either::Right(row) => inserted.returned.push(i64::from_row(&row)?),
                    }
                }
                Ok(inserted)
            })?;
            let GeneratedIds {
                first,
                returned: mut ids,
            } = inserted;
            if !ids.is_empty() {
                ids.sort_unstable();
                return Ok(ids);
            }
            let first = i64::try_from(first)
                .map_err(|_| Error::internal("a generated id is out of range"))?;
            let sql = "SELECT CAST(@@auto_increment_increment AS SIGNED)";
            let step = match rows {
                0 | 1 => None,
                _ => self.first::<i64>(self.sql("driver::step", sql)).await?,
            };
            let step = step.unwrap_or(1);
            return Ok((0..).map(|row| first + row * step).take(rows).collect());
        }
        let mut ids: Vec<i64> = self.all(query).await?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// Runs several statements without parameters, as in a migration script.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) async fn script(&mut self, sql: &'static str) -> Result<()> {
        boxed(async move {
            let (open, done) = match self.take()? {
                Open::Sqlite(session) => {
                    let (session, done) = instrument("script", session.script(sql)).await;
                    (session.map(Open::Sqlite), done)
                }
                Open::Postgres(session) => {
                    let (session, done) = instrument("script", session.script(sql)).await;
                    (Some(Open::Postgres(session)), done)
                }
                Open::MySql(session) => {
                    let (session, done) = instrument("script", session.script(sql)).await;
                    (Some(Open::MySql(session)), done)
                }
            };
            self.open = open;
            done
        })
        .await
    }

    /// Runs a statement of the transaction itself, such as SAVEPOINT.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<()> {
        if self.dialect.has_round_trips() {
            return self.script(sql).await;
        }
        self.run(self.sql("driver::control", sql)).await.map(|_| ())
    }

    /// Makes the changes of this transaction durable and visible.
    ///
    /// # Errors
    ///
    /// As [`Self::run`]; nothing is stored then. `Uncertain` when the connection was lost before
    /// the response.
    pub async fn commit(self) -> Result<()> {
        self.end("COMMIT".into_sql_str()).await
    }

    /// Runs a last statement, without parameters, and commits, in one round trip to a server.
    ///
    /// # Errors
    ///
    /// As [`Self::run`] and [`Self::commit`].
    pub(super) async fn commit_with(mut self, last: Query) -> Result<()> {
        if !self.dialect.has_round_trips() {
            self.run(last).await?;
            return self.commit().await;
        }
        let name = last.name();
        let (text, _) = last.into_parts()?;
        let sql = AssertSqlSafe([text.0, "; COMMIT".into()].concat());
        instrument(name, self.end(sql.into_sql_str())).await
    }

    async fn end(mut self, sql: SqlStr) -> Result<()> {
        boxed(async move {
            let changing = (self.type_changes > 0).then(|| self.types.changing());
            match self.take()? {
                Open::Sqlite(session) => {
                    let _changing = changing;
                    session.commit()
                }
                Open::Postgres(session) => session.commit(sql, changing).await,
                Open::MySql(session) => session.commit(sql, changing).await,
            }
        })
        .await
    }
}
