//! Heartbeats: responses without content on a silent stream, so that no proxy ends it as idle.

use std::time::Duration;

use crate::error::{Error, Result};

/// The shortest interval that a client can ask for, in milliseconds.
const MIN_HEARTBEAT_MILLISECONDS: i64 = 100;

/// The interval that a request asks for.
///
/// # Errors
///
/// `InvalidArgument` when it is too short.
pub(super) fn interval(milliseconds: i64) -> Result<Duration> {
    match u64::try_from(milliseconds) {
        Ok(given) if milliseconds >= MIN_HEARTBEAT_MILLISECONDS => Ok(Duration::from_millis(given)),
        _ => Err(Error::invalid(format!(
            "heartbeat must be at least {MIN_HEARTBEAT_MILLISECONDS} milliseconds, or 0: it is \
             {milliseconds}"
        ))),
    }
}
