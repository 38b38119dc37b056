//! The clock that dates writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A source of time. Clones of a manual clock share its time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The clock of the operating system.
    #[default]
    System,
    /// A time that stands still, in milliseconds since epoch, until [`Clock::advance`].
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A manual clock that stands at the present time.
    #[must_use]
    pub fn stopped() -> Self {
        Self::Manual(Arc::new(AtomicI64::new(system_time())))
    }

    /// Milliseconds since epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        match self {
            Self::System => system_time(),
            Self::Manual(time) => time.load(Ordering::Relaxed),
        }
    }

    /// Moves a manual clock forward. The clock of the operating system stays as it is.
    pub fn advance(&self, milliseconds: i64) {
        if let Self::Manual(time) = self {
            time.fetch_add(milliseconds, Ordering::Relaxed);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
fn system_time() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    })
}
