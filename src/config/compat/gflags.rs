//! The syntax of upstream's command line, which is that of the gflags library, rewritten to ours.
//!
//! `-f=v`, `--f v` and `-f v` become `--f=v`; a switch `--b` or `--nob` becomes `--b=true` or
//! `--b=false`; `--flagfile` becomes the flags in the file. Everything else is left to clap.

use std::any::TypeId;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Args;

use super::Flags;
use crate::config::ConfigError;

/// How deep flag files may be nested.
const MAX_FILE_DEPTH: usize = 8;

/// Rewrites the arguments after the program's name.
///
/// # Errors
///
/// If a flag file cannot be used. The error quotes no value.
pub fn rewrite(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, ConfigError> {
    let known = Flags::augment_args(clap::Command::new("upstream"));
    let known = known.get_arguments().filter_map(|flag| {
        let is_switch = flag.get_value_parser().type_id() == TypeId::of::<bool>();
        Some((flag.get_long()?.to_owned(), is_switch))
    });
    let mut rewriter = Rewriter {
        switches: known.collect(),
        rewritten: Vec::new(),
    };
    let rewritten = rewriter.arguments(&mut arguments.into_iter(), MAX_FILE_DEPTH);
    rewritten.map_err(ConfigError::new)?;
    Ok(rewriter.rewritten)
}

struct Rewriter {
    /// The names of upstream's flags, and whether each is a switch. A switch takes no value from
    /// the next argument.
    switches: HashMap<String, bool>,
    rewritten: Vec<OsString>,
}

impl Rewriter {
    fn arguments(
        &mut self,
        rest: &mut dyn Iterator<Item = OsString>,
        depth: usize,
    ) -> Result<(), String> {
        while let Some(argument) = rest.next() {
            match argument.to_str().and_then(parts) {
                Some(("flagfile", value)) => {
                    let paths = value.map(OsString::from).or_else(|| rest.next());
                    let paths = paths.ok_or("--flagfile must name a file")?;
                    for path in paths.to_string_lossy().split(',') {
                        self.file(Path::new(path), depth)?;
                    }
                }
                Some((name, value)) => self.flag(name, value, rest),
                None if argument == "--" => {
                    self.rewritten.push(argument);
                    self.rewritten.extend(&mut *rest);
                }
                None => self.rewritten.push(argument),
            }
        }
        Ok(())
    }

    fn flag(&mut self, name: &str, value: Option<&str>, rest: &mut dyn Iterator<Item = OsString>) {
        match self.switches.get(name) {
            Some(true) => self.push(name, Some(value.map_or("true", bool_text))),
            Some(false) if value.is_none() => self.push(name, rest.next()),
            Some(false) => self.push(name, value),
            None => match name.strip_prefix("no") {
                Some(switch) if value.is_none() && self.switches.get(switch) == Some(&true) => {
                    self.push(switch, Some("false"));
                }
                _ => self.push(name, value),
            },
        }
    }

    fn push(&mut self, name: &str, value: Option<impl AsRef<OsStr>>) {
        let mut flag = OsString::from(format!("--{name}"));
        if let Some(value) = value {
            flag.push("=");
            flag.push(value);
        }
        self.rewritten.push(flag);
    }

    /// The flags of a file, one per line: `--flag=value` or `--flag value`.
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), String> {
        let refused = |problem: &str| format!("cannot use flagfile {}: {problem}", path.display());
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| refused("flag files are nested too deeply"))?;
        let text = std::fs::read_to_string(path).map_err(|error| refused(&error.to_string()))?;
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if parts(line).is_none() {
                return Err(refused(&format!("line {number} is not a flag")));
            }
            let words = match line.split_once(char::is_whitespace) {
                Some((flag, value)) if !flag.contains('=') => vec![flag, value.trim_start()],
                _ => vec![line],
            };
            self.arguments(&mut words.into_iter().map(OsString::from), depth)?;
        }
        Ok(())
    }
}

/// The name of a flag, of more than one letter, and the value after `=`.
fn parts(argument: &str) -> Option<(&str, Option<&str>)> {
    let flag = argument.strip_prefix('-')?;
    let flag = flag.strip_prefix('-').unwrap_or(flag);
    let (name, value) = flag
        .split_once('=')
        .map_or((flag, None), |(name, value)| (name, Some(value)));
    (name.chars().count() > 1).then_some((name, value))
}

/// A boolean of gflags as clap writes it. Anything else is left to clap.
fn bool_text(value: &str) -> &str {
    match value.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" => "true",
        "0" | "f" | "false" | "n" | "no" => "false",
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn rewritten(line: &str) -> String {
        let words = line.split(' ').map(OsString::from);
        let words = rewrite(words).unwrap();
        let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn spellings() {
        for (line, expected) in [
            ("--grpc_port=1", "--grpc_port=1"),
            ("--grpc_port 1", "--grpc_port=1"),
            ("-grpc_port=1", "--grpc_port=1"),
            ("-grpc_port 1", "--grpc_port=1"),
            ("--mysql_config_host=", "--mysql_config_host="),
            ("--mysql_config_password=a=b", "--mysql_config_password=a=b"),
            // The next argument is the value, whatever it looks like.
            (
                "--mysql_config_password --x migrate",
                "--mysql_config_password=--x migrate",
            ),
            (
                "-downgrade_db_schema_version -1",
                "--downgrade_db_schema_version=-1",
            ),
            (
                "--enable_database_upgrade",
                "--enable_database_upgrade=true",
            ),
            (
                "-noenable_database_upgrade",
                "--enable_database_upgrade=false",
            ),
            (
                "--nopostgres_config_skip_db_creation",
                "--postgres_config_skip_db_creation=false",
            ),
            // A switch takes no value from the next argument.
            (
                "--enable_database_upgrade false",
                "--enable_database_upgrade=true false",
            ),
            (
                "--enable_database_upgrade=maybe",
                "--enable_database_upgrade=maybe",
            ),
            // Left to clap.
            (
                "--noenable_database_upgrade=1",
                "--noenable_database_upgrade=1",
            ),
            ("--nogrpc_port", "--nogrpc_port"),
            ("--grpc_port", "--grpc_port"),
            ("-grcp_port=1", "--grcp_port=1"),
            ("migrate --dry-run -h", "migrate --dry-run -h"),
            ("-help", "--help"),
            (
                "--database-url sqlite:x --grpc-port 0",
                "--database-url sqlite:x --grpc-port 0",
            ),
            ("-- -grpc_port 1", "-- -grpc_port 1"),
        ] {
            assert_eq!(rewritten(line), expected, "{line}");
        }
        for (value, expected) in [
            ("true", "true"),
            ("T", "true"),
            ("yes", "true"),
            ("y", "true"),
            ("1", "true"),
            ("False", "false"),
            ("f", "false"),
            ("no", "false"),
            ("n", "false"),
            ("0", "false"),
        ] {
            let line = format!("-enable_database_upgrade={value}");
            let expected = format!("--enable_database_upgrade={expected}");
            assert_eq!(rewritten(&line), expected);
        }
    }

    #[test]
    fn files_of_flags() {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| format!("{}/{name}", dir.path().display());
        let write = |name: &str, text: &str| fs::write(path(name), text).unwrap();
        let inner = path("inner");
        write(
            "outer",
            &format!("# comment\n\n  -grpc_port 1\r\n--flagfile={inner}\n-mysql_config_host h"),
        );
        write("inner", "--noenable_database_upgrade");
        write("more", "--mysql_config_user=a b");
        let line = format!(
            "--flagfile={},{} --grpc_port=2",
            path("outer"),
            path("more")
        );
        assert_eq!(
            rewritten(&line),
            "--grpc_port=1 --enable_database_upgrade=false --mysql_config_host=h --mysql_config_user=a b \
             --grpc_port=2"
        );

        let refusal = |line: &str| {
            let refused = rewrite(line.split(' ').map(OsString::from));
            refused.unwrap_err().to_string()
        };
        write("itself", &format!("--flagfile {}", path("itself")));
        let error = refusal(&format!("--flagfile {}", path("itself")));
        assert!(error.contains("too deeply"), "{error}");
        for text in ["\nhunter2", "\n--"] {
            write("words", text);
            let error = refusal(&format!("-flagfile={}", path("words")));
            assert!(error.contains("line 2 is not a flag"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = refusal("--flagfile=/none/flags");
        assert!(error.contains("/none/flags: No such file"), "{error}");
        assert!(refusal("--flagfile").contains("must name a file"));
    }

    /// Any of upstream's flags that takes a value.
    fn name() -> impl Strategy<Value = String> {
        let known = Flags::augment_args(clap::Command::new("upstream"));
        let known = known.get_arguments();
        let valued = known
            .filter(|flag| flag.get_value_parser().type_id() != TypeId::of::<bool>())
            .map(|flag| flag.get_long().unwrap().to_owned());
        proptest::sample::select(valued.collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn all_spellings_of_a_value_are_one(name in name(), value in ".*") {
            let expected = vec![OsString::from(format!("--{name}={value}"))];
            for dashes in ["-", "--"] {
                let flag = OsString::from(format!("{dashes}{name}"));
                let joined = OsString::from(format!("{dashes}{name}={value}"));
                prop_assert_eq!(&rewrite([flag, value.clone().into()]).unwrap(), &expected);
                prop_assert_eq!(&rewrite([joined]).unwrap(), &expected);
            }
        }

        #[test]
        fn what_is_rewritten_stays(words in proptest::collection::vec("-{0,2}[a-z_=-]{0,4}(grpc_port)?=?.{0,4}", 0..6)) {
            let words = words.into_iter().filter(|word| !word.contains("flagfile")).map(OsString::from);
            let once = rewrite(words).unwrap();
            // All but a flag at the end that lacks its value.
            prop_assert_eq!(&rewrite(once.clone()).unwrap(), &once);
        }
    }
}
