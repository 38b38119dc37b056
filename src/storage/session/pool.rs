//! The connections to a database server: opened when they are needed, passed from one caller to the
//! next, closed when they are old or idle for long.
//!
//! A server may grant fewer connections than the pool is allowed. A refused caller then waits for
//! another one of the pool to become free. A pool without any asks its sibling for one, so that
//! readers and writers share what the server grants.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::{ServerDriver, watch};
use crate::error::Result;
use crate::storage::connect::settings::SessionSettings;
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

/// Time limit for saying good-bye to a server.
const CLOSING_TIME_LIMIT: Duration = Duration::from_secs(5);

/// The limits of a pool.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct PoolLimits {
    pub connections: u32,
    /// How long a caller waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a connection stays open without being used.
    pub idle_timeout: Duration,
    /// How long any connection stays open.
    pub max_lifetime: Duration,
}

/// A pool, and the queue for its connections. Clones share it.
pub(in crate::storage) struct Sessions<DB: ServerDriver>(Arc<Shared<DB>>);

struct Shared<DB: ServerDriver> {
    options: <DB::Connection as Connection>::Options,
    settings: SessionSettings,
    limits: PoolLimits,
    permits: ConnectionPermits,
    tasks: TaskTracker,
    connections: Mutex<PoolState<DB>>,
    /// How many connections were opened.
    opened: AtomicU64,
    /// The other pool of the database.
    sibling: OnceLock<Weak<Self>>,
}

struct PoolState<DB: ServerDriver> {
    /// The one used last at the end.
    idle: Vec<Held<DB>>,
    waiting: VecDeque<oneshot::Sender<Held<DB>>>,
    /// How many there are: idle, in use, being opened or closed.
    open: u32,
    /// Until when no other one is tried, as the server refused one.
    refused_until: Option<Instant>,
    /// Whether the next one that becomes free is closed, for the sibling.
    gives_one_up: bool,
    is_closed: bool,
}

/// A connection, idle or lent to a caller.
pub(super) struct Held<DB: ServerDriver> {
    pub(super) connection: DB::Connection,
    /// The most bytes that a statement may have.
    pub(super) max_statement_bytes: usize,
    opened: Instant,
    /// When it was used last.
    used: Instant,
    /// Whether it has answered since it was idle.
    pub(super) is_verified: bool,
    /// Declared last: the place is free when the connection is closed.
    _place: Place<DB>,
}

/// The place of one connection among those of a pool.
struct Place<DB: ServerDriver>(Weak<Shared<DB>>);

impl<DB: ServerDriver> Drop for Place<DB> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().open -= 1;
        }
    }
}

impl<DB: ServerDriver> Clone for Sessions<DB> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<DB: ServerDriver> fmt::Debug for Sessions<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.limits.fmt(f)
    }
}

impl<DB: ServerDriver> fmt::Debug for Held<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.opened.fmt(f)
    }
}

impl<DB: ServerDriver> Held<DB> {
    fn is_older_than(&self, limits: &PoolLimits) -> bool {
        self.opened.elapsed() >= limits.max_lifetime || self.used.elapsed() >= limits.idle_timeout
    }

    /// Says good-bye to the server.
    async fn close(self) {
        // A server that does not answer is left without it.
        let _ = timeout(CLOSING_TIME_LIMIT, self.connection.close()).await;
    }
}

impl<DB: ServerDriver> Shared<DB> {
    fn lock(&self) -> MutexGuard<'_, PoolState<DB>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a caller comes to a connection.
enum Way<DB: ServerDriver> {
    Idle(Held<DB>),
    /// By one that becomes free, or by one that it opens in this place.
    Wait(oneshot::Receiver<Held<DB>>, Option<Place<DB>>),
}

impl<DB: ServerDriver> Sessions<DB> {
    /// A pool that opens connections when they are needed, and ends others in `tasks`.
    pub(in crate::storage) fn lazy(
        options: <DB::Connection as Connection>::Options,
        settings: SessionSettings,
        limits: PoolLimits,
        tasks: TaskTracker,
    ) -> Self {
        Self(Arc::new(Shared {
            tasks,
            options,
            settings,
            limits,
            permits: ConnectionPermits::new(limits.connections, limits.acquire_timeout),
            connections: Mutex::new(PoolState {
                idle: Vec::new(),
                waiting: VecDeque::new(),
                open: 0,
                refused_until: None,
                gives_one_up: false,
                is_closed: false,
            }),
            opened: AtomicU64::new(0),
            sibling: OnceLock::new(),
        }))
    }

    /// Opens a first connection, which shows that the server can be used.
    ///
    /// # Errors
    ///
    /// Those of the server.
    pub(in crate::storage) async fn open_first(&self) -> Result<()> {
        let first = self.checkout().await.map_err(db_error::classify)?;
        self.give_back(first);
        Ok(())
    }

    /// Has two pools share the connections that their server grants.
    pub(in crate::storage) fn join(&self, other: &Self) {
        // Both are new.
        let _ = self.0.sibling.set(Arc::downgrade(&other.0));
        let _ = other.0.sibling.set(Arc::downgrade(&self.0));
    }

    pub(in crate::storage) fn permits(&self) -> &ConnectionPermits {
        &self.0.permits
    }

    /// For what continues when its caller has gone.
    pub(in crate::storage) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// How many connections have been opened.
    pub(in crate::storage) fn opened(&self) -> u64 {
        self.0.opened.load(Ordering::Acquire)
    }

    pub(in crate::storage) fn limit(&self) -> u32 {
        self.0.limits.connections
    }

    /// How connections are made.
    pub(in crate::storage) fn options(&self) -> <DB::Connection as Connection>::Options {
        self.0.options.clone()
    }

    pub(in crate::storage) fn settings(&self) -> &SessionSettings {
        &self.0.settings
    }

    /// Counts the connections as the metrics of this moment, under the name of the pool, and closes
    /// those that were idle for too long.
    pub(in crate::storage) fn count(&self, pool: &'static str) {
        let (old, open) = {
            let mut connections = self.0.lock();
            let limits = &self.0.limits;
            let old = connections
                .idle
                .extract_if(.., |held| held.is_older_than(limits));
            (old.collect::<Vec<_>>(), connections.open)
        };
        for held in old {
            self.close_in_background(held);
        }
        self.0.permits.record_metrics(pool, open);
    }

    /// Closes all connections once they are idle; later transactions fail.
    pub(in crate::storage) async fn close(&self) {
        self.0.lock().is_closed = true;
        self.0.permits.close().await;
        let idle = {
            let mut connections = self.0.lock();
            connections.waiting.clear();
            std::mem::take(&mut connections.idle)
        };
        for held in idle {
            held.close().await;
        }
    }

    /// Makes room for a connection outside the pool, for a caller with a permit.
    pub(in crate::storage) async fn make_room(&self) {
        let idle = {
            let mut connections = self.0.lock();
            let is_full = connections.open >= self.limit() && !connections.idle.is_empty();
            is_full.then(|| connections.idle.remove(0))
        };
        if let Some(held) = idle {
            held.close().await;
        }
    }

    /// A connection, for a caller with a permit. One that was idle may have died meanwhile.
    pub(super) async fn checkout(&self) -> sqlx::Result<Held<DB>> {
        let deadline = Instant::now() + self.0.limits.acquire_timeout;
        loop {
            let (mut handed, place) = match self.way(deadline)? {
                Way::Idle(held) => return Ok(held),
                Way::Wait(handed, place) => (handed, place),
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
                    self.make_do().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`Self::checkout`], with a connection that is alive.
    pub(super) async fn checkout_verified(&self) -> sqlx::Result<Held<DB>> {
        let mut stale = self.limit();
        loop {
            let mut held = self.checkout().await?;
            if held.is_verified || held.used.elapsed() < MAX_UNPINGED_IDLE_TIME {
                return Ok(held);
            }
            match watch(self, held.connection.ping()).await {
                Err(error) if stale > 0 && db_error::is_connection_lost(&error) => stale -= 1,
                Err(error) => return Err(error),
                Ok(()) => {
                    held.is_verified = true;
                    return Ok(held);
                }
            }
        }
    }

    /// The way to a connection at this moment. At the deadline the server is asked once more, for
    /// its reason.
    fn way(&self, deadline: Instant) -> sqlx::Result<Way<DB>> {
        let mut connections = self.0.lock();
        if connections.is_closed {
            return Err(sqlx::Error::PoolClosed);
        }
        if let Some(held) = connections.idle.pop() {
            return Ok(Way::Idle(held));
        }
        let now = Instant::now();
        let was_refused = connections.refused_until.is_some_and(|until| now < until);
        let is_full = connections.open >= self.limit();
        let is_late = now >= deadline;
        if is_full && is_late {
            return Err(sqlx::Error::PoolTimedOut);
        }
        let may_open = !is_full && (!was_refused || connections.open == 0 || is_late);
        let (sender, handed) = oneshot::channel();
        connections.waiting.retain(|waiting| !waiting.is_closed());
        connections.waiting.push_back(sender);
        let place = may_open.then(|| {
            connections.open += 1;
            Place(Arc::downgrade(&self.0))
        });
        Ok(Way::Wait(handed, place))
    }

    async fn open(&self, place: Place<DB>, deadline: Instant) -> sqlx::Result<Held<DB>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let opening = async {
            let mut connection = self.0.options.connect().await?;
            let max_statement_bytes = DB::set_up(&mut connection, &self.0.settings).await?;
            sqlx::Result::Ok((connection, max_statement_bytes))
        };
        let opened = timeout(left.max(MIN_OPENING_TIME), opening).await;
        let (connection, max_statement_bytes) = opened.unwrap_or_else(|_| Err(timed_out()))?;
        self.0.opened.fetch_add(1, Ordering::AcqRel);
        let now = Instant::now();
        Ok(Held {
            connection,
            max_statement_bytes,
            opened: now,
            used: now,
            is_verified: true,
            _place: place,
        })
    }

    /// Makes do with the connections that the server grants: with those of this pool, or with one
    /// of its sibling.
    async fn make_do(&self) {
        let has_some = {
            let mut connections = self.0.lock();
            connections.refused_until = Some(Instant::now() + REFUSAL_INTERVAL);
            connections.open > 0
        };
        if !has_some && let Some(sibling) = self.0.sibling.get().and_then(Weak::upgrade) {
            let idle = {
                let mut connections = sibling.lock();
                let idle = (!connections.idle.is_empty()).then(|| connections.idle.remove(0));
                connections.gives_one_up = idle.is_none();
                idle
            };
            if let Some(held) = idle {
                held.close().await;
            }
        }
        sleep(RETRY_INTERVAL).await;
    }

    /// Takes back a connection on which nothing goes on, for the next caller.
    pub(super) fn give_back(&self, mut held: Held<DB>) {
        held.used = Instant::now();
        held.is_verified = false;
        let mut connections = self.0.lock();
        let is_given_up = std::mem::take(&mut connections.gives_one_up);
        if is_given_up || held.is_older_than(&self.0.limits) {
            drop(connections);
            return self.close_in_background(held);
        }
        while let Some(waiting) = connections.waiting.pop_front() {
            match waiting.send(held) {
                Ok(()) => return,
                // That caller has gone, or has another one.
                Err(back) => held = back,
            }
        }
        connections.idle.push(held);
    }

    fn close_in_background(&self, held: Held<DB>) {
        self.0.tasks.spawn(held.close());
    }

    /// Connects past the pool, to see whether the server answers.
    pub(super) async fn probe_server(&self) -> sqlx::Result<()> {
        match timeout(self.0.limits.acquire_timeout, self.0.options.connect()).await {
            Ok(Ok(connection)) => {
                // It has answered, whatever it says to this.
                let _ = connection.close().await;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(timed_out()),
        }
    }

    /// A permit for one connection.
    ///
    /// # Errors
    ///
    /// `Exhausted` when none becomes free in time, `Unavailable` after [`Self::close`].
    pub(in crate::storage) async fn permit(&self) -> Result<Permit> {
        self.0.permits.acquire().await
    }
}

fn timed_out() -> sqlx::Error {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
