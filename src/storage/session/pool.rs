//! The connections to a database server: opened when they are needed, passed from one caller to the
//! next, closed when they are old or idle for long.
//!
//! A database has one pool. Writers, readers and the probe have a share of it each ([`Sessions`]):
//! permits for so many connections, which are set up in one way. A connection that was set up for
//! another share is set up again.
//!
//! A server may grant fewer connections than the pool is allowed. A refused caller then waits for
//! a connection of any share to become free.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::place::Place;
use super::servers::{Connected, Servers};
use super::{MAX_STALE_CONNECTIONS, PoolLimits, ServerDriver, Watched, watch};
use crate::error::Result;
use crate::storage::ConnectionBudget;
use crate::storage::budget::{BudgetMember, IdleConnections};
use crate::storage::connect::settings::{Purpose, SessionSettings};
use crate::storage::db_error;
use crate::storage::permits::{ConnectionPermits, Permit};

/// How long an idle connection is used without a ping, which takes a round trip.
const MAX_UNPINGED_IDLE_TIME: Duration = Duration::from_secs(1);

/// How long after a refusal no other connection is tried while the pool has some.
const REFUSAL_INTERVAL: Duration = Duration::from_millis(250);

/// The pause before another look whether a connection may be opened.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The shortest time for opening a connection, however long its caller waited.
const MIN_OPENING_TIME: Duration = Duration::from_secs(1);

/// Time limit for closing a connection with a message to its server.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The fewest connections of a pool of which one is the probe's alone.
const MIN_CONNECTIONS_WITH_PROBE: u32 = 3;

/// How long the probe waits for a connection.
const PROBE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// A share of a pool, and the queue for it. Clones are the same share.
pub(in crate::storage) struct Sessions<DB: ServerDriver> {
    pub(super) pool: Arc<ConnectionPool<DB>>,
    pub(super) settings: SessionSettings,
    pub(super) permits: ConnectionPermits,
}

pub(super) struct ConnectionPool<DB: ServerDriver> {
    pub(super) servers: Servers<DB>,
    limits: PoolLimits,
    state: Mutex<PoolState<DB>>,
    probe: ConnectionPermits,
    /// Of the budget that it shares with other pools.
    pub(super) budget: Option<BudgetMember>,
    pub(super) tasks: TaskTracker,
    /// How many connections were opened.
    opened: AtomicU64,
    pub(super) closed: CancellationToken,
}

pub(super) struct PoolState<DB: ServerDriver> {
    /// The one used last at the end.
    pub(super) idle: Vec<Held<DB>>,
    waiting: VecDeque<oneshot::Sender<Held<DB>>>,
    /// How many there are: idle, in use, being opened or closed.
    pub(super) open: u32,
    /// Until when no other one is tried, as the server refused one.
    refused_until: Option<Instant>,
}

/// A connection, idle or lent to a caller.
pub(super) struct Held<DB: ServerDriver> {
    pub(super) connection: DB::Connection,
    /// The most bytes that a statement may have.
    pub(super) max_statement_bytes: usize,
    /// What it is set up for.
    purpose: Purpose,
    opened: Instant,
    /// When it was used last.
    pub(super) used: Instant,
    /// Whether it has answered since it was idle.
    pub(super) is_verified: bool,
    /// How often the database had moved to another server when it was made.
    pub(super) moves: u64,
    /// Declared last: the place is free when the connection is closed.
    pub(super) place: Place<DB>,
}

impl<DB: ServerDriver> Clone for Sessions<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            settings: self.settings.clone(),
            permits: self.permits.clone(),
        }
    }
}

impl<DB: ServerDriver> fmt::Debug for Sessions<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl<DB: ServerDriver> fmt::Debug for ConnectionPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limits.fmt(f)
    }
}

impl<DB: ServerDriver> fmt::Debug for Held<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.opened.fmt(f)
    }
}

/// Closes a connection as the protocol asks for, with a message to the server.
pub(super) async fn close_gracefully<DB: ServerDriver>(connection: DB::Connection) {
    // A server that does not answer gets no message.
    let _ = timeout(CLOSE_TIMEOUT, connection.close()).await;
}

impl<DB: ServerDriver> Held<DB> {
    fn is_older_than(&self, limits: &PoolLimits) -> bool {
        self.opened.elapsed() >= limits.max_lifetime || self.used.elapsed() >= limits.idle_timeout
    }

    pub(super) async fn close(self) {
        close_gracefully::<DB>(self.connection).await;
    }
}

impl<DB: ServerDriver> ConnectionPool<DB> {
    pub(super) fn lock(&self) -> MutexGuard<'_, PoolState<DB>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller gets from the pool at once.
enum Reservation<DB: ServerDriver> {
    Idle(Held<DB>),
    /// The next connection that becomes free, or one that the caller opens in this place.
    Pending(oneshot::Receiver<Held<DB>>, Option<Place<DB>>),
}

impl<DB: ServerDriver> Sessions<DB> {
    /// The first share of a new pool, which is the probe's.
    pub(super) fn probe(
        servers: Servers<DB>,
        limits: PoolLimits,
        budget: Option<&ConnectionBudget>,
        settings: SessionSettings,
    ) -> Self {
        let permits = ConnectionPermits::new(1, PROBE_ACQUIRE_TIMEOUT);
        let pool = Arc::new_cyclic(|pool: &Weak<ConnectionPool<DB>>| ConnectionPool {
            budget: budget.map(|budget| {
                let pool: Weak<dyn IdleConnections> = pool.clone();
                budget.join(Some(pool))
            }),
            servers,
            limits,
            state: Mutex::new(PoolState {
                idle: Vec::new(),
                waiting: VecDeque::new(),
                open: 0,
                refused_until: None,
            }),
            probe: permits.clone(),
            opened: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
        });
        Self {
            pool,
            settings,
            permits,
        }
    }

    /// Another share of the pool, of so many connections.
    pub(super) fn share(&self, settings: SessionSettings, connections: u32) -> Self {
        let acquire_timeout = self.pool.limits.acquire_timeout;
        Self {
            pool: self.pool.clone(),
            settings,
            permits: ConnectionPermits::new(connections, acquire_timeout),
        }
    }

    pub(in crate::storage) const fn permits(&self) -> &ConnectionPermits {
        &self.permits
    }

    /// For what continues when its caller has gone.
    pub(in crate::storage) fn tasks(&self) -> &TaskTracker {
        &self.pool.tasks
    }

    /// How many connections the pool has opened.
    pub(in crate::storage) fn opened(&self) -> u64 {
        self.pool.opened.load(Ordering::Acquire)
    }

    /// How connections are made.
    pub(in crate::storage) fn servers(&self) -> &Servers<DB> {
        &self.pool.servers
    }

    pub(in crate::storage) const fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// Counts the connections of the share as the metrics of this moment, under this name, and
    /// closes those that were idle for too long.
    pub(super) fn count(&self, share: &'static str, tenant: Option<&str>) {
        let (old, idle) = {
            let mut connections = self.pool.lock();
            let limits = &self.pool.limits;
            let old = connections
                .idle
                .extract_if(.., |held| held.is_older_than(limits));
            let old: Vec<_> = old.collect();
            let own = |held: &&Held<DB>| held.purpose == self.settings.purpose;
            (old, connections.idle.iter().filter(own).count())
        };
        for held in old {
            self.close_in_background(held);
        }
        self.permits.record_metrics(share, idle, tenant);
    }

    pub(super) async fn close(&self) {
        self.pool.closed.cancel();
        self.permits.close().await;
        let idle = {
            let mut connections = self.pool.lock();
            connections.waiting.clear();
            std::mem::take(&mut connections.idle)
        };
        for held in idle {
            held.close().await;
        }
    }

    pub(super) fn limit(&self) -> u32 {
        self.pool.limits.connections
    }

    /// A connection, for a caller with a permit. One that was idle may have died meanwhile.
    pub(super) async fn checkout(&self) -> sqlx::Result<Held<DB>> {
        let deadline = Instant::now() + self.permits.acquire_timeout();
        loop {
            let held = self.checkout_any(deadline).await?;
            if held.moves != self.pool.servers.moves() {
                drop(held);
                continue;
            }
            if let Some(held) = self.fit(held).await? {
                return Ok(held);
            }
        }
    }

    /// A connection that is set up for any share.
    pub(super) async fn checkout_any(&self, deadline: Instant) -> sqlx::Result<Held<DB>> {
        loop {
            let (mut handed, place) = match self.reserve(deadline)? {
                Reservation::Idle(held) => return Ok(held),
                Reservation::Pending(handed, place) => (handed, place),
            };
            let opening = async {
                if let Some(place) = place {
                    return self.open(place, deadline).await.map(Some);
                }
                sleep(RETRY_INTERVAL).await;
                Ok(None)
            };
            let opened = tokio::select! {
                held = &mut handed => return held.map_err(|_| sqlx::Error::PoolClosed),
                opened = opening => opened,
            };
            // What was handed over at the same moment goes to the next caller.
            handed.close();
            if let Ok(held) = handed.try_recv() {
                self.give_back(held);
            }
            match opened {
                Ok(Some(held)) => return Ok(held),
                Ok(None) => {}
                Err(error) if db_error::is_refused_connection(&error) => {
                    if Instant::now() >= deadline {
                        return Err(error);
                    }
                    self.pool.lock().refused_until = Some(Instant::now() + REFUSAL_INTERVAL);
                    sleep(RETRY_INTERVAL).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sets a connection up for this share, if it was for another; `None` if it had died.
    async fn fit(&self, mut held: Held<DB>) -> sqlx::Result<Option<Held<DB>>> {
        if held.purpose == self.settings.purpose {
            return Ok(Some(held));
        }
        let set_up = DB::set_up(&mut held.connection, &self.settings);
        let set_up = timeout(self.permits.acquire_timeout(), set_up).await;
        match set_up.unwrap_or_else(|_| Err(timed_out())) {
            Ok(max_statement_bytes) => {
                held.max_statement_bytes = max_statement_bytes;
                held.purpose = self.settings.purpose;
                held.is_verified = true;
                Ok(Some(held))
            }
            Err(error) if db_error::is_connection_lost(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As [`Self::checkout`], with a connection that is alive.
    pub(super) async fn checkout_verified(&self) -> sqlx::Result<Held<DB>> {
        let mut stale = MAX_STALE_CONNECTIONS;
        loop {
            let mut held = self.checkout().await?;
            if held.is_verified || held.used.elapsed() < MAX_UNPINGED_IDLE_TIME {
                return Ok(held);
            }
            let watched = Watched {
                sessions: self,
                moves: held.moves,
            };
            match watch(watched, held.connection.ping()).await {
                Err(error) if stale > 0 && db_error::is_connection_lost(&error) => stale -= 1,
                Err(error) => return Err(error),
                Ok(()) => {
                    held.is_verified = true;
                    return Ok(held);
                }
            }
        }
    }

    /// Takes an idle connection, or a place in the queue. At the deadline the server is asked once
    /// more, for its reason.
    fn reserve(&self, deadline: Instant) -> sqlx::Result<Reservation<DB>> {
        let mut connections = self.pool.lock();
        if self.pool.closed.is_cancelled() {
            return Err(sqlx::Error::PoolClosed);
        }
        let own = |held: &Held<DB>| held.purpose == self.settings.purpose;
        if let Some(own) = connections.idle.iter().rposition(own) {
            return Ok(Reservation::Idle(connections.idle.remove(own)));
        }
        let now = Instant::now();
        let was_refused = connections.refused_until.is_some_and(|until| now < until);
        let is_full = connections.open >= self.limit();
        let is_late = now >= deadline;
        let may_open = !is_full && (!was_refused || connections.open == 0 || is_late);
        if !may_open && let Some(held) = connections.idle.pop() {
            return Ok(Reservation::Idle(held));
        }
        if is_full && is_late {
            return Err(sqlx::Error::PoolTimedOut);
        }
        let (sender, handed) = oneshot::channel();
        connections.waiting.retain(|waiting| !waiting.is_closed());
        connections.waiting.push_back(sender);
        let place = may_open.then(|| {
            connections.open += 1;
            let pool = Arc::downgrade(&self.pool);
            Place { pool, permit: None }
        });
        Ok(Reservation::Pending(handed, place))
    }

    async fn open(&self, mut place: Place<DB>, deadline: Instant) -> sqlx::Result<Held<DB>> {
        place.permit = self.pool.budget_permit(deadline).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        let opening = async {
            let mut connected = self.pool.servers.connect().await?;
            let set_up = DB::set_up(&mut connected.connection, &self.settings);
            let max_statement_bytes = set_up.await?;
            sqlx::Result::Ok((connected, max_statement_bytes))
        };
        let opened = timeout(left.max(MIN_OPENING_TIME), opening).await;
        let (connected, max_statement_bytes) = opened.unwrap_or_else(|_| Err(timed_out()))?;
        let Connected {
            connection, moves, ..
        } = connected;
        self.pool.opened.fetch_add(1, Ordering::AcqRel);
        let now = Instant::now();
        Ok(Held {
            connection,
            max_statement_bytes,
            purpose: self.settings.purpose,
            opened: now,
            used: now,
            is_verified: true,
            moves,
            place,
        })
    }

    /// Takes back a connection on which nothing goes on, for the next caller.
    pub(super) fn give_back(&self, mut held: Held<DB>) {
        held.used = Instant::now();
        held.is_verified = false;
        let has_moved = held.moves != self.pool.servers.moves();
        let is_for_others = self.pool.budget.as_ref();
        let is_for_others = is_for_others.is_some_and(|it| it.must_yield(held.opened.elapsed()));
        if has_moved || is_for_others || held.is_older_than(&self.pool.limits) {
            return self.close_in_background(held);
        }
        let mut connections = self.pool.lock();
        while let Some(waiting) = connections.waiting.pop_front() {
            match waiting.send(held) {
                Ok(()) => return,
                // That caller has gone, or has another one.
                Err(back) => held = back,
            }
        }
        connections.idle.push(held);
    }

    /// Closes the idle connections, as those to a server that is not the right one any more.
    pub(super) fn close_idle(&self) {
        let idle = std::mem::take(&mut self.pool.lock().idle);
        for held in idle {
            self.close_in_background(held);
        }
    }

    fn close_in_background(&self, held: Held<DB>) {
        self.pool.tasks.spawn(held.close());
    }

    /// Asks the server on another connection whether it answers: that of the probe, or a new one
    /// where the probe has none of its own.
    pub(super) async fn probe_server(&self) -> sqlx::Result<()> {
        let probing = async {
            if self.limit() < MIN_CONNECTIONS_WITH_PROBE {
                let soon = Instant::now() + PROBE_ACQUIRE_TIMEOUT;
                let _permit = self.pool.budget_permit(soon).await?;
                return self.pool.servers.greet().await;
            }
            let permit = self.pool.probe.acquire(None).await;
            let deadline = Instant::now() + PROBE_ACQUIRE_TIMEOUT;
            let mut held = self.checkout_any(deadline).await?;
            held.connection.ping().await?;
            self.give_back(held);
            drop(permit);
            Ok(())
        };
        let probed = timeout(self.pool.limits.acquire_timeout, probing).await;
        probed.unwrap_or_else(|_| Err(timed_out()))
    }

    /// A permit for one connection of a caller.
    ///
    /// # Errors
    ///
    /// `Exhausted` when none becomes free in time, `Unavailable` after [`Self::close`].
    pub(in crate::storage) async fn permit(&self, caller: Option<&Arc<str>>) -> Result<Permit> {
        self.permits.acquire(caller).await
    }
}

fn timed_out() -> sqlx::Error {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
