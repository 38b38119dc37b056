//! Errors in the form of `MLflow`, which its clients raise by their codes: a code and a message.
//!
//! Clients send a request again, for minutes, after 429 and 5xx. So what a user can mend is 4xx.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::api::http::problem::{self, Problem};
use crate::error::Error;

/// A request that is not served.
#[derive(Clone, Debug)]
pub(super) struct MlflowRefusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// For the log.
    problem: Problem,
}

impl MlflowRefusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            problem: Problem::new(status, message.clone()),
            message,
        }
    }

    /// What is wrong.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// A value that cannot be taken.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)
    }

    /// A request that contradicts itself, or what is stored.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    /// Something that does not exist.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", message)
    }

    /// A way to do something that clients can do in another way.
    pub(super) fn unsupported(message: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message)
    }

    /// Something that the server has been set up without.
    pub(super) fn disabled(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "FEATURE_DISABLED", message)
    }

    /// A part of the protocol that is not served.
    pub(super) fn no_endpoint() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "ENDPOINT_NOT_FOUND",
            "this server has no such endpoint",
        )
    }
}

/// The code of an error.
fn code(error: &Error) -> &'static str {
    match error {
        Error::Raced(inner) => code(inner),
        Error::InvalidArgument(_)
        | Error::OutOfRange(_)
        | Error::FailedPrecondition(_)
        | Error::TooLarge(_)
        | Error::Misdirected(_) => "INVALID_PARAMETER_VALUE",
        Error::NotFound(_) => "RESOURCE_DOES_NOT_EXIST",
        Error::AlreadyExists(_) => "RESOURCE_ALREADY_EXISTS",
        Error::Unauthenticated | Error::CredentialsEnded => "UNAUTHENTICATED",
        Error::PermissionDenied(_) => "PERMISSION_DENIED",
        Error::Unimplemented(_) => "NOT_IMPLEMENTED",
        Error::Contention(_) => "RESOURCE_CONFLICT",
        Error::Exhausted(_) => "RESOURCE_EXHAUSTED",
        Error::Limited { .. } => "REQUEST_LIMIT_EXCEEDED",
        Error::DeadlineExceeded(_)
        | Error::NotReady
        | Error::IssuerUnavailable
        | Error::Unavailable(_)
        | Error::Uncertain(_)
        | Error::DatabaseRefused { .. } => "TEMPORARILY_UNAVAILABLE",
        Error::DataLoss(_) | Error::Internal { .. } => "INTERNAL_ERROR",
    }
}

impl From<Error> for MlflowRefusal {
    fn from(error: Error) -> Self {
        let error = Arc::new(error);
        let status = match &*error {
            Error::AlreadyExists(_) => StatusCode::BAD_REQUEST,
            other => problem::status(other),
        };
        Self {
            status,
            code: code(&error),
            message: error.to_string(),
            problem: error.into(),
        }
    }
}

impl IntoResponse for MlflowRefusal {
    fn into_response(self) -> Response {
        let body = json!({"error_code": self.code, "message": self.message});
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(self.problem);
        response
    }
}
