//! HTTP routes with JSON bodies.

pub mod problem;
mod version;

use axum::Router;
use axum::routing::get;
use http::StatusCode;

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
