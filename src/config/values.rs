//! The types of option values, and how each is read from text.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use http::HeaderValue;
use secrecy::SecretString;

use crate::blobs::BlobPlace;
use crate::storage::connect::Address;

/// A type that an option can have.
pub(super) trait OptionValue: Sized {
    /// Whether values are kept out of error messages, `--help` and `--print-config`.
    const IS_SECRET: bool = false;

    /// Whether the flag alone, without a value, means `true`.
    const IS_SWITCH: bool = false;

    /// Reads a value. The error completes a sentence that begins with the name of the option, such
    /// as `must be true or false`.
    fn parse(text: &str) -> Result<Self, String>;

    /// The value of an option that is not given and has no default; `None` if the type has none.
    fn unset() -> Option<Self> {
        None
    }
}

impl<T: OptionValue> OptionValue for Option<T> {
    const IS_SECRET: bool = T::IS_SECRET;
    const IS_SWITCH: bool = T::IS_SWITCH;

    fn parse(text: &str) -> Result<Self, String> {
        T::parse(text).map(Some)
    }

    fn unset() -> Option<Self> {
        Some(None)
    }
}

/// Reads a value of a type of the standard library.
fn from_str<T: FromStr>(text: &str, rule: &str) -> Result<T, String> {
    text.parse().map_err(|_| rule.to_owned())
}

impl OptionValue for IpAddr {
    fn parse(text: &str) -> Result<Self, String> {
        from_str(text, "must be an IP address")
    }
}

/// A port.
impl OptionValue for u16 {
    fn parse(text: &str) -> Result<Self, String> {
        from_str(text, "must be a port from 0 to 65535")
    }
}

/// A count.
impl OptionValue for usize {
    fn parse(text: &str) -> Result<Self, String> {
        from_str(text, "must be a whole number")
    }
}

/// A version of the schema.
impl OptionValue for i64 {
    fn parse(text: &str) -> Result<Self, String> {
        from_str(text, "must be a whole number")
    }
}

impl OptionValue for bool {
    const IS_SWITCH: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        from_str(text, "must be true or false")
    }
}

impl OptionValue for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl OptionValue for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

impl OptionValue for BlobPlace {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|rule: &str| rule.to_owned())
    }
}

impl OptionValue for SecretString {
    const IS_SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }
}

/// A URL that may contain a password.
impl OptionValue for Address {
    const IS_SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: crate::error::Error| error.to_string())
    }
}

/// A number with a unit of time, as in `2ms`, `1m 30s` and `7d`, or a number of seconds.
impl OptionValue for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        parse_duration(text)
    }
}

/// Reads a number with a unit of time, or a number of seconds.
///
/// # Errors
///
/// If the text is neither.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    let rule = "must be a duration such as 500ms, 30s or 7d, or a number of seconds";
    duration.ok_or_else(|| rule.to_owned())
}

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) struct KeepTime(pub Duration);

impl OptionValue for KeepTime {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(Duration::MAX));
        }
        let duration = parse_duration(text).map_err(|rule| format!("{rule}, or all"));
        duration.map(Self)
    }
}

/// A size in bytes, read from a number with a unit (`64MiB`, `1GB`) or a number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub usize);

impl OptionValue for Bytes {
    fn parse(text: &str) -> Result<Self, String> {
        let size = text.parse::<ByteSize>().ok();
        let size = size.and_then(|size| size.as_u64().try_into().ok());
        let rule = "must be a size such as 16KiB or 64MiB, or a number of bytes";
        size.map(Self).ok_or_else(|| rule.to_owned())
    }
}

/// Whether something is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnOff(pub bool);

impl OptionValue for OnOff {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self(true)),
            "off" => Ok(Self(false)),
            _ => Err("must be on or off".to_owned()),
        }
    }
}

/// The beginning of the paths of web pages: empty, or a slash and more without one at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct WebPrefix(pub String);

/// The maximum size of a web prefix, in bytes.
const MAX_WEB_PREFIX_BYTES: usize = 200;

impl OptionValue for WebPrefix {
    fn parse(text: &str) -> Result<Self, String> {
        let prefix = text.trim_end_matches('/');
        let is_segment = |segment: &str| {
            let mut bytes = segment.bytes();
            !matches!(segment, "" | "." | "..")
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        let segments = prefix.strip_prefix('/').map(|path| path.split('/'));
        let is_path = segments.is_some_and(|mut segments| segments.all(is_segment));
        if prefix.len() <= MAX_WEB_PREFIX_BYTES && (prefix.is_empty() || is_path) {
            Ok(Self(prefix.to_owned()))
        } else {
            Err("must be a path of letters and digits such as /pedigree".to_owned())
        }
    }

    fn unset() -> Option<Self> {
        Some(Self::default())
    }
}

/// A value that is not zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positive<T>(pub T);

impl<T: OptionValue + Default + PartialEq> OptionValue for Positive<T> {
    fn parse(text: &str) -> Result<Self, String> {
        let value = T::parse(text)?;
        if value == T::default() {
            return Err("must be more than 0".to_owned());
        }
        Ok(Self(value))
    }
}

/// A count of at least `MIN`.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtLeast<const MIN: u32>(pub u32);

impl<const MIN: u32> OptionValue for AtLeast<MIN> {
    fn parse(text: &str) -> Result<Self, String> {
        let count = text.parse().ok().filter(|count| *count >= MIN);
        let rule = || format!("must be a whole number of at least {MIN}");
        count.map(Self).ok_or_else(rule)
    }
}

/// A duration of at most `SECONDS`.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtMost<const SECONDS: u64>(pub Duration);

impl<const SECONDS: u64> OptionValue for AtMost<SECONDS> {
    fn parse(text: &str) -> Result<Self, String> {
        let duration = Duration::parse(text)?;
        if duration > Duration::from_secs(SECONDS) {
            return Err(format!("must be at most {SECONDS}s"));
        }
        Ok(Self(duration))
    }
}

/// Origins of web pages, separated by commas; `*` stands for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(pub Vec<HeaderValue>);

impl OptionValue for Origins {
    fn parse(text: &str) -> Result<Self, String> {
        let origins = text.split(',').map(str::trim);
        let origins = origins.filter(|origin| !origin.is_empty());
        let parsed: Result<Vec<HeaderValue>, _> = origins.map(str::parse).collect();
        let rule = "must be origins such as https://example.com, separated by commas";
        parsed.map(Self).map_err(|_| rule.to_owned())
    }

    fn unset() -> Option<Self> {
        Some(Self::default())
    }
}

/// Host names without ports, separated by commas, in lower case; `*` stands for all.
#[derive(Clone, Debug, Default)]
pub(super) struct HostNames(pub Vec<String>);

impl OptionValue for HostNames {
    fn parse(text: &str) -> Result<Self, String> {
        let rule = "must be host names or addresses without ports, separated by commas";
        let parse_host = |host: &str| {
            let host = host.trim().to_ascii_lowercase();
            let address = host.parse::<std::net::Ipv6Addr>();
            let host = address.map_or(host, |address| format!("[{address}]"));
            let is_host = |authority: &http::uri::Authority| authority.as_str() == authority.host();
            let is_usable = host == "*" || host.parse().is_ok_and(|authority| is_host(&authority));
            is_usable.then_some(host).ok_or_else(|| rule.to_owned())
        };
        let hosts = text.split(',').filter(|host| !host.trim().is_empty());
        hosts.map(parse_host).collect::<Result<_, _>>().map(Self)
    }
}
