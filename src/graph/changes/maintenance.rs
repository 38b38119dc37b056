//! The background task of the history: it sequences the outbox, publishes new positions to
//! watches, and prunes what is older than its retention.
//!
//! While this process has watches, it polls every [`POLL_INTERVAL`]. On a database with
//! notifications it waits for those instead: servers that share the database notify each other of
//! commits. Without watches it polls every [`IDLE_POLL_INTERVAL`]. A database that shares its
//! connections with others is polled when there are watches or commits.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::graph::changes::history::History;
use crate::storage::{Database, NotificationListener};

/// The shortest pause between two polls: the bound on how often positions are assigned, and on how
/// late a watch sees a commit of another server.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The longest pause between two polls.
const IDLE_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The pause between two polls of a database that shares its connections with others, and the
/// longest after which a watch sees a commit of another server there is twice as long.
const SHARED_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The shortest pause between two attempts to listen for the notifications of other servers.
const RELISTEN_INTERVAL: Duration = Duration::from_secs(10);

/// The pause between two prunings.
const PRUNE_INTERVAL: Duration = Duration::from_mins(5);

impl History {
    /// Maintains the history until `stop` is cancelled.
    pub(in crate::graph) async fn maintain(&self, stop: &CancellationToken) {
        let mut pruned: Option<Instant> = None;
        let mut notifications = Notifications::default();
        while !stop.is_cancelled() {
            if let Err(error) = self.sequence_outbox().await {
                let error = error.chain();
                tracing::warn!(error, "cannot assign positions to changes; trying again");
                sleep(IDLE_POLL_INTERVAL).await;
            }
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE_INTERVAL) {
                pruned = Some(Instant::now());
                if let Err(error) = self.prune().await {
                    tracing::warn!(error = error.chain(), "cannot prune the history");
                }
            }
            self.pages.free_expired();
            let pause = self.pause(&mut notifications);
            stop.run_until_cancelled(pause).await;
        }
    }

    /// Waits until the next poll is due. One poll serves all commits of the pause.
    async fn pause(&self, notifications: &mut Notifications) {
        if self.database.shares_connections() {
            return self.shared_pause().await;
        }
        sleep(POLL_INTERVAL).await;
        if !self.feed.has_subscribers() {
            notifications.listener = None;
            // The end of the interval is as good as a new subscription.
            let _ = timeout(IDLE_POLL_INTERVAL, self.notify_until_subscribed()).await;
            return;
        }
        let is_new = notifications.listener.is_none();
        // Without notifications the next poll is due now, as it is after a listener was opened.
        if let Some(listener) = notifications.listen(&self.database).await
            && !is_new
        {
            let is_lost = tokio::select! {
                received = listener.next() => received.is_err(),
                () = self.feed.commit() => false,
                () = sleep(IDLE_POLL_INTERVAL) => false,
            };
            if is_lost {
                notifications.listener = None;
            }
        }
    }

    /// As [`Self::pause`], on a database that shares its connections with others: it listens on
    /// none, and is left alone where this process neither watches nor writes.
    async fn shared_pause(&self) {
        sleep(SHARED_POLL_INTERVAL).await;
        if self.feed.has_subscribers() {
            let _ = timeout(SHARED_POLL_INTERVAL, self.feed.commit()).await;
            return;
        }
        let something = async {
            tokio::select! {
                () = self.feed.subscription() => {}
                () = self.feed.commit() => {}
            }
        };
        let _ = timeout(PRUNE_INTERVAL, something).await;
    }

    /// Waits for a subscription in this process, and notifies other servers of commits meanwhile.
    async fn notify_until_subscribed(&self) {
        loop {
            tokio::select! {
                () = self.feed.subscription() => return,
                () = self.feed.commit() => {
                    self.notify_servers().await;
                    sleep(POLL_INTERVAL).await;
                }
            }
        }
    }
}

/// Notifications of other servers, received while this process has watches.
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
