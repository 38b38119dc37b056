//! A folder of blobs, each once, named by its digest.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use url::Url;

use super::Failure;
use super::digests::{hex_of, user_folder};

/// Permissions of new folders and files: a work tree may have files that only its owner may read.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

#[derive(Clone, Debug, Args)]
pub(super) struct BlobStoreArgs {
    /// Folder of what belongs to a run and is no artifact of its own, such as the difference
    /// between the code and its commit [default: ~/.local/share/pedigree/blobs]
    #[arg(long = "blob-store", value_name = "DIR", env = "PEDIGREE_BLOB_STORE")]
    folder: Option<PathBuf>,
}

/// A blob that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredBlob {
    pub uri: String,
    /// `sha256:HEX`.
    pub digest: String,
    pub bytes: u64,
}

impl BlobStoreArgs {
    /// The folder, which may not exist yet.
    fn folder(&self) -> Result<PathBuf, Failure> {
        let default = || Some(user_folder("XDG_DATA_HOME", ".local/share")?.join("pedigree/blobs"));
        let folder = self.folder.clone().or_else(default);
        let folder = folder.ok_or_else(|| {
            Failure("no folder for blobs: give --blob-store, or set HOME".to_owned())
        })?;
        Ok(std::path::absolute(folder)?)
    }

    /// Stores a blob, unless it is there.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<StoredBlob, Failure> {
        let hex = hex_of(bytes);
        let path = self.folder()?.join("sha256").join(&hex[..2]).join(&hex);
        let problem = |error| Failure(format!("{}: {error}", path.display()));
        if !is_whole(&path, &hex) {
            write(&path, bytes).map_err(problem)?;
        }
        let uri = Url::from_file_path(&path);
        let uri = uri.map_err(|()| Failure(format!("{} has no URL", path.display())))?;
        Ok(StoredBlob {
            uri: uri.into(),
            digest: format!("sha256:{hex}"),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        })
    }
}

/// Whether the blob is there with its digest.
fn is_whole(path: &Path, hex: &str) -> bool {
    fs::read(path).is_ok_and(|bytes| hex_of(&bytes) == hex)
}

/// Writes a file under another name first, so that no other process sees a part of it.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        let mut private = DirBuilder::new();
        private.recursive(true).mode(FOLDER_MODE).create(folder)?;
    }
    let unfinished = path.with_extension(std::process::id().to_string());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = options.mode(FILE_MODE).open(&unfinished)?;
    file.write_all(bytes)?;
    fs::rename(unfinished, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_blob_is_stored_once_and_again_where_it_was_damaged() {
        let dir = TempDir::new().unwrap();
        let store = BlobStoreArgs {
            folder: Some(dir.path().to_owned()),
        };
        let first = store.put(b"lock").unwrap();
        let path = Url::parse(&first.uri).unwrap().to_file_path().unwrap();
        assert!(path.starts_with(dir.path()));
        fs::write(&path, "half").unwrap();
        assert_eq!(store.put(b"lock").unwrap(), first);
        assert_eq!(fs::read(&path).unwrap(), b"lock");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), FILE_MODE);
        assert_eq!(mode(path.parent().unwrap()), FOLDER_MODE);
    }
}
