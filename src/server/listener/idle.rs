//! The idle timeout of connections.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// The number of open requests of a connection.
///
/// Bytes do not show whether a connection is used: an idle one answers keepalive pings too.
#[derive(Debug)]
pub(in crate::server) struct Activity(Mutex<OpenRequests>);

#[derive(Debug)]
struct OpenRequests {
    count: usize,
    /// The end of the last request, or the start of the connection.
    last: Instant,
}

/// An open request of a connection. It ends when this is dropped.
#[derive(Debug)]
pub(in crate::server) struct OpenRequest(Arc<Activity>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(OpenRequests {
            count: 0,
            last: Instant::now(),
        }))
    }

    /// Opens a request.
    pub(in crate::server) fn open(self: Arc<Self>) -> OpenRequest {
        self.update(|requests| requests.count += 1);
        OpenRequest(self)
    }

    /// The time since which no request is open, or none while one is.
    fn idle_since(&self) -> Option<Instant> {
        self.update(|requests| (requests.count == 0).then_some(requests.last))
    }

    fn update<T>(&self, update: impl FnOnce(&mut OpenRequests) -> T) -> T {
        // No update panics half-way.
        update(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.update(|requests| {
            requests.count -= 1;
            requests.last = Instant::now();
        });
    }
}

/// The time at which a connection without requests ends.
pub(super) struct IdleTimeout {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl IdleTimeout {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            timer: Box::pin(sleep(limit)),
        }
    }

    /// Ready once no request has been open for the limit.
    pub(super) fn poll(&mut self, activity: &Activity, context: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let end = activity.idle_since().unwrap_or(now) + self.limit;
            if end <= now {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}
