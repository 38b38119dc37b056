//! The arrival of a request: its bytes, its memory, and the number of its items.
//!
//! A request of one message is handed on when it has arrived whole. What decoding it will take is
//! reserved before anything is decoded, and is free again with the end of the response. The
//! messages of a stream are handed on one by one, and the bytes of a file as they come.

use std::future::poll_fn;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body::Body as _;

use super::body::{Guard, follow};
use super::budget::WriteBudget;
use super::classify::{Protocol, RequestShape};
use super::messages::{ArrivingBytes, ArrivingMessages};
use super::upload::UploadBody;
use crate::error::{Error, Result};
use crate::proto::cost::MethodShape;
use crate::server::listener::Peer;
use crate::server::memory::{RequestMemory, ReservedMemory};

/// Memory of a request beside its message, in bytes.
const REQUEST_BYTES: usize = 16 << 10;

/// Memory of a stream of requests beside its messages, in bytes: what waits to be read, mostly.
const STREAM_BYTES: usize = 256 << 10;

/// Memory of a JSON document beside its bytes, as a multiple of these.
const JSON_FACTOR: usize = 8;

/// The rules of arrivals.
#[derive(Debug)]
pub(in crate::server) struct Arrivals {
    pub(in crate::server) memory: RequestMemory,
    /// The maximum size of a message in bytes.
    pub(in crate::server) max_message: usize,
    /// How long a request, or a message of a stream, may send nothing before its end.
    pub(in crate::server) body_timeout: Duration,
}

/// Reserves the memory of a request, and hands it on when it has arrived.
pub(in crate::server) async fn receive<P: Protocol, F: Future<Output = Response>>(
    arrivals: &Arrivals,
    shape: RequestShape,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let mut reserved = arrivals.reservation(&request);
    let received = match shape {
        RequestShape::Message(method) => arrivals.message(request, method, &mut reserved).await,
        RequestShape::Messages(method) => arrivals.messages(request, method),
        RequestShape::Document | RequestShape::Events if !request.body().is_end_stream() => {
            arrivals.document(request, &mut reserved).await
        }
        RequestShape::Upload => arrivals.upload(request),
        RequestShape::OperatorStream => reserved.grow(REQUEST_BYTES).map(|()| request),
        RequestShape::Document
        | RequestShape::Events
        | RequestShape::Operator
        | RequestShape::Unknown => Ok(request),
    };
    match received {
        Ok(request) => follow(next(request).await, Guard(reserved)),
        Err(error) => P::refusal(error),
    }
}

impl Arrivals {
    /// A reservation of nothing, for a request and its connection.
    fn reservation(&self, request: &Request) -> ReservedMemory {
        let connection = request.extensions().get().map(Peer::memory);
        self.memory.reservation(connection.unwrap_or_default())
    }

    /// Waits for the only message of a request.
    async fn message(
        &self,
        request: Request,
        method: &'static MethodShape,
        reserved: &mut ReservedMemory,
    ) -> Result<Request> {
        reserved.grow(REQUEST_BYTES)?;
        let (parts, body) = request.into_parts();
        let bytes = ArrivingBytes::whole(body, self.body_timeout);
        let mut messages = ArrivingMessages::new(bytes, method, self.max_message, &parts);
        let message = poll_fn(|context| messages.poll_next(reserved, context)).await;
        let message = message.ok_or_else(|| Error::invalid("the request has no message"))??;
        match poll_fn(|context| messages.poll_next(reserved, context)).await {
            None => Ok(Request::from_parts(parts, message.into())),
            Some(Ok(_)) => Err(Error::invalid("the request has more than one message")),
            Some(Err(error)) => Err(error),
        }
    }

    /// Has the messages of a stream counted one by one.
    fn messages(&self, request: Request, method: &'static MethodShape) -> Result<Request> {
        let mut reserved = self.reservation(&request);
        reserved.grow(STREAM_BYTES)?;
        let (parts, body) = request.into_parts();
        let bytes = ArrivingBytes::stream(body, self.body_timeout);
        let messages = ArrivingMessages::new(bytes, method, self.max_message, &parts);
        let body = Body::new(messages.into_body(reserved, STREAM_BYTES));
        Ok(Request::from_parts(parts, body))
    }

    /// Has the bytes of a file counted as they arrive.
    fn upload(&self, request: Request) -> Result<Request> {
        let reserved = self.reservation(&request);
        let (parts, body) = request.into_parts();
        let budget = parts.extensions.get().cloned();
        let body = UploadBody::new(body, self.body_timeout, reserved, budget)?;
        Ok(Request::from_parts(parts, Body::new(body)))
    }

    /// Waits for the body of a request of HTTP.
    async fn document(&self, request: Request, reserved: &mut ReservedMemory) -> Result<Request> {
        reserved.grow(REQUEST_BYTES)?;
        let (parts, body) = request.into_parts();
        let mut bytes = ArrivingBytes::whole(body, self.body_timeout);
        while poll_fn(|context| bytes.poll_more(reserved, context)).await? {
            if bytes.buffer.len() > self.max_message {
                let max = self.max_message;
                let text = format!("the body is larger than {max} bytes (--max-request-bytes)");
                return Err(Error::TooLarge(text));
            }
        }
        if let Some(budget) = parts.extensions.get::<WriteBudget>() {
            budget.write(bytes.buffer.len())?;
        }
        reserved.grow(bytes.buffer.len().saturating_mul(JSON_FACTOR))?;
        Ok(Request::from_parts(parts, bytes.buffer.freeze().into()))
    }
}
