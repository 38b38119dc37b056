//! The use of a connection, which decides when it is idle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The number of open requests of a connection.
///
/// Bytes do not show whether a connection is used: an idle one answers keepalive pings too.
#[derive(Debug)]
pub(in crate::server) struct Activity(Mutex<Requests>);

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
pub(in crate::server) struct OpenRequest(Arc<Activity>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Requests {
            open: 0,
            has_begun: false,
            last: Instant::now(),
        }))
    }

    /// Opens a request.
    pub(in crate::server) fn open(self: Arc<Self>) -> OpenRequest {
        self.update(|requests| {
            requests.open += 1;
            requests.has_begun = true;
        });
        OpenRequest(self)
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

    fn update<T>(&self, update: impl FnOnce(&mut Requests) -> T) -> T {
        // No update panics half-way.
        update(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.update(|requests| {
            requests.open -= 1;
            requests.last = Instant::now();
        });
    }
}
