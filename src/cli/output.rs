//! What commands write to standard output.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use super::Failure;

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
