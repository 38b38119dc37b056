//! The history of changes: how a committed write becomes known to those who watch.
//!
//! A write leaves its changes in its own transaction ([`Graph::write`]). One task of the process ([`Graph::keep_history`]) sees to it that
//! they get their positions and that watchers hear of them, and forgets what is older than the history shall be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::storage::tables::{changes, messages};
use crate::storage::{Database, NotificationListener};

/// The pause between two looks for changes while somebody watches: it bounds how often positions are given, and how late a watcher
/// hears of a write through another server.
const PACE: Duration = Duration::from_millis(20);

/// The same while nobody watches here.
const IDLE_PACE: Duration = Duration::from_secs(1);

/// The pause between two attempts to listen for the notifications of other servers.
const RELISTEN_INTERVAL: Duration = Duration::from_secs(10);

/// How often old changes are forgotten.
const TRIM_EVERY: Duration = Duration::from_mins(5);

/// How long things are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// How long changes are kept; zero keeps none, and nobody can watch.
    pub changes: Duration,
    /// How long the ids of recorded messages are known.
    pub messages: Duration,
}

impl Default for History {
    fn default() -> Self {
        let week = Duration::from_hours(7 * 24);
        Self {
            changes: week,
            messages: week,
        }
    }
}

/// What writers, watchers and the keeper of the history tell each other. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Feed {
    /// The newest position that is known here.
    newest: watch::Sender<i64>,
    /// Changes were committed here.
    written: Arc<Notify>,
    /// Somebody begins to watch.
    joined: Arc<Notify>,
    watchers: Arc<AtomicUsize>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            newest: watch::Sender::new(0),
            written: Arc::default(),
            joined: Arc::default(),
            watchers: Arc::default(),
        }
    }
}

/// Notifications of other servers, received while this server has watchers.
#[derive(Default)]
struct Notifications {
    listener: Option<NotificationListener>,
    /// The last attempt to listen.
    tried: Option<Instant>,
}

impl Notifications {
    /// Listens, unless that failed less than [`RELISTEN_INTERVAL`] ago or the database has no
    /// notifications.
    async fn listen(&mut self, database: &Database) -> Option<&mut NotificationListener> {
        let is_due = self
            .tried
            .is_none_or(|at| at.elapsed() >= RELISTEN_INTERVAL);
        if self.listener.is_none() && is_due {
            self.tried = Some(Instant::now());
            self.listener = database.listen().await.unwrap_or_else(|error| {
                tracing::warn!(
                    error = error.chain(),
                    "cannot listen for other servers: polling"
                );
                None
            });
        }
        self.listener.as_mut()
    }
}

/// A watcher's place at the feed, for as long as this is there.
#[derive(Debug)]
pub(in crate::graph) struct Watching {
    newest: watch::Receiver<i64>,
    watchers: Arc<AtomicUsize>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watching {
    /// Waits until there may be something behind this position, or until then.
    pub(in crate::graph) async fn wait(&mut self, position: i64, until: Instant) {
        let behind = self.newest.wait_for(|newest| *newest > position);
        // Past its time there is nothing, which is an answer too.
        let _ = tokio::time::timeout_at(until, behind).await;
    }
}

impl Feed {
    /// Says that changes were committed.
    pub(in crate::graph) fn wrote(&self) {
        self.written.notify_one();
    }

    /// Takes a place at the feed.
    pub(in crate::graph) fn join(&self) -> Watching {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        self.joined.notify_one();
        Watching {
            newest: self.newest.subscribe(),
            watchers: self.watchers.clone(),
        }
    }

    fn is_watched(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) > 0
    }
}

impl Graph {
    /// Whether changes are kept.
    pub(in crate::graph) fn keeps_history(&self) -> bool {
        !self.history.changes.is_zero()
    }

    /// Keeps the history until `stop` is cancelled.
    pub async fn keep_history(&self, stop: &CancellationToken) {
        let mut trimmed: Option<Instant> = None;
        let mut notifications = Notifications::default();
        while !stop.is_cancelled() {
            if let Err(error) = self.advance().await {
                tracing::warn!(error = error.chain(), "the history waits for the database");
                sleep(IDLE_PACE).await;
            }
            if trimmed.is_none_or(|at| at.elapsed() >= TRIM_EVERY) {
                trimmed = Some(Instant::now());
                if let Err(error) = self.forget().await {
                    tracing::warn!(error = error.chain(), "old changes could not be forgotten");
                }
            }
            stop.run_until_cancelled(self.pause(&mut notifications))
                .await;
        }
    }

    /// Waits until it is time to look for changes again. However many were written meanwhile, they share that look.
    async fn pause(&self, notifications: &mut Notifications) {
        sleep(PACE).await;
        if self.feed.is_watched() {
            let is_new = notifications.listener.is_none();
            // Without notifications the next poll is due now, as it is after a listener was opened.
            if let Some(listener) = notifications.listen(&self.database).await
                && !is_new
            {
                let lost = tokio::select! {
                    received = listener.next() => received.is_err(),
                    () = self.feed.written.notified() => false,
                    () = sleep(IDLE_PACE) => false,
                };
                if lost {
                    notifications.listener = None;
                }
            }
        } else {
            notifications.listener = None;
            // Its time is over, or somebody has come: either will do.
            let _ = timeout(IDLE_PACE, self.until_joined()).await;
        }
    }

    /// Waits until somebody watches here, and lets others who watch know of what is written meanwhile.
    async fn until_joined(&self) {
        loop {
            tokio::select! {
                () = self.feed.joined.notified() => return,
                () = self.feed.written.notified() => {
                    if let Err(error) = self.database.notify().await {
                        tracing::debug!(error = error.chain(), "other servers were not notified");
                    }
                    sleep(PACE).await;
                }
            }
        }
    }

    /// Gives positions to what is committed and tells watchers of it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::graph) async fn advance(&self) -> Result<()> {
        let mut tx = self.read().await?;
        let waiting = changes::are_waiting(&mut tx).await?;
        let mut span = changes::span(&mut tx).await?;
        drop(tx);
        if waiting {
            loop {
                let mut tx = self.database.write().await?;
                let more = changes::order(&mut tx).await?;
                span = changes::span(&mut tx).await?;
                tx.commit().await?;
                if !more {
                    break;
                }
            }
        }
        let newest = span.map_or(0, |span| span.newest);
        self.feed
            .newest
            .send_if_modified(|known| std::mem::replace(known, newest) != newest);
        Ok(())
    }

    /// Forgets what is older than it shall be.
    async fn forget(&self) -> Result<()> {
        let before = |length: Duration| {
            let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
            self.clock.now().saturating_sub(length)
        };
        loop {
            let mut tx = self.database.write().await?;
            let trimmed = changes::trim(&mut tx, before(self.history.changes)).await?;
            tx.commit().await?;
            if trimmed == 0 {
                break;
            }
        }
        let mut tx = self.database.write().await?;
        messages::trim(&mut tx, before(self.history.messages)).await?;
        tx.commit().await
    }

    /// Refuses where no history is kept.
    pub(in crate::graph) fn require_history(&self) -> Result<()> {
        if self.keeps_history() {
            return Ok(());
        }
        Err(Error::FailedPrecondition(
            "this server keeps no history of changes: it runs with --change-retention 0".into(),
        ))
    }
}
