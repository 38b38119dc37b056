//! Refuses requests beyond the limits of concurrent requests and streams.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::{Guard, follow};
use super::classify::{Protocol, RequestShape};
use crate::error::{Error, Result};
use crate::server::listener::{OpenStream, Peer};

/// The limits of concurrent requests and of concurrent streams.
#[derive(Debug)]
pub(in crate::server) struct Limit {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// The share of a connection in the streams.
    max_connection_streams: usize,
}

impl Limit {
    pub(in crate::server) fn new(max_requests: usize, max_streams: usize) -> Self {
        let permits = |max: usize| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Self {
            requests: permits(max_requests),
            streams: permits(max_streams),
            max_connection_streams: max_streams.div_ceil(2),
        }
    }

    fn open_stream(
        &self,
        peer: Option<&Peer>,
    ) -> Result<(OwnedSemaphorePermit, Option<OpenStream>)> {
        let open = match peer {
            None => None,
            Some(peer) => Some(
                peer.open_stream(self.max_connection_streams)
                    .ok_or_else(|| {
                        let text =
                            "too many streams on this connection; end one or open a connection";
                        Error::Exhausted(text.into())
                    })?,
            ),
        };
        let permit = self.streams.clone().try_acquire_owned();
        let permit =
            permit.map_err(|_| Error::Exhausted("too many streams at once; try again".into()))?;
        Ok((permit, open))
    }
}

/// A request counts until its response has ended.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    limit: &Limit,
    shape: RequestShape,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    match shape {
        RequestShape::Operator | RequestShape::OperatorStream => next(request).await,
        shape if shape.is_stream() => match limit.open_stream(request.extensions().get()) {
            Ok(open) => follow(next(request).await, Guard(open)),
            Err(error) => P::refusal(error),
        },
        _ => match limit.requests.clone().try_acquire_owned() {
            Ok(permit) => {
                let response = next(request).await;
                // A response that waits for its reader is a stream, if there is room for one.
                let permit = limit.streams.clone().try_acquire_owned().unwrap_or(permit);
                follow(response, Guard(permit))
            }
            Err(_) => P::refusal(Error::Exhausted(
                "too many requests at once; try again".into(),
            )),
        },
    }
}
