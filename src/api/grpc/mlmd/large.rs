//! Lists of any length, each as one message.
//!
//! A message with one repeated field is encoded as messages with some of its elements each are, one after the other. So a long list
//! is read, encoded and sent part by part. Only its length has to be known before its first byte: either all parts are kept in memory
//! until then, of which large answers together get so much and no more, or the list is read twice in one state of the graph.

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
use crate::api::grpc::sink::Responses;
use crate::error::{Error, Result};
use crate::graph::{Graph, Whole, Within};
use crate::model::{Kind, Node};

/// Bytes of memory that are counted as one.
const UNIT: usize = 1 << 10;

/// How large a part of an answer is, in bytes, unless nodes differ much; and its most nodes, whatever they are.
const LARGE: usize = 256 << 10;
const MOST: usize = 1000;

/// Makes answers that may be large. Clones share the memory for them.
#[derive(Clone, Debug)]
pub(super) struct Large {
    room: Arc<Semaphore>,
    limit: usize,
    patience: Duration,
}

impl Large {
    pub(super) fn new(limits: Limits) -> Self {
        let units = (limits.lists / UNIT).min(Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(units)),
            limit: limits.response,
            patience: limits.patience,
        }
    }

    /// The answer with all nodes of a kind within something; `message` makes it of nodes, which are all or some of them.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::slow_whole`], and `OutOfRange` when the answer is larger than it may be.
    pub(super) async fn answer<M: Message + Default + 'static>(
        &self,
        graph: &Graph,
        (kind, within): (Kind, Within),
        message: fn(Vec<Node>) -> M,
    ) -> Result<Response<M>> {
        let mut list = List::of(graph.whole(kind, &within).await?, message);
        let first = list.next().await?.unwrap_or_default();
        if list.is_done() {
            return Ok(Response::new(first));
        }
        // Either way the connection is given back before another one is asked for.
        let kept = if list.rest_in_bytes() < self.room.available_permits() * UNIT {
            self.keep(first, list, Some(&self.room)).await?
        } else {
            drop(list);
            None
        };
        let parts = if let Some(parts) = kept {
            parts
        } else {
            let whole = graph.slow_whole(kind, &within).await?;
            self.read_twice(List::of(whole, message)).await?
        };
        let mut response = Response::new(M::default());
        response.extensions_mut().insert(Instead::of(parts));
        Ok(response)
    }

    /// An answer in memory; none if the room for it does not suffice.
    async fn keep<M: Message>(
        &self,
        first: M,
        mut list: List<M>,
        room: Option<&Arc<Semaphore>>,
    ) -> Result<Option<Responses<Bytes>>> {
        let mut parts: Vec<(Bytes, Option<OwnedSemaphorePermit>)> = Vec::new();
        let mut length = 0;
        let mut next = Some(first);
        while let Some(part) = next {
            let bytes = part.encode_to_vec();
            let units = u32::try_from(bytes.len().div_ceil(UNIT)).unwrap_or(u32::MAX);
            let taken = match room.map(|room| room.clone().try_acquire_many_owned(units)) {
                Some(Err(_)) => return Ok(None),
                Some(Ok(taken)) => Some(taken),
                None => None,
            };
            length += bytes.len();
            parts.push((bytes.into(), taken));
            next = list.next().await?;
        }
        parts.insert(0, (self.header(length)?, None));
        let parts = parts.into_iter().map(|(bytes, _taken)| Ok(bytes));
        Ok(Some(Responses::new(tokio_stream::iter(parts))))
    }

    /// An answer whose bytes are made while the client reads them.
    async fn read_twice<M: Message + Default + 'static>(
        &self,
        mut list: List<M>,
    ) -> Result<Responses<Bytes>> {
        if list.is_in_the_way() {
            // A store in memory has no other connection, and is smaller than the memory.
            let kept = self.keep(M::default(), list, None).await?;
            return kept.ok_or_else(|| Error::internal("an answer without a bound had no room"));
        }
        let mut length = 0;
        while let Some(part) = list.next().await? {
            length += part.encoded_len();
        }
        let header = self.header(length)?;
        list.rewind();
        Ok(Responses::from_task(
            self.patience,
            async move |mut sink| {
                sink.send(header).await?;
                let mut sent = 0;
                while let Some(part) = list.next().await? {
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

    /// What stands before a message of so many bytes that is not compressed. What is refused is what tonic refuses.
    fn header(&self, length: usize) -> Result<Bytes> {
        if length > self.limit {
            let limit = self.limit;
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
struct List<M> {
    whole: Whole,
    message: fn(Vec<Node>) -> M,
    /// How large a node is, in bytes, as far as is known.
    node: usize,
}

impl<M: Message> List<M> {
    fn of(whole: Whole, message: fn(Vec<Node>) -> M) -> Self {
        let node = LARGE / MOST;
        Self {
            whole,
            message,
            node,
        }
    }

    async fn next(&mut self) -> Result<Option<M>> {
        let most = (LARGE / self.node).clamp(1, MOST);
        let Some(nodes) = self.whole.next(most).await? else {
            return Ok(None);
        };
        let count = nodes.len();
        let message = (self.message)(nodes);
        if let Some(node) = message.encoded_len().checked_div(count) {
            self.node = node.max(1);
        }
        Ok(Some(message))
    }

    fn is_done(&self) -> bool {
        self.whole.rest() == 0
    }

    /// How many bytes are to come, if the nodes are like those before.
    fn rest_in_bytes(&self) -> usize {
        self.whole.rest().saturating_mul(self.node)
    }

    fn is_in_the_way(&self) -> bool {
        self.whole.is_in_the_way()
    }

    fn rewind(&mut self) {
        self.whole.rewind();
    }
}

/// What is to be sent in the place of a response's message.
#[derive(Clone)]
struct Instead(Arc<Mutex<Option<Body>>>);

impl Instead {
    fn of(parts: Responses<Bytes>) -> Self {
        let body = Body::new(Frames {
            parts,
            ended: false,
        });
        Self(Arc::new(Mutex::new(Some(body))))
    }
}

/// [`put_in_place`], as a type.
pub type PutInPlace = fn(http::Response<Body>) -> http::Response<Body>;

/// Gives a response of the service the body that was made for it, if one was.
pub(super) fn put_in_place(mut response: http::Response<Body>) -> http::Response<Body> {
    if let Some(Instead(body)) = response.extensions_mut().remove() {
        let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
        *response.body_mut() = body.unwrap_or_default();
    }
    response
}

/// The body of an answer: a message in parts, and the trailers that tell how the call ended.
struct Frames {
    parts: Responses<Bytes>,
    ended: bool,
}

impl http_body::Body for Frames {
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
