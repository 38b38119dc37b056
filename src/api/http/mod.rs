//! HTTP routes with JSON bodies, and what all doors with such bodies need.

pub mod problem;
mod version;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, StatusCode};

use crate::error::{Error, Result};
use problem::Problem;

/// All routes. Errors are problem details (RFC 9457), those of unknown paths and methods too.
pub fn routes() -> Router {
    Router::new()
        .route("/api/pedigree/v1/version", get(version::version))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "no route has this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "the route does not support this method",
            )
        })
}

/// Whether a request says that its body is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = content_type.and_then(|it| it.split(';').next());
    essence.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether a header names an entity tag, or any. Weak and strong tags are compared weakly.
pub(super) fn has_tag(headers: &HeaderMap, name: &HeaderName, tag: &str) -> bool {
    let opaque = |tag: &'_ str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = opaque(tag);
    let values = headers.get_all(name).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let mut given = values.flat_map(|value| value.split(',')).map(opaque);
    given.any(|it| it == tag || it == "*")
}

/// The body of a request, whose size the server has limited.
///
/// # Errors
///
/// `InvalidArgument` for a body that ends too early or cannot be decompressed.
pub(super) async fn body(request: Request) -> Result<Bytes> {
    let refused = "the request was cut off, or its body is not of its content encoding";
    let body = to_bytes(request.into_body(), usize::MAX).await;
    body.map_err(|_| Error::invalid(refused))
}
