//! A connection while a transaction is open on it: how it is acquired, and how it is returned even
//! if the caller is dropped.
//!
//! A server drops its handlers when their clients go away, which may be in the middle of a
//! statement. The driver is never dropped there: what it has begun goes on in a task of its own
//! ([`to_the_end`]), and a connection on which the database may still be at work is closed.

mod follow;
mod place;
mod pool;
mod servers;
mod shares;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sqlx::{Database, MySql, Postgres, SqlSafeStr, SqlStr};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

pub(super) use self::place::Place;
use self::pool::Held;
pub(super) use self::pool::Sessions;
pub(super) use self::servers::{HostLogin, Servers};
pub(super) use self::shares::{PoolLimits, Shares};
use super::connect::hosts::ServerRole;
use super::connect::settings::{SessionSettings, set_up_mysql, set_up_postgres};
use super::connect::{mysql, postgres};
use super::db_error;
use super::permits::Permit;
use crate::error::{Error, Result};

/// How long a statement whose caller was dropped may continue before its connection is closed. New
/// connections are expensive, and almost every statement has ended by then.
const DETACHED_TIME_LIMIT: Duration = Duration::from_secs(1);

/// How long a statement may take before a look at whether the database is still there.
const SILENT_STATEMENT_TIME: Duration = Duration::from_secs(15);

/// The most connections that died while they were idle, of which the next one is tried.
const MAX_STALE_CONNECTIONS: usize = 1024;

/// A driver of a database server.
pub(super) trait ServerDriver: Database {
    /// Runs statements without parameters, which are not prepared.
    fn run(
        connection: &mut Self::Connection,
        sql: SqlStr,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Sets a new connection up, and returns the most bytes that a statement may have there.
    fn set_up(
        connection: &mut Self::Connection,
        settings: &SessionSettings,
    ) -> impl Future<Output = sqlx::Result<usize>> + Send;

    /// What the server of a connection is now.
    fn role(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = sqlx::Result<ServerRole>> + Send;

    /// Whether the server of a connection is no node of a cluster, or one with most of the others.
    fn has_quorum(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = sqlx::Result<bool>> + Send;
}

macro_rules! server {
    ($($driver:ty: $set_up:ident, $role:path, $has_quorum:path;)*) => { $(
        impl ServerDriver for $driver {
            async fn run(connection: &mut Self::Connection, sql: SqlStr) -> sqlx::Result<()> {
                sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
            }

            async fn set_up(
                connection: &mut Self::Connection,
                settings: &SessionSettings,
            ) -> sqlx::Result<usize> {
                $set_up(connection, settings).await
            }

            async fn role(connection: &mut Self::Connection) -> sqlx::Result<ServerRole> {
                $role(connection).await
            }

            async fn has_quorum(connection: &mut Self::Connection) -> sqlx::Result<bool> {
                $has_quorum(connection).await
            }
        }
    )* };
}
server! {
    Postgres: set_up_postgres, postgres::role, postgres::has_quorum;
    MySql: set_up_mysql, mysql::role, mysql::has_quorum;
}

impl<DB: ServerDriver> Sessions<DB> {
    /// Begins a transaction of a caller with this statement.
    ///
    /// # Errors
    ///
    /// `Exhausted` when no connection becomes free in time or the database has none left,
    /// `Unavailable` when it cannot be reached.
    pub(super) async fn begin(
        &self,
        statement: &'static str,
        caller: Option<&Arc<str>>,
    ) -> Result<Session<DB>> {
        let permit = self.permit(caller).await?;
        let tasks = self.tasks().clone();
        to_the_end(tasks, begin(self.clone(), permit, statement)).await
    }

    /// A connection for a caller, on which nothing has begun, to be used without a transaction
    /// unless [`Session::transacting`]. It may have died while it was idle: see
    /// [`Session::replace_dead`].
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    pub(super) async fn lend(&self, caller: Option<&Arc<str>>) -> Result<Session<DB>> {
        let permit = self.permit(caller).await?;
        let sessions = self.clone();
        let lent = async move {
            let held = sessions.checkout_verified().await;
            let held = held.map_err(|error| sessions.refusal(error))?;
            Ok(Session::of(sessions, held, permit))
        };
        to_the_end(self.tasks().clone(), lent).await
    }
}

/// A connection that died while it was idle shows it here, where nothing is lost yet: the next one
/// is tried.
async fn begin<DB: ServerDriver>(
    sessions: Sessions<DB>,
    permit: Permit,
    statement: &'static str,
) -> Result<Session<DB>> {
    let mut stale = MAX_STALE_CONNECTIONS;
    let held = sessions.checkout().await;
    let held = held.map_err(|error| sessions.refusal(error))?;
    let mut session = Session::of(sessions, held, permit).transacting();
    loop {
        match session.run(statement.into_sql_str()).await {
            Err(error) if stale > 0 && db_error::is_connection_lost(&error) => {
                stale -= 1;
                session.close();
                let next = session.sessions.checkout().await;
                let next = next.map_err(|error| session.sessions.refusal(error));
                session.held = Some(next?);
            }
            begun => {
                begun.map_err(db_error::classify)?;
                return Ok(session);
            }
        }
    }
}

/// Where a statement runs, for [`watch`].
pub(super) struct Watched<'a, DB: ServerDriver> {
    sessions: &'a Sessions<DB>,
    /// How often the database had moved when the connection was made.
    moves: u64,
}

/// Waits for the end of a statement, but not for a database that cannot be reached any more: one
/// that has been silent for [`SILENT_STATEMENT_TIME`] must accept a new connection, and one of a
/// list of servers must not have moved to another server.
pub(super) async fn watch<DB: ServerDriver, T>(
    watched: Watched<'_, DB>,
    statement: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let Watched { sessions, moves } = watched;
    let mut statement = pin!(statement);
    let mut moved = pin!(sessions.moved_since(moves));
    loop {
        tokio::select! {
            biased;
            done = timeout(SILENT_STATEMENT_TIME, &mut statement) => if let Ok(done) = done {
                return done.map_err(|error| sessions.see_error(error));
            },
            () = &mut moved => {
                return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
            }
        }
        match sessions.probe_server().await {
            // That it has no more connections is an answer.
            Ok(()) | Err(sqlx::Error::Database(_) | sqlx::Error::PoolTimedOut) => {}
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
    /// Whether the connection is another one than at the beginning.
    is_replaced: bool,
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
            is_replaced: false,
            permit: Some(permit),
        }
    }

    /// The same, with a transaction that its first statement begins.
    pub(super) const fn transacting(mut self) -> Self {
        self.transacts = true;
        self
    }

    /// How long a statement may take; zero for no limit.
    pub(super) fn time_limit(&self) -> Duration {
        self.sessions.settings().limit()
    }

    /// The most bytes that a statement may have.
    pub(super) fn max_bytes(&self) -> usize {
        let held = self.held.as_ref();
        held.map_or(usize::MAX, |held| held.max_statement_bytes)
    }

    /// Whether the connection was idle before and no statement has shown yet that it is alive.
    pub(super) fn may_be_dead(&self) -> bool {
        let was_idle = |held: &Held<DB>| !held.is_verified;
        !self.is_alive && self.held.as_ref().is_some_and(was_idle)
    }

    /// Replaces a connection that was lost by its first statement because it had died while it was
    /// idle: then the statement has had no effect and can run again. False when it was not so.
    pub(super) async fn replace_dead(&mut self) -> sqlx::Result<bool> {
        if self.state != State::Busy || !self.may_be_dead() {
            return Ok(false);
        }
        self.close();
        self.held = Some(self.sessions.checkout_verified().await?);
        self.state = State::Free;
        self.is_replaced = true;
        Ok(true)
    }

    /// The connection, for one statement under [`watch`], after which comes [`Self::end`].
    pub(super) fn start(&mut self) -> sqlx::Result<(&mut DB::Connection, Watched<'_, DB>)> {
        let held = self.held.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        self.state = State::Busy;
        let watched = Watched {
            sessions: &self.sessions,
            moves: held.moves,
        };
        Ok((&mut held.connection, watched))
    }

    /// Notes whether the connection outlived the statement.
    pub(super) async fn end<T>(&mut self, done: sqlx::Result<T>) -> sqlx::Result<T> {
        let done = match done {
            Err(error) if db_error::may_lack_quorum(&error) => Err(self.cause_of(error).await),
            done => done,
        };
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
        let (connection, watched) = self.start()?;
        let done = watch(watched, DB::run(connection, sql)).await;
        self.end(done).await
    }

    /// The error, or that the node of a cluster has lost the others, which has the same number.
    async fn cause_of(&mut self, error: sqlx::Error) -> sqlx::Error {
        let Some(held) = &mut self.held else {
            return error;
        };
        match DB::has_quorum(&mut held.connection).await {
            Ok(true) => error,
            Ok(false) => {
                let text = "the node has lost the others of its cluster";
                io::Error::new(io::ErrorKind::NotConnected, text).into()
            }
            Err(lost) => lost,
        }
    }

    /// Runs statements without parameters to their end, whatever becomes of the caller.
    ///
    /// # Errors
    ///
    /// By [`db_error::classify`].
    pub(super) async fn script(mut self, sql: &'static str) -> (Self, Result<()>) {
        to_the_end(self.tasks(), async move {
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
    /// By [`db_error::in_commit`]; `Contention` when the connection was replaced meanwhile: what
    /// the caller knew before may be of another state, as after a failover.
    pub(super) async fn commit(mut self, sql: SqlStr, held: impl Send + 'static) -> Result<()> {
        if self.is_replaced {
            return Err(Error::Contention(
                "the connection to the database was lost; try again".into(),
            ));
        }
        let tasks = self.tasks();
        let commit = async move {
            let _held = held;
            let done = self.run(sql).await;
            let done = done.map_err(|error| db_error::in_commit(db_error::classify(error)));
            done.map(|()| self.over())
        };
        to_the_end(tasks, commit).await
    }

    /// For a statement that continues when its caller has gone.
    pub(super) fn tasks(&self) -> TaskTracker {
        self.sessions.tasks().clone()
    }

    /// Notes that the transaction is over.
    const fn over(&mut self) {
        self.state = State::Free;
    }

    /// Closes a connection that is lost, or on which it is not known what the server does.
    fn close(&mut self) {
        self.held = None;
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
                self.tasks().spawn(async move {
                    let rollback = DB::run(&mut held.connection, "ROLLBACK".into_sql_str());
                    match timeout(DETACHED_TIME_LIMIT, rollback).await {
                        Ok(Ok(())) => sessions.give_back(held),
                        _ => drop(held),
                    }
                    drop(permit);
                });
            }
            State::Busy => drop(held),
        }
    }
}

/// A future that continues in a task of its own when it is dropped before its end, for as long as
/// [`DETACHED_TIME_LIMIT`].
pub(super) fn to_the_end<F>(tasks: TaskTracker, future: F) -> ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    ToTheEnd {
        future: Some(Box::pin(future)),
        tasks,
    }
}

pub(super) struct ToTheEnd<F: Future<Output: Send> + Send + 'static> {
    /// `None` after its end.
    future: Option<Pin<Box<F>>>,
    tasks: TaskTracker,
}

impl<F: Future<Output: Send> + Send + 'static> Future for ToTheEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToTheEnd<F> {
    fn drop(&mut self) {
        if let Some(rest) = self.future.take() {
            self.tasks.spawn(timeout(DETACHED_TIME_LIMIT, rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_wait_for_tasks_includes_a_statement_whose_caller_was_dropped() {
        let tasks = TaskTracker::new();
        tasks.close();
        let (sender, mut ended) = oneshot::channel();
        let mut statement = to_the_end(tasks.clone(), async move {
            tokio::task::yield_now().await;
            sender.send(())
        });
        let begun = std::future::poll_fn(|context| {
            let polled = Pin::new(&mut statement).poll(context);
            Poll::Ready(polled.is_pending())
        });
        assert!(begun.await);
        drop(statement);
        tasks.wait().await;
        assert_eq!(ended.try_recv(), Ok(()));
    }
}
