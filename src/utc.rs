//! Times as texts in UTC, in the format of RFC 3339.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last time with a text: the end of the year 9999.
const MAX_TIME_MILLISECONDS: u64 = 253_402_300_799_999;

/// A time in milliseconds since epoch as a date and a time of day. Times before the epoch have the
/// text of the epoch, and times after the year 9999 that of its end.
pub(crate) fn utc_text(milliseconds: i64) -> String {
    humantime::format_rfc3339_millis(time_of(milliseconds)).to_string()
}

/// [`utc_text`] without the parts of a second.
pub(crate) fn utc_seconds_text(milliseconds: i64) -> String {
    humantime::format_rfc3339_seconds(time_of(milliseconds)).to_string()
}

fn time_of(milliseconds: i64) -> SystemTime {
    let shown = u64::try_from(milliseconds).unwrap_or_default();
    UNIX_EPOCH + Duration::from_millis(shown.min(MAX_TIME_MILLISECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        for (milliseconds, expected) in [
            (i64::MIN, "1970-01-01T00:00:00.000Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_764_108_838_123, "2025-11-25T22:13:58.123Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(utc_text(milliseconds), expected);
            let seconds = format!("{}Z", &expected[.."1970-01-01T00:00:00".len()]);
            assert_eq!(utc_seconds_text(milliseconds), seconds);
        }
    }
}
