//! `GET` of a file, whole or a range of it.

use std::ops::Range;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, StatusCode, Uri};

use super::lists::{self, FilesRoot};
use super::paths::{checked, joined};
use super::{ArtifactPath, BytesRequest};
use crate::api::http::has_tag;
use crate::api::mlflow::fields::Fields;
use crate::api::mlflow::refusal::MlflowRefusal;
use crate::api::mlflow::runs::required_id;
use crate::api::mlflow::versions;
use crate::blobs::BlobDigest;
use crate::error::Error;
use crate::graph::ArtifactFile;

/// The ends of names of files that are texts.
const TEXT_EXTENSIONS: [&str; 26] = [
    "txt",
    "log",
    "err",
    "cfg",
    "conf",
    "cnf",
    "cf",
    "ini",
    "properties",
    "prop",
    "hocon",
    "toml",
    "yaml",
    "yml",
    "xml",
    "json",
    "js",
    "py",
    "py3",
    "csv",
    "tsv",
    "md",
    "rst",
    "ipynb",
    "MLmodel",
    "MLproject",
];

/// The types of other files by the ends of their names.
const TYPES: [(&str, &str); 6] = [
    ("gif", "image/gif"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("webp", "image/webp"),
];

pub(super) async fn download(
    ArtifactPath(path): ArtifactPath,
    request: BytesRequest,
    headers: HeaderMap,
) -> Result<Response, MlflowRefusal> {
    respond(request, &path, &headers).await
}

/// `GET /get-artifact`: a file of a run.
pub(super) async fn of_run(
    request: BytesRequest,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, MlflowRefusal> {
    let fields = Fields::of_query(uri.query().unwrap_or_default());
    let root = lists::root_of_run(&request.call, &required_id(&fields)?).await?;
    respond_below(request, root, fields.required_text("path")?, &headers).await
}

/// `GET /model-versions/get-artifact`: a file of a version of a registered model.
pub(super) async fn of_version(
    request: BytesRequest,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, MlflowRefusal> {
    let fields = Fields::of_query(uri.query().unwrap_or_default());
    let version = versions::read(&request.call, &fields).await?;
    let root = lists::root_of_version(&request.call, &version).await?;
    respond_below(request, root, fields.required_text("path")?, &headers).await
}

/// `GET logged-models/ID/artifacts/files`: a file of a logged model.
pub(super) async fn of_model(
    Path(id): Path<String>,
    request: BytesRequest,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, MlflowRefusal> {
    let fields = Fields::of_query(uri.query().unwrap_or_default());
    let root = lists::root_of_model(&request.call, &id).await?;
    let path = fields.required_text("artifact_file_path")?;
    respond_below(request, root, path, &headers).await
}

/// A file, by its path below a folder.
async fn respond_below(
    request: BytesRequest,
    root: FilesRoot,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response, MlflowRefusal> {
    let path = joined(&root.path()?, &checked(path)?);
    respond(request, &path, headers).await
}

async fn respond(
    request: BytesRequest,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response, MlflowRefusal> {
    let found = request.call.graph.files().at(path).await?;
    let missing = || MlflowRefusal::missing(format!("No such artifact: '{path}'"));
    let file = found.ok_or_else(missing)?.file.ok_or_else(|| {
        let text = format!("Artifact path refers to a directory, not a file: '{path}'");
        MlflowRefusal::invalid(text)
    })?;
    let tag = format!("\"{}\"", file.digest);
    let shared = [(ETAG, tag.clone()), (ACCEPT_RANGES, "bytes".to_owned())];
    if has_tag(headers, &IF_NONE_MATCH, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    let is_same = !headers.contains_key(IF_RANGE) || has_tag(headers, &IF_RANGE, &tag);
    let asked = headers.get(RANGE).and_then(|it| it.to_str().ok());
    let (status, range) = match asked.filter(|_| is_same).map(|it| range(it, file.bytes)) {
        None | Some(AskedRange::Whole) => (StatusCode::OK, 0..file.bytes),
        Some(AskedRange::Part(part)) => (StatusCode::PARTIAL_CONTENT, part),
        Some(AskedRange::Outside) => {
            let length = [(CONTENT_RANGE, format!("bytes */{}", file.bytes))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, shared, length).into_response());
        }
    };
    let length = range.end - range.start;
    let own = [
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_TYPE, content_type(path).to_owned()),
        (CONTENT_DISPOSITION, "attachment".to_owned()),
    ];
    let content_range = (status == StatusCode::PARTIAL_CONTENT).then(|| {
        let (first, last) = (range.start, range.end - 1);
        [(
            CONTENT_RANGE,
            format!("bytes {first}-{last}/{}", file.bytes),
        )]
    });
    let body = body(&request, &file, range).await?;
    Ok((status, shared, own, content_range, body).into_response())
}

async fn body(
    request: &BytesRequest,
    file: &ArtifactFile,
    range: Range<u64>,
) -> Result<Body, MlflowRefusal> {
    let unreadable = || Error::DataLoss(format!("{} is not a digest", file.digest));
    let digest = BlobDigest::parse(&file.digest).ok_or_else(unreadable)?;
    Ok(Body::from_stream(request.blobs.read(&digest, range).await?))
}

/// The type of a file, by its name. Nothing that a browser would run has a type of its own.
fn content_type(path: &str) -> &'static str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let end = name.rsplit_once('.').map_or(name, |(_, end)| end);
    if TEXT_EXTENSIONS.contains(&end) {
        return "text/plain; charset=utf-8";
    }
    let known = TYPES.iter().find(|(known, _)| *known == end);
    known.map_or("application/octet-stream", |(_, it)| it)
}

/// What a header asks for.
#[derive(Debug, PartialEq, Eq)]
enum AskedRange {
    /// It is no range, or several.
    Whole,
    Part(Range<u64>),
    Outside,
}

/// The range of a file of so many bytes that a header names (RFC 9110, section 14).
fn range(text: &str, bytes: u64) -> AskedRange {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|it| it.split_once('-'))
    else {
        return AskedRange::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..bytes.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..bytes,
        (Err(_), Ok(count)) if first.is_empty() => bytes.saturating_sub(count)..bytes,
        _ => return AskedRange::Whole,
    };
    if part.start < part.end {
        AskedRange::Part(part)
    } else {
        AskedRange::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_within_the_file() {
        for (text, expected) in [
            ("bytes=1-2", AskedRange::Part(1..3)),
            ("bytes=0-0", AskedRange::Part(0..1)),
            ("bytes=4-", AskedRange::Part(4..6)),
            ("bytes=-2", AskedRange::Part(4..6)),
            ("bytes=-9", AskedRange::Part(0..6)),
            ("bytes=5-99", AskedRange::Part(5..6)),
            ("bytes=0-18446744073709551615", AskedRange::Part(0..6)),
            ("bytes=6-", AskedRange::Outside),
            ("bytes=-0", AskedRange::Outside),
            ("bytes=2-1", AskedRange::Whole),
            ("bytes=0-1,3-4", AskedRange::Whole),
            ("bytes=a-b", AskedRange::Whole),
            ("bytes=-", AskedRange::Whole),
            ("lines=1-2", AskedRange::Whole),
        ] {
            assert_eq!(range(text, 6), expected, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), AskedRange::Outside);
    }

    #[test]
    fn types_are_those_of_names() {
        for (path, expected) in [
            ("1/r/a.txt", "text/plain; charset=utf-8"),
            ("m/MLmodel", "text/plain; charset=utf-8"),
            ("a.b/c", "application/octet-stream"),
            ("page.html", "application/octet-stream"),
            ("x.svg", "application/octet-stream"),
            ("x.png", "image/png"),
        ] {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }
}
