//! The removal of blobs that no row names, and of uploads that were not finished.
//!
//! An upload writes its bytes anew, even if the store has them, and then stores its row. So a blob
//! that is old and that no row names can go, unless an upload of the same bytes replaced its file
//! meanwhile: such a file is new. A blob is moved away first: a later upload then writes another
//! file. It is removed only if the file that was moved is old.

use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

use super::directory::{UPLOADS_FOLDER, create_folder};
use super::new_file::blocking;
use super::{Backing, BlobDigest, BlobDirectory, BlobStore};
use crate::error::Result;

/// The end of names of files that a sweep has moved away.
const MOVED_END: &str = ".swept";

/// The most blobs that are looked up together.
const LOOKUP_BLOBS: usize = 500;

/// The folders of blobs have the names of two hexadecimal digits.
const BLOB_FOLDERS: u16 = 256;

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub blobs: u64,
    /// Files of blobs that were never finished.
    pub unfinished: u64,
    /// The size of all of them.
    pub bytes: u64,
}

/// What a sweep removes.
#[derive(Clone, Copy, Debug)]
pub struct SweepRule {
    /// Nothing that was written at this time or later.
    pub before: SystemTime,
    /// Nothing at all; what would be removed is only counted.
    pub is_dry: bool,
}

/// An old file.
#[derive(Debug)]
pub(super) struct OldFile {
    pub name: String,
    pub bytes: u64,
}

impl BlobStore {
    /// Removes old blobs, but for those that `needed` returns of some.
    ///
    /// # Errors
    ///
    /// Those of `needed`; `FailedPrecondition` when the store may not be changed.
    pub async fn sweep(
        &self,
        rule: SweepRule,
        needed: impl AsyncFn(Vec<BlobDigest>) -> Result<Vec<BlobDigest>>,
    ) -> Result<Swept> {
        let mut swept = Swept::default();
        if !rule.is_dry {
            self.put_moved_back().await?;
        }
        for folder in 0..BLOB_FOLDERS {
            let old = self
                .old_files(format!("sha256/{folder:02x}"), rule.before)
                .await?;
            let blob = |file: OldFile| Some((BlobDigest::parse(&file.name)?, file.bytes));
            let old: Vec<(BlobDigest, u64)> = old.into_iter().filter_map(blob).collect();
            for part in old.chunks(LOOKUP_BLOBS) {
                let digests = part.iter().map(|(digest, _)| digest.clone()).collect();
                let needed = needed(digests).await?;
                for (digest, bytes) in part.iter().filter(|(digest, _)| !needed.contains(digest)) {
                    if rule.is_dry || self.remove_old(digest, rule.before).await? {
                        swept.blobs += 1;
                        swept.bytes += bytes;
                    }
                }
            }
        }
        for file in self
            .old_files(UPLOADS_FOLDER.to_owned(), rule.before)
            .await?
        {
            if !rule.is_dry {
                self.remove_unfinished(&file.name).await?;
            }
            swept.unfinished += 1;
            swept.bytes += file.bytes;
        }
        Ok(swept)
    }

    async fn put_moved_back(&self) -> Result<()> {
        match &self.0 {
            Backing::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.put_moved_back()).await
            }
            Backing::Bucket(_) => Ok(()),
        }
    }

    /// The old files of a folder, which need not exist.
    async fn old_files(&self, folder: String, before: SystemTime) -> Result<Vec<OldFile>> {
        match &self.0 {
            Backing::Directory(directory) => {
                let folder = directory.root().join(folder);
                blocking(move || old_files(&folder, before)).await
            }
            Backing::Bucket(bucket) => bucket.old_objects(&folder, before).await,
        }
    }

    async fn remove_old(&self, digest: &BlobDigest, before: SystemTime) -> Result<bool> {
        match &self.0 {
            Backing::Directory(directory) => {
                let (directory, digest) = (directory.clone(), digest.clone());
                blocking(move || directory.remove_old(&digest, before)).await
            }
            Backing::Bucket(bucket) => bucket.remove_old(&digest.place(), before).await,
        }
    }

    async fn remove_unfinished(&self, name: &str) -> Result<()> {
        match &self.0 {
            Backing::Directory(directory) => {
                let path = directory.root().join(UPLOADS_FOLDER).join(name);
                blocking(move || fs::remove_file(path)).await
            }
            Backing::Bucket(bucket) => {
                let place = [UPLOADS_FOLDER, "/", name].concat();
                bucket.remove(&place).await
            }
        }
    }
}

impl BlobDirectory {
    /// Removes a blob that is still old. Returns whether it was.
    fn remove_old(&self, digest: &BlobDigest, before: SystemTime) -> io::Result<bool> {
        let path = self.path_of(digest);
        let uploads = self.root().join(UPLOADS_FOLDER);
        create_folder(&uploads)?;
        let moved = uploads.join(format!("{digest}{MOVED_END}"));
        if let Err(error) = fs::rename(&path, &moved) {
            let is_gone = error.kind() == ErrorKind::NotFound;
            return if is_gone { Ok(false) } else { Err(error) };
        }
        let is_old = is_old(&fs::metadata(&moved)?, before);
        if is_old {
            fs::remove_file(&moved)?;
        } else {
            fs::rename(&moved, &path)?;
        }
        Ok(is_old)
    }

    /// Puts back the files that an interrupted sweep had moved away. A newer file with the same
    /// bytes stays: its upload may not have stored its row yet.
    fn put_moved_back(&self) -> io::Result<()> {
        let uploads = self.root().join(UPLOADS_FOLDER);
        for name in names(&uploads)? {
            if let Some(digest) = name.strip_suffix(MOVED_END).and_then(BlobDigest::parse) {
                let moved = uploads.join(&name);
                match fs::hard_link(&moved, self.path_of(&digest)) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                    _ => fs::remove_file(moved)?,
                }
            }
        }
        Ok(())
    }
}

/// The names in a folder, which need not exist.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let name = |entry: io::Result<DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    entries.map(name).collect()
}

/// The old files of a folder, which need not exist.
fn old_files(folder: &Path, before: SystemTime) -> io::Result<Vec<OldFile>> {
    let old_file = |name: String| {
        // Another sweep, or the end of an upload, may have removed it meanwhile.
        let metadata = fs::metadata(folder.join(&name)).ok()?;
        let is_file = metadata.is_file() && is_old(&metadata, before);
        let bytes = metadata.len();
        is_file.then_some(OldFile { name, bytes })
    };
    Ok(names(folder)?.into_iter().filter_map(old_file).collect())
}

fn is_old(metadata: &Metadata, before: SystemTime) -> bool {
    metadata.modified().is_ok_and(|time| time < before)
}
