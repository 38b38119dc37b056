//! Blobs in a bucket of S3, Google Cloud Storage or Azure.
//!
//! An object gets its name with its first byte, and the digest is known after the last. So a large
//! blob is uploaded below `uploads`, in parts, and copied to its place by the store itself.

use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, SHA256};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    ObjectStoreScheme,
};
use tokio_stream::{Stream, StreamExt};
use tokio_util::bytes::Bytes;
use url::Url;
use uuid::Uuid;

use super::connector::Connector;
use super::directory::UPLOADS_FOLDER;
use super::sweep::OldFile;
use super::{BlobDigest, BlobStream, WrittenBlob};
use crate::error::{Error, Result};

/// The size of the parts of a large blob, in bytes. Stores take 10,000 of them.
const PART_BYTES: usize = 8 << 20;

/// A folder of a bucket. Clones share the connections.
#[derive(Clone, Debug)]
pub(super) struct ObjectFolder {
    store: Arc<dyn ObjectStore>,
    root: ObjectPath,
}

impl ObjectFolder {
    /// The folder that a URL names. Logins and regions come from the environment variables that the
    /// tools of the store read too.
    pub(super) fn open(url: &Url) -> Result<Self> {
        let (scheme, root) = ObjectStoreScheme::parse(url).map_err(|error| wrong(url, &error))?;
        let connector = Connector::open()?;
        let store: object_store::Result<Arc<dyn ObjectStore>> = match scheme {
            ObjectStoreScheme::AmazonS3 => AmazonS3Builder::from_env()
                .with_url(url.as_str())
                .with_http_connector(connector)
                .build()
                .map(|store| Arc::new(store) as _),
            ObjectStoreScheme::GoogleCloudStorage => GoogleCloudStorageBuilder::from_env()
                .with_url(url.as_str())
                .with_http_connector(connector)
                .build()
                .map(|store| Arc::new(store) as _),
            ObjectStoreScheme::MicrosoftAzure => MicrosoftAzureBuilder::from_env()
                .with_url(url.as_str())
                .with_http_connector(connector)
                .build()
                .map(|store| Arc::new(store) as _),
            _ => return Err(wrong(url, &"its scheme is none of s3, gs and az")),
        };
        let store = store.map_err(|error| wrong(url, &error))?;
        Ok(Self { store, root })
    }

    /// A folder in this one.
    pub(super) fn below(&self, names: &str) -> Self {
        Self {
            store: self.store.clone(),
            root: self.path(names),
        }
    }

    fn path(&self, names: &str) -> ObjectPath {
        let names = names.split('/');
        names.fold(self.root.clone(), ObjectPath::join)
    }

    pub(super) fn begin(&self) -> NewObject {
        NewObject {
            temporary: self.path(&format!("{UPLOADS_FOLDER}/{}", Uuid::new_v4())),
            folder: self.clone(),
            hash: Context::new(&SHA256),
            upload: None,
            buffer: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) async fn read(&self, digest: &BlobDigest, range: Range<u64>) -> Result<BlobStream> {
        if range.is_empty() {
            // A range of an empty object cannot be asked for.
            return Ok(Box::pin(tokio_stream::empty()));
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let found = self
            .store
            .get_opts(&self.path(&digest.place()), options)
            .await;
        let found = found.map_err(|error| match error {
            object_store::Error::NotFound { .. } => super::missing(digest),
            other => unusable(other),
        })?;
        let parts = found.into_stream();
        Ok(Box::pin(
            parts.map(|part| part.map_err(std::io::Error::other)),
        ))
    }

    /// The objects in a folder that are older than a time.
    pub(super) async fn old_objects(
        &self,
        folder: &str,
        before: SystemTime,
    ) -> Result<Vec<OldFile>> {
        let mut listed = self.store.list(Some(&self.path(folder)));
        let mut old = Vec::new();
        while let Some(object) = next(&mut listed).await? {
            if SystemTime::from(object.last_modified) < before {
                old.push(OldFile {
                    name: object.location.filename().unwrap_or_default().to_owned(),
                    bytes: object.size,
                });
            }
        }
        Ok(old)
    }

    /// Removes an object that is still old. Returns whether it was.
    pub(super) async fn remove_old(&self, place: &str, before: SystemTime) -> Result<bool> {
        let path = self.path(place);
        let found = match self.store.head(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            found => found.map_err(unusable)?,
        };
        let is_old = SystemTime::from(found.last_modified) < before;
        if is_old {
            self.remove(place).await?;
        }
        Ok(is_old)
    }

    /// Removes an object.
    pub(super) async fn remove(&self, place: &str) -> Result<()> {
        let path = self.path(place);
        self.store.delete(&path).await.map_err(unusable)
    }
}

async fn next(
    listed: &mut (impl Stream<Item = object_store::Result<ObjectMeta>> + Unpin),
) -> Result<Option<ObjectMeta>> {
    listed.next().await.transpose().map_err(unusable)
}

/// A blob on its way into a bucket. Dropping this ends the upload.
pub(super) struct NewObject {
    folder: ObjectFolder,
    temporary: ObjectPath,
    hash: Context,
    /// Of a blob with more than one part.
    upload: Option<Box<dyn MultipartUpload>>,
    /// The part that is not sent yet.
    buffer: Vec<u8>,
    bytes: u64,
}

impl NewObject {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            // Parts have one size.
            let (now, rest) = bytes.split_at(bytes.len().min(PART_BYTES - self.buffer.len()));
            self.hash.update(now);
            self.buffer.extend_from_slice(now);
            bytes = rest;
            if self.buffer.len() == PART_BYTES {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<()> {
        if self.upload.is_none() {
            let begun = self.folder.store.put_multipart(&self.temporary).await;
            self.upload = Some(begun.map_err(unusable)?);
        }
        let part = Bytes::from(mem::take(&mut self.buffer));
        if let Some(upload) = &mut self.upload {
            upload.put_part(part.into()).await.map_err(unusable)?;
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<WrittenBlob> {
        let digest = BlobDigest::of_hash(self.hash.clone().finish().as_ref());
        let (store, place) = (self.folder.store.clone(), self.folder.path(&digest.place()));
        if self.upload.is_some() && !self.buffer.is_empty() {
            self.send_part().await?;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await.map_err(unusable)?;
            self.upload = None;
            store
                .copy(&self.temporary, &place)
                .await
                .map_err(unusable)?;
            // What stays here goes with the next sweep.
            let _ = store.delete(&self.temporary).await;
        } else {
            let whole = Bytes::from(mem::take(&mut self.buffer));
            store.put(&place, whole.into()).await.map_err(unusable)?;
        }
        let bytes = self.bytes;
        Ok(WrittenBlob { digest, bytes })
    }
}

impl std::fmt::Debug for NewObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.temporary.fmt(f)
    }
}

impl Drop for NewObject {
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // The store keeps the parts otherwise.
            runtime.spawn(async move { upload.abort().await });
        }
    }
}

fn wrong(url: &Url, problem: &dyn std::fmt::Display) -> Error {
    let mut place = url.clone();
    let _ = place.set_password(None);
    place.set_query(None);
    Error::FailedPrecondition(format!("cannot use the artifact store {place}: {problem}"))
}

/// An error of a store, by what can be done about it.
fn unusable(error: object_store::Error) -> Error {
    use object_store::Error::{PermissionDenied, Unauthenticated};
    if matches!(error, PermissionDenied { .. } | Unauthenticated { .. }) {
        tracing::error!(%error, "the artifact store cannot be used");
        let text = "the artifact store refuses the server (see --artifact-store)";
        return Error::FailedPrecondition(text.into());
    }
    Error::Internal {
        context: "the artifact store failed".into(),
        source: Some(error.into()),
    }
}
