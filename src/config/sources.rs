//! The sources of option values, and their precedence.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use secrecy::{ExposeSecret, SecretString};
use toml::Spanned;

use super::ConfigError;
use super::options::OPTIONS;
use super::redact::without_logins;
use super::spec::OptionDefault::{Unset, Value};
use super::spec::{OptionSpec, flag, variable};
use super::values::OptionValue;

/// The maximum size of a configuration file in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The places that values come from. A later one takes precedence over an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OptionSource {
    /// The name that the program was called by, and ML Metadata's settings where an option of ours
    /// takes precedence over them.
    Fallback,
    File,
    /// A variable of ML Metadata's image.
    ImageVariable,
    Variable,
    Flag,
    /// ML Metadata's flags where they take precedence over ours.
    CompatFlag,
}

/// The value that an option was given, as text.
#[derive(Clone, Debug)]
struct GivenValue {
    source: OptionSource,
    /// What errors call it, such as `--grpc-port`.
    label: String,
    text: SecretString,
}

/// The options that were given, by name, and what is wrong with them.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenOptions {
    values: BTreeMap<&'static str, GivenValue>,
    pub problems: Vec<String>,
}

impl GivenOptions {
    /// Adds a value, which counts unless there is one of a higher precedence. A text that is not a
    /// value is a problem, and so are two names of one option in the same place.
    pub fn add(
        &mut self,
        name: &'static str,
        source: OptionSource,
        label: impl Into<String>,
        text: &str,
    ) {
        let given = GivenValue {
            source,
            label: label.into(),
            text: SecretString::from(text),
        };
        self.check(name, &given);
        match self.values.get(name) {
            Some(other) if other.source > source => {}
            Some(other) if other.source == source && other.label != given.label => {
                let (one, other) = (&given.label, &other.label);
                self.problems.push(format!(
                    "{one} and {other} are names of the same option: give only one of them"
                ));
            }
            _ => {
                self.values.insert(name, given);
            }
        }
    }

    fn check(&mut self, name: &str, given: &GivenValue) {
        let text = given.text.expose_secret();
        let Some(option) = OptionSpec::find(name) else {
            return;
        };
        if let Err(error) = (option.check)(text) {
            // A variable may hold the secret that was meant for another one.
            let is_variable = matches!(
                given.source,
                OptionSource::Variable | OptionSource::ImageVariable
            );
            let quoted = if option.is_secret || is_variable {
                String::new()
            } else {
                format!(", not '{}'", without_logins(text))
            };
            self.problems
                .push(format!("{} {error}{quoted}", given.label));
        }
    }

    /// Whether a value was given with at least this precedence.
    pub fn has(&self, name: &str, lowest: OptionSource) -> bool {
        let given = self.values.get(name);
        given.is_some_and(|given| given.source >= lowest)
    }

    /// The text of an option, given or default.
    pub fn text(&self, option: &OptionSpec) -> Option<&str> {
        match (self.values.get(option.name), option.default) {
            (Some(given), _) => Some(given.text.expose_secret()),
            (None, Value(default)) => Some(default),
            (None, Unset(_)) => None,
        }
    }

    /// The value of an option; `None` if it cannot be read, which is among the problems.
    pub fn read<T: OptionValue>(&self, name: &str) -> Option<T> {
        match self.text(OptionSpec::find(name)?) {
            Some(text) => T::parse(text).ok(),
            None => T::unset(),
        }
    }

    /// Adds the values of a configuration file.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let refused = |problem: String| {
            let path = path.display();
            ConfigError::new(format!(
                "cannot use the configuration file {path}: {problem}"
            ))
        };
        let text = read_text(path, MAX_FILE_BYTES).map_err(|error| refused(error.to_string()))?;
        let line_at = |offset: usize| text[..offset].matches('\n').count() + 1;
        let table: BTreeMap<Spanned<String>, toml::Value> =
            toml::from_str(&text).map_err(|error| {
                let line = error.span().map_or(1, |span| line_at(span.start));
                refused(format!("line {line}: {}", without_logins(error.message())))
            })?;
        for (key, value) in table {
            let line = line_at(key.span().start);
            let label = format!("{}, line {line}: {}", path.display(), key.get_ref());
            let value = match value {
                toml::Value::String(text) => Some(text),
                toml::Value::Array(_) | toml::Value::Table(_) => None,
                number_or_bool => Some(number_or_bool.to_string()),
            };
            match (OptionSpec::find(key.get_ref()), value) {
                (Some(option), Some(text)) => {
                    self.add(option.name, OptionSource::File, label, &text);
                }
                (Some(_), None) => {
                    let rule = "must be a string, a number, true or false";
                    self.problems.push(format!("{label} {rule}"));
                }
                (None, _) => self.problems.push(format!("{label} is not an option")),
            }
        }
        Ok(())
    }
}

/// The text of a file that has at most so many bytes.
///
/// # Errors
///
/// Those of the file, one for a larger file, and one for what is no UTF-8.
pub(crate) fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(max_bytes.saturating_add(1))
        .read_to_string(&mut text)?;
    if text.len() as u64 > max_bytes {
        return Err(io::Error::other(format!(
            "it has more than {max_bytes} bytes"
        )));
    }
    Ok(text)
}

impl Args for GivenOptions {
    fn augment_args(command: Command) -> Command {
        command.args(OPTIONS.iter().flat_map(OptionSpec::arguments))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for GivenOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for option in OPTIONS {
            for name in option.names() {
                let (source, label) = match matches.value_source(name) {
                    Some(ValueSource::CommandLine) => {
                        (OptionSource::Flag, format!("--{}", flag(name)))
                    }
                    Some(ValueSource::EnvVariable) => (OptionSource::Variable, variable(name)),
                    _ => continue,
                };
                if let Some(text) = matches.get_one::<String>(name) {
                    self.add(option.name, source, label, text);
                }
            }
        }
        Ok(())
    }
}
