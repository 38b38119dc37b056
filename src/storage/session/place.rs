//! The places of connections in a pool, and in the budget that the pool may share with others.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::ServerDriver;
use super::pool::{ConnectionPool, Held, Sessions, close_gracefully};
use crate::error::Error;
use crate::storage::budget::{BudgetMember, BudgetPermit, IdleConnections};
use crate::storage::db_error;

/// The place of one connection among those of a pool.
#[derive(Debug)]
pub(in crate::storage) struct Place<DB: ServerDriver> {
    pub(super) pool: Weak<ConnectionPool<DB>>,
    /// Before the connection is opened, where the pool has a budget.
    pub(super) permit: Option<BudgetPermit>,
}

impl<DB: ServerDriver> Drop for Place<DB> {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.lock().open -= 1;
        }
    }
}

impl<DB: ServerDriver> IdleConnections for ConnectionPool<DB> {
    fn close_idle_for(&self, time: Duration) -> bool {
        let closed = {
            let mut connections = self.lock();
            let oldest = connections.idle.first();
            let is_due = oldest.is_some_and(|held| held.used.elapsed() >= time);
            is_due.then(|| connections.idle.remove(0))
        };
        let Some(held) = closed else { return false };
        self.tasks.spawn(held.close());
        true
    }
}

impl<DB: ServerDriver> ConnectionPool<DB> {
    /// The permit for one more connection, where the pool has a budget.
    pub(super) async fn budget_permit(
        &self,
        deadline: Instant,
    ) -> sqlx::Result<Option<BudgetPermit>> {
        let Some(budget) = &self.budget else {
            return Ok(None);
        };
        let permit = budget.acquire(deadline).await;
        permit.map(Some).ok_or(sqlx::Error::PoolTimedOut)
    }
}

impl<DB: ServerDriver> Sessions<DB> {
    /// The place of a connection outside the pool, for a caller with a permit; `None` where there
    /// is no room now.
    pub(in crate::storage) async fn place(&self) -> Option<Place<DB>> {
        let permit = match &self.pool.budget {
            Some(budget) => Some(budget.try_acquire()?),
            None => None,
        };
        let idle = {
            let mut connections = self.pool.lock();
            if connections.open < self.limit() {
                connections.open += 1;
                let pool = Arc::downgrade(&self.pool);
                return Some(Place { pool, permit });
            }
            (!connections.idle.is_empty()).then(|| connections.idle.remove(0))
        };
        let Held {
            connection, place, ..
        } = idle?;
        close_gracefully::<DB>(connection).await;
        Some(place)
    }

    /// The error of a caller that got no connection.
    pub(super) fn refusal(&self, error: sqlx::Error) -> Error {
        match error {
            sqlx::Error::PoolTimedOut if self.is_shared() => db_error::no_shared_connection(),
            error => db_error::classify(error),
        }
    }

    /// Whether other databases share all of its connections.
    pub(in crate::storage) fn is_shared(&self) -> bool {
        let budget = self.pool.budget.as_ref();
        budget.is_some_and(BudgetMember::is_shared)
    }
}
