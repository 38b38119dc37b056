//! Lists without options: all nodes of a scope in one message of any length.
//!
//! The encoding of a message with one repeated field is the concatenation of the encodings of
//! messages with some of its elements each. So a long list is read, encoded and sent part by part.
//! Only its length has to be known before its first byte: either all parts are buffered until then,
//! within a budget that all such lists share, or the list is read twice from one snapshot.
//!
//! tonic writes a length before each item of an encoder, so a part of a message cannot be an item.
//! The response therefore carries its body in an extension, and [`replace_body`], a layer around
//! the service, puts it in place.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderMap;
use http_body::Frame;
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::{Response, Status};

use super::Limits;
use super::convert::all;
use super::lists::ListRpc;
use super::nodes::NodeMessage;
use crate::api::call::Call;
use crate::api::grpc::sink::Responses;
use crate::error::{Error, Result};
use crate::graph::{ListScope, NodeStream};

/// The unit of the buffer budget, in bytes.
const BUDGET_UNIT_BYTES: usize = 1 << 10;

/// The target size of a part, in bytes, and the maximum number of its nodes.
const PART_BYTES: usize = 256 << 10;
const MAX_PART_NODES: usize = 1000;

/// Answers unpaged lists. Clones share the buffer budget.
#[derive(Clone, Debug)]
pub(super) struct UnpagedLists {
    budget: Arc<Semaphore>,
    max_response_bytes: usize,
    slow_reader_timeout: Duration,
}

impl UnpagedLists {
    pub(super) fn new(limits: Limits) -> Self {
        let units = (limits.list_buffer_bytes / BUDGET_UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Self {
            budget: Arc::new(Semaphore::new(units)),
            max_response_bytes: limits.response_bytes,
            slow_reader_timeout: limits.slow_reader_timeout,
        }
    }

    /// The response with all nodes of a scope.
    ///
    /// # Errors
    ///
    /// Those of `Graph::list_all_streamed`, and `OutOfRange` for a response above the limit.
    pub(super) async fn answer<R: ListRpc>(
        &self,
        call: &Call,
        scope: &ListScope,
    ) -> Result<Response<R::Response>> {
        let mut parts = Parts::<R>::of(call.graph.list_all(R::Node::KIND, scope).await?);
        let first = parts.next().await?.unwrap_or_default();
        if parts.is_done() {
            return Ok(Response::new(first));
        }
        // Either way the connection is given back before another one is asked for.
        let budget = self.budget.available_permits() * BUDGET_UNIT_BYTES;
        let buffered = if parts.remaining_bytes() < budget {
            self.buffer(first, parts, Some(&self.budget)).await?
        } else {
            drop(parts);
            None
        };
        let bytes = if let Some(bytes) = buffered {
            bytes
        } else {
            let nodes = call.graph.list_all_streamed(R::Node::KIND, scope).await?;
            self.read_twice(call, Parts::<R>::of(nodes)).await?
        };
        let mut response = Response::new(R::Response::default());
        response.extensions_mut().insert(BodyOverride::new(bytes));
        Ok(response)
    }

    /// The encoded parts, all in memory; `None` if the budget does not suffice.
    async fn buffer<R: ListRpc>(
        &self,
        first: R::Response,
        mut rest: Parts<R>,
        budget: Option<&Arc<Semaphore>>,
    ) -> Result<Option<Responses<Bytes>>> {
        let mut parts: Vec<(Bytes, Option<OwnedSemaphorePermit>)> = Vec::new();
        let mut length = 0;
        let mut next = Some(first);
        while let Some(part) = next {
            let bytes = part.encode_to_vec();
            let units = bytes.len().div_ceil(BUDGET_UNIT_BYTES);
            let units = u32::try_from(units).unwrap_or(u32::MAX);
            let permit = match budget.map(|budget| budget.clone().try_acquire_many_owned(units)) {
                Some(Err(_)) => return Ok(None),
                Some(Ok(permit)) => Some(permit),
                None => None,
            };
            length += bytes.len();
            parts.push((bytes.into(), permit));
            next = rest.next().await?;
        }
        parts.insert(0, (self.header(length)?, None));
        let parts = parts.into_iter().map(|(bytes, _permit)| Ok(bytes));
        Ok(Some(Responses::new(tokio_stream::iter(parts))))
    }

    /// The encoded parts, read a first time for their length, and again while the client reads.
    async fn read_twice<R: ListRpc>(
        &self,
        call: &Call,
        mut parts: Parts<R>,
    ) -> Result<Responses<Bytes>> {
        if parts.nodes.blocks_other_readers() {
            // A store in memory has no other connection, and is smaller than the memory.
            let buffered = self.buffer(R::Response::default(), parts, None).await?;
            return buffered.ok_or_else(|| Error::internal("a list without a budget had no room"));
        }
        let mut length = 0;
        while let Some(part) = parts.next().await? {
            length += part.encoded_len();
        }
        let header = self.header(length)?;
        parts.nodes.rewind();
        Ok(Responses::from_task(
            &call.tasks,
            self.slow_reader_timeout,
            async move |mut sink| {
                sink.send(header).await?;
                let mut sent = 0;
                while let Some(part) = parts.next().await? {
                    let bytes = part.encode_to_vec();
                    sent += bytes.len();
                    sink.send(bytes.into()).await?;
                }
                if sent != length {
                    return Err(Error::internal(format!(
                        "a list had {length} bytes, and {sent} when it was read again"
                    )));
                }
                Ok(())
            },
        ))
    }

    /// The header of an uncompressed message of this length. Refuses what tonic refuses.
    fn header(&self, length: usize) -> Result<Bytes> {
        let limit = self.max_response_bytes;
        if length > limit {
            return Err(Error::OutOfRange(format!(
                "Error, encoded message length too large: found {length} bytes, the limit is: {limit} bytes"
            )));
        }
        let Ok(length) = u32::try_from(length) else {
            return Err(Error::Exhausted(format!(
                "Cannot return body with more than 4GB of data but got {length} bytes"
            )));
        };
        let [a, b, c, d] = length.to_be_bytes();
        Ok(Bytes::copy_from_slice(&[0, a, b, c, d]))
    }
}

/// The nodes of a list, as messages with some of them each.
struct Parts<R> {
    nodes: NodeStream,
    /// The average size of a node in the part before, in bytes.
    node_bytes: usize,
    request: std::marker::PhantomData<fn(R)>,
}

impl<R: ListRpc> Parts<R> {
    fn of(nodes: NodeStream) -> Self {
        Self {
            nodes,
            node_bytes: PART_BYTES / MAX_PART_NODES,
            request: std::marker::PhantomData,
        }
    }

    async fn next(&mut self) -> Result<Option<R::Response>> {
        let limit = (PART_BYTES / self.node_bytes).clamp(1, MAX_PART_NODES);
        let Some(nodes) = self.nodes.next(limit).await? else {
            return Ok(None);
        };
        let count = nodes.len();
        let part = R::response(all(nodes), None);
        if let Some(bytes) = part.encoded_len().checked_div(count) {
            self.node_bytes = bytes.max(1);
        }
        Ok(Some(part))
    }

    fn is_done(&self) -> bool {
        self.nodes.remaining() == 0
    }

    /// The estimated size of the parts to come, in bytes.
    fn remaining_bytes(&self) -> usize {
        self.nodes.remaining().saturating_mul(self.node_bytes)
    }
}

/// The body that replaces the message of a response.
#[derive(Clone)]
struct BodyOverride(Arc<Mutex<Option<Body>>>);

impl BodyOverride {
    fn new(parts: Responses<Bytes>) -> Self {
        let body = Body::new(MessageInParts {
            parts,
            ended: false,
        });
        Self(Arc::new(Mutex::new(Some(body))))
    }
}

/// The type of [`replace_body`].
pub type ReplaceBody = fn(http::Response<Body>) -> http::Response<Body>;

/// Puts the body override of a response in place, if there is one.
pub(super) fn replace_body(mut response: http::Response<Body>) -> http::Response<Body> {
    if let Some(BodyOverride(body)) = response.extensions_mut().remove() {
        let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
        *response.body_mut() = body.unwrap_or_default();
    }
    response
}

/// A body with one message in parts, and trailers with the status of the call.
struct MessageInParts {
    parts: Responses<Bytes>,
    ended: bool,
}

impl http_body::Body for MessageInParts {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let status = match ready!(Pin::new(&mut self.parts).poll_next(context)) {
            Some(Ok(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(Err(status)) => status,
            None => Status::ok(""),
        };
        self.ended = true;
        let mut trailers = HeaderMap::new();
        let added = status.add_header(&mut trailers);
        Poll::Ready(Some(added.map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
