//! The queue for the connections of a pool. Who has a turn has the right to a connection, which is either there or to be made: so
//! "all are in use" and "none can be made" are told apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use metrics::gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::fault;
use crate::error::Result;

/// The right to one connection, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// A place among the few transactions that may take as long as a client likes, until this is dropped.
#[derive(Debug)]
pub struct SlowTurn {
    _permit: OwnedSemaphorePermit,
    takes_all: bool,
}

impl SlowTurn {
    /// Whether its transaction has the only connection, for which everybody else waits meanwhile.
    #[must_use]
    pub const fn takes_all(&self) -> bool {
        self.takes_all
    }
}

/// Clones share the queue.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
    /// A queue for half of the connections, or for the only one.
    slow: Arc<Semaphore>,
    /// How many wait for a turn.
    waiting: Arc<AtomicU32>,
    limit: u32,
    patience: Duration,
}

impl Turns {
    /// For so many connections, on one of which a caller waits so long.
    pub(super) fn new(limit: u32, patience: Duration) -> Self {
        let most = limit.try_into().unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(most)),
            slow: Arc::new(Semaphore::new((most / 2).max(1))),
            waiting: Arc::default(),
            limit,
            patience,
        }
    }

    /// How long a caller waits.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// # Errors
    ///
    /// `Exhausted` when none comes in time, `Unavailable` after [`Self::end`].
    pub(super) async fn take(&self) -> Result<Turn> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Ok(Turn { _permit: permit });
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        match timeout(self.patience, self.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            Ok(Err(_)) => Err(fault::from(sqlx::Error::PoolClosed)),
            Err(_) => Err(fault::from(sqlx::Error::PoolTimedOut)),
        }
    }

    /// A place among those whose transactions take as long as a client likes; `None` when none becomes free in the time that a
    /// connection may take.
    pub(super) async fn take_slow(&self) -> Option<SlowTurn> {
        let permit = timeout(self.patience, self.slow.clone().acquire_owned()).await;
        Some(SlowTurn {
            _permit: permit.ok()?.ok()?,
            takes_all: self.limit == 1,
        })
    }

    /// Gives no more turns, and waits until those that were given are over.
    pub(super) async fn end(&self) {
        // It fails when somebody else has done it.
        let _all = self.free.acquire_many(self.limit).await;
        self.free.close();
    }

    /// Counts the connections as the metrics of this moment, `open` of which are there, under the name of the pool.
    pub(super) fn count(&self, pool: &'static str, open: u32) {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(self.limit);
        let in_use = self.limit - free.min(self.limit);
        let idle = open.saturating_sub(in_use);
        for (state, count) in [("in_use", in_use), ("idle", idle), ("max", self.limit)] {
            gauge!("pedigree_db_connections", "pool" => pool, "state" => state).set(count);
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        gauge!("pedigree_db_connections_waiting", "pool" => pool).set(waiting);
    }
}

/// One more waits for as long as this is there.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
