//! Times of events.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::graph::EventTime;

/// The time of a text in the format of RFC 3339, with any number of digits of a second. A text
/// without a zone is in UTC, as some producers write it. `None` for what is no time.
pub(in crate::api) fn parse(text: &str) -> Option<EventTime> {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let time = parse(text).or_else(|| parse(&format!("{text}Z")))?;
    let microseconds = time.unix_timestamp_nanos().div_euclid(1000);
    Some(EventTime {
        milliseconds: i64::try_from(microseconds.div_euclid(1000)).ok()?,
        microseconds: u16::try_from(microseconds.rem_euclid(1000)).ok()?,
    })
}

/// A time as text, in UTC. `None` beyond the years of RFC 3339.
pub(super) fn format(time: EventTime) -> Option<String> {
    let nanos = i128::from(time.milliseconds) * 1_000_000 + i128::from(time.microseconds) * 1000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    time.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_formatted_time_is_read_as_it_was(
            milliseconds in 0..253_000_000_000_000_i64,
            microseconds in 0..1000_u16,
        ) {
            let time = EventTime { milliseconds, microseconds };
            prop_assert_eq!(parse(&format(time).unwrap()), Some(time));
        }
    }

    #[test]
    fn times_of_producers_are_read() {
        let time = |milliseconds, microseconds| {
            Some(EventTime {
                milliseconds,
                microseconds,
            })
        };
        let second = 1_764_212_450_000;
        for (text, expected) in [
            ("2025-11-27T03:00:50Z", time(second, 0)),
            ("2025-11-27T03:00:50.9Z", time(second + 900, 0)),
            ("2025-11-27T03:00:50.123456789Z", time(second + 123, 456)),
            ("2025-11-27T05:00:50.000018+02:00", time(second, 18)),
            ("2025-11-27t03:00:50+00:00", time(second, 0)),
            ("2025-11-27T03:00:50", time(second, 0)),
            ("1969-12-31T23:59:59.9999Z", time(-1, 900)),
            ("2025-11-27", None),
            ("2025-13-27T03:00:50Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
