//! A blob of a directory that is read in parts. A part is read while the one before it is sent.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Take};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::Stream;
use tokio_util::bytes::Bytes;

use super::{BlobDigest, BlobDirectory, BlobStream, missing, unusable};
use crate::error::{Error, Result};

/// The size of a part, in bytes. A reader has up to two of them in memory.
const READ_BYTES: usize = 256 << 10;

/// As [`super::BlobStore::read`].
pub(super) async fn read_file(
    directory: &BlobDirectory,
    digest: &BlobDigest,
    range: Range<u64>,
) -> Result<BlobStream> {
    let path = directory.path_of(digest);
    let opening = spawn_blocking(move || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(range.start))?;
        Ok(file.take(range.end.saturating_sub(range.start)))
    });
    let opened = opening
        .await
        .map_err(|error| Error::internal(error.to_string()))?;
    let rest = opened.map_err(|error: io::Error| match error.kind() {
        ErrorKind::NotFound => missing(digest),
        _ => unusable(error),
    })?;
    Ok(Box::pin(FileParts {
        next: next_part(rest),
    }))
}

/// A part that is being read, with what comes after it.
type ReadingPart = JoinHandle<io::Result<(Bytes, Take<File>)>>;

/// The parts of a file.
struct FileParts {
    /// `None` at the end.
    next: Option<ReadingPart>,
}

/// Begins to read the next part, unless there is none.
fn next_part(mut rest: Take<File>) -> Option<ReadingPart> {
    let is_left = rest.limit() > 0;
    let read = move || {
        let mut part = Vec::with_capacity(READ_BYTES);
        let mut limited = rest.by_ref().take(READ_BYTES as u64);
        limited.read_to_end(&mut part)?;
        Ok((part.into(), rest))
    };
    is_left.then(|| spawn_blocking(read))
}

impl Stream for FileParts {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(next).poll(context));
        self.next = None;
        let (part, rest) = read.map_err(io::Error::other)??;
        if part.is_empty() {
            // The file is shorter than its row says.
            return Poll::Ready(None);
        }
        self.next = next_part(rest);
        Poll::Ready(Some(Ok(part)))
    }
}
