//! Blobs in a directory.
//!
//! A file is synced before it is renamed to its digest, and its folder before the blob counts as
//! stored. Nothing is ever written to a file with such a name.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::BlobDigest;

/// Permissions of folders and files: blobs may be what only their owner may read.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Where files are that do not have all bytes of their blob yet.
pub(super) const UPLOADS_FOLDER: &str = "uploads";

/// A directory of blobs, which may not exist yet.
#[derive(Debug)]
pub struct BlobDirectory {
    root: PathBuf,
}

impl BlobDirectory {
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The file of a blob, which may not exist.
    #[must_use]
    pub fn path_of(&self, digest: &BlobDigest) -> PathBuf {
        self.root.join(digest.place())
    }

    /// Creates a file for the bytes of a blob.
    pub(super) fn begin(&self) -> io::Result<UnfinishedFile> {
        let folder = self.root.join(UPLOADS_FOLDER);
        create_folder(&folder)?;
        let path = folder.join(Uuid::new_v4().to_string());
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(FILE_MODE);
        Ok(UnfinishedFile {
            file: file.open(&path)?,
            path,
        })
    }

    /// Gives a file with all bytes of a blob its place, in place of any that is there. After this
    /// the blob is durable.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "nothing may be written after it"
    )]
    pub(super) fn keep(&self, unfinished: UnfinishedFile, digest: &BlobDigest) -> io::Result<()> {
        unfinished.file.sync_all()?;
        let path = self.path_of(digest);
        let folder = path.parent().unwrap_or(&self.root);
        create_folder(folder)?;
        fs::rename(&unfinished.path, &path)?;
        sync_folder(folder)
    }

    /// Stores a blob.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn put(&self, bytes: &[u8]) -> io::Result<BlobDigest> {
        let mut unfinished = self.begin()?;
        unfinished.write(bytes)?;
        let digest = BlobDigest::of(bytes);
        self.keep(unfinished, &digest)?;
        Ok(digest)
    }
}

/// A file that has some bytes of a blob. It is removed when this is dropped, unless it got the
/// place of its blob.
#[derive(Debug)]
pub(super) struct UnfinishedFile {
    file: File,
    path: PathBuf,
}

impl UnfinishedFile {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        // After its renaming there is no file with this name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Creates a folder, and those that it is in, so that they survive a crash.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut private = DirBuilder::new();
    private.recursive(true).mode(FOLDER_MODE).create(folder)?;
    let created = folder.ancestors().skip(1).take(2);
    created
        .filter(|it| !it.as_os_str().is_empty())
        .try_for_each(sync_folder)
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
