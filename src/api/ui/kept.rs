//! What a browser has already is not sent again.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};

use crate::api::http::has_tag;
use crate::api::http::problem::Problem;
use crate::error::Error;

/// How many digits of a hash an `ETag` has.
const HASH_DIGITS: usize = 32;

/// Gives a page the hash of what is in it as its `ETag`, and answers 304 without a body if the
/// browser has this page. The caller may see what is on it, because it was made for the caller.
pub(super) async fn not_sent_again(request: Request, next: Next) -> Response {
    let known = request.headers().clone();
    let response = next.run(request).await;
    let is_kept_for_ever = response.headers().get(CACHE_CONTROL);
    let is_kept_for_ever = is_kept_for_ever.and_then(|it| it.to_str().ok());
    let is_kept_for_ever = is_kept_for_ever.is_some_and(|it| it.contains("immutable"));
    if response.status() != StatusCode::OK || is_kept_for_ever {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A page is in memory as a whole.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Problem::from(Error::internal("a page has no end")).into_response();
    };
    let hash = hex::encode(digest(&SHA256, &bytes));
    // Compression changes bytes, not the page.
    let tag = format!("W/\"{}\"", &hash[..HASH_DIGITS]);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, value);
    }
    if !has_tag(&known, &IF_NONE_MATCH, &tag) {
        return Response::from_parts(parts, Body::from(bytes));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(CONTENT_TYPE);
    Response::from_parts(parts, Body::empty())
}
