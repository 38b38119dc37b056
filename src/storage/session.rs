//! A connection while a transaction is open on it: how it is had, and how it is given back whatever
//! becomes of the caller.
//!
//! A server drops its handlers when their clients go away, which may be in the middle of a
//! statement. The driver is never dropped there: what it has begun goes on in a task of its own
//! ([`to_the_end`]), and a connection of which it is not known what the database does on it is
//! closed.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions, Connection, Database, MySql, Pool, Postgres, SqlSafeStr, SqlStr};
use tokio::time::timeout;

use super::db_error;
use super::permits::{ConnectionPermits, Permit};
use crate::error::Result;

/// How long a statement whose caller was dropped may continue before its connection is closed. New
/// connections are expensive, and almost every statement has ended by then.
const DETACHED_TIME_LIMIT: Duration = Duration::from_secs(1);

/// How long a new connection may take before a look at what keeps it: the pool tries until its own
/// time is over.
const SLOW_WAIT_TIME: Duration = Duration::from_millis(500);

/// How long a statement may take before a look at whether the database is still there.
const SILENT_STATEMENT_TIME: Duration = Duration::from_secs(15);

/// How long a connection is passed from one transaction to the next before it goes back to the
/// pool, which asks each that it gets whether it is alive: a round trip, which is too much for
/// every transaction.
const MAX_POOL_ABSENCE_TIME: Duration = Duration::from_secs(1);

/// A driver of a database server.
pub(super) trait ServerDriver: Database {
    /// Runs statements without parameters, which are not prepared.
    fn run(
        connection: &mut Self::Connection,
        sql: SqlStr,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

macro_rules! server {
    ($($driver:ty),*) => { $(
        impl ServerDriver for $driver {
            async fn run(connection: &mut Self::Connection, sql: SqlStr) -> sqlx::Result<()> {
                sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
            }
        }
    )* };
}
server!(Postgres, MySql);

/// A pool, and the queue for its connections. Clones share it.
#[derive(Debug)]
pub(super) struct Sessions<DB: Database> {
    pool: Pool<DB>,
    permits: ConnectionPermits,
    /// Connections for the next transactions, the last one used at the end; `None` once all are
    /// closed.
    spare: Arc<Mutex<Option<Vec<Held<DB>>>>>,
}

/// A connection that is away from its pool.
#[derive(Debug)]
struct Held<DB: Database> {
    connection: PoolConnection<DB>,
    /// When it came from the pool.
    taken: Instant,
    /// When it was used last.
    used: Instant,
}

impl<DB: Database> Clone for Sessions<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            permits: self.permits.clone(),
            spare: self.spare.clone(),
        }
    }
}

impl<DB: ServerDriver> Sessions<DB> {
    pub(super) fn of(pool: Pool<DB>) -> Self {
        let options = pool.options();
        let permits =
            ConnectionPermits::new(options.get_max_connections(), options.get_acquire_timeout());
        let spare = Arc::new(Mutex::new(Some(Vec::new())));
        Self {
            pool,
            permits,
            spare,
        }
    }

    /// Begins a transaction with this statement.
    ///
    /// # Errors
    ///
    /// `Exhausted` when no connection becomes free in time or the database has none left,
    /// `Unavailable` when it cannot be reached.
    pub(super) async fn begin(&self, statement: &'static str) -> Result<Session<DB>> {
        let permit = self.permits.acquire().await?;
        to_the_end(begin(self.clone(), permit, statement)).await
    }

    /// A connection on which nothing has begun, to be used without a transaction unless
    /// [`Session::transacting`]. It may have died while it was idle: see [`Session::replace_dead`].
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    pub(super) async fn lend(&self) -> Result<Session<DB>> {
        let permit = self.permits.acquire().await?;
        let sessions = self.clone();
        let lent = async move {
            let held = match sessions.last_used() {
                Some(last) => last,
                None => living(&sessions.pool).await.map_err(db_error::classify)?,
            };
            Ok(Session::of(sessions, held, permit))
        };
        to_the_end(lent).await
    }

    fn spare(&self) -> MutexGuard<'_, Option<Vec<Held<DB>>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, for a caller with a permit: the one used last, or one of the pool.
    async fn connection(&self) -> sqlx::Result<Held<DB>> {
        match self.last_used() {
            Some(last) => Ok(last),
            None => Held::from(&self.pool).await,
        }
    }

    /// The connection used last. One that has been idle for a while goes back to the pool.
    fn last_used(&self) -> Option<Held<DB>> {
        let mut spare = self.spare();
        let spare = spare.as_mut()?;
        let last = spare.pop();
        if spare
            .first()
            .is_some_and(|first| first.used.elapsed() >= MAX_POOL_ABSENCE_TIME)
        {
            spare.remove(0);
        }
        last
    }

    /// Takes back a connection on which nothing goes on.
    fn give_back(&self, mut held: Held<DB>) {
        held.used = Instant::now();
        if held.taken.elapsed() < MAX_POOL_ABSENCE_TIME
            && let Some(spare) = &mut *self.spare()
        {
            spare.push(held);
        }
    }

    pub(super) const fn permits(&self) -> &ConnectionPermits {
        &self.permits
    }

    /// Counts the connections as the metrics of this moment, under the name of the pool.
    pub(super) fn count(&self, pool: &'static str) {
        self.permits.record_metrics(pool, self.pool.size());
    }

    /// How connections of the pool are made.
    pub(super) fn options(&self) -> <DB::Connection as Connection>::Options {
        self.pool.connect_options().as_ref().clone()
    }

    /// Closes all connections once they are idle; later transactions fail.
    pub(super) async fn close(&self) {
        drop(self.spare().take());
        self.pool.close().await;
    }
}

/// A connection that died while it was idle shows it here, where nothing is lost yet: the next one
/// is tried.
async fn begin<DB: ServerDriver>(
    sessions: Sessions<DB>,
    permit: Permit,
    statement: &'static str,
) -> Result<Session<DB>> {
    let mut stale = sessions.pool.options().get_max_connections();
    let held = sessions.connection().await.map_err(db_error::classify)?;
    let mut session = Session::of(sessions, held, permit).transacting();
    loop {
        match session.run(statement.into_sql_str()).await {
            Err(error) if stale > 0 && db_error::is_connection_lost(&error) => {
                stale -= 1;
                session.close();
                let next = session.sessions.connection().await;
                session.held = Some(next.map_err(db_error::classify)?);
            }
            begun => {
                begun.map_err(db_error::classify)?;
                return Ok(session);
            }
        }
    }
}

/// A connection of the pool that has just answered a ping, for a caller with a permit.
async fn living<DB: ServerDriver>(pool: &Pool<DB>) -> sqlx::Result<Held<DB>> {
    let mut stale = pool.options().get_max_connections();
    loop {
        let mut held = Held::from(pool).await?;
        match watch(pool, held.connection.ping()).await {
            Err(error) if stale > 0 && db_error::is_connection_lost(&error) => {
                stale -= 1;
                held.connection.close_on_drop();
            }
            answered => return answered.map(|()| held),
        }
    }
}

impl<DB: Database> Held<DB> {
    /// A connection of the pool, for a caller with a permit.
    async fn from(pool: &Pool<DB>) -> sqlx::Result<Self> {
        let acquired = match timeout(SLOW_WAIT_TIME, pool.acquire()).await {
            Ok(acquired) => acquired,
            Err(_) => match greet(pool).await {
                Ok(()) => pool.acquire().await,
                Err(error) => Err(error),
            },
        };
        let now = Instant::now();
        Ok(Self {
            connection: acquired?,
            taken: now,
            used: now,
        })
    }
}

/// Connects past the pool, to see why it does not.
async fn greet<DB: Database>(pool: &Pool<DB>) -> sqlx::Result<()> {
    let options = pool.connect_options();
    match timeout(pool.options().get_acquire_timeout(), options.connect()).await {
        Ok(Ok(connection)) => {
            // It has answered, whatever it says to this.
            let _ = connection.close().await;
            Ok(())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// Waits for the end of a statement, but not for a database that has vanished without a word: one
/// that says nothing for long must greet a new client.
pub(super) async fn watch<DB: Database, T>(
    pool: &Pool<DB>,
    statement: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let mut statement = pin!(statement);
    loop {
        if let Ok(done) = timeout(SILENT_STATEMENT_TIME, &mut statement).await {
            return done;
        }
        match greet(pool).await {
            // That it has no more connections is an answer.
            Ok(()) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A connection, usually with a transaction, which is rolled back when this is dropped without
/// [`Session::commit`].
#[derive(Debug)]
pub(super) struct Session<DB: ServerDriver> {
    /// Away once it is given back.
    held: Option<Held<DB>>,
    sessions: Sessions<DB>,
    state: State,
    /// Whether statements are in a transaction.
    transacts: bool,
    /// Whether a statement has been answered.
    is_alive: bool,
    permit: Option<Permit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No transaction is open.
    Free,
    Open,
    /// A statement is under way, or was when the connection was lost.
    Busy,
}

impl<DB: ServerDriver> Session<DB> {
    const fn of(sessions: Sessions<DB>, held: Held<DB>, permit: Permit) -> Self {
        Self {
            held: Some(held),
            sessions,
            state: State::Free,
            transacts: false,
            is_alive: false,
            permit: Some(permit),
        }
    }

    /// The same, with a transaction that its first statement begins.
    pub(super) const fn transacting(mut self) -> Self {
        self.transacts = true;
        self
    }

    /// Whether the connection was idle before and no statement has shown yet that it is alive.
    pub(super) fn may_be_dead(&self) -> bool {
        let was_idle = |held: &Held<DB>| held.used > held.taken;
        !self.is_alive && self.held.as_ref().is_some_and(was_idle)
    }

    /// Replaces a connection that was lost by its first statement because it had died while it was
    /// idle: then the statement has had no effect and can run again. False when it was not so.
    pub(super) async fn replace_dead(&mut self) -> sqlx::Result<bool> {
        if self.state != State::Busy || !self.may_be_dead() {
            return Ok(false);
        }
        self.close();
        self.held = Some(living(&self.sessions.pool).await?);
        self.state = State::Free;
        Ok(true)
    }

    /// The connection, for one statement under [`watch`], after which comes [`Self::end`].
    pub(super) fn start(&mut self) -> sqlx::Result<(&mut DB::Connection, &Pool<DB>)> {
        let held = self.held.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        self.state = State::Busy;
        Ok((&mut held.connection, &self.sessions.pool))
    }

    /// Notes whether the connection outlived the statement.
    pub(super) fn end<T>(&mut self, done: sqlx::Result<T>) -> sqlx::Result<T> {
        if !done.as_ref().is_err_and(db_error::is_connection_lost) {
            self.is_alive = true;
            self.state = if self.transacts {
                State::Open
            } else {
                State::Free
            };
        }
        done
    }

    /// Runs statements without parameters.
    pub(super) async fn run(&mut self, sql: SqlStr) -> sqlx::Result<()> {
        let (connection, pool) = self.start()?;
        let done = watch(pool, DB::run(connection, sql)).await;
        self.end(done)
    }

    /// Runs statements without parameters to their end, whatever becomes of the caller.
    ///
    /// # Errors
    ///
    /// By [`db_error::classify`].
    pub(super) async fn script(mut self, sql: &'static str) -> (Self, Result<()>) {
        to_the_end(async move {
            let done = self.run(sql.into_sql_str()).await;
            (self, done.map_err(db_error::classify))
        })
        .await
    }

    /// Commits by this text, which may have statements before its COMMIT, and drops `held` when the
    /// outcome is known.
    ///
    /// # Errors
    ///
    /// By [`db_error::in_commit`].
    pub(super) async fn commit(mut self, sql: SqlStr, held: impl Send + 'static) -> Result<()> {
        let commit = async move {
            let _held = held;
            let done = self.run(sql).await;
            let done = done.map_err(|error| db_error::in_commit(db_error::classify(error)));
            done.map(|()| self.over())
        };
        to_the_end(commit).await
    }

    /// Notes that the transaction is over.
    const fn over(&mut self) {
        self.state = State::Free;
    }

    fn close(&mut self) {
        if let Some(mut held) = self.held.take() {
            held.connection.close_on_drop();
        }
    }
}

impl<DB: ServerDriver> Drop for Session<DB> {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else {
            return;
        };
        match self.state {
            State::Free => self.sessions.give_back(held),
            State::Open => {
                let (sessions, permit) = (self.sessions.clone(), self.permit.take());
                tokio::spawn(async move {
                    let rollback = DB::run(&mut held.connection, "ROLLBACK".into_sql_str());
                    match timeout(DETACHED_TIME_LIMIT, rollback).await {
                        Ok(Ok(())) => sessions.give_back(held),
                        _ => held.connection.close_on_drop(),
                    }
                    drop(permit);
                });
            }
            State::Busy => held.connection.close_on_drop(),
        }
    }
}

/// A future that goes on in a task of its own when it is dropped before its end, for as long as
/// [`DETACHED_TIME_LIMIT`].
pub(super) fn to_the_end<F: Future<Output: Send> + Send + 'static>(future: F) -> ToTheEnd<F> {
    ToTheEnd(Some(Box::pin(future)))
}

pub(super) struct ToTheEnd<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Future for ToTheEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.0 else {
            return Poll::Pending;
        };
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToTheEnd<F> {
    fn drop(&mut self) {
        if let Some(rest) = self.0.take() {
            tokio::spawn(timeout(DETACHED_TIME_LIMIT, rest));
        }
    }
}
