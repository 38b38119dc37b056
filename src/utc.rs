//! Times as texts in UTC, in the format of RFC 3339, and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

/// The time of a text, in milliseconds since epoch: RFC 3339, or a date, which is its first moment
/// in UTC. `None` for other texts.
pub(crate) fn time_of_text(text: &str) -> Option<i64> {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let time = parse(text).or_else(|| parse(&[text, "T00:00:00Z"].concat()))?;
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
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

    #[test]
    fn texts_are_times() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2026-03-01", Some(1_772_323_200_000)),
            ("2026-03-01T00:00:00Z", Some(1_772_323_200_000)),
            ("2026-03-01T01:00:00.0019+01:00", Some(1_772_323_200_001)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("", None),
            ("now", None),
            ("2026-02-30", None),
            ("2026-03-01T00:00:00", None),
            ("1772323200000", None),
        ] {
            assert_eq!(time_of_text(text), expected, "{text}");
        }
    }
}
