//! The bytes of a file, which are handed on as they arrive.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::Frame;

use super::budget::WriteBudget;
use super::messages::ArrivingBytes;
use crate::error::{Error, Result};
use crate::server::memory::ReservedMemory;

/// Memory of an upload, in bytes: what waits to be read, and to be written.
const UPLOAD_BYTES: usize = 1 << 20;

/// A body whose bytes count in the budget of their caller. It fails when nothing arrives in time.
pub(super) struct UploadBody {
    bytes: ArrivingBytes,
    reserved: ReservedMemory,
    budget: Option<WriteBudget>,
}

impl UploadBody {
    /// # Errors
    ///
    /// `Exhausted` when there is no memory for it.
    pub(super) fn new(
        body: Body,
        timeout: Duration,
        mut reserved: ReservedMemory,
        budget: Option<WriteBudget>,
    ) -> Result<Self> {
        reserved.grow(UPLOAD_BYTES)?;
        Ok(Self {
            bytes: ArrivingBytes::whole(body, timeout),
            reserved,
            budget,
        })
    }

    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.reserved.shrink_to(UPLOAD_BYTES);
        if !ready!(self.bytes.poll_more(&mut self.reserved, context))? {
            return Poll::Ready(Ok(None));
        }
        let bytes = self.bytes.take(self.bytes.buffer.len());
        if let Some(budget) = &self.budget {
            budget.write(bytes.len())?;
        }
        Poll::Ready(Ok(Some(bytes)))
    }
}

impl http_body::Body for UploadBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let bytes = ready!(self.poll_bytes(context));
        Poll::Ready(bytes.transpose().map(|bytes| bytes.map(Frame::data)))
    }
}
