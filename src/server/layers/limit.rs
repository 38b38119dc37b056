//! Refuses requests beyond the limits of concurrent requests and streams. Requests of callers with
//! an identity wait a little, in a queue that is fair to them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::body::{Guard, follow};
use super::classify::{Protocol, RequestShape};
use crate::error::{Error, Result};
use crate::fair_queue::{FairQueue, QueuePlace};
use crate::identity::Principal;
use crate::policy::PolicyMode;
use crate::security::SecuritySettings;
use crate::server::listener::{OpenStream, Peer};

/// How long a request of a caller with an identity waits for a place.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of concurrent requests and of concurrent streams.
#[derive(Debug)]
pub(in crate::server) struct Limit {
    requests: FairQueue,
    streams: Arc<Semaphore>,
    /// The share of a connection in the streams.
    max_connection_streams: usize,
}

impl Limit {
    pub(in crate::server) fn new(max_requests: usize, max_streams: usize) -> Self {
        let max_permits = max_streams.min(Semaphore::MAX_PERMITS);
        Self {
            requests: FairQueue::new(max_requests, "pedigree_requests_waiting"),
            streams: Arc::new(Semaphore::new(max_permits)),
            max_connection_streams: max_streams.div_ceil(2),
        }
    }

    /// A place for a request, for which a caller with an identity waits.
    async fn begin(&self, caller: Option<&Arc<str>>) -> Result<QueuePlace> {
        let place = match caller {
            None => self.requests.try_take(),
            Some(caller) => {
                let taken = timeout(WAIT_TIMEOUT, self.requests.take(caller)).await;
                taken.unwrap_or_default()
            }
        };
        place.ok_or_else(|| Error::Exhausted("too many requests at once; try again".into()))
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
    settings: Option<&SecuritySettings>,
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
        _ => match limit.begin(caller(settings, &request)).await {
            Ok(place) => {
                let response = next(request).await;
                // A response that waits for its reader is a stream, if there is room for one.
                let Ok(stream) = limit.streams.clone().try_acquire_owned() else {
                    return follow(response, Guard(place));
                };
                drop(place);
                follow(response, Guard(stream))
            }
            Err(error) => P::refusal(error),
        },
    }
}

/// The caller of a request where identities are enforced.
fn caller<'a>(settings: Option<&SecuritySettings>, request: &'a Request) -> Option<&'a Arc<str>> {
    settings.filter(|settings| settings.policy.mode == PolicyMode::Enforce)?;
    let principal = request.extensions().get::<Principal>()?;
    Some(&principal.subject)
}
