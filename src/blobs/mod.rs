//! Blobs: bytes of any length, each stored once, by their SHA-256.
//!
//! A blob has its place, `sha256/AB/DIGEST`, when all of it is durable, and never changes. Until
//! then its bytes are below `uploads`. `pedigree run` stores what belongs to its runs in the same
//! way, so that both can use one directory.
//!
//! * `digest`: names and places of blobs, and the digest of a folder.
//! * `directory`: blobs in a directory; `new_file`: one that arrives in parts; `read_file`: one
//!   that is read in parts.
//! * `objects`: blobs in an object store; `connector`: the connections to it.
//! * `sweep`: the removal of blobs that no row names.

mod connector;
mod digest;
mod directory;
mod new_file;
mod objects;
mod read_file;
mod sweep;

use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use tokio_stream::Stream;
use tokio_util::bytes::Bytes;
use url::Url;

pub use self::digest::{BlobDigest, folder_digest};
pub use self::directory::BlobDirectory;
use self::new_file::NewFile;
use self::objects::{NewObject, ObjectFolder};
use self::read_file::read_file;
pub use self::sweep::{SweepRule, Swept};
use crate::error::{Error, Result};

/// Where the blobs of tenants beside the default one are, each in a folder with its name.
const TENANTS_FOLDER: &str = "tenants";

/// The schemes of URLs of object stores.
const SCHEMES: [&str; 3] = ["s3", "gs", "az"];

/// The bytes of a blob, in parts.
pub type BlobStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Where a store of blobs is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobPlace {
    /// A directory, which the first blob creates.
    Directory(PathBuf),
    /// A folder of a bucket.
    Bucket(Url),
}

impl FromStr for BlobPlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = "must be a directory, or a URL such as s3://BUCKET/FOLDER, gs:// or az://";
        if !text.contains("://") {
            return if text.is_empty() {
                Err(problem)
            } else {
                Ok(Self::Directory(text.into()))
            };
        }
        let url = Url::parse(text).map_err(|_| problem)?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_known = SCHEMES.contains(&url.scheme()) && url.has_host() && url.query().is_none();
        (is_plain && is_known)
            .then_some(Self::Bucket(url))
            .ok_or(problem)
    }
}

impl fmt::Display for BlobPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Bucket(url) => url.fmt(f),
        }
    }
}

/// A store of blobs. Clones share it.
#[derive(Clone, Debug)]
pub struct BlobStore(Backing);

#[derive(Clone, Debug)]
enum Backing {
    Directory(Arc<BlobDirectory>),
    Bucket(ObjectFolder),
}

/// A blob that is not stored yet. Nothing is left of it when this is dropped.
#[derive(Debug)]
pub struct NewBlob(NewBytes);

#[derive(Debug)]
enum NewBytes {
    File(NewFile),
    Object(Box<NewObject>),
}

/// A blob that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenBlob {
    pub digest: BlobDigest,
    pub bytes: u64,
}

impl BlobStore {
    /// The store at a place. It is not asked for anything yet.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` when the place cannot be one, or the environment lacks what it takes.
    pub fn open(place: &BlobPlace) -> Result<Self> {
        Ok(Self(match place {
            BlobPlace::Directory(path) => Backing::Directory(Arc::new(BlobDirectory::new(path))),
            BlobPlace::Bucket(url) => Backing::Bucket(ObjectFolder::open(url)?),
        }))
    }

    /// The blobs of a tenant, which no other tenant has; of the default one without a name.
    #[must_use]
    pub fn of_tenant(&self, tenant: Option<&str>) -> Self {
        let Some(tenant) = tenant else {
            return self.clone();
        };
        Self(match &self.0 {
            Backing::Directory(directory) => {
                let path = directory.root().join(TENANTS_FOLDER).join(tenant);
                Backing::Directory(Arc::new(BlobDirectory::new(&path)))
            }
            Backing::Bucket(folder) => {
                Backing::Bucket(folder.below(&[TENANTS_FOLDER, "/", tenant].concat()))
            }
        })
    }

    /// Begins a blob.
    ///
    /// # Errors
    ///
    /// `Exhausted` when the store is full, `FailedPrecondition` when it may not be written.
    pub async fn begin(&self) -> Result<NewBlob> {
        Ok(NewBlob(match &self.0 {
            Backing::Directory(directory) => {
                NewBytes::File(NewFile::begin(directory.clone()).await?)
            }
            Backing::Bucket(folder) => NewBytes::Object(Box::new(folder.begin())),
        }))
    }

    /// Some bytes of a blob, which has all of them.
    ///
    /// # Errors
    ///
    /// `DataLoss` when the store does not have the blob.
    pub async fn read(&self, digest: &BlobDigest, range: Range<u64>) -> Result<BlobStream> {
        match &self.0 {
            Backing::Directory(directory) => read_file(directory, digest, range).await,
            Backing::Bucket(folder) => folder.read(digest, range).await,
        }
    }
}

impl NewBlob {
    /// The number of bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            NewBytes::File(file) => file.bytes(),
            NewBytes::Object(object) => object.bytes(),
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// As [`BlobStore::begin`].
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        match &mut self.0 {
            NewBytes::File(file) => file.write(bytes).await,
            NewBytes::Object(object) => object.write(&bytes).await,
        }
    }

    /// Stores the blob. After this it is durable.
    ///
    /// # Errors
    ///
    /// As [`BlobStore::begin`].
    pub async fn finish(self) -> Result<WrittenBlob> {
        match self.0 {
            NewBytes::File(file) => file.finish().await,
            NewBytes::Object(object) => object.finish().await,
        }
    }
}

fn missing(digest: &BlobDigest) -> Error {
    Error::DataLoss(format!("the artifact store has no blob sha256:{digest}"))
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
