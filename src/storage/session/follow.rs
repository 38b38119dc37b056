//! Following the database from server to server, where an address has several.
//!
//! A server that is gone without a word, or that stopped to take writes, has connections that look
//! usable. So one of them is asked every second, and where it does not answer as it must, the list
//! is gone through again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{ServerDriver, Sessions};
use crate::storage::db_error;

/// The pause between two questions.
const QUESTION_INTERVAL: Duration = Duration::from_secs(1);

/// How long a server has to answer one.
const ANSWER_TIME: Duration = Duration::from_secs(1);

impl<DB: ServerDriver> Sessions<DB> {
    /// Follows the database in a task of the pool, until the pool is closed. Does nothing where
    /// there is one server, which is taken as it is.
    pub(super) fn follow(&self) {
        if !self.pool.servers.is_choosing() {
            return;
        }
        let (pool, closed) = (Arc::downgrade(&self.pool), self.pool.closed.clone());
        let (settings, permits) = (self.settings.clone(), self.permits.clone());
        let following = async move {
            loop {
                sleep(QUESTION_INTERVAL).await;
                let Some(pool) = pool.upgrade() else { return };
                let sessions = Self {
                    pool,
                    settings: settings.clone(),
                    permits: permits.clone(),
                };
                sessions.look().await;
            }
        };
        let following = async move { closed.run_until_cancelled(following).await };
        self.pool.tasks.spawn(following);
    }

    /// Looks whether the server that is used is still the right one, and for another if not.
    async fn look(&self) {
        let asked = timeout(ANSWER_TIME, self.is_right_server()).await;
        if matches!(asked, Ok(Ok(true))) {
            return;
        }
        if let Ok(Ok(false)) = asked {
            self.close_idle();
        }
        let before = self.pool.servers.moves();
        match self.pool.servers.greet().await {
            Ok(()) if self.pool.servers.moves() != before => self.close_idle(),
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "no server of the list can be used now"),
        }
    }

    async fn is_right_server(&self) -> sqlx::Result<bool> {
        let deadline = Instant::now() + ANSWER_TIME;
        let mut held = self.checkout_any(deadline.into_std()).await?;
        let is_right = self.pool.servers.accept(&mut held.connection).await?;
        if is_right {
            self.give_back(held);
        }
        Ok(is_right)
    }

    /// Waits until the database has moved to another server since it had moved so often; without
    /// end where it cannot.
    pub(in crate::storage) async fn moved_since(&self, moves: u64) {
        if self.pool.servers.is_choosing() {
            self.pool.servers.moved_since(moves).await;
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// Sees an error of a statement. Sessions of PostgreSQL may only read for as long as they live,
    /// so that after a refused write the next one gets a new session. A server that refuses writes
    /// is gone as far as its callers are concerned, where another one of the list may take them.
    pub(super) fn see_error(&self, error: sqlx::Error) -> sqlx::Error {
        if !db_error::is_read_only(&error) {
            return error;
        }
        self.close_idle();
        if !self.pool.servers.is_for_writes() {
            return error;
        }
        io::Error::new(io::ErrorKind::NotConnected, error.to_string()).into()
    }
}
