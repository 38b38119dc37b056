//! The use of a connection, which decides when it is idle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

/// The open requests of a connection, and the responses that its client does not read.
///
/// Bytes do not show whether a connection is used: an idle one answers keepalive pings too.
#[derive(Debug)]
pub(in crate::server) struct Activity {
    requests: Mutex<Requests>,
    /// The number of the current period.
    period: AtomicUsize,
    /// Responses that wait for their reader since a period: the current one and the one before, at
    /// the remainder of its number.
    unread: [AtomicUsize; 2],
}

#[derive(Debug)]
struct Requests {
    open: usize,
    /// Whether there was a first request.
    has_begun: bool,
    /// The end of the last request, or the start of the connection.
    last: Instant,
}

/// An open request of a connection. It ends when this is dropped.
#[derive(Debug)]
pub(in crate::server) struct OpenRequest {
    activity: Arc<Activity>,
    /// Where its response counts as unread.
    unread: Option<usize>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            requests: Mutex::new(Requests {
                open: 0,
                has_begun: false,
                last: Instant::now(),
            }),
            period: AtomicUsize::new(0),
            unread: Default::default(),
        }
    }

    /// Opens a request.
    pub(in crate::server) fn open(self: Arc<Self>) -> OpenRequest {
        self.update(|requests| {
            requests.open += 1;
            requests.has_begun = true;
        });
        OpenRequest {
            activity: self,
            unread: None,
        }
    }

    /// Returns once no request has been open for `limit`, or none at all came within `first`.
    pub(super) async fn idle(&self, first: Duration, limit: Duration) {
        loop {
            let now = Instant::now();
            let end = self.update(|requests| match requests {
                Requests { open: 1.., .. } => now + limit,
                Requests {
                    has_begun, last, ..
                } => *last + if *has_begun { limit } else { first },
            });
            if end <= now {
                return;
            }
            // A request may come meanwhile: it is noticed at the end of the limit.
            sleep_until(end).await;
        }
    }

    /// Returns once a response has waited for its reader for `limit`, and at the latest when it has
    /// waited for twice as long.
    pub(super) async fn unread(&self, limit: Duration) {
        loop {
            sleep(limit).await;
            let next = self.period.load(Ordering::Relaxed).wrapping_add(1);
            if self.unread[next % 2].load(Ordering::Relaxed) > 0 {
                return;
            }
            self.period.store(next, Ordering::Relaxed);
        }
    }

    fn update<T>(&self, update: impl FnOnce(&mut Requests) -> T) -> T {
        // No update panics half-way.
        update(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl OpenRequest {
    /// Whether its response waits for the client to read what there is of it.
    pub(in crate::server) fn set_unread(&mut self, is_unread: bool) {
        if let Some(place) = self.unread.take() {
            self.activity.unread[place].fetch_sub(1, Ordering::Relaxed);
        }
        if is_unread {
            let place = self.activity.period.load(Ordering::Relaxed) % 2;
            self.activity.unread[place].fetch_add(1, Ordering::Relaxed);
            self.unread = Some(place);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.set_unread(false);
        self.activity.update(|requests| {
            requests.open -= 1;
            requests.last = Instant::now();
        });
    }
}
