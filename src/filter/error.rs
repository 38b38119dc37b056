//! What is wrong with a query text, and where.

use super::limits::MAX_MESSAGE_BYTES;

/// A refused `filter_query`. Its text is the whole message for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid `filter_query`: {message}")]
pub struct FilterError {
    message: String,
}

/// A fault found in a query text; becomes [`FilterError`] once its offset is turned into line and
/// column.
#[derive(Debug)]
pub(super) struct Diagnostic {
    text: String,
    /// Byte offset of the offending token.
    offset: Option<usize>,
}

impl Diagnostic {
    pub(super) fn new(offset: usize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            offset: Some(offset),
        }
    }

    /// A fault of the query as a whole.
    pub(super) fn overall(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            offset: None,
        }
    }

    pub(super) fn syntax(offset: usize, text: impl std::fmt::Display) -> Self {
        Self::new(offset, format!("Syntax error: {text}"))
    }

    /// Words the fault for the client who sent `source`.
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
