//! Ends a request at its deadline.

use axum::extract::Request;
use axum::response::Response;
use tokio::time::{Instant, timeout_at};

use super::classify::Protocol;
use crate::api::call::RequestContext;
use crate::error::Error;

/// Drops the handler at the deadline, and with it everything that it waits for.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let context = request.extensions().get::<RequestContext>();
    let Some(deadline) = context.and_then(|context| context.deadline) else {
        return next(request).await;
    };
    // A timer fires at the next tick at the earliest: the handler would begin.
    if deadline <= Instant::now() {
        return passed::<P>();
    }
    let response = timeout_at(deadline, next(request)).await;
    response.unwrap_or_else(|_| passed::<P>())
}

fn passed<P: Protocol>() -> Response {
    P::refusal(Error::DeadlineExceeded(
        "the deadline of the call has passed".into(),
    ))
}
