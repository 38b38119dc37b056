//! The clock that dates writes.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time, in milliseconds since epoch.
pub type Clock = fn() -> i64;

/// The clock of the operating system. A time before the epoch is 0.
pub(in crate::graph) fn system_clock() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    })
}
