//! `--grpc_channel_arguments`: a comma list of `key=value`, as gRPC's C core names them.

use std::str::FromStr;
use std::time::Duration;

use crate::config::settings::{Seconds, Settings};

/// The settings that the arguments stand for. Malformed ones go to `wrong`, keys that count for nothing here to `notes`.
pub(super) fn settings(
    arguments: &str,
    wrong: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Settings {
    let mut settings = Settings::default();
    for argument in arguments.split(',').filter(|_| !arguments.is_empty()) {
        let read = argument
            .split_once('=')
            .ok_or_else(|| format!("`{argument}` is not key=value"))
            .and_then(|(key, value)| set(&mut settings, key, value));
        match read {
            Ok(true) => {}
            Ok(false) => notes.push(format!(
                "grpc_channel_arguments: {argument} is not known and does not count"
            )),
            Err(problem) => wrong.push(format!("grpc_channel_arguments: {problem}")),
        }
    }
    settings
}

/// Sets what an argument stands for, and says whether it is known.
fn set(settings: &mut Settings, key: &str, value: &str) -> Result<bool, String> {
    let refused = |expected| format!("{key} must be {expected}, not `{value}`");
    let length = || length(value).ok_or_else(|| refused("a number of bytes, or -1 for no limit"));
    let time = || time(value).ok_or_else(|| refused("a positive number of milliseconds"));
    match key {
        "grpc.max_receive_message_length" => settings.max_request_bytes = Some(length()?),
        "grpc.max_send_message_length" => settings.max_response_bytes = Some(length()?),
        "grpc.max_metadata_size" => {
            let size = positive(value).ok_or_else(|| refused("a positive number of bytes"))?;
            settings.max_metadata_bytes = Some(size);
        }
        "grpc.max_connection_age_ms" => settings.connection_age = Some(time()?),
        "grpc.max_connection_idle_ms" => settings.connection_idle = Some(time()?),
        "grpc.keepalive_time_ms" => settings.keepalive = Some(time()?),
        "grpc.keepalive_timeout_ms" => settings.keepalive_timeout = Some(time()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn length(value: &str) -> Option<usize> {
    if value == "-1" {
        return Some(usize::MAX);
    }
    value.parse().ok()
}

fn time(value: &str) -> Option<Seconds> {
    positive(value).map(|milliseconds| Seconds(Duration::from_millis(milliseconds)))
}

fn positive<N: FromStr + Default + PartialEq>(value: &str) -> Option<N> {
    let number = value.parse().ok();
    number.filter(|number| *number != N::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_argument_stands_for_a_setting() {
        let (mut wrong, mut notes) = (Vec::new(), Vec::new());
        let arguments = "grpc.max_metadata_size=1,grpc.max_receive_message_length=2,grpc.max_send_message_length=-1,\
                         grpc.max_connection_age_ms=4,grpc.max_connection_idle_ms=5,grpc.keepalive_time_ms=6,\
                         grpc.keepalive_timeout_ms=7,grpc.so_reuseport=0,x=y=z";
        let settings = settings(arguments, &mut wrong, &mut notes);
        assert_eq!(wrong, [""; 0]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("grpc.so_reuseport=0"), "{notes:?}");
        assert!(notes[1].contains("x=y=z"), "{notes:?}");
        assert_eq!(settings.max_metadata_bytes, Some(1));
        assert_eq!(settings.max_request_bytes, Some(2));
        assert_eq!(settings.max_response_bytes, Some(usize::MAX));
        let times = [
            settings.connection_age,
            settings.connection_idle,
            settings.keepalive,
            settings.keepalive_timeout,
        ];
        let times = times.map(|time| time.unwrap().0.as_millis());
        assert_eq!(times, [4, 5, 6, 7]);
    }

    #[test]
    fn malformed_arguments_are_refused() {
        for (arguments, problem) in [
            ("a", "`a` is not key=value"),
            ("a=1,", "`` is not key=value"),
            ("grpc.max_metadata_size=16k", "positive number of bytes"),
            ("grpc.max_metadata_size=-1", "positive number of bytes"),
            (
                "grpc.max_metadata_size=4294967296",
                "positive number of bytes",
            ),
            ("grpc.max_send_message_length=-2", "or -1 for no limit"),
            ("grpc.max_receive_message_length=", "or -1 for no limit"),
            (
                "grpc.keepalive_time_ms=0",
                "positive number of milliseconds",
            ),
            (
                "grpc.max_connection_age_ms=-1",
                "positive number of milliseconds",
            ),
        ] {
            let mut wrong = Vec::new();
            settings(arguments, &mut wrong, &mut Vec::new());
            assert_eq!(wrong.len(), 1, "{arguments}: {wrong:?}");
            assert!(wrong[0].contains(problem), "{arguments}: {wrong:?}");
        }
        let mut wrong = Vec::new();
        settings("", &mut wrong, &mut Vec::new());
        assert_eq!(wrong, [""; 0]);
    }
}
