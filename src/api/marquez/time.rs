//! Times as texts, in the format of RFC 3339.

use std::time::{Duration, UNIX_EPOCH};

/// The first time that has no text.
const YEAR_10000_MILLISECONDS: u64 = 253_402_300_800_000;

/// The text of a time in milliseconds since epoch; the epoch's for what has none.
pub(super) fn text(milliseconds: i64) -> String {
    let shown = u64::try_from(milliseconds).unwrap_or_default();
    let shown = shown.min(YEAR_10000_MILLISECONDS - 1);
    let time = UNIX_EPOCH + Duration::from_millis(shown);
    humantime::format_rfc3339_millis(time).to_string()
}
