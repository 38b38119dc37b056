//! A folder of blobs, each once, named by its digest.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::Failure;
use super::digests::user_folder;
use crate::blobs::BlobDirectory;

#[derive(Clone, Debug, Args)]
pub(super) struct BlobStoreArgs {
    /// Folder of what belongs to a run and is no artifact of its own, such as the difference
    /// between the code and its commit; a server may keep its artifacts there too [default:
    /// ~/.local/share/pedigree/blobs]
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

    /// Stores a blob.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<StoredBlob, Failure> {
        let folder = self.folder()?;
        let blobs = BlobDirectory::new(&folder);
        let stored = blobs.put(bytes);
        let digest = stored.map_err(|error| Failure(format!("{}: {error}", folder.display())))?;
        let path = blobs.path_of(&digest);
        let uri = Url::from_file_path(&path);
        let uri = uri.map_err(|()| Failure(format!("{} has no URL", path.display())))?;
        Ok(StoredBlob {
            uri: uri.into(),
            digest: format!("sha256:{digest}"),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    }
}
