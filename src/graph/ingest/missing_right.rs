//! Messages of callers who may not change types.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Message;
use crate::error::{Error, Result};

/// The right to create and extend types, which the caller of a message lacks.
#[derive(Debug)]
pub struct MissingTypeRight {
    is_enforced: bool,
    was_needed: AtomicBool,
}

impl MissingTypeRight {
    /// A right whose lack refuses the message, or is only to be noted.
    #[must_use]
    pub const fn new(is_enforced: bool) -> Self {
        Self {
            is_enforced,
            was_needed: AtomicBool::new(false),
        }
    }

    /// Whether the message changed types, or would have.
    #[must_use]
    pub fn was_needed(&self) -> bool {
        self.was_needed.load(Ordering::Relaxed)
    }

    /// Forgets what another attempt to store the message found out.
    pub(super) fn reset(&self) {
        self.was_needed.store(false, Ordering::Relaxed);
    }
}

/// The error of a caller who may not make a change.
#[must_use]
pub fn no_right() -> Error {
    Error::PermissionDenied("the caller has no permission for this change".into())
}

/// Checks messages that changed types together.
///
/// # Errors
///
/// `PermissionDenied` if the caller of one lacks the right. Which of several messages needs it
/// shows when they are stored one by one.
pub(super) fn check(messages: &[&Message]) -> Result<()> {
    let mut missing = messages.iter().filter_map(|it| it.missing_right.as_ref());
    let Some(right) = missing.next() else {
        return Ok(());
    };
    if messages.len() > 1 {
        return Err(no_right());
    }
    right.was_needed.store(true, Ordering::Relaxed);
    if right.is_enforced {
        Err(no_right())
    } else {
        Ok(())
    }
}
