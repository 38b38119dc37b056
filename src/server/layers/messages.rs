//! The messages of a gRPC request, one by one, each with its memory reserved before it is decoded.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::request::Parts;
use http_body::{Body as _, Frame};
use prost::bytes::BytesMut;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use super::budget::WriteBudget;
use crate::error::{Error, Result};
use crate::proto::cost::MethodShape;
use crate::server::memory::ReservedMemory;

/// Length of what precedes a message: a flag of compression, and the length of the message.
const PREFIX_BYTES: usize = 5;

/// How often the bytes of a message are in memory until it is decoded: as they came, in a buffer
/// that grows, and in that of the decoder.
const WIRE_COPIES: usize = 3;

/// Memory of a request that is handled, as a multiple of its decoded message: it is converted,
/// checked, and bound to statements.
const HANDLING_FACTOR: usize = 2;

/// The slowest rate at which a request, or a message of a stream, may arrive, beyond the time that
/// it may send nothing: what has arrived of it takes memory.
const MIN_BYTES_PER_SECOND: u32 = 16 << 10;

/// The bytes of a request that have arrived.
pub(super) struct ArrivingBytes {
    body: Body,
    pub(super) buffer: BytesMut,
    /// How long nothing may arrive.
    timeout: Duration,
    /// Whether this is a stream, which may be silent between its messages.
    is_stream: bool,
    wait: Option<Wait>,
}

/// The wait for the rest of a request or of a message.
struct Wait {
    began: Instant,
    timer: Pin<Box<Sleep>>,
}

impl ArrivingBytes {
    /// A request that has to arrive whole.
    pub(super) fn whole(body: Body, timeout: Duration) -> Self {
        Self::new(body, timeout, false)
    }

    /// A stream of messages.
    pub(super) fn stream(body: Body, timeout: Duration) -> Self {
        Self::new(body, timeout, true)
    }

    fn new(body: Body, timeout: Duration, is_stream: bool) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            timeout,
            is_stream,
            wait: None,
        }
    }

    /// Takes the first bytes, which are a message; the time of the next one begins.
    pub(super) fn take(&mut self, length: usize) -> Bytes {
        self.wait = None;
        self.buffer.split_to(length).freeze()
    }

    /// Waits for more bytes, and reserves memory for them. Returns false at the end.
    pub(super) fn poll_more(
        &mut self,
        reserved: &mut ReservedMemory,
        context: &mut Context<'_>,
    ) -> Poll<Result<bool>> {
        loop {
            let frame = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(self.poll_timeout(context));
                    let text = "the rest of the request did not arrive in time";
                    return Poll::Ready(Err(Error::DeadlineExceeded(text.into())));
                }
            };
            let frame = match frame {
                None => return Poll::Ready(Ok(false)),
                Some(Ok(frame)) => frame,
                // The client is gone, or its bytes are no HTTP.
                Some(Err(_)) => {
                    return Poll::Ready(Err(Error::invalid("the request was cut off")));
                }
            };
            // Trailers of a request mean nothing.
            if let Ok(data) = frame.into_data() {
                reserved.grow(data.len().saturating_mul(WIRE_COPIES))?;
                self.buffer.extend_from_slice(&data);
                if let Some(wait) = &mut self.wait {
                    let arrived = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
                    let earned = Duration::from_secs((arrived / MIN_BYTES_PER_SECOND).into());
                    let end = wait.began + self.timeout + earned;
                    let end = end.min(Instant::now() + self.timeout);
                    wait.timer.as_mut().reset(end);
                }
                return Poll::Ready(Ok(true));
            }
        }
    }

    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_stream && self.buffer.is_empty() {
            return Poll::Pending;
        }
        let wait = self.wait.get_or_insert_with(|| Wait {
            began: Instant::now(),
            timer: Box::pin(sleep(self.timeout)),
        });
        wait.timer.as_mut().poll(context)
    }
}

/// The messages of a request.
pub(super) struct ArrivingMessages {
    bytes: ArrivingBytes,
    method: &'static MethodShape,
    max_message: usize,
    /// Whether the client names a compression, which the service refuses by itself.
    has_encoding: bool,
    /// Where the bytes of a write count.
    budget: Option<WriteBudget>,
}

impl ArrivingMessages {
    pub(super) fn new(
        bytes: ArrivingBytes,
        method: &'static MethodShape,
        max_message: usize,
        head: &Parts,
    ) -> Self {
        let encoding = head.headers.get("grpc-encoding");
        Self {
            bytes,
            method,
            max_message,
            has_encoding: encoding.is_some_and(|encoding| encoding != "identity"),
            budget: head.extensions.get().cloned(),
        }
    }

    /// The next message with its prefix, once it has arrived whole.
    pub(super) fn poll_next(
        &mut self,
        reserved: &mut ReservedMemory,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes>>> {
        loop {
            if let Some(end) = self.end()?
                && self.bytes.buffer.len() >= end
            {
                let message = self.bytes.take(end);
                let counted = self.count(&message, reserved);
                return Poll::Ready(Some(counted.map(|()| message)));
            }
            if !ready!(self.bytes.poll_more(reserved, context))? {
                let is_whole = self.bytes.buffer.is_empty();
                let cut = || Error::invalid("the request ends within a message");
                return Poll::Ready((!is_whole).then(|| Err(cut())));
            }
        }
    }

    /// The end of the message that arrives, in the buffer; `None` before its length has arrived.
    fn end(&self) -> Result<Option<usize>> {
        let Some((_, length)) = self.bytes.buffer.split_first_chunk::<1>() else {
            return Ok(None);
        };
        let Some((length, _)) = length.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        let max = self.max_message;
        if length > max {
            return Err(Error::OutOfRange(format!(
                "Error, decoded message length too large: found {length} bytes, the limit is: \
                 {max} bytes"
            )));
        }
        Ok(Some(PREFIX_BYTES + length))
    }

    /// Counts a message in the budget of its caller, and reserves what decoding it takes.
    fn count(&self, message: &[u8], reserved: &mut ReservedMemory) -> Result<()> {
        if let Some(budget) = &self.budget {
            budget.write(message.len())?;
        }
        self.reserve(message, reserved)
    }

    fn reserve(&self, message: &[u8], reserved: &mut ReservedMemory) -> Result<()> {
        let (prefix, content) = message.split_at(PREFIX_BYTES);
        if prefix[0] != 0 {
            return if self.has_encoding {
                Ok(())
            } else {
                Err(Error::invalid("the message is marked as compressed"))
            };
        }
        let cost = self.method.cost(content);
        if let Some((limit, count)) = cost.exceeded() {
            return Err(Error::InvalidArgument(format!(
                "the request has {count} {}, more than {}: send them in several requests",
                limit.name, limit.max
            )));
        }
        reserved.grow(cost.bytes.saturating_mul(HANDLING_FACTOR))
    }

    /// A body of these messages. Each keeps its memory until the next one is asked for; the stream
    /// keeps `kept_bytes`.
    pub(super) fn into_body(self, reserved: ReservedMemory, kept_bytes: usize) -> MessageBody {
        MessageBody {
            messages: self,
            reserved,
            kept_bytes,
            is_decoded: false,
        }
    }
}

/// See [`ArrivingMessages::into_body`].
pub(super) struct MessageBody {
    messages: ArrivingMessages,
    reserved: ReservedMemory,
    kept_bytes: usize,
    /// Whether a message was handed on whose memory is still reserved.
    is_decoded: bool,
}

impl http_body::Body for MessageBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if std::mem::take(&mut this.is_decoded) {
            let waiting = this.messages.bytes.buffer.len().saturating_mul(WIRE_COPIES);
            this.reserved
                .shrink_to(this.kept_bytes.saturating_add(waiting));
        }
        let next = ready!(this.messages.poll_next(&mut this.reserved, context));
        this.is_decoded = true;
        Poll::Ready(next.map(|message| message.map(Frame::data).map_err(Status::from)))
    }
}
