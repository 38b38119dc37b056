//! Connection permits: a semaphore that bounds how many connections of a pool are in use.
//!
//! Who needs a connection acquires a [`Permit`] before it. The connection is either idle or opened
//! then. So "all connections are in use" and "no connection can be opened" are different errors.
//! Callers take turns in waiting, so that one with many requests does not delay others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use metrics::{Label, gauge};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::db_error;
use crate::error::Result;
use crate::fair_queue::FairQueue;

/// The right to use one connection, released on drop.
#[derive(Debug)]
pub(super) struct Permit {
    _permit: OwnedSemaphorePermit,
}

/// The right to a read transaction that lasts as long as a client takes to read its response,
/// released on drop.
#[derive(Debug)]
pub struct LongReadPermit {
    _permit: OwnedSemaphorePermit,
    is_exclusive: bool,
}

impl LongReadPermit {
    /// Whether the pool has one connection only, so that every other reader waits for this one.
    #[must_use]
    pub const fn is_exclusive(&self) -> bool {
        self.is_exclusive
    }
}

/// The permits of one pool. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct ConnectionPermits {
    free: Arc<Semaphore>,
    /// Half of the permits, but at least one.
    long_reads: Arc<Semaphore>,
    /// Who is next for each of these.
    turns: FairQueue,
    long_read_turns: FairQueue,
    /// In whose name those wait that wait for no caller.
    nobody: Arc<str>,
    /// How many callers wait for a permit.
    waiting: Arc<AtomicU32>,
    limit: u32,
    acquire_timeout: Duration,
}

impl ConnectionPermits {
    /// As many permits as the pool has connections.
    pub(super) fn new(limit: u32, acquire_timeout: Duration) -> Self {
        let permits = limit.try_into().unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(permits)),
            long_reads: Arc::new(Semaphore::new((permits / 2).max(1))),
            turns: FairQueue::turnstile(),
            long_read_turns: FairQueue::turnstile(),
            nobody: "".into(),
            waiting: Arc::default(),
            limit,
            acquire_timeout,
        }
    }

    /// How many permits there are.
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// How long [`Self::acquire`] waits.
    pub(super) const fn acquire_timeout(&self) -> Duration {
        self.acquire_timeout
    }

    /// Waits for a permit: callers take turns, each in order of arrival.
    ///
    /// # Errors
    ///
    /// `Exhausted` after the acquire timeout, `Unavailable` after [`Self::close`].
    pub(super) async fn acquire(&self, caller: Option<&Arc<str>>) -> Result<Permit> {
        if let Some(_turn) = self.turns.try_take()
            && let Ok(permit) = self.free.clone().try_acquire_owned()
        {
            return Ok(Permit { _permit: permit });
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _queued = QueuedCaller(&self.waiting);
        let caller = caller.unwrap_or(&self.nobody);
        let taken = take_in_turn(&self.turns, caller, &self.free);
        match timeout(self.acquire_timeout, taken).await {
            Ok(Ok(permit)) => Ok(Permit { _permit: permit }),
            Ok(Err(_)) => Err(db_error::classify(sqlx::Error::PoolClosed)),
            Err(_) => Err(db_error::classify(sqlx::Error::PoolTimedOut)),
        }
    }

    /// Waits for a permit for a long read; `None` after the acquire timeout. Only half of the
    /// connections serve long reads, so that short ones always find another.
    pub(super) async fn acquire_long_read(
        &self,
        caller: Option<&Arc<str>>,
    ) -> Option<LongReadPermit> {
        let caller = caller.unwrap_or(&self.nobody);
        let taken = take_in_turn(&self.long_read_turns, caller, &self.long_reads);
        let permit = timeout(self.acquire_timeout, taken).await;
        Some(LongReadPermit {
            _permit: permit.ok()?.ok()?,
            is_exclusive: self.limit == 1,
        })
    }

    /// Waits until all permits are released and grants none afterwards.
    pub(super) async fn close(&self) {
        // An error means that the semaphore is closed already.
        let _all = self.free.acquire_many(self.limit).await;
        self.free.close();
    }

    /// Sets the gauges of a pool with so many idle connections, of a tenant or the default one.
    pub(super) fn record_metrics(&self, pool: &'static str, idle: usize, tenant: Option<&str>) {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(self.limit);
        let in_use = self.limit - free.min(self.limit);
        let idle = u32::try_from(idle).unwrap_or(u32::MAX);
        let mut labels = vec![Label::from_static_parts("pool", pool)];
        labels.extend(tenant.map(|name| Label::new("tenant", name.to_owned())));
        for (state, count) in [("in_use", in_use), ("idle", idle), ("max", self.limit)] {
            let mut labels = labels.clone();
            labels.push(Label::from_static_parts("state", state));
            gauge!("pedigree_db_connections", labels).set(count);
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        gauge!("pedigree_db_connections_waiting", labels).set(waiting);
    }
}

/// Waits for a permit as the next one.
async fn take_in_turn(
    turns: &FairQueue,
    caller: &Arc<str>,
    permits: &Arc<Semaphore>,
) -> Result<OwnedSemaphorePermit, AcquireError> {
    // Held until there is a permit: the others wait for the turn.
    let _turn = turns.take(caller).await;
    permits.clone().acquire_owned().await
}

/// Counts one caller as waiting until it is dropped.
struct QueuedCaller<'a>(&'a AtomicU32);

impl Drop for QueuedCaller<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    /// The order in which they get the only permit.
    async fn served(names: &[&'static str]) -> Vec<&'static str> {
        let permits = ConnectionPermits::new(1, Duration::from_mins(1));
        let held = permits.acquire(None).await.unwrap();
        let (sender, mut order) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for (number, &name) in names.iter().enumerate() {
            let (own, sender) = (permits.clone(), sender.clone());
            tasks.spawn(async move {
                let _permit = own.acquire(Some(&name.into())).await.unwrap();
                sender.send(name).unwrap();
            });
            while permits.waiting.load(Ordering::Relaxed) as usize <= number {
                yield_now().await;
            }
        }
        drop((held, sender));
        tasks.join_all().await;
        let mut served = Vec::new();
        while let Some(name) = order.recv().await {
            served.push(name);
        }
        served
    }

    #[tokio::test]
    async fn callers_take_turns_in_waiting() {
        let order = served(&["a", "a", "a", "a", "b", "b", "c"]).await;
        // The first one has its turn already.
        assert_eq!(order, ["a", "a", "b", "c", "a", "b", "a"]);
    }

    #[tokio::test]
    async fn closing_waits_for_what_is_in_use_and_refuses_those_who_wait() {
        let permits = ConnectionPermits::new(1, Duration::from_mins(1));
        let held = permits.acquire(None).await.unwrap();
        let mut tasks = JoinSet::new();
        for name in ["a", "a", "b"] {
            let own = permits.clone();
            tasks.spawn(async move { own.acquire(Some(&name.into())).await.is_ok() });
        }
        let closing = permits.clone();
        let mut closing = JoinSet::from_iter([async move { closing.close().await }]);
        yield_now().await;
        assert!(closing.try_join_next().is_none());
        drop(held);
        tasks.join_all().await;
        closing.join_all().await;
        permits.acquire(None).await.unwrap_err();
    }
}
