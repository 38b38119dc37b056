//! The connections to a SQLite database, and the queue for them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use rusqlite::config::DbConfig;
use tokio::task::spawn_blocking;

use super::{DatabaseFiles, Link, Opening, SqliteSession, broken, changed, ended};
use crate::error::{Error, Result};
use crate::storage::db_error;
use crate::storage::permits::ConnectionPermits;

/// Brings what is in the log into the file.
const SAVE_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// The most retries while another process has the file locked. Most attempts wait by themselves.
const MAX_LOCK_RETRIES: usize = 60;

/// The pause between these attempts.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Tries again while another process has the file locked, as for a change of the schema.
///
/// # Errors
///
/// Those of the attempt; `Contention` when the lock stays.
pub(in crate::storage) async fn retry_locked<T, F>(attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let delays = ConstantBuilder::default()
        .with_delay(LOCK_RETRY_INTERVAL)
        .with_max_times(MAX_LOCK_RETRIES);
    let is_locked = |error: &Error| matches!(error, Error::Contention(_));
    attempt.retry(delays).when(is_locked).await
}

/// Connections, which stay open once they were needed, and the queue for them. Clones share both.
#[derive(Clone, Debug)]
pub(in crate::storage) struct SqliteSessions {
    pool: Arc<Pool>,
    permits: ConnectionPermits,
}

pub(super) struct Pool {
    opening: Opening,
    idle: Mutex<Vec<Link>>,
    /// Set once the first connection of the database is open.
    files: OnceLock<Arc<DatabaseFiles>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.opening.fmt(f)
    }
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check_files(&self) -> Result<()> {
        self.files.get().map_or(Ok(()), |files| files.check())
    }

    async fn take(&self) -> Result<Link> {
        let idle = self.idle().pop();
        if let Some(link) = idle {
            return Ok(link);
        }
        // A new log beside the one that others have open would be taken for it.
        self.check_files()?;
        let opening = self.opening.clone();
        let opened = spawn_blocking(move || Link::open(&opening)).await;
        opened.map_err(broken)?.map_err(db_error::classify_sqlite)
    }

    pub(super) fn give_back(&self, link: Link) {
        let is_over =
            !link.has_transaction() || link.run(&"ROLLBACK".into(), changed, None).is_ok();
        if is_over || self.opening.file.is_none() {
            self.idle().push(link);
        }
    }
}

impl SqliteSessions {
    /// At most so many connections, on one of which a caller waits so long.
    pub(in crate::storage) fn lazy(
        opening: Opening,
        limit: u32,
        acquire_timeout: Duration,
    ) -> Self {
        let pool = Pool {
            opening,
            idle: Mutex::default(),
            files: OnceLock::new(),
        };
        Self {
            pool: Arc::new(pool),
            permits: ConnectionPermits::new(limit, acquire_timeout),
        }
    }

    /// As [`Self::lazy`], with one connection, which works. SQLite does not wait to change the
    /// journal mode while another process opens the file, so this does.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub(in crate::storage) async fn one(
        opening: Opening,
        acquire_timeout: Duration,
    ) -> Result<Self> {
        let sessions = Self::lazy(opening, 1, acquire_timeout);
        let link = retry_locked(|| sessions.pool.take()).await?;
        sessions.pool.give_back(link);
        Ok(sessions)
    }

    /// Has writes, and new connections, refused when the files are no longer those that were
    /// opened.
    pub(in crate::storage) fn watch_files(&self, files: &Arc<DatabaseFiles>) {
        // They are set once, when the database is opened.
        let _ = self.pool.files.set(files.clone());
    }

    /// Whether the files are those that were opened. When they are not, what is in the log is
    /// brought into the file that is open, so that it is not lost with the log.
    ///
    /// # Errors
    ///
    /// `DatabaseRefused` when they are not.
    pub(in crate::storage) async fn check_files(&self) -> Result<()> {
        let checked = self.pool.check_files();
        if checked.is_err() && self.pool.opening.is_written() {
            let permit = self.permits.acquire(None).await?;
            let idle = self.pool.idle().pop();
            if let Some(link) = idle {
                let session = SqliteSession {
                    link: Some(link),
                    pool: self.pool.clone(),
                    _permit: permit,
                };
                let (_, saved) = session.script(SAVE_LOG).await;
                if let Err(error) = saved {
                    let error = error.chain();
                    tracing::warn!(error, "the log of the database cannot be saved");
                }
            }
        }
        checked
    }

    /// Begins a transaction of a caller with this statement.
    ///
    /// # Errors
    ///
    /// `Exhausted` when no connection becomes free in time, `Contention` when another process holds
    /// a lock for too long.
    pub(in crate::storage) async fn begin(
        &self,
        statement: &'static str,
        caller: Option<&Arc<str>>,
    ) -> Result<SqliteSession> {
        let permit = self.permits.acquire(caller).await?;
        let session = SqliteSession {
            link: Some(self.pool.take().await?),
            pool: self.pool.clone(),
            _permit: permit,
        };
        let (session, begun) = session.attempt(statement.into(), changed).await;
        begun?;
        session.ok_or_else(ended)
    }

    pub(in crate::storage) const fn permits(&self) -> &ConnectionPermits {
        &self.permits
    }

    pub(in crate::storage) fn is_on_disk(&self) -> bool {
        self.pool.opening.file.is_some()
    }

    /// Counts the connections as the metrics of this moment, under the name of the pool.
    pub(in crate::storage) fn count(&self, pool: &'static str, tenant: Option<&str>) {
        let idle = self.pool.idle().len();
        self.permits.record_metrics(pool, idle, tenant);
    }

    /// Closes all connections once they are idle; later transactions fail.
    pub(in crate::storage) async fn close(&self) {
        self.permits.close().await;
        let idle = std::mem::take(&mut *self.pool.idle());
        // The last one brings the log into the file and removes it, which is another one where the
        // files were replaced.
        if self.pool.check_files().is_err() {
            for link in &idle {
                let keeping = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
                let kept = link.connection.set_db_config(keeping, true);
                debug_assert!(kept.is_ok(), "every connection has this option");
            }
        }
        let closed = spawn_blocking(move || drop(idle)).await;
        // A runtime that ends cancels the task, which closes the connections as well.
        debug_assert!(
            !closed.is_err_and(|error| error.is_panic()),
            "closing does not panic"
        );
    }
}
