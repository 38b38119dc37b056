//! Limits of one caller.

use std::num::{NonZeroU32, NonZeroU64};

use super::{SubjectPattern, Who};

/// How much one caller may ask for. What is unset has the server's limits only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallerLimits {
    /// Requests at once.
    pub requests: Option<NonZeroU32>,
    /// Streams at once.
    pub streams: Option<NonZeroU32>,
    pub requests_per_second: Option<NonZeroU32>,
    /// Bytes of the requests that write, as they arrive.
    pub written_bytes_per_hour: Option<NonZeroU64>,
}

/// The limits of each of some callers.
#[derive(Clone, Debug)]
pub struct LimitRule {
    /// Its line in the security file.
    pub line: usize,
    pub subjects: Vec<SubjectPattern>,
    pub limits: CallerLimits,
}

impl LimitRule {
    /// The limits of a subject: those of the first rule that names it or a group of it.
    pub(super) fn find(rules: &[Self], who: Who<'_>) -> CallerLimits {
        let rule = rules.iter().find(|rule| who.is_one_of(&rule.subjects));
        rule.map_or_else(CallerLimits::default, |rule| rule.limits)
    }
}
