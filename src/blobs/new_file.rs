//! A blob that arrives in parts for a directory. Only a part of it is ever in memory.

use std::io;
use std::mem;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::task::spawn_blocking;
use tokio_util::bytes::Bytes;

use super::directory::UnfinishedFile;
use super::{BlobDigest, BlobDirectory, WrittenBlob, unusable};
use crate::error::{Error, Result};

/// So many bytes, or so many parts, are collected before they are written.
const MAX_UNWRITTEN_BYTES: usize = 256 << 10;
const MAX_UNWRITTEN_PARTS: usize = 64;

/// A file that becomes a blob.
#[derive(Debug)]
pub(super) struct NewFile {
    directory: Arc<BlobDirectory>,
    /// None while a thread has it, and after an error.
    written: Option<HashedFile>,
    /// What is not written yet, as it came: nothing is copied.
    unwritten: Vec<Bytes>,
    unwritten_bytes: usize,
    /// The number of all bytes.
    bytes: u64,
}

/// A file with the hash of what it has.
struct HashedFile {
    file: UnfinishedFile,
    hash: Context,
}

impl std::fmt::Debug for HashedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.file.fmt(f)
    }
}

impl NewFile {
    pub(super) async fn begin(directory: Arc<BlobDirectory>) -> Result<Self> {
        let creator = directory.clone();
        let file = blocking(move || creator.begin()).await?;
        let hash = Context::new(&SHA256);
        Ok(Self {
            directory,
            written: Some(HashedFile { file, hash }),
            unwritten: Vec::new(),
            unwritten_bytes: 0,
            bytes: 0,
        })
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.unwritten_bytes += bytes.len();
        self.unwritten.push(bytes);
        if self.unwritten_bytes < MAX_UNWRITTEN_BYTES && self.unwritten.len() < MAX_UNWRITTEN_PARTS
        {
            return Ok(());
        }
        self.unwritten_bytes = 0;
        let (mut written, parts) = (self.take()?, mem::take(&mut self.unwritten));
        let work = move || {
            written.add(&parts)?;
            Ok(written)
        };
        self.written = Some(blocking(work).await?);
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<WrittenBlob> {
        let mut written = self.take()?;
        let Self {
            directory,
            unwritten,
            bytes,
            ..
        } = self;
        let work = move || {
            written.add(&unwritten)?;
            let digest = BlobDigest::of_hash(written.hash.finish().as_ref());
            directory.keep(written.file, &digest)?;
            Ok(digest)
        };
        let digest = blocking(work).await?;
        Ok(WrittenBlob { digest, bytes })
    }

    fn take(&mut self) -> Result<HashedFile> {
        let written = self.written.take();
        written.ok_or_else(|| Error::internal("a blob was written after an error"))
    }
}

impl HashedFile {
    fn add(&mut self, parts: &[Bytes]) -> io::Result<()> {
        parts.iter().try_for_each(|part| {
            self.hash.update(part);
            self.file.write(part)
        })
    }
}

/// Runs what waits for a disk on a thread for that.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(work).await;
    let done = done.map_err(|error| Error::internal(format!("a write has failed: {error}")))?;
    done.map_err(unusable)
}
