//! What an option consists of, and the macro that makes the list of them.

use std::iter;

use clap::Arg;

use self::OptionDefault::{Unset, Value};
use super::options::OPTIONS;
use super::values::OptionValue;

/// One option.
#[derive(Debug)]
pub(super) struct OptionSpec {
    /// The heading under which `--help` and the documentation list it.
    pub group: &'static str,
    /// The key in the configuration file, from which flag and variable are made.
    pub name: &'static str,
    /// Names of earlier versions, which still work but are not documented.
    pub old_names: &'static [&'static str],
    /// What stands for the value in the documentation.
    pub value_name: &'static str,
    /// What it does, with a space before each line.
    help: &'static str,
    pub default: OptionDefault,
    /// Whether values are kept out of error messages and of the printed configuration.
    pub is_secret: bool,
    /// Whether the flag alone, without a value, means `true`.
    is_switch: bool,
    /// Whether a text is a value; the error is that of [`OptionValue::parse`].
    pub check: fn(&str) -> Result<(), String>,
}

/// What holds for an option that is not given.
#[derive(Clone, Copy, Debug)]
pub(super) enum OptionDefault {
    /// This value.
    Value(&'static str),
    /// No value, which has this effect.
    Unset(&'static str),
}

/// Makes `struct Options`, with a field per option, and `OPTIONS`, the list of their
/// [`OptionSpec`]s. A row is `/// help`, `name: type, "VALUE NAME", default`, and where it was
/// renamed `was "old_name"`.
macro_rules! options {
    ($($group:literal { $(
        $(#[doc = $help:literal])+
        $name:ident: $type:ty, $value_name:literal, $default:expr $(, was $old_name:literal)?;
    )+ })+) => {
        /// The value of every option.
        #[derive(Clone, Debug)]
        pub(super) struct Options {
            $($( pub $name: $type, )+)+
        }

        /// All options, in the order of the documentation.
        pub(super) const OPTIONS: &[$crate::config::spec::OptionSpec] = &[$($(
            $crate::config::spec::OptionSpec::new::<$type>(
                $group,
                stringify!($name),
                &[$($old_name)?],
                $value_name,
                concat!($($help),+),
                $default,
            ),
        )+)+];

        impl Options {
            /// Reads all values; `None` if one cannot be read, which is among the problems.
            pub(super) fn read(given: &$crate::config::sources::GivenOptions) -> Option<Self> {
                $($( let $name = given.read(stringify!($name)); )+)+
                Some(Self { $($( $name: $name?, )+)+ })
            }
        }
    };
}
pub(super) use options;

impl OptionSpec {
    /// A row of the list.
    pub const fn new<T: OptionValue>(
        group: &'static str,
        name: &'static str,
        old_names: &'static [&'static str],
        value_name: &'static str,
        help: &'static str,
        default: OptionDefault,
    ) -> Self {
        Self {
            group,
            name,
            old_names,
            value_name,
            help,
            default,
            is_secret: T::IS_SECRET,
            is_switch: T::IS_SWITCH,
            check: |text| T::parse(text).map(drop),
        }
    }

    /// What it does, in one line.
    pub fn help(&self) -> String {
        self.help.trim().replace("  ", " ")
    }

    /// The option with this name, current or old.
    pub fn find(name: &str) -> Option<&'static Self> {
        let has_name = |option: &&Self| option.names().any(|known| known == name);
        OPTIONS.iter().find(has_name)
    }

    /// Its name, and its old names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        iter::once(self.name).chain(self.old_names.iter().copied())
    }

    /// Its flag, which an environment variable can stand for; and hidden, those of its old names.
    pub fn arguments(&self) -> impl Iterator<Item = Arg> {
        self.names().map(|name| {
            let argument = Arg::new(name)
                .long(flag(name))
                .env(variable(name))
                .hide_env_values(true)
                .value_name(self.value_name)
                .help_heading(self.group)
                .hide(name != self.name);
            let argument = match self.default {
                Value(default) => argument.help(self.help()).default_value(default),
                Unset(default) => argument.help(format!("{} [default: {default}]", self.help())),
            };
            if self.is_switch {
                argument.num_args(0..=1).default_missing_value("true")
            } else {
                argument
            }
        })
    }
}

/// The flag of an option, without dashes before it.
pub(super) fn flag(name: &str) -> String {
    name.replace('_', "-")
}

/// The environment variable of an option.
pub(super) fn variable(name: &str) -> String {
    format!("PEDIGREE_{}", name.to_uppercase())
}
