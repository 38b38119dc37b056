//! What commands write to standard output.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use super::Failure;
use crate::picture::glyph::is_control;

/// Writes a text. Returns whether the reader is still there: a closed pipe is not an error.
pub(super) fn write(out: &mut impl Write, text: impl Display) -> Result<bool, Failure> {
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes a line about work that goes on whether or not the line can be written.
pub(super) fn report(out: &mut impl Write, line: impl Display) {
    let _ = writeln!(out, "{line}");
}

/// A text of a user for a terminal: characters that would change what else is shown are escapes.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_control(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

#[cfg(test)]
mod printable_tests {
    use super::*;

    #[test]
    fn a_text_writes_no_line_of_its_own() {
        assert_eq!(printable("churn é"), "churn é");
        assert_eq!(
            printable("a\u{1b}[31m\nb\u{202e}"),
            "a\\u{1b}[31m\\nb\\u{202e}"
        );
    }
}
