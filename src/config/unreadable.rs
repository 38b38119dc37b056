//! What is said of arguments and variables that cannot be read.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory};

use super::Command;
use crate::error::Error;

/// All values that cannot be read, of which the parser has found the first. A flag that does not exist is the last that is told: what
/// follows it may be its value.
pub(super) fn all(first: clap::Error, words: &[OsString]) -> Error {
    let mut problems = Vec::new();
    let mut command = Command::command();
    let mut error = Some(first);
    while let Some(found) = error {
        let problem = one(&found);
        if problems.contains(&problem) {
            break;
        }
        problems.push(problem);
        // Its value passes from now on, and the parser comes to the next.
        let Some(flag) = with_bad_value(&found) else {
            break;
        };
        let pass = |arg: Arg| {
            if arg.get_long() == Some(flag) {
                arg.value_parser(ValueParser::os_string())
            } else {
                arg
            }
        };
        command = command
            .mut_args(pass)
            .mut_subcommands(|task| task.mut_args(pass));
        error = command.clone().try_get_matches_from(words).err();
    }
    Error::invalid(format!("{} (see --help)", problems.join("; ")))
}

/// The name of the flag whose value cannot be read, from `--name <VALUE>` or `--name[=<VALUE>]`.
fn with_bad_value(error: &clap::Error) -> Option<&str> {
    let kinds = [ErrorKind::InvalidValue, ErrorKind::ValueValidation];
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if kinds.contains(&error.kind()) => {
            flag.strip_prefix("--")?.split([' ', '[']).next()
        }
        _ => None,
    }
}

/// What is wrong with an argument, in one line: the first paragraph, without the usage that follows it. A word that
/// follows flags could be a password that went astray.
fn one(error: &clap::Error) -> String {
    let word = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand]
        .into_iter()
        .find_map(|kind| error.get(kind));
    let follows = matches!(
        error.kind(),
        ErrorKind::UnknownArgument | ErrorKind::ArgumentConflict
    );
    if let Some(ContextValue::String(word)) = word
        && follows
        && !word.starts_with('-')
        && Command::command().find_subcommand(word).is_none()
    {
        return "unexpected word between the flags".to_owned();
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let problem = paragraph.strip_prefix("error: ").unwrap_or(&paragraph);
    without_urls(problem)
}

/// A text without the URLs that it may quote, nor anything else that has a login in it.
pub(super) fn without_urls(text: &str) -> String {
    let ends = |letter: char| letter.is_whitespace() || "'\"`".contains(letter);
    let words = text.split_inclusive(ends).map(|word| {
        let (bare, end) = word.split_at(word.trim_end_matches(ends).len());
        let secret = bare.contains("://") || bare.contains('@');
        if secret {
            format!("…{end}")
        } else {
            word.to_owned()
        }
    });
    words.collect()
}
