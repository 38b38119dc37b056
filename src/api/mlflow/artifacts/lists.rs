//! What is in a folder.

use axum::Json;
use axum::extract::Path;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::as_artifact_path;
use super::paths::{checked, joined};
use crate::api::call::Call;
use crate::api::mlflow::fields::Fields;
use crate::api::mlflow::refusal::MlflowRefusal;
use crate::api::mlflow::runs::required_id;
use crate::api::mlflow::versions::version_source;
use crate::api::mlflow::{Answer, TrackingRequest};
use crate::graph::ArtifactEntry;
use crate::graph::registered::{ModelVersion, VersionSource};

/// The most entries of a page of files of a run or a model.
const MAX_PAGE_FILES: i64 = 1000;

/// The most entries of a folder that is listed as a whole: its answer has no pages.
const MAX_FOLDER_FILES: i64 = 10_000;

/// A file or a folder as answers have it.
#[derive(Debug, Serialize)]
pub(in crate::api::mlflow) struct FileInfo {
    path: String,
    is_dir: bool,
    /// Of a file that is not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
}

impl FileInfo {
    /// An entry with its path below a folder.
    fn of(entry: ArtifactEntry, folder: &str) -> Self {
        let inner = entry.path.strip_prefix(folder).unwrap_or(&entry.path);
        Self {
            path: inner.trim_start_matches('/').to_owned(),
            is_dir: entry.file.is_none(),
            file_size: entry.file.map(|it| it.bytes).filter(|bytes| *bytes > 0),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct FolderFiles {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileInfo>,
}

#[derive(Debug, Serialize)]
pub(in crate::api::mlflow) struct FilePage {
    root_uri: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// `GET mlflow-artifacts/artifacts`: a folder as a whole.
pub(super) async fn of_folder(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FolderFiles> {
    let folder = checked(fields.text("path")?.unwrap_or_default())?;
    let files = call.graph.files();
    let found = files.in_folder(&folder, "", MAX_FOLDER_FILES + 1).await?;
    if found.len() > usize::try_from(MAX_FOLDER_FILES).unwrap_or(usize::MAX) {
        return Err(MlflowRefusal::invalid(format!(
            "'{folder}' has more than {MAX_FOLDER_FILES} entries: list it in pages, with \
             artifacts/list"
        )));
    }
    let files = found.into_iter().map(|entry| FileInfo::of(entry, &folder));
    let files = files.collect();
    Ok(Json(FolderFiles { files }))
}

/// Where the files of a run or a model are.
pub(super) struct FilesRoot(String);

impl FilesRoot {
    /// The path of the folder.
    ///
    /// # Errors
    ///
    /// A refusal of a place that this server does not serve.
    pub(super) fn path(&self) -> Result<String, MlflowRefusal> {
        as_artifact_path(&self.0).ok_or_else(|| {
            let uri = &self.0;
            MlflowRefusal::invalid(format!("the files at {uri} are not on this server"))
        })
    }
}

/// Where the files of a run are.
pub(super) async fn root_of_run(call: &Call, id: &str) -> Result<FilesRoot, MlflowRefusal> {
    let found = call.graph.tracking().run(id).await?;
    let missing = || MlflowRefusal::missing(format!("Run with id={id} not found"));
    Ok(FilesRoot(
        found.ok_or_else(missing)?.snapshot.run.artifact_uri.clone(),
    ))
}

/// Where the files of a logged model are.
pub(super) async fn root_of_model(call: &Call, id: &str) -> Result<FilesRoot, MlflowRefusal> {
    let found = call.graph.tracking().model(id).await?;
    let missing = || MlflowRefusal::missing(format!("Logged model with ID '{id}' not found."));
    Ok(FilesRoot(found.ok_or_else(missing)?.artifact_uri))
}

/// Where the files of a version of a registered model are.
pub(super) async fn root_of_version(
    call: &Call,
    version: &ModelVersion,
) -> Result<FilesRoot, MlflowRefusal> {
    match version_source(&version.download_uri, &version.run)? {
        VersionSource::LoggedModel(id) => root_of_model(call, &id).await,
        VersionSource::RunFile(run, path) => {
            let FilesRoot(files) = root_of_run(call, &run).await?;
            Ok(FilesRoot([&files, "/", &path].concat()))
        }
        _ => Ok(FilesRoot(version.download_uri.clone())),
    }
}

/// `GET artifacts/list`: files of a run.
pub(in crate::api::mlflow) async fn of_run(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FilePage> {
    let root = root_of_run(&call, &required_id(&fields)?).await?;
    page(&call, root, fields.text("path")?, &fields).await
}

/// `GET logged-models/ID/artifacts/directories`: files of a model.
pub(in crate::api::mlflow) async fn of_model(
    Path(id): Path<String>,
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FilePage> {
    let root = root_of_model(&call, &id).await?;
    page(
        &call,
        root,
        fields.text("artifact_directory_path")?,
        &fields,
    )
    .await
}

async fn page(
    call: &Call,
    root: FilesRoot,
    folder: Option<&str>,
    fields: &Fields,
) -> Answer<FilePage> {
    let folder = checked(folder.unwrap_or_default())?;
    let root_path = root.path()?;
    let after = match fields.text("page_token")? {
        Some(token) if !token.is_empty() => place_of(token).ok_or_else(|| {
            MlflowRefusal::invalid(format!("Invalid page token, could not decode: {token}"))
        })?,
        _ => String::new(),
    };
    let asked = joined(&root_path, &folder);
    let files = call.graph.files();
    let mut found = files.in_folder(&asked, &after, MAX_PAGE_FILES + 1).await?;
    let limit = usize::try_from(MAX_PAGE_FILES).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    Ok(Json(FilePage {
        next_page_token: last.map(|entry| URL_SAFE_NO_PAD.encode(&entry.path)),
        files: found
            .into_iter()
            .map(|entry| FileInfo::of(entry, &root_path))
            .collect(),
        root_uri: root.0,
    }))
}

/// The path after which a page begins.
fn place_of(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
