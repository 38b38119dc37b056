//! Problem details, the JSON form of errors (RFC 9457), and the HTTP status of an error.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::error::Error;

/// The authentication scheme that the answer to a request without credentials asks for.
const CHALLENGE: &str = "Bearer";

/// A failed request.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// The cause, for logs only.
    error: Option<Arc<Error>>,
}

impl Problem {
    /// A problem that is no error of an operation. `detail` is for the caller.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            error: None,
        }
    }

    /// The status of the response.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for the caller.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// When to send the same request again.
    fn retry_after_seconds(&self) -> u64 {
        match self.error.as_deref() {
            Some(Error::Limited { retry_after, .. }) => retry_after.as_millis().div_ceil(1000),
            _ => 1,
        }
        .try_into()
        .unwrap_or(u64::MAX)
    }

    /// Logs the error with all its causes, if the server or its database is at fault.
    pub fn log(&self) {
        let is_fault = matches!(
            self.status,
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE
        );
        if let Some(error) = &self.error
            && is_fault
        {
            let code = self.status.as_u16();
            tracing::error!(code, error = error.chain(), "request failed");
        }
    }
}

/// The HTTP status of an error, as `google/rpc/code.proto` maps the codes of gRPC.
#[must_use]
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::Raced(inner) => status(inner),
        Error::InvalidArgument(_) | Error::OutOfRange(_) | Error::FailedPrecondition(_) => {
            StatusCode::BAD_REQUEST
        }
        Error::Unauthenticated | Error::CredentialsEnded => StatusCode::UNAUTHORIZED,
        Error::PermissionDenied(_) => StatusCode::FORBIDDEN,
        Error::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::AlreadyExists(_) | Error::Contention(_) => StatusCode::CONFLICT,
        Error::Unimplemented(_) => StatusCode::NOT_IMPLEMENTED,
        Error::DeadlineExceeded(_) => StatusCode::GATEWAY_TIMEOUT,
        Error::Exhausted(_) | Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::NotReady
        | Error::IssuerUnavailable
        | Error::Unavailable(_)
        | Error::Uncertain(_)
        | Error::DatabaseRefused { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::DataLoss(_) | Error::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Arc::new(error).into()
    }
}

impl From<Arc<Error>> for Problem {
    fn from(error: Arc<Error>) -> Self {
        Self {
            status: status(&error),
            detail: error.to_string(),
            error: Some(error),
        }
    }
}

impl IntoResponse for Problem {
    /// The response has the problem as an extension, for the log.
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        let hint = match self.status {
            StatusCode::TOO_MANY_REQUESTS => {
                Some((header::RETRY_AFTER, self.retry_after_seconds().into()))
            }
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static(CHALLENGE);
                Some((header::WWW_AUTHENTICATE, challenge))
            }
            _ => None,
        };
        if let Some((name, value)) = hint {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}
