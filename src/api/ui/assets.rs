//! Style sheets, scripts and images, in the binary. Their folder has the hash of all of them as its
//! name, so that a browser keeps them for ever, and scripts import each other by their names.

use std::sync::LazyLock;

use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::page::set_safety_headers;
use crate::api::http::problem::Problem;

/// Includes assets by their names.
macro_rules! assets {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../../../assets/ui/", $name)))),*]
    };
}

/// Name and content of each.
static ASSETS: &[(&str, &[u8])] = assets![
    "activity.js" "app.css" "app.js" "icon.svg" "keys.js" "lineage.js" "live.js" "morph.js"
    "page.js" "picture.js" "printed.js" "theme.js" "theme-choice.js"
];

/// How many digits of a hash the folder has.
const HASH_DIGITS: usize = 16;

/// The name of the folder.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Context::new(&SHA256);
    for (name, content) in ASSETS {
        hash.update(name.as_bytes());
        hash.update(content);
    }
    let mut folder = hex::encode(hash.finish());
    folder.truncate(HASH_DIGITS);
    folder
});

/// The path of an asset.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *FOLDER)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    }
}

/// `GET /assets/{folder}/{name}`.
pub(super) async fn serve(Path((folder, asked)): Path<(String, String)>) -> Response {
    let found = ASSETS
        .iter()
        .find(|(name, _)| *name == asked && folder == *FOLDER);
    let Some((name, content)) = found else {
        return Problem::new(StatusCode::NOT_FOUND, "no asset has this name").into_response();
    };
    let mut response = (*content).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, kept);
    set_safety_headers(headers);
    response
}
