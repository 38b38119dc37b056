//! Files of runs and models, on their way into the artifact store.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::target::ImportTarget;
use crate::blobs::{BlobStore, BlobStream};
use crate::error::{Error, Result};
use crate::graph::PutArtifactFile;

/// How long the next part of a file may take.
const PART_TIMEOUT: Duration = Duration::from_mins(2);

/// The entries of a folder that are read at once.
const LISTED_ENTRIES: usize = 1000;

/// Why a file was not stored.
#[derive(Debug)]
pub(super) enum FailedFile {
    /// It did not arrive as a whole.
    Cut(String),
    Refused(Error),
}

impl From<Error> for FailedFile {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Stores the bytes of a file, as an upload does, and then its path. `expected` is its size, if it
/// is known.
///
/// # Errors
///
/// If other bytes came than expected, or the file cannot be stored. Nothing is left of it then.
pub(super) async fn put(
    target: &ImportTarget<'_>,
    blobs: &BlobStore,
    path: &str,
    expected: Option<u64>,
    mut bytes: BlobStream,
) -> Result<(), FailedFile> {
    let cut = |error: io::Error| FailedFile::Cut(error.to_string());
    let mut blob = blobs.begin().await?;
    loop {
        let part = timeout(PART_TIMEOUT, bytes.next()).await;
        match part.map_err(|_| FailedFile::Cut("the rest did not come in time".to_owned()))? {
            Some(part) => blob.write(part.map_err(cut)?).await?,
            None => break,
        }
    }
    if expected.is_some_and(|expected| expected != blob.bytes()) {
        let came = blob.bytes();
        return Err(FailedFile::Cut(format!("{came} bytes came")));
    }
    let stored = blob.finish().await?;
    let file = PutArtifactFile {
        path: path.to_owned(),
        digest: stored.digest.as_str().to_owned(),
        bytes: stored.bytes,
    };
    Ok(target.write(file).await?)
}

/// The files of a folder that are there already, with their sizes, by their paths.
pub(super) async fn known(target: &ImportTarget<'_>, folder: &str) -> Result<HashMap<String, u64>> {
    let files = target.graph.files();
    let mut known = HashMap::new();
    let mut after = String::new();
    loop {
        let limit = i64::try_from(LISTED_ENTRIES).unwrap_or(i64::MAX);
        let page = files.in_folder(folder, &after, limit).await?;
        let has_more = page.len() == LISTED_ENTRIES;
        if let Some(last) = page.last() {
            after.clone_from(&last.path);
        }
        let sized = page
            .into_iter()
            .filter_map(|entry| Some((entry.path, entry.file?.bytes)));
        known.extend(sized);
        if !has_more {
            return Ok(known);
        }
    }
}
