//! What stands around every request: it is bounded, counted and timed, has a span with an id, and ends at its deadline.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use metrics::{counter, gauge, histogram};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span, field, info_span};

use super::connection::Peer;
use super::deadline;
use crate::api::grpc::status;
use crate::{proto, telemetry};

/// The header with the id of a request, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id of a request that is taken from a client, in bytes.
const LONGEST_ID: usize = 128;

/// What requests are counted under that name no method.
const UNKNOWN: &str = "unknown";

/// Methods that tell how the server is. They are never refused for being too many.
const ALWAYS_SERVED: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The paths of all methods, so that a path that somebody made up is no label.
static METHODS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let methods = proto::pool().services().flat_map(|service| {
        let name = service.full_name().to_owned();
        let methods: Vec<_> = service.methods().collect();
        methods
            .into_iter()
            .map(move |method| format!("/{name}/{}", method.name()))
    });
    methods.chain(ALWAYS_SERVED.map(str::to_owned)).collect()
});

/// Watches over the requests of a server.
#[derive(Clone, Debug)]
pub(super) struct RequestsLayer {
    room: Arc<Semaphore>,
}

impl RequestsLayer {
    /// Refuses requests beyond so many at once.
    pub(super) fn new(most: usize) -> Self {
        let permits = most.min(Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(permits)),
        }
    }
}

impl<S> Layer<S> for RequestsLayer {
    type Service = Requests<S>;

    fn layer(&self, inner: S) -> Requests<S> {
        Requests {
            inner,
            room: self.room.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Requests<S> {
    inner: S,
    room: Arc<Semaphore>,
}

impl<S> Service<Request<Body>> for Requests<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut call = Call::begin(&request);
        if !ALWAYS_SERVED.contains(&call.method) {
            call.permit = self.room.clone().try_acquire_owned().ok();
            if call.permit.is_none() {
                let full = Status::resource_exhausted("too many requests at once; try again");
                return Box::pin(async { Ok(call.answer(full.into_http())) });
            }
        }
        let span = call.span.clone();
        let deadline = deadline::of(request.headers());
        let answering = self.inner.call(request);
        let answered = async move {
            // What is given up here is dropped with all that it waits for.
            let response = match deadline::until(deadline, answering).await {
                Some(answered) => answered?,
                None => {
                    Status::deadline_exceeded("the deadline of the call has passed").into_http()
                }
            };
            Ok(call.answer(response))
        };
        Box::pin(answered.instrument(span))
    }
}

/// A request under way. It ends when the last of its answer is sent, or when nobody waits for it any more.
struct Call {
    method: &'static str,
    id: HeaderValue,
    began: Instant,
    span: Span,
    peer: Option<Peer>,
    permit: Option<OwnedSemaphorePermit>,
    ended: bool,
}

impl Call {
    fn begin(request: &Request<Body>) -> Self {
        let method = METHODS
            .get(request.uri().path())
            .map_or(UNKNOWN, String::as_str);
        let id = request_id(request.headers());
        let peer = request.extensions().get::<Peer>().cloned();
        let span = info_span!(
            "request",
            otel.kind = "server",
            otel.name = method.trim_start_matches('/'),
            rpc.system = "grpc",
            rpc.grpc.status_code = field::Empty,
            method,
            id = id.to_str().unwrap_or_default(),
            peer = peer.as_ref().map(|peer| field::display(peer.address)),
            trace_id = field::Empty,
        );
        telemetry::trace(&span, request.headers());
        if let Some(peer) = &peer {
            peer.activity.begin();
        }
        gauge!("pedigree_rpc_in_flight").increment(1);
        Self {
            method,
            id,
            began: Instant::now(),
            span,
            peer,
            permit: None,
            ended: false,
        }
    }

    /// Sends the answer on, and follows it to its end.
    fn answer(mut self, mut response: Response<Body>) -> Response<Body> {
        response.headers_mut().insert(REQUEST_ID, self.id.clone());
        if let Some(status) = response.extensions().get() {
            status::log(status);
        }
        if let Some(code) = code_in(response.headers()) {
            self.end(code);
            return response;
        }
        response.map(|body| Body::new(Answer { body, call: self }))
    }

    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (method, code) = (self.method, proto::code_name(code));
        let took = self.began.elapsed();
        self.span.record("rpc.grpc.status_code", code);
        self.span
            .in_scope(|| tracing::debug!(code, took_ms = took.as_secs_f64() * 1e3, "answered"));
        gauge!("pedigree_rpc_in_flight").decrement(1);
        counter!("pedigree_rpc_requests_total", "method" => method, "code" => code).increment(1);
        histogram!("pedigree_rpc_duration_seconds", "method" => method).record(took);
        if let Some(peer) = &self.peer {
            peer.activity.end();
        }
        self.permit = None;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// The body of an answer, whose trailers tell how the call ended.
struct Answer {
    body: Body,
    call: Call,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().and_then(code_in) {
                    self.call.end(code);
                }
            }
            Poll::Ready(Some(Err(status))) => {
                let code = status.code();
                self.call.end(code);
            }
            // An answer of another protocol ends without trailers.
            Poll::Ready(None) => self.call.end(Code::Ok),
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(Status::GRPC_STATUS)
        .map(|code| Code::from_bytes(code.as_bytes()))
}

/// The id that a client gave its request, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|id| {
        id.len() <= LONGEST_ID && !id.is_empty() && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    let new = || HeaderValue::from_str(&uuid::Uuid::new_v4().to_string());
    let mut id = given
        .cloned()
        .or_else(|| new().ok())
        .unwrap_or_else(|| HeaderValue::from_static(UNKNOWN));
    // No secret: so HTTP/2 does not keep what comes once only in its table of headers, which it searches for each.
    id.set_sensitive(true);
    id
}
