//! Refuses requests beyond the limit of concurrent requests.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;

use super::body::{Guard, follow};
use super::classify::Protocol;
use crate::error::Error;

/// The limit of concurrent requests. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::server) struct Limit(Arc<Semaphore>);

impl Limit {
    pub(in crate::server) fn new(max_requests: usize) -> Self {
        let permits = max_requests.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(permits)))
    }
}

/// A request counts until its response has ended.
pub(in crate::server) async fn enforce<P: Protocol>(
    State(Limit(permits)): State<Limit>,
    request: Request,
    next: Next,
) -> Response {
    if P::is_exempt(&request) {
        return next.run(request).await;
    }
    match permits.try_acquire_owned() {
        Ok(permit) => follow(next.run(request).await, Guard(permit)),
        Err(_) => P::refusal(Error::Exhausted(
            "too many requests at once; try again".into(),
        )),
    }
}
