//! Files that clients uploaded, by their paths. Their bytes are in the artifact store; a file is
//! known here when they are durable there.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;

use crate::blobs::folder_digest;
use crate::error::{Error, Result};
use crate::graph::write::Write;
use crate::model::Origin;
use crate::storage::tables::artifact_files::{self, ArtifactRow};
use crate::storage::tables::properties;
use crate::storage::{Database, Tx};

/// What precedes the digits of a SHA-256 in properties.
const DIGEST_PREFIX: &str = "sha256:";

/// The digits of a SHA-256 as a property has them.
pub(in crate::graph) fn sha256_text(digits: &str) -> String {
    [DIGEST_PREFIX, digits].concat()
}

/// The most files of a folder whose digest is computed.
const MAX_DIGESTED_FILES: i64 = 10_000;

/// The most bytes of a path, as in object stores.
const MAX_PATH_BYTES: usize = 1024;

/// The most bytes of a segment of a path, as in file systems.
const MAX_SEGMENT_BYTES: usize = 255;

/// A path as files have it, without empty segments and `.`; the empty path is the folder of all.
/// `None` for absolute paths, `..`, characters that no file can have, and what is too long. A
/// segment that is encoded twice is taken for what it stands for.
#[must_use]
pub fn file_path(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let segments = path.split('/').filter(|it| !matches!(*it, "" | "."));
    let segments: Vec<&str> = segments.collect();
    let is_safe = |segment: &&str| {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        let is_odd = |it: char| it.is_control() || matches!(it, '/' | '\\');
        segment.len() <= MAX_SEGMENT_BYTES && decoded != ".." && !decoded.contains(is_odd)
    };
    let joined = segments.join("/");
    (joined.len() <= MAX_PATH_BYTES && segments.iter().all(is_safe)).then_some(joined)
}

/// The uploaded files of a graph.
#[derive(Clone, Debug)]
pub struct GraphFiles(pub(in crate::graph) Database);

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactEntry {
    /// Segments with slashes between them.
    pub path: String,
    /// None for a folder.
    pub file: Option<ArtifactFile>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// The SHA-256 of its bytes, as hexadecimal digits.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// When it was uploaded: milliseconds since epoch.
    pub time: i64,
}

impl ArtifactEntry {
    fn of(row: ArtifactRow) -> Self {
        let file = ArtifactFile {
            digest: row.digest,
            bytes: u64::try_from(row.bytes).unwrap_or_default(),
            time: row.time,
        };
        Self {
            path: row.path,
            file: (!file.digest.is_empty()).then_some(file),
        }
    }
}

impl GraphFiles {
    /// What is at a path, if there is something.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn at(&self, path: &str) -> Result<Option<ArtifactEntry>> {
        let mut tx = self.0.single_read().await?;
        let found = artifact_files::at(&mut tx, &[path]).await?.pop();
        Ok(found.map(ArtifactEntry::of))
    }

    /// So many entries of a folder, in the order of their paths, after a path. An unknown folder
    /// has none, and neither has a file.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn in_folder(
        &self,
        folder: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<ArtifactEntry>> {
        let mut tx = self.0.single_read().await?;
        let found = artifact_files::in_folder(&mut tx, folder, after, limit).await?;
        Ok(found.into_iter().map(ArtifactEntry::of).collect())
    }
}

impl GraphFiles {
    /// Those of some digests that a file has, or an artifact of any door as its property `digest`.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn named(&self, digests: &[&str]) -> Result<Vec<String>> {
        let mut tx = self.0.read().await?;
        let mut named = artifact_files::with_digests(&mut tx, digests).await?;
        let texts: Vec<String> = digests.iter().map(|it| sha256_text(it)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let of_artifacts = properties::artifact_digests(&mut tx, &texts).await?;
        let of_artifacts = of_artifacts.iter();
        let digests = of_artifacts.filter_map(|it| it.strip_prefix(DIGEST_PREFIX));
        named.extend(digests.map(str::to_owned));
        Ok(named)
    }

    /// Whether there is no file.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn is_empty(&self) -> Result<bool> {
        let mut tx = self.0.single_read().await?;
        artifact_files::is_empty(&mut tx).await
    }
}

/// What the files of a folder are together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::graph) struct FolderContents {
    /// `sha256:` and the digest of the folder, see [`folder_digest`].
    pub digest: String,
    /// The size of all files.
    pub bytes: i64,
    /// The number of files.
    pub files: i64,
}

/// The contents of a folder that has files, but not more than [`MAX_DIGESTED_FILES`].
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn contents(
    tx: &mut Tx,
    folder: &str,
) -> Result<Option<FolderContents>> {
    let rows = artifact_files::files_below(tx, folder, MAX_DIGESTED_FILES + 1).await?;
    let files = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if rows.is_empty() || files > MAX_DIGESTED_FILES {
        return Ok(None);
    }
    let named = rows.iter().map(|row| {
        let inner = row.path.strip_prefix(folder).unwrap_or(&row.path);
        (row.digest.as_str(), inner.trim_start_matches('/'))
    });
    Ok(Some(FolderContents {
        digest: sha256_text(folder_digest(named).as_str()),
        bytes: rows.iter().map(|row| row.bytes).sum(),
        files,
    }))
}

/// The digests of those of some paths at which a file is, as properties have them.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn digests(
    tx: &mut Tx,
    paths: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>> {
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let paths: Vec<&str> = paths.iter().copied().collect();
    let found = artifact_files::at(tx, &paths).await?.into_iter();
    let found = found.filter(is_file);
    Ok(found
        .map(|row| (row.path, sha256_text(&row.digest)))
        .collect())
}

/// Stores a file, in place of one at the same path, and the folders that it is in.
#[derive(Clone, Debug)]
pub struct PutArtifactFile {
    /// Segments with slashes between them.
    pub path: String,
    /// The SHA-256 of its bytes, as hexadecimal digits. The artifact store has them.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
}

impl Write for PutArtifactFile {
    type Answer = ();

    /// # Errors
    ///
    /// `InvalidArgument` where a file would be a folder, or a folder a file.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let row = |path: &str, digest: &str, bytes| ArtifactRow {
            path: path.to_owned(),
            digest: digest.to_owned(),
            bytes,
            time: origin.time,
        };
        let slashes = self.path.match_indices('/').map(|(index, _)| index);
        let folders: Vec<&str> = slashes.map(|end| &self.path[..end]).collect();
        let mut found = self.lock(tx, &folders).await?;
        let is_known = |path: &str| found.iter().any(|row| row.path == path);
        let missing = folders.iter().filter(|folder| !is_known(folder));
        let missing: Vec<ArtifactRow> = missing.map(|folder| row(folder, "", 0)).collect();
        if !missing.is_empty() {
            artifact_files::put_missing(tx, &missing).await?;
            found = self.lock(tx, &folders).await?;
        }
        if let Some(file) = found
            .iter()
            .find(|row| is_file(row) && row.path != self.path)
        {
            let text = format!(
                "Artifact path refers to a file, not a directory: '{}'",
                file.path
            );
            return Err(Error::invalid(text));
        }
        if found
            .iter()
            .any(|row| !is_file(row) && row.path == self.path)
        {
            let text = format!(
                "Artifact path refers to a directory, not a file: '{}'",
                self.path
            );
            return Err(Error::invalid(text));
        }
        let known = found.iter().filter(|row| row.path != self.path).count();
        if known < folders.len() {
            let text = "a folder of the file was deleted meanwhile";
            return Err(Error::Contention(text.into()));
        }
        let bytes = i64::try_from(self.bytes);
        let bytes = bytes.map_err(|_| Error::invalid("the file is too large"))?;
        artifact_files::put(tx, &row(&self.path, &self.digest, bytes)).await
    }
}

impl PutArtifactFile {
    /// What is at the path and at those of its folders. It stays until the end of the transaction.
    async fn lock(&self, tx: &mut Tx, folders: &[&str]) -> Result<Vec<ArtifactRow>> {
        let paths: Vec<&str> = [folders, &[&self.path]].concat();
        artifact_files::lock_shared(tx, &paths).await
    }
}

fn is_file(row: &ArtifactRow) -> bool {
    !row.digest.is_empty()
}

/// Deletes what is at a path, and if it is a folder, what is in it at any depth. Nothing need be
/// there. The artifact store keeps the bytes until its next sweep.
#[derive(Clone, Debug)]
pub struct DeleteArtifacts {
    /// Segments with slashes between them.
    pub path: String,
}

impl Write for DeleteArtifacts {
    type Answer = ();

    /// # Errors
    ///
    /// Those of the database.
    async fn apply(&self, tx: &mut Tx, _: &Origin) -> Result<()> {
        artifact_files::delete_tree(tx, &self.path).await
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
            assert_eq!(file_path(path).unwrap(), expected);
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
            assert!(file_path(path).is_none(), "{path:?}");
        }
    }
}
