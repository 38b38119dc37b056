//! A connection while a transaction is open on it: how it is had, and how it is given back whatever becomes of the caller.
//!
//! A server drops its handlers when their clients go away, which may be in the middle of a statement. The driver is never
//! dropped there: what it has begun goes on in a task of its own ([`to_the_end`]), and a connection of which it is not known
//! what the database does on it is closed.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions, Connection, Database, Pool, SqlSafeStr};
// Not in `sqlx`, whose `Transaction` hides the connection: it could not be closed.
use sqlx_core::transaction::TransactionManager;
use tokio::time::timeout;

use super::fault;
use super::turns::{Turn, Turns};
use crate::error::Result;

/// How long something that nobody waits for any more may go on before its connection is closed. Connections are dear, and almost
/// everything has ended by then.
const ABANDONED: Duration = Duration::from_secs(1);

/// How long a new connection may take before a look at what keeps it: the pool tries until its own time is over.
const SLOW: Duration = Duration::from_millis(500);

/// How long a statement may take before a look at whether the database is still there.
const SILENT: Duration = Duration::from_secs(15);

/// A pool, and the queue for its connections.
#[derive(Debug)]
pub(super) struct Sessions<DB: Database> {
    pool: Pool<DB>,
    turns: Turns,
}

impl<DB: Database> Clone for Sessions<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            turns: self.turns.clone(),
        }
    }
}

impl<DB: Database> Sessions<DB> {
    pub(super) fn of(pool: Pool<DB>) -> Self {
        let options = pool.options();
        let turns = Turns::new(options.get_max_connections(), options.get_acquire_timeout());
        Self { pool, turns }
    }

    /// Begins a transaction with this statement.
    ///
    /// # Errors
    ///
    /// `Exhausted` when no connection becomes free in time or the database has none left, `Unavailable` when it cannot be
    /// reached.
    pub(super) async fn begin(&self, statement: &'static str) -> Result<Session<DB>> {
        let turn = self.turns.take().await?;
        to_the_end(begin(self.pool.clone(), turn, statement)).await
    }

    pub(super) const fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Counts the connections as the metrics of this moment, under the name of the pool.
    pub(super) fn count(&self, pool: &'static str) {
        self.turns.count(pool, self.pool.size());
    }

    /// How connections of the pool are made.
    pub(super) fn options(&self) -> <DB::Connection as Connection>::Options {
        self.pool.connect_options().as_ref().clone()
    }

    /// Closes all connections once they are idle; later transactions fail.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection that died while it was idle shows it here, where nothing is lost yet: the next one is tried.
async fn begin<DB: Database>(
    pool: Pool<DB>,
    turn: Turn,
    statement: &'static str,
) -> Result<Session<DB>> {
    let mut stale = pool.options().get_max_connections();
    let mut session = Session {
        connection: connection(&pool).await?,
        pool,
        busy: false,
        _turn: turn,
    };
    loop {
        let (connection, pool) = session.start();
        let begun = DB::TransactionManager::begin(connection, Some(statement.into_sql_str()));
        match watch(pool, begun).await {
            Err(error) if stale > 0 && fault::is_lost(&error) => {
                stale -= 1;
                session.connection.close_on_drop();
                session.connection = self::connection(&session.pool).await?;
            }
            begun => {
                session.end(begun).map_err(fault::from)?;
                return Ok(session);
            }
        }
    }
}

/// A connection for a caller who has a turn.
async fn connection<DB: Database>(pool: &Pool<DB>) -> Result<PoolConnection<DB>> {
    let acquired = match timeout(SLOW, pool.acquire()).await {
        Ok(acquired) => acquired,
        Err(_) => match greet(pool).await {
            Ok(()) => pool.acquire().await,
            Err(error) => Err(error),
        },
    };
    acquired.map_err(fault::from)
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

/// Waits for the end of a statement, but not for a database that has vanished without a word: one that says nothing for long must
/// greet a new client.
pub(super) async fn watch<DB: Database, T>(
    pool: &Pool<DB>,
    statement: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let mut statement = pin!(statement);
    loop {
        if let Ok(done) = timeout(SILENT, &mut statement).await {
            return done;
        }
        match greet(pool).await {
            // That it has no more connections is an answer.
            Ok(()) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A connection with a transaction, which is rolled back when this is dropped without [`Session::commit`].
#[derive(Debug)]
pub(super) struct Session<DB: Database> {
    connection: PoolConnection<DB>,
    pool: Pool<DB>,
    /// Whether a statement is under way, or was when the connection was lost.
    busy: bool,
    _turn: Turn,
}

impl<DB: Database> Session<DB> {
    /// The connection, for one statement under [`watch`], after which comes [`Self::end`].
    pub(super) fn start(&mut self) -> (&mut DB::Connection, &Pool<DB>) {
        self.busy = true;
        (&mut self.connection, &self.pool)
    }

    /// Notes whether the connection outlived the statement.
    pub(super) fn end<T>(&mut self, done: sqlx::Result<T>) -> sqlx::Result<T> {
        self.busy = done.as_ref().is_err_and(fault::is_lost);
        done
    }

    /// Commits, and drops `held` when the outcome is known.
    ///
    /// # Errors
    ///
    /// By [`fault::of_commit`].
    pub(super) async fn commit(mut self, held: impl Send + 'static) -> Result<()> {
        let commit = async move {
            let _held = held;
            let (connection, pool) = self.start();
            let done = watch(pool, DB::TransactionManager::commit(connection)).await;
            let done = self.end(done);
            done.map_err(|error| fault::of_commit(fault::from(error)))
        };
        to_the_end(commit).await
    }
}

impl<DB: Database> Drop for Session<DB> {
    fn drop(&mut self) {
        if self.busy {
            self.connection.close_on_drop();
        } else {
            // Goes out while the connection returns to its pool. After a commit there is nothing to roll back.
            DB::TransactionManager::start_rollback(&mut self.connection);
        }
    }
}

/// A future that goes on in a task of its own when it is dropped before its end, for as long as [`ABANDONED`].
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
            tokio::spawn(timeout(ABANDONED, rest));
        }
    }
}
