//! What paths of files and folders may be.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::api::mlflow::refusal::MlflowRefusal;
use crate::graph::file_path;
use crate::graph::tracking::names::served_path;

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

/// [`file_path`].
///
/// # Errors
///
/// A refusal of what no file can have as its path.
pub(super) fn checked(path: &str) -> Result<String, MlflowRefusal> {
    file_path(path).ok_or_else(invalid)
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
    fn uris_of_this_server_have_paths() {
        for (uri, expected) in [
            ("mlflow-artifacts:/1/r/artifacts", Some("1/r/artifacts")),
            ("mlflow-artifacts:/", Some("")),
            ("mlflow-artifacts:///2/x", Some("2/x")),
            ("mlflow-artifacts://host:1/2/x", None),
            ("mlflow-artifacts://host", None),
            ("mlflow-artifacts:/1/../2", None),
            ("s3://bucket/x", None),
        ] {
            assert_eq!(as_artifact_path(uri).as_deref(), expected);
        }
    }
}
