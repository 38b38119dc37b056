//! The errors of every operation, by what a caller can do about them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// The result of every operation of the graph and its storage.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation.
///
/// `Display` is the text for the caller. The sources of the last four variants are for logs only:
/// see [`Error::chain`].
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
    /// The credentials of the request are missing or wrong. The text does not say which.
    #[error("no valid credentials")]
    Unauthenticated,
    /// The credentials of a stream have ended before it.
    #[error("the credentials are no longer valid; open another stream with new ones")]
    CredentialsEnded,
    /// The credentials cannot be checked now.
    #[error("the issuer of the credentials is not available")]
    IssuerUnavailable,
    /// The caller may not do this, or the request came from a web page whose origin may not call.
    #[error("{0}")]
    PermissionDenied(String),
    /// The request names a host that is not this server's.
    #[error("{0}")]
    Misdirected(String),
    #[error("{0}")]
    Unimplemented(String),
    /// A concurrent operation on the same rows won. The same request may succeed when repeated.
    #[error("{0}")]
    Contention(String),
    /// A row that was missing at the lookup was inserted meanwhile. Running the transaction again
    /// finds it; if that is not possible, the error is the inner one.
    #[error(transparent)]
    Raced(Box<Self>),
    /// The client's time limit has passed.
    #[error("{0}")]
    DeadlineExceeded(String),
    /// A resource is used up: disk, memory or connections. The same request may succeed later.
    #[error("{0}")]
    Exhausted(String),
    /// The caller has used up a limit of its own, which has this name in the security file.
    #[error("the limit {limit} of the caller is reached; try again later")]
    Limited {
        limit: &'static str,
        retry_after: Duration,
    },
    /// The request is larger than the server ever takes.
    #[error("{0}")]
    TooLarge(String),
    /// A stored value cannot be decoded. The text names table and row.
    #[error("{0}")]
    DataLoss(String),
    /// The database has not been opened since the start of the server.
    #[error("the database is not open yet")]
    NotReady,
    /// The database refuses until an operator changes it: a right, a table, a mode.
    #[error("{reason}")]
    DatabaseRefused {
        reason: &'static str,
        #[source]
        source: Source,
    },
    /// The database cannot be reached now.
    #[error("the database is not available")]
    Unavailable(#[source] Source),
    /// The connection was lost during the commit: the change is stored entirely or not at all.
    #[error("the database became unavailable in the commit: the change may or may not be stored")]
    Uncertain(#[source] Source),
    /// A fault of the server or of its database, not of the request.
    #[error("internal error: {context}")]
    Internal {
        context: String,
        #[source]
        source: Option<Source>,
    },
}

/// Why a server cannot start, or has to end. The text is for its operator; no client sees it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    /// The certificates of the main port cannot be read or do not fit together.
    #[error("{0}")]
    Certificates(String),
    /// The security file cannot be read or is wrong.
    #[error("{0}")]
    Security(String),
    /// The file of targets of lineage cannot be read or is wrong.
    #[error("{0}")]
    Targets(String),
    /// Traces cannot be sent to the collector.
    #[error("cannot send traces to {endpoint}: {problem}")]
    Traces { endpoint: String, problem: String },
    /// The database cannot be used, and waiting does not help.
    #[error("cannot use the database {address}: {}", source.chain())]
    Database { address: String, source: Error },
    /// A part of the server failed.
    #[error("{}", .0.chain())]
    Failed(#[from] Error),
}

/// The cause of an error, for logs only.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// [`Self::Exhausted`]: no database connection became free within the acquire timeout.
    #[must_use]
    pub fn no_free_connection() -> Self {
        Self::Exhausted("no database connection became free in time".into())
    }

    /// [`Self::InvalidArgument`] with this text.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::InvalidArgument(text.into())
    }

    /// [`Self::Internal`] without a source.
    pub fn internal(context: impl Into<String>) -> Self {
        Self::Internal {
            context: context.into(),
            source: None,
        }
    }

    /// Replaces the text of [`Self::AlreadyExists`] by that of the operation.
    #[must_use]
    pub fn on_duplicate(self, text: impl FnOnce() -> String) -> Self {
        match self {
            Self::AlreadyExists(_) => Self::AlreadyExists(text()),
            other => other,
        }
    }

    /// The error and all its sources in one line, for logs.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
