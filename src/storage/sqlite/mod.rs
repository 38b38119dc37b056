//! Transactions on SQLite, which runs in this process.
//!
//! A short statement runs on the thread of its caller: waking another thread takes longer. A
//! statement that exceeds the time limit, or waits for a lock, begins again on a blocking thread,
//! so that it blocks no other task. It is interrupted when its caller is dropped.

mod file;
mod functions;
mod pool;

use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, ffi};
use tokio::task::{JoinError, spawn_blocking};

pub(super) use self::file::{DatabaseFiles, create_private};
use self::pool::Pool;
pub(super) use self::pool::{SqliteSessions, retry_locked};
use super::column::{FromRow, FromRows};
use super::db_error;
use super::permits::Permit;
use crate::error::{Error, Result};

/// How long a statement may hold up the thread of its caller.
const SHORT_STATEMENT_TIME: Duration = Duration::from_millis(2);

/// After how many steps of SQLite's machine a look at the clock is due: some ten microseconds.
const STEPS_PER_CHECK: i32 = 1000;

/// How many more looks at the clock a statement has whose time is over, unless it is late by so
/// much: a thread that had to wait for a processor has rather done little than much of it.
const LATE_CHECKS: u64 = 32;
const MAX_LATE_TIME: Duration = Duration::from_millis(20);

/// The most bytes of values that a short statement has. One that writes cannot be begun again.
const MAX_SHORT_ANSWER_BYTES: usize = 64 * 1024;

/// What is made of a statement whose values are bound.
type Read<T> = fn(&mut rusqlite::Statement<'_>) -> rusqlite::Result<T>;

/// All rows, put together.
pub(super) fn gather<T: FromRows>(statement: &mut rusqlite::Statement<'_>) -> rusqlite::Result<T> {
    let mut rows = statement.raw_query();
    let mut gathered = T::default();
    while let Some(row) = rows.next()? {
        gathered.add_row(row)?;
    }
    Ok(gathered)
}

/// The first row.
pub(super) fn first<T: FromRow>(
    statement: &mut rusqlite::Statement<'_>,
) -> rusqlite::Result<Option<T>> {
    let mut rows = statement.raw_query();
    rows.next()?.map(T::from_row).transpose()
}

/// How many rows were changed.
pub(super) fn changed(statement: &mut rusqlite::Statement<'_>) -> rusqlite::Result<u64> {
    statement.raw_execute().map(|rows| rows as u64)
}

/// A statement and its values.
#[derive(Debug)]
pub(super) struct Statement {
    pub text: String,
    pub values: Vec<Value>,
    /// Whether it is known to be none of the short ones.
    pub long: bool,
}

impl From<&'static str> for Statement {
    fn from(text: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            values: Vec::new(),
            long: false,
        }
    }
}

impl Statement {
    fn is_long(&self) -> bool {
        let bytes = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            _ => size_of::<Value>(),
        };
        self.long || self.values.iter().map(bytes).sum::<usize>() > MAX_SHORT_ANSWER_BYTES
    }
}

/// How connections are made.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    /// `None` for a database in memory, which is its connection.
    pub file: Option<PathBuf>,
    pub flags: OpenFlags,
    /// Statements that each connection begins with.
    pub pragmas: &'static [&'static str],
    /// How long a statement waits for another process that uses the same file.
    pub busy: Duration,
    /// How long a statement that only reads may take; zero for no limit.
    pub timeout: Duration,
    /// Prepared statements that a connection keeps.
    pub statements: usize,
}

impl Opening {
    const fn is_written(&self) -> bool {
        self.flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE)
    }
}

/// A connection.
struct Link {
    connection: Connection,
    busy: Duration,
    timeout: Duration,
    /// Whether statements wait for locks.
    waits: Cell<bool>,
    end: Arc<Interrupts>,
}

/// When a statement is to be stopped, looked at by SQLite as it runs.
#[derive(Debug)]
struct Interrupts {
    opened: Instant,
    /// Nanoseconds since the connection was opened.
    at: AtomicU64,
    /// The looks at the clock that are left after that.
    late_checks: AtomicU64,
    /// The number of the work that goes on, and of the last one that was to be stopped.
    work: AtomicU64,
    stopped: AtomicU64,
}

impl Interrupts {
    fn set(&self, after: Option<Duration>, late_checks: u64) {
        self.late_checks.store(late_checks, Ordering::Relaxed);
        let end =
            after.and_then(|after| u64::try_from((self.opened.elapsed() + after).as_nanos()).ok());
        self.at.store(end.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Starts a new unit of work and returns its number. Interrupts aimed at an earlier number have
    /// no effect.
    fn next_work(&self) -> u64 {
        self.work.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn has_come(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) == self.work.load(Ordering::Relaxed) {
            return true;
        }
        let end = self.at.load(Ordering::Relaxed);
        if end == u64::MAX {
            return false;
        }
        let late = self.opened.elapsed();
        let Some(late) = late.checked_sub(Duration::from_nanos(end)) else {
            return false;
        };
        let left = self.late_checks.load(Ordering::Relaxed);
        if left == 0 || late > MAX_LATE_TIME {
            return true;
        }
        self.late_checks.store(left - 1, Ordering::Relaxed);
        false
    }
}

impl Link {
    fn open(opening: &Opening) -> rusqlite::Result<Self> {
        let connection = match &opening.file {
            Some(file) => Connection::open_with_flags(file, opening.flags)?,
            None => Connection::open_in_memory_with_flags(opening.flags)?,
        };
        connection.busy_timeout(opening.busy)?;
        if opening.is_written() && connection.is_readonly(MAIN_DB)? {
            let refusal = ffi::Error::new(ffi::SQLITE_READONLY);
            let reason = "the file cannot be written".to_owned();
            return Err(rusqlite::Error::SqliteFailure(refusal, Some(reason)));
        }
        // Otherwise, SQLite prepares a statement with `LIMIT ?` again whenever it runs, to look for
        // a plan for the value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        for pragma in opening.pragmas {
            connection.execute_batch(pragma)?;
        }
        connection.set_prepared_statement_cache_capacity(opening.statements);
        let end = Arc::new(Interrupts {
            opened: Instant::now(),
            at: AtomicU64::new(u64::MAX),
            late_checks: AtomicU64::new(0),
            work: AtomicU64::new(0),
            stopped: AtomicU64::new(u64::MAX),
        });
        functions::define(&connection, &end)?;
        let has_come = end.clone();
        connection.progress_handler(STEPS_PER_CHECK, Some(move || has_come.has_come()))?;
        Ok(Self {
            connection,
            busy: opening.busy,
            timeout: opening.timeout,
            waits: Cell::new(true),
            end,
        })
    }

    fn has_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Runs a statement, for no longer than `limit` if there is one and what was begun can begin
    /// again: then rows are looked at and nothing changes. `BEGIN` changes nothing that is stored,
    /// but SQLite may stop it when it has done its work already.
    fn run<T>(
        &self,
        statement: &Statement,
        read: Read<T>,
        limit: Option<Duration>,
    ) -> rusqlite::Result<T> {
        let patient = limit.is_none();
        if self.waits.replace(patient) != patient {
            let busy = if patient { self.busy } else { Duration::ZERO };
            self.connection.busy_timeout(busy)?;
        }
        let mut prepared = self.connection.prepare_cached(&statement.text)?;
        for (index, value) in (1..).zip(&statement.values) {
            prepared.raw_bind_parameter(index, value)?;
        }
        let only_looks = prepared.readonly() && prepared.column_count() > 0;
        let limit = limit.or((!self.timeout.is_zero()).then_some(self.timeout));
        let late_checks = if patient { 0 } else { LATE_CHECKS };
        self.end.set(limit.filter(|_| only_looks), late_checks);
        let done = read(&mut prepared);
        self.end.set(None, 0);
        done
    }

    /// Runs a statement that has the time of its connection.
    fn run_long<T>(&self, statement: &Statement, read: Read<T>) -> Result<T> {
        let began = Instant::now();
        self.run(statement, read, None).map_err(|error| {
            db_error::classify_sqlite_statement(error, began.elapsed(), self.timeout)
        })
    }
}

/// A connection with a transaction, which is rolled back when this is dropped without
/// [`SqliteSession::commit`].
#[derive(Debug)]
pub(super) struct SqliteSession {
    /// There until this is dropped.
    link: Option<Link>,
    pool: Arc<Pool>,
    _permit: Permit,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}

impl SqliteSession {
    /// Runs a statement and gives the session back, unless a panic has ended it.
    ///
    /// # Errors
    ///
    /// By [`db_error::classify_sqlite`].
    pub(super) async fn run<T: Send + 'static>(
        self,
        statement: Statement,
        read: Read<T>,
    ) -> (Option<Self>, Result<T>) {
        // Where SQLite has no room it may roll back on its own, and what follows must not be stored
        // without what went before.
        if !self.link.as_ref().is_some_and(Link::has_transaction) {
            return (Some(self), Err(ended()));
        }
        self.attempt(statement, read).await
    }

    async fn attempt<T: Send + 'static>(
        self,
        statement: Statement,
        read: Read<T>,
    ) -> (Option<Self>, Result<T>) {
        if !statement.is_long()
            && let Some(link) = &self.link
        {
            let done = link.run(&statement, read, Some(SHORT_STATEMENT_TIME));
            if !done.as_ref().is_err_and(is_held_up) {
                return (Some(self), done.map_err(db_error::classify_sqlite));
            }
        }
        // Boxed, as few statements come here.
        Box::pin(self.apart(move |link| link.run_long(&statement, read))).await
    }

    /// Runs several statements without values.
    ///
    /// # Errors
    ///
    /// By [`db_error::classify_sqlite`].
    pub(super) async fn script(self, sql: &'static str) -> (Option<Self>, Result<()>) {
        self.apart(|link| {
            let done = link.connection.execute_batch(sql);
            done.map_err(db_error::classify_sqlite)
        })
        .await
    }

    /// Runs work on a blocking thread. It is interrupted when the caller is dropped.
    async fn apart<T: Send + 'static>(
        self,
        work: impl FnOnce(&Link) -> Result<T> + Send + 'static,
    ) -> (Option<Self>, Result<T>) {
        let Some(link) = &self.link else {
            return (None, Err(ended()));
        };
        let _stop = Stop {
            end: link.end.clone(),
            work: link.end.next_work(),
        };
        let working = spawn_blocking(move || {
            let done = self.link.as_ref().map(|link| {
                let done = work(link);
                link.end.next_work();
                done
            });
            (self, done)
        });
        match working.await {
            Ok((session, Some(done))) => (Some(session), done),
            Ok((session, None)) => (Some(session), Err(ended())),
            Err(error) => (None, Err(broken(error))),
        }
    }

    /// Commits, and waits for the disk where its caller is: there is one writer, and the runtime
    /// has a thread to spare for it.
    ///
    /// # Errors
    ///
    /// By [`db_error::in_commit`].
    pub(super) fn commit(self) -> Result<()> {
        let Some(link) = &self.link else {
            return Err(ended());
        };
        self.pool.check_files()?;
        let done = link.run(&"COMMIT".into(), changed, None);
        let done = done.map(|_| ());
        done.map_err(|error| db_error::in_commit(db_error::classify_sqlite(error)))
    }
}

impl Drop for SqliteSession {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.pool.give_back(link);
        }
    }
}

/// Stops some work on a connection when it is dropped, also work that has not begun yet, of which
/// SQLite's own interruption knows nothing.
struct Stop {
    end: Arc<Interrupts>,
    work: u64,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.end.stopped.store(self.work, Ordering::Relaxed);
    }
}

/// Whether a statement would go on if it had more time.
fn is_held_up(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::OperationInterrupted | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

fn ended() -> Error {
    Error::internal("the database has ended a transaction")
}

fn broken(error: JoinError) -> Error {
    Error::Internal {
        context: "a statement panicked".into(),
        source: Some(error.into()),
    }
}

#[cfg(test)]
mod tests;
