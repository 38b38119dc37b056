//! What is wrong with a query text, and where.

/// Longest message that a client gets, in bytes. A query can be much longer, and messages quote
/// from it.
const LONGEST_MESSAGE: usize = 900;

/// A refused `filter_query`. Its text is the whole message for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid `filter_query`: {message}")]
pub struct Invalid {
    message: String,
}

/// A fault found in a query text; becomes [`Invalid`] once its offset is turned into line and
/// column.
#[derive(Debug)]
pub(super) struct Problem {
    text: String,
    /// Byte offset of the offending token.
    at: Option<usize>,
}

/// What the steps of the front end return.
pub(super) type Checked<T> = Result<T, Problem>;

impl Problem {
    pub(super) fn new(at: usize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            at: Some(at),
        }
    }

    /// A fault of the query as a whole.
    pub(super) fn overall(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            at: None,
        }
    }

    pub(super) fn syntax(at: usize, text: impl std::fmt::Display) -> Self {
        Self::new(at, format!("Syntax error: {text}"))
    }

    /// Words the fault for the client who sent `source`.
    pub(super) fn into_invalid(self, source: &str) -> Invalid {
        let mut message = self.text;
        if message.len() > LONGEST_MESSAGE {
            message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
            message.push_str("...");
        }
        let Some(at) = self.at else {
            return Invalid { message };
        };
        let before = source.get(..at).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        Invalid {
            message: format!("{message} [at {line}:{column}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let message = Problem::new(7, "x").into_invalid("é = 1\n\"").to_string();
        assert_eq!(message, "Invalid `filter_query`: x [at 2:1]");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let message = Problem::new(0, "é".repeat(5000))
            .into_invalid("")
            .to_string();
        assert!(
            message.len() < 1024 && message.ends_with("... [at 1:1]"),
            "{message}"
        );
    }
}
