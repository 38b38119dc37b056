//! Errors in a query, with their positions.

use super::limits::MAX_MESSAGE_BYTES;

/// The error of a refused `filter_query`. Its text is the message for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid `filter_query`: {message}")]
pub struct FilterError {
    message: String,
}

/// An error at a byte offset. [`Diagnostic::into_error`] turns the offset into line and column.
#[derive(Debug)]
pub(super) struct Diagnostic {
    text: String,
    /// Byte offset of the token; `None` for an error of the query as a whole.
    offset: Option<usize>,
}

impl Diagnostic {
    pub(super) fn new(offset: usize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            offset: Some(offset),
        }
    }

    /// An error of the query as a whole, without a position.
    pub(super) fn overall(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            offset: None,
        }
    }

    pub(super) fn syntax(offset: usize, text: impl std::fmt::Display) -> Self {
        Self::new(offset, format!("Syntax error: {text}"))
    }

    /// The error for the client. `source` is the text of the query.
    pub(super) fn into_error(self, source: &str) -> FilterError {
        let mut message = self.text;
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push_str("...");
        }
        let Some(offset) = self.offset else {
            return FilterError { message };
        };
        let before = source.get(..offset).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        FilterError {
            message: format!("{message} [at {line}:{column}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let message = Diagnostic::new(7, "x").into_error("é = 1\n\"").to_string();
        assert_eq!(message, "Invalid `filter_query`: x [at 2:1]");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let message = Diagnostic::new(0, "é".repeat(5000))
            .into_error("")
            .to_string();
        assert!(
            message.len() < 1024 && message.ends_with("... [at 1:1]"),
            "{message}"
        );
    }
}
