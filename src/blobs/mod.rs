//! Blobs: bytes of any length, each stored once, by their SHA-256.
//!
//! A blob has its place, `sha256/AB/DIGEST`, when all of it is durable, and never changes. Until
//! then it is an unfinished file below `uploads`. `pedigree run` stores what belongs to its runs in
//! the same way, so that both can use one directory.
//!
//! * `digest`: names and places of blobs.
//! * `directory`: blobs in a directory.
//! * `new_blob`: a blob that arrives in parts.

mod digest;
mod directory;
mod new_blob;

use std::io::{self, ErrorKind, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_stream::Stream;
use tokio_util::bytes::Bytes;
use tokio_util::io::ReaderStream;

pub use self::digest::BlobDigest;
pub use self::directory::BlobDirectory;
pub use self::new_blob::{NewBlob, WrittenBlob};
use crate::error::{Error, Result};

/// Where the blobs of tenants beside the default one are, each in a folder with its name.
const TENANTS_FOLDER: &str = "tenants";

/// The size of the parts in which a blob is read, in bytes.
const READ_BYTES: usize = 64 << 10;

/// The bytes of a blob, in parts.
pub type BlobStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A store of blobs. Clones share it.
#[derive(Clone, Debug)]
pub struct BlobStore(Arc<BlobDirectory>);

impl BlobStore {
    /// The store in a directory, which the first blob creates.
    #[must_use]
    pub fn in_directory(path: &Path) -> Self {
        Self(Arc::new(BlobDirectory::new(path)))
    }

    /// The blobs of a tenant beside the default one. No other tenant has them.
    #[must_use]
    pub fn of_tenant(&self, tenant: &str) -> Self {
        let path = self.0.root().join(TENANTS_FOLDER).join(tenant);
        Self::in_directory(&path)
    }

    /// Begins a blob.
    ///
    /// # Errors
    ///
    /// `Exhausted` when the store is full, `FailedPrecondition` when it may not be written.
    pub async fn begin(&self) -> Result<NewBlob> {
        NewBlob::begin(self.0.clone()).await
    }

    /// Some bytes of a blob, which has all of them.
    ///
    /// # Errors
    ///
    /// `DataLoss` when the store does not have the blob.
    pub async fn read(&self, digest: &BlobDigest, range: Range<u64>) -> Result<BlobStream> {
        let opened = tokio::fs::File::open(self.0.path_of(digest)).await;
        let mut file = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::DataLoss(format!("the artifact store has no blob sha256:{digest}"))
            }
            _ => unusable(error),
        })?;
        let sought = file.seek(SeekFrom::Start(range.start)).await;
        sought.map_err(unusable)?;
        let part = file.take(range.end.saturating_sub(range.start));
        Ok(Box::pin(ReaderStream::with_capacity(part, READ_BYTES)))
    }
}

/// An error of the file system, by what can be done about it.
fn unusable(error: io::Error) -> Error {
    let refused = |what: &str| {
        tracing::error!(%error, "the artifact store cannot be used");
        format!("the artifact store {what} (see --artifact-store)")
    };
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Error::Exhausted(refused("has no space left"))
        }
        ErrorKind::ReadOnlyFilesystem => Error::FailedPrecondition(refused("is read-only")),
        ErrorKind::PermissionDenied => {
            Error::FailedPrecondition(refused("may not be used by the server"))
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            Error::FailedPrecondition(refused("is not a directory"))
        }
        _ => Error::Internal {
            context: "the artifact store failed".into(),
            source: Some(error.into()),
        },
    }
}

#[cfg(test)]
mod tests;
