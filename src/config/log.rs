//! What is logged, and how.

use tracing_subscriber::filter::Targets;

use super::values::OptionValue;

/// How to log.
#[derive(Clone, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// A level, or directives such as `info,pedigree=debug`.
    pub level: String,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl OptionValue for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be one of text, json".to_owned()),
        }
    }
}

/// A level or directives, checked.
#[derive(Clone, Debug)]
pub(super) struct LogLevel(pub String);

impl OptionValue for LogLevel {
    fn parse(text: &str) -> Result<Self, String> {
        let rule = "must be a level or directives such as info,pedigree=debug";
        let parsed: Result<Targets, _> = text.parse();
        parsed
            .map(|_| Self(text.to_owned()))
            .map_err(|_| rule.to_owned())
    }
}
