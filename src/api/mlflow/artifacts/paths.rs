//! What paths of files and folders may be.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::api::mlflow::refusal::MlflowRefusal;
use crate::graph::tracking::names::served_path;

/// The most bytes of a path, as in object stores.
const MAX_PATH_BYTES: usize = 1024;

/// The most bytes of a segment of a path, as in file systems.
const MAX_SEGMENT_BYTES: usize = 255;

/// The path of a file or a folder that the path of a request names.
pub(super) struct ArtifactPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for ArtifactPath {
    type Rejection = MlflowRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, MlflowRefusal> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(path) = path.map_err(|_| invalid())?;
        let path = checked(&path)?;
        if path.is_empty() {
            return Err(invalid());
        }
        Ok(Self(path))
    }
}

fn invalid() -> MlflowRefusal {
    MlflowRefusal::invalid("Invalid path")
}

/// A path without empty segments and `.`. The empty path is the folder of all.
///
/// # Errors
///
/// A refusal of absolute paths, of `..`, of characters that no file can have, and of what is too
/// long. A segment that is encoded twice is taken for what it stands for.
pub(super) fn checked(path: &str) -> Result<String, MlflowRefusal> {
    if path.starts_with('/') {
        return Err(invalid());
    }
    let segments = path.split('/').filter(|it| !matches!(*it, "" | "."));
    let segments: Vec<&str> = segments.collect();
    let is_safe = |segment: &&str| {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        let is_odd = |it: char| it.is_control() || matches!(it, '/' | '\\');
        segment.len() <= MAX_SEGMENT_BYTES && decoded != ".." && !decoded.contains(is_odd)
    };
    let joined = segments.join("/");
    if joined.len() > MAX_PATH_BYTES || !segments.iter().all(is_safe) {
        return Err(invalid());
    }
    Ok(joined)
}

/// The path of what a URI names, if this server has it.
pub(super) fn as_artifact_path(uri: &str) -> Option<String> {
    checked(served_path(uri)?).ok()
}

/// The path of something in a folder.
pub(super) fn joined(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", path) => path.to_owned(),
        (folder, "") => folder.to_owned(),
        _ => [folder, "/", path].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_their_folder() {
        for (path, expected) in [
            ("a/b c.json", "a/b c.json"),
            ("a//./b/", "a/b"),
            ("..a/b..", "..a/b.."),
            ("100%", "100%"),
            ("ключ/é", "ключ/é"),
            ("", ""),
            (".", ""),
        ] {
            assert_eq!(checked(path).unwrap(), expected);
        }
        let (long_segment, long_path) = ("s".repeat(256), "s/".repeat(513));
        for path in [
            "/etc/x",
            "..",
            "a/../b",
            "a/..",
            "a/%2e%2E",
            "a%2fb",
            "a\\b",
            "a/b%5C..",
            "a\0",
            "a%00",
            "a\nb",
            &long_segment,
            &long_path,
        ] {
            assert!(checked(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn uris_of_this_server_have_paths() {
        for (uri, expected) in [
            ("mlflow-artifacts:/1/r/artifacts", Some("1/r/artifacts")),
            ("mlflow-artifacts:/", Some("")),
            ("mlflow-artifacts://host:1/2/x", Some("2/x")),
            ("mlflow-artifacts:/1/../2", None),
            ("s3://bucket/x", None),
        ] {
            assert_eq!(as_artifact_path(uri).as_deref(), expected);
        }
    }
}
