//! Errors in the form of Marquez, which clients of `OpenLineage` know: a code and a message.
//!
//! A client loses an event that it gets 4xx for, and sends it again after 503. So only what will
//! never be stored is 4xx.

use std::borrow::Borrow;
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::api::http::problem::{self, Problem};
use crate::error::Error;

/// The seconds after which a client may send an event again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A request that is not served.
#[derive(Clone, Debug)]
pub(in crate::api) struct Refusal {
    status: StatusCode,
    message: String,
    /// For the log.
    problem: Problem,
}

impl Refusal {
    pub(in crate::api) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            problem: Problem::new(status, message.clone()),
            message,
        }
    }

    /// The refusal to read something.
    pub(in crate::api) fn of_read(error: Error) -> Self {
        let error = Arc::new(error);
        Self {
            status: problem::status(&error),
            ..error.into()
        }
    }

    /// What is no event, with the path of what is wrong.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same request may be served later.
    pub(super) fn is_retriable(&self) -> bool {
        self.status.is_server_error()
    }
}

/// The status of an error: 4xx for what will never be stored, and 5xx for what may be.
fn status(error: &Error) -> StatusCode {
    match error {
        Error::Raced(inner) => status(inner),
        Error::NotFound(_) | Error::AlreadyExists(_) | Error::Unimplemented(_) => {
            StatusCode::BAD_REQUEST
        }
        Error::Contention(_) | Error::DeadlineExceeded(_) | Error::Exhausted(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        other => problem::status(other),
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Arc::new(error).into()
    }
}

impl From<Arc<Error>> for Refusal {
    fn from(error: Arc<Error>) -> Self {
        Self {
            status: status(error.borrow()),
            message: error.to_string(),
            problem: error.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"code": self.status.as_u16(), "message": self.message});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response.extensions_mut().insert(self.problem);
        response
    }
}
