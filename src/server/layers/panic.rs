//! Answers a request whose handler panics.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use axum::extract::Request;
use axum::response::Response;

use super::classify::Protocol;
use crate::error::Error;
use crate::telemetry;

pub(in crate::server) async fn catch<P: Protocol, F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let mut handling = pin!(next(request));
    poll_fn(|context| {
        // A handler that has panicked is not polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| {
            telemetry::log_panic(panic);
            Poll::Ready(P::refusal(Error::internal("the handler panicked")))
        })
    })
    .await
}
