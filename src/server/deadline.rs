//! Deadlines: how long a client says that it waits for an answer (`grpc-timeout`).

use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, timeout_at};

/// The header with the time that a client gives a call.
const TIMEOUT: &str = "grpc-timeout";

/// The most digits that the protocol has for it.
const DIGITS: usize = 8;

/// How much sooner a call ends than the client said. The transport ends calls too, at the deadline itself and with `CANCELLED`, where
/// the protocol wants `DEADLINE_EXCEEDED`; a timer of an earlier tick is always the first of the two.
const SOONER: Duration = Duration::from_millis(1);

/// When the call with these headers ends, if ever. A header that cannot be read counts for nothing.
pub(super) fn of(headers: &HeaderMap) -> Option<Instant> {
    let allowed = parse(headers.get(TIMEOUT)?.to_str().ok()?)?;
    Instant::now().checked_add(allowed.saturating_sub(SOONER))
}

/// What comes of some work until then; none when it takes longer.
pub(super) async fn until<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = T>,
) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.ok(),
        None => Some(work.await),
    }
}

/// A number of up to eight digits, and its unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty()
        || digits.len() > DIGITS
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(number)),
        "M" => Some(Duration::from_mins(number)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_the_protocol_is_known() {
        for (text, expected) in [
            ("1H", Duration::from_hours(1)),
            ("2M", Duration::from_mins(2)),
            ("3S", Duration::from_secs(3)),
            ("250m", Duration::from_millis(250)),
            ("5u", Duration::from_micros(5)),
            ("0n", Duration::ZERO),
            ("99999999H", Duration::from_hours(99_999_999)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_no_deadline() {
        for text in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            " 1S",
            "1.5S",
            "100000000S",
            "1é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
