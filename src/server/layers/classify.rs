//! What the layers need to know of a protocol: names and outcomes of requests, time limits, and
//! the response to a refused request.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode};
use http_body::Frame;
use metrics::{counter, histogram};
use tonic::{Code, Status};
use tracing::{Span, field, info_span};

use crate::api::call::RequestContext;
use crate::api::grpc::{status, timeout};
use crate::api::http::problem::Problem;
use crate::api::mlflow;
use crate::error::Error;
use crate::proto;
use crate::proto::cost::MethodShape;

/// The name of requests that match no method and no route.
const UNKNOWN: &str = "unknown";

/// A protocol whose requests the layers serve.
pub(in crate::server) trait Protocol: Send + Sync + 'static {
    /// What a request asks for. Its values are bounded, as each has metrics of its own.
    type Operation: Send + Unpin;
    /// How a request ended.
    type Outcome: Copy + Send + Unpin;

    /// The outcome of a request whose client disconnected before the end of the response.
    const CANCELLED: Self::Outcome;
    /// The outcome of a response whose body failed.
    const FAILED: Self::Outcome;
    /// The gauge of open requests.
    const IN_FLIGHT: &'static str;

    fn operation(request: &Request) -> Self::Operation;

    /// The time limit that the client gives a request.
    fn timeout(headers: &HeaderMap) -> Option<Duration>;

    /// How a request arrives, and which limits hold for it.
    fn shape(request: &Request) -> RequestShape;

    /// The response to a request that no handler answers.
    fn refusal(error: Error) -> Response;

    /// The last frame of a response that has begun and ends with an error.
    fn last_frame(error: Error) -> Result<Frame<Bytes>, axum::Error>;

    fn span(operation: &Self::Operation, context: &RequestContext) -> Span;

    /// The outcome of a response that is known to have no body.
    fn final_outcome(operation: &Self::Operation, response: &Response) -> Option<Self::Outcome>;

    /// The outcome of a response whose trailers say nothing else.
    fn outcome(response: &Response) -> Self::Outcome;

    fn outcome_of_trailers(trailers: &HeaderMap) -> Option<Self::Outcome>;

    /// Logs the error of a response that is the server's fault.
    fn log_error(response: &Response);

    /// Counts a request that has ended, and records its outcome in the current span.
    fn record(operation: &Self::Operation, outcome: Self::Outcome, duration: Duration);
}

/// gRPC. gRPC-Web is translated to it further out.
pub(in crate::server) struct Grpc;

/// How a request arrives.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) enum RequestShape {
    /// A call of an operator, which is served beyond all limits.
    Operator,
    /// A stream of an operator, which is served beyond the limits of concurrent requests.
    OperatorStream,
    /// A document.
    Document,
    /// The bytes of a file.
    Upload,
    /// A request without a body, whose response is a stream of events.
    Events,
    /// One message.
    Message(&'static MethodShape),
    /// A stream of messages.
    Messages(&'static MethodShape),
    /// A path that no method has.
    Unknown,
}

impl RequestShape {
    /// Whether the request, or its response, is a stream.
    pub(in crate::server) const fn is_stream(self) -> bool {
        match self {
            Self::Messages(_) | Self::OperatorStream | Self::Upload | Self::Events => true,
            Self::Message(method) => method.streams_responses,
            Self::Operator | Self::Document | Self::Unknown => false,
        }
    }
}

/// The health check, which orchestrators call.
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

/// The stream of health checks.
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// The stream of changes, for web pages.
const EVENT_STREAM: &str = "/activity/stream";

/// Methods for operators. They are served beyond the limits of concurrent requests.
const OPERATOR_METHODS: [&str; 4] = [
    HEALTH_CHECK,
    HEALTH_WATCH,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Whether this is a call of the health service.
pub(in crate::server) fn is_health_check(request: &Request) -> bool {
    [HEALTH_CHECK, HEALTH_WATCH].contains(&request.uri().path())
}

/// The paths of all methods. A path that a client invented becomes no label of a metric.
static METHODS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let mut methods = HashSet::from(OPERATOR_METHODS.map(str::to_owned));
    for service in proto::pool().services() {
        let service_name = service.full_name();
        let paths = service
            .methods()
            .map(|method| format!("/{service_name}/{}", method.name()));
        methods.extend(paths);
    }
    methods
});

impl Protocol for Grpc {
    /// The path of the method.
    type Operation = &'static str;
    type Outcome = Code;

    const CANCELLED: Code = Code::Cancelled;
    const FAILED: Code = Code::Internal;
    const IN_FLIGHT: &'static str = "pedigree_rpc_in_flight";

    fn operation(request: &Request) -> &'static str {
        let method = METHODS.get(request.uri().path());
        method.map_or(UNKNOWN, String::as_str)
    }

    fn timeout(headers: &HeaderMap) -> Option<Duration> {
        timeout::from_headers(headers)
    }

    fn shape(request: &Request) -> RequestShape {
        let path = request.uri().path();
        match MethodShape::find(path) {
            Some(method) if method.streams_requests => RequestShape::Messages(method),
            Some(method) => RequestShape::Message(method),
            None if path == HEALTH_CHECK => RequestShape::Operator,
            None if OPERATOR_METHODS.contains(&path) => RequestShape::OperatorStream,
            None => RequestShape::Unknown,
        }
    }

    fn refusal(error: Error) -> Response {
        Status::from(error).into_http()
    }

    fn last_frame(error: Error) -> Result<Frame<Bytes>, axum::Error> {
        let mut trailers = HeaderMap::new();
        let status = Status::from(error);
        status.add_header(&mut trailers).map_err(axum::Error::new)?;
        Ok(Frame::trailers(trailers))
    }

    fn span(method: &&'static str, context: &RequestContext) -> Span {
        info_span!(
            "request",
            otel.kind = "server",
            otel.name = method.trim_start_matches('/'),
            rpc.system = "grpc",
            rpc.grpc.status_code = field::Empty,
            method,
            id = &*context.request_id,
            peer = context.peer.as_ref().map(field::display),
            principal = field::Empty,
            tenant = field::Empty,
            trace_id = field::Empty,
        )
    }

    fn final_outcome(_: &&'static str, response: &Response) -> Option<Code> {
        Self::outcome_of_trailers(response.headers())
    }

    fn outcome(_: &Response) -> Code {
        Code::Ok
    }

    fn outcome_of_trailers(trailers: &HeaderMap) -> Option<Code> {
        let code = trailers.get(Status::GRPC_STATUS)?;
        Some(Code::from_bytes(code.as_bytes()))
    }

    fn log_error(response: &Response) {
        if let Some(status) = response.extensions().get() {
            status::log(status);
        }
    }

    fn record(method: &&'static str, code: Code, duration: Duration) {
        let (method, code) = (*method, proto::code_name(code));
        Span::current().record("rpc.grpc.status_code", code);
        tracing::debug!(code, took_ms = milliseconds(duration), "answered");
        counter!("pedigree_rpc_requests_total", "method" => method, "code" => code).increment(1);
        histogram!("pedigree_rpc_duration_seconds", "method" => method).record(duration);
    }
}

/// HTTP without gRPC.
pub(in crate::server) struct Http;

/// The method and the route of an HTTP request.
pub(in crate::server) struct Endpoint {
    method: &'static str,
    route: Option<MatchedPath>,
}

impl Endpoint {
    fn route(&self) -> &str {
        self.route.as_ref().map_or(UNKNOWN, MatchedPath::as_str)
    }
}

impl Protocol for Http {
    type Operation = Endpoint;
    type Outcome = StatusCode;

    // The number is a convention of proxies: the client closed the request.
    const CANCELLED: StatusCode = match StatusCode::from_u16(499) {
        Ok(status) => status,
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    };
    const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
    const IN_FLIGHT: &'static str = "pedigree_http_in_flight";

    fn operation(request: &Request) -> Endpoint {
        Endpoint {
            method: method_name(request.method()),
            route: request.extensions().get().cloned(),
        }
    }

    /// HTTP has no header for it.
    fn timeout(_: &HeaderMap) -> Option<Duration> {
        None
    }

    fn shape(request: &Request) -> RequestShape {
        let path = request.uri().path();
        if mlflow::is_upload(request.method(), path) {
            RequestShape::Upload
        } else if path == EVENT_STREAM {
            RequestShape::Events
        } else {
            RequestShape::Document
        }
    }

    fn refusal(error: Error) -> Response {
        Problem::from(error).into_response()
    }

    /// A body that breaks off: the status has been sent.
    fn last_frame(error: Error) -> Result<Frame<Bytes>, axum::Error> {
        Err(axum::Error::new(error))
    }

    fn span(endpoint: &Endpoint, context: &RequestContext) -> Span {
        let (method, route) = (endpoint.method, endpoint.route());
        info_span!(
            "request",
            otel.kind = "server",
            otel.name = format!("{method} {route}"),
            http.request.method = method,
            http.route = route,
            http.response.status_code = field::Empty,
            id = &*context.request_id,
            peer = context.peer.as_ref().map(field::display),
            principal = field::Empty,
            tenant = field::Empty,
            trace_id = field::Empty,
        )
    }

    fn final_outcome(endpoint: &Endpoint, response: &Response) -> Option<StatusCode> {
        (endpoint.method == Method::HEAD.as_str()).then(|| response.status())
    }

    fn outcome(response: &Response) -> StatusCode {
        response.status()
    }

    fn outcome_of_trailers(_: &HeaderMap) -> Option<StatusCode> {
        None
    }

    fn log_error(response: &Response) {
        if let Some(problem) = response.extensions().get::<Problem>() {
            problem.log();
        }
    }

    fn record(endpoint: &Endpoint, status: StatusCode, duration: Duration) {
        let (method, route) = (endpoint.method, endpoint.route().to_owned());
        Span::current().record("http.response.status_code", status.as_u16());
        tracing::debug!(
            code = status.as_str(),
            took_ms = milliseconds(duration),
            "answered"
        );
        let code = status.as_str().to_owned();
        counter!("pedigree_http_requests_total", "method" => method, "route" => route.clone(), "code" => code)
            .increment(1);
        histogram!("pedigree_http_duration_seconds", "method" => method, "route" => route)
            .record(duration);
    }
}

/// The name of a standard method, or `other`: a client may invent methods without end.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
