//! Answers a request whose handler panics.

use std::any::Any;

use axum::response::Response;

use super::classify::Protocol;
use crate::error::Error;
use crate::telemetry;

pub(in crate::server) fn respond<P: Protocol>(panic: Box<dyn Any + Send>) -> Response {
    telemetry::report_panic(panic);
    P::refusal(Error::internal("the handler panicked"))
}
