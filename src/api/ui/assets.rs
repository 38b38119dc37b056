//! Style sheets, scripts and images, in the binary. Their names have hashes of what is in them, so
//! that a browser keeps them for ever.

use std::collections::HashMap;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::page::set_safety_headers;
use crate::api::http::problem::Problem;
use crate::model::to_hex;

/// Name, type and content of each.
static ASSETS: [(&str, &str, &[u8]); 4] = [
    (
        "app.css",
        "text/css; charset=utf-8",
        include_bytes!("../../../assets/ui/app.css"),
    ),
    (
        "app.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../../assets/ui/app.js"),
    ),
    (
        "theme.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../../assets/ui/theme.js"),
    ),
    (
        "icon.svg",
        "image/svg+xml",
        include_bytes!("../../../assets/ui/icon.svg"),
    ),
];

/// How many digits of a hash a name has.
const HASH_DIGITS: usize = 16;

/// The hashed name of each asset.
static HASHED_NAMES: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
    let hashed = |&(name, _, content): &(&'static str, &str, &[u8])| {
        let hash = to_hex(digest(&SHA256, content).as_ref());
        let (stem, end) = name.split_once('.').unwrap_or((name, ""));
        (name, format!("{stem}.{}.{end}", &hash[..HASH_DIGITS]))
    };
    ASSETS.iter().map(hashed).collect()
});

/// The name under which an asset is served.
pub(super) fn hashed_name(name: &str) -> &str {
    HASHED_NAMES.get(name).map_or(name, String::as_str)
}

/// `GET /assets/{name}`.
pub(super) async fn serve(Path(asked): Path<String>) -> Response {
    let found = ASSETS.iter().find(|(name, ..)| hashed_name(name) == asked);
    let Some((_, content_type, content)) = found else {
        return Problem::new(StatusCode::NOT_FOUND, "no asset has this name").into_response();
    };
    let mut response = (*content).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, kept);
    set_safety_headers(headers);
    response
}
