//! What can go wrong, as a caller can act on it, and the one place that turns it into a gRPC status.

use tonic::{Code, Status};

/// The result of every operation of the graph and its storage.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The longest text that a client gets, in bytes: it travels in HTTP/2 trailers, whose size peers limit.
const MAX_TEXT: usize = 1024;

/// A failed operation. The text of each variant is meant for the caller; what is below the last three is not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    InvalidArgument(String),
    #[error("{0}")]
    OutOfRange(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    AlreadyExists(String),
    #[error("{0}")]
    FailedPrecondition(String),
    #[error("{0}")]
    Unimplemented(String),
    /// Something was done that ends the use of this connection, such as a downgrade of the schema.
    #[error("{0}")]
    Cancelled(String),
    /// Other work on the same rows won; the same request may succeed when it is sent again.
    #[error("{0}")]
    Contention(String),
    /// What was looked up and not found exists now: running the transaction again finds it. Should that not help, the error is
    /// the one inside.
    #[error(transparent)]
    Raced(Box<Self>),
    /// The database has no room for this now: disk, memory or connections.
    #[error("{0}")]
    Exhausted(String),
    /// What is stored cannot be understood; the text names table and row.
    #[error("{0}")]
    DataLoss(String),
    /// The database cannot be reached; it may come back.
    #[error("the database is not available")]
    Unavailable(#[source] Source),
    /// The database went away while it was storing a change; the change is there entirely or not at all.
    #[error("the database became unavailable in the commit: the change may or may not be stored")]
    Uncertain(#[source] Source),
    /// A fault of the server or of its database that no request should cause.
    #[error("internal error: {context}")]
    Internal {
        context: String,
        #[source]
        source: Option<Source>,
    },
}

/// The cause of an error, for logs only.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// All connections to the database were in use for as long as a request waits.
    #[must_use]
    pub fn no_free_connection() -> Self {
        Self::Exhausted("no database connection became free in time".into())
    }

    /// [`Self::InvalidArgument`] with this text.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::InvalidArgument(text.into())
    }

    /// [`Self::Internal`] without a cause below it.
    pub fn internal(context: impl Into<String>) -> Self {
        Self::Internal {
            context: context.into(),
            source: None,
        }
    }

    /// Gives the error of a unique key the sentence that this operation has for it.
    #[must_use]
    pub fn on_duplicate(self, text: impl FnOnce() -> String) -> Self {
        match self {
            Self::AlreadyExists(_) => Self::AlreadyExists(text()),
            other => other,
        }
    }

    /// The gRPC code that the caller sees.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Raced(inner) => inner.code(),
            Self::InvalidArgument(_) => Code::InvalidArgument,
            Self::OutOfRange(_) => Code::OutOfRange,
            Self::NotFound(_) => Code::NotFound,
            Self::AlreadyExists(_) => Code::AlreadyExists,
            Self::FailedPrecondition(_) => Code::FailedPrecondition,
            Self::Unimplemented(_) => Code::Unimplemented,
            Self::Cancelled(_) => Code::Cancelled,
            Self::Contention(_) => Code::Aborted,
            Self::Exhausted(_) => Code::ResourceExhausted,
            Self::DataLoss(_) => Code::DataLoss,
            Self::Unavailable(_) | Self::Uncertain(_) => Code::Unavailable,
            Self::Internal { .. } => Code::Internal,
        }
    }

    /// The error and everything below it in one line, for logs.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = error.code();
        if matches!(code, Code::Internal | Code::DataLoss | Code::Unavailable) {
            tracing::error!(code = ?code, error = %error.chain(), "request failed");
        }
        Self::new(code, clip(error.to_string()))
    }
}

/// Cuts a text to [`MAX_TEXT`] bytes at a character boundary.
fn clip(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT - 3));
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let status = Status::from(Error::invalid("é".repeat(2000)));
        assert!(status.message().len() <= MAX_TEXT);
        assert!(status.message().ends_with("é..."));
    }
}
