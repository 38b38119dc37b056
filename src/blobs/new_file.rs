//! A blob that arrives in parts for a directory. Only a part of it is ever in memory.

use std::io;
use std::mem;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::task::spawn_blocking;

use super::directory::UnfinishedFile;
use super::{BlobDigest, BlobDirectory, WrittenBlob, unusable};
use crate::error::{Error, Result};

/// The bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// A file that becomes a blob.
#[derive(Debug)]
pub(super) struct NewFile {
    directory: Arc<BlobDirectory>,
    /// None while a thread has it, and after an error.
    written: Option<HashedFile>,
    /// What is not written yet.
    buffer: Vec<u8>,
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
            buffer: Vec::new(),
            bytes: 0,
        })
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < BUFFER_BYTES {
            return Ok(());
        }
        let (mut written, mut buffer) = (self.take()?, mem::take(&mut self.buffer));
        let work = move || {
            written.add(&buffer)?;
            buffer.clear();
            Ok((written, buffer))
        };
        let (written, buffer) = blocking(work).await?;
        (self.written, self.buffer) = (Some(written), buffer);
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<WrittenBlob> {
        let mut written = self.take()?;
        let Self {
            directory,
            buffer,
            bytes,
            ..
        } = self;
        let work = move || {
            written.add(&buffer)?;
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
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.file.write(bytes)
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
