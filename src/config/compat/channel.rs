//! `--grpc_channel_arguments`: a comma-separated list of `key=value`, with gRPC's own names.

use std::str::FromStr;

use crate::config::sources::{GivenOptions, OptionSource};

/// The option that an argument stands for, and its value.
type Setting = (&'static str, String);

/// Adds the options that the arguments stand for. Unknown arguments become warnings.
pub(super) fn add(arguments: &str, options: &mut GivenOptions, warnings: &mut Vec<String>) {
    for argument in arguments.split(',').filter(|_| !arguments.is_empty()) {
        let setting = argument
            .split_once('=')
            .ok_or_else(|| format!("`{argument}` is not key=value"))
            .and_then(|(key, value)| setting(key, value));
        match setting {
            Ok(Some((name, value))) => {
                let label = "--grpc_channel_arguments";
                options.add(name, OptionSource::CompatFlag, label, &value);
            }
            Ok(None) => warnings.push(format!(
                "grpc_channel_arguments: {argument} is not known and has no effect"
            )),
            Err(problem) => {
                let problem = format!("grpc_channel_arguments: {problem}");
                options.problems.push(problem);
            }
        }
    }
}

/// What an argument stands for; `None` if it is not known.
fn setting(key: &str, value: &str) -> Result<Option<Setting>, String> {
    let refused = |expected| format!("{key} must be {expected}, not `{value}`");
    let length = || length(value).ok_or_else(|| refused("a number of bytes, or -1 for no limit"));
    let time = || time(value).ok_or_else(|| refused("a positive number of milliseconds"));
    Ok(Some(match key {
        "grpc.max_receive_message_length" => ("max_request_bytes", length()?),
        "grpc.max_send_message_length" => ("max_response_bytes", length()?),
        "grpc.max_metadata_size" => {
            let size: u32 = positive(value).ok_or_else(|| refused("a positive number of bytes"))?;
            ("max_metadata_bytes", size.to_string())
        }
        "grpc.max_connection_age_ms" => ("max_connection_age", time()?),
        "grpc.max_connection_idle_ms" => ("max_connection_idle", time()?),
        "grpc.keepalive_time_ms" => ("keepalive", time()?),
        "grpc.keepalive_timeout_ms" => ("keepalive_timeout", time()?),
        _ => return Ok(None),
    }))
}

fn length(value: &str) -> Option<String> {
    let length = if value == "-1" {
        usize::MAX
    } else {
        value.parse().ok()?
    };
    Some(length.to_string())
}

fn time(value: &str) -> Option<String> {
    positive::<u64>(value).map(|milliseconds| format!("{milliseconds}ms"))
}

fn positive<N: FromStr + Default + PartialEq>(value: &str) -> Option<N> {
    let number = value.parse().ok();
    number.filter(|number| *number != N::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options::Options;

    fn problems(arguments: &str) -> Vec<String> {
        let mut given = GivenOptions::default();
        add(arguments, &mut given, &mut Vec::new());
        given.problems
    }

    #[test]
    fn each_argument_stands_for_a_setting() {
        let (mut given, mut warnings) = (GivenOptions::default(), Vec::new());
        let arguments = "grpc.max_metadata_size=1,grpc.max_receive_message_length=2,\
                         grpc.max_send_message_length=-1,grpc.max_connection_age_ms=4,\
                         grpc.max_connection_idle_ms=5,grpc.keepalive_time_ms=6,\
                         grpc.keepalive_timeout_ms=7,grpc.so_reuseport=0,x=y=z";
        add(arguments, &mut given, &mut warnings);
        let options = Options::read(&given).unwrap();
        assert_eq!(given.problems, [""; 0]);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("grpc.so_reuseport=0"), "{warnings:?}");
        assert!(warnings[1].contains("x=y=z"), "{warnings:?}");
        assert_eq!(options.max_metadata_bytes.0.0, 1);
        assert_eq!(options.max_request_bytes.0, 2);
        assert_eq!(options.max_response_bytes.unwrap().0, usize::MAX);
        let times = [
            options.max_connection_age.unwrap(),
            options.max_connection_idle,
            options.keepalive,
            options.keepalive_timeout,
        ];
        assert_eq!(times.map(|time| time.0.as_millis()), [4, 5, 6, 7]);
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
            let problems = problems(arguments);
            assert_eq!(problems.len(), 1, "{arguments}: {problems:?}");
            assert!(problems[0].contains(problem), "{arguments}: {problems:?}");
        }
        assert_eq!(problems(""), [""; 0]);
    }
}
