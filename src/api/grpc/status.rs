//! The gRPC status of an error, and the log line of an error that an operator must see.

use std::error::Error as StdError;
use std::sync::Arc;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::error::Error;

/// Limit of a status message in bytes. It travels in an HTTP/2 trailer, whose size peers limit.
const MAX_MESSAGE_BYTES: usize = 1024;

/// The trailer that says when a client may send the request again
/// ([retries](https://github.com/grpc/proposal/blob/master/A6-client-retries.md)).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The gRPC code of an error.
#[must_use]
pub fn code(error: &Error) -> Code {
    match error {
        Error::Raced(inner) => code(inner),
        Error::InvalidArgument(_) | Error::TooLarge(_) => Code::InvalidArgument,
        Error::OutOfRange(_) => Code::OutOfRange,
        Error::NotFound(_) => Code::NotFound,
        Error::AlreadyExists(_) => Code::AlreadyExists,
        Error::FailedPrecondition(_) | Error::Misdirected(_) | Error::DatabaseRefused { .. } => {
            Code::FailedPrecondition
        }
        Error::Unauthenticated | Error::CredentialsEnded => Code::Unauthenticated,
        Error::PermissionDenied(_) => Code::PermissionDenied,
        Error::Unimplemented(_) => Code::Unimplemented,
        Error::Contention(_) => Code::Aborted,
        Error::DeadlineExceeded(_) => Code::DeadlineExceeded,
        Error::Exhausted(_) | Error::Limited { .. } => Code::ResourceExhausted,
        Error::DataLoss(_) => Code::DataLoss,
        Error::NotReady
        | Error::IssuerUnavailable
        | Error::Unavailable(_)
        | Error::Uncertain(_) => Code::Unavailable,
        Error::Internal { .. } => Code::Internal,
    }
}

/// When to send the same request again, in milliseconds.
fn pushback(error: &Error) -> Option<u64> {
    match error {
        Error::Exhausted(_) => Some(1000),
        Error::Limited { retry_after, .. } => Some(
            u64::try_from(retry_after.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
        ),
        _ => None,
    }
}

impl From<Error> for Status {
    /// The status keeps the error as its source, which is logged and not sent.
    fn from(error: Error) -> Self {
        let mut status = Self::new(code(&error), truncate(error.to_string()));
        if let Some(pushback) = pushback(&error) {
            let pushback = MetadataValue::from(pushback);
            status.metadata_mut().insert(PUSHBACK, pushback);
        }
        status.set_source(Arc::new(error));
        status
    }
}

/// The status of an error that ends no call: it is logged here, as no layer sees it.
pub(super) fn logged(error: Error) -> Status {
    let status = error.into();
    log(&status);
    status
}

/// Logs the error behind a status with all its causes, if the server or its database is at fault.
/// [`Error::NotReady`] is logged once, where it is made.
pub fn log(status: &Status) {
    let code = status.code();
    let Some(error) = status.source().and_then(<dyn StdError>::downcast_ref) else {
        return;
    };
    let is_fault = matches!(code, Code::Internal | Code::DataLoss | Code::Unavailable)
        || matches!(error, Error::DatabaseRefused { .. });
    if is_fault && !matches!(error, Error::NotReady) {
        let error = error.chain();
        tracing::error!(?code, error, "request failed");
    }
}

/// Cuts a text to [`MAX_MESSAGE_BYTES`] at a character boundary.
fn truncate(mut text: String) -> String {
    if text.len() > MAX_MESSAGE_BYTES {
        text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES - 3));
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let status = Status::from(Error::invalid("é".repeat(2000)));
        assert!(status.message().len() <= MAX_MESSAGE_BYTES);
        assert!(status.message().ends_with("é..."));
    }
}
