//! The feed: in-process notifications between writes, watches and the maintenance of the history.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// Notifications about the history within this process. Clones share them.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Feed {
    /// The newest position that this process knows.
    newest: watch::Sender<i64>,
    committed: Arc<Notify>,
    subscribed: Arc<Notify>,
    subscribers: Arc<AtomicUsize>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            newest: watch::Sender::new(0),
            committed: Arc::default(),
            subscribed: Arc::default(),
            subscribers: Arc::default(),
        }
    }
}

impl Feed {
    /// Notifies the maintenance of a commit in this process.
    pub(in crate::graph) fn notify_commit(&self) {
        self.committed.notify_one();
    }

    /// Notifies subscriptions of the newest position, if it has changed. Returns whether the
    /// history went back: to before the position that was known.
    pub(super) fn publish(&self, newest: i64) -> bool {
        let mut known_before = newest;
        self.newest.send_if_modified(|known| {
            known_before = std::mem::replace(known, newest);
            known_before != newest
        });
        newest < known_before
    }

    pub(super) fn subscribe(&self) -> Subscription {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
        self.subscribed.notify_one();
        Subscription {
            newest: self.newest.subscribe(),
            subscribers: self.subscribers.clone(),
        }
    }

    pub(super) fn has_subscribers(&self) -> bool {
        self.subscribers.load(Ordering::Relaxed) > 0
    }

    /// Waits for a commit in this process. One that came since the last call counts.
    pub(super) async fn commit(&self) {
        self.committed.notified().await;
    }

    /// Waits for a new subscription. One that came since the last call counts.
    pub(super) async fn subscription(&self) {
        self.subscribed.notified().await;
    }
}

/// A subscription to the feed, until it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    newest: watch::Receiver<i64>,
    subscribers: Arc<AtomicUsize>,
}

impl Subscription {
    /// Waits until the history may have a row after this position, or until the deadline.
    pub(super) async fn wait_past(&mut self, position: i64, deadline: Instant) {
        let published = self.newest.wait_for(|newest| *newest > position);
        // After the deadline the caller looks for itself.
        let _ = timeout_at(deadline, published).await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }
}
