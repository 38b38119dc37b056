//! The span, the metrics and the log line of a request.

use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use metrics::gauge;
use tracing::{Instrument, Span};

use super::body::{BodyEnd, Follower, follow};
use super::classify::Protocol;
use crate::api::call::RequestContext;
use crate::telemetry;

/// A request lasts until its response has ended, or until it is dropped: then it was cancelled.
pub(in crate::server) async fn observe<P: Protocol, F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let observation = Observation::<P>::begin(&request);
    let span = observation.span.clone();
    let answered = async move {
        let response = next(request).await;
        P::log_error(&response);
        observation.follow(response)
    };
    answered.instrument(span).await
}

struct Observation<P: Protocol> {
    operation: P::Operation,
    began: Instant,
    span: Span,
    outcome: P::Outcome,
}

impl<P: Protocol> Observation<P> {
    fn begin(request: &Request) -> Self {
        let operation = P::operation(request);
        let span = match request.extensions().get::<RequestContext>() {
            Some(context) => P::span(&operation, context),
            None => P::span(&operation, &RequestContext::default()),
        };
        telemetry::trace(&span, request.headers());
        gauge!(P::IN_FLIGHT).increment(1);
        Self {
            operation,
            began: Instant::now(),
            span,
            outcome: P::CANCELLED,
        }
    }

    fn follow(self, response: Response) -> Response {
        if let Some(outcome) = P::final_outcome(&self.operation, &response) {
            self.end(outcome);
            return response;
        }
        let head = P::outcome(&response);
        let answer = PendingResponse {
            head,
            request: self,
        };
        follow(response, answer)
    }

    fn end(mut self, outcome: P::Outcome) {
        self.outcome = outcome;
    }
}

impl<P: Protocol> Drop for Observation<P> {
    fn drop(&mut self) {
        gauge!(P::IN_FLIGHT).decrement(1);
        let duration = self.began.elapsed();
        self.span
            .in_scope(|| P::record(&self.operation, self.outcome, duration));
    }
}

/// A response under way.
struct PendingResponse<P: Protocol> {
    /// The outcome by the head of the response.
    head: P::Outcome,
    request: Observation<P>,
}

impl<P: Protocol> Follower for PendingResponse<P> {
    fn end(self, end: BodyEnd<'_>) {
        let outcome = match end {
            BodyEnd::Trailers(trailers) => P::outcome_of_trailers(trailers).unwrap_or(self.head),
            BodyEnd::Data => self.head,
            BodyEnd::Error => P::FAILED,
        };
        self.request.end(outcome);
    }
}
