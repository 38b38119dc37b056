//! Logs, metrics and traces.
//!
//! Logs are one event a line, on standard error. Metrics are counted everywhere through the
//! `metrics` crate and rendered here for Prometheus. Traces are the spans of requests and
//! statements, sent over OTLP where an endpoint is configured.

mod log_fields;

use std::any::Any;
use std::panic;
use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderMap;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::prelude::*;

use self::log_fields::LogFields;
use crate::build_info;
use crate::config::{Log, LogFormat};
use crate::error::{Error, Result, StartError};

/// Upper ends of the buckets of durations, in seconds.
const DURATION_BUCKETS_SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// How long the last spans may take to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The telemetry of the process. [`Self::flush`] ends it.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Installs the subscriber of the process. Later calls change nothing.
    ///
    /// # Errors
    ///
    /// If the OTLP endpoint cannot be used.
    pub fn start(log: &Log, otlp_endpoint: Option<&str>) -> Result<Self, StartError> {
        let traces = otlp_endpoint.map(tracer_provider).transpose()?;
        let mut filter: Targets = log.level.parse().unwrap_or_default();
        // The HTTP/2 library warns of each client that resets many streams. A client could fill the
        // log with these lines.
        if !log.level.contains("h2") {
            filter = filter.with_target("h2", LevelFilter::ERROR);
        }
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        // Requests are named in every line about them, also where the level keeps the lines of
        // their own away.
        let requests = filter_fn(|span| {
            let ours = span.target().starts_with("pedigree");
            ours && span.is_span() && *span.level() <= Level::INFO
        });
        let filter = filter.or(requests.with_max_level_hint(LevelFilter::INFO));
        let lines = match log.format {
            LogFormat::Text => lines.fmt_fields(LogFields).with_ansi(false).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        let spans = traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("pedigree"))
                .with_filter(Targets::new().with_target("pedigree", LevelFilter::DEBUG))
        });
        // A second subscriber, as tests would install, is no error.
        let _ = tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(spans)
            .try_init();
        Ok(Self { traces })
    }

    /// Sends what has not been sent yet.
    pub fn flush(self) {
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

fn tracer_provider(endpoint: &str) -> Result<SdkTracerProvider, StartError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| StartError::Traces {
            endpoint: endpoint.to_owned(),
            problem: error.to_string(),
        })?;
    let resource = Resource::builder()
        .with_service_name("pedigree")
        .with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            build_info::VERSION,
        ));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build())
}

/// Makes a span part of the trace that the headers of a request name (W3C Trace Context), or of a
/// new one where traces are sent, and notes the trace's id in it.
pub fn trace(span: &Span, headers: &HeaderMap) {
    let caller = TraceContextPropagator::new().extract(&Headers(headers));
    let mut trace = caller.span().span_context().clone();
    if trace.is_valid() {
        // Without a tracer there is no layer that would take the parent, which is fine.
        let _ = span.set_parent(caller);
    } else {
        trace = span.context().span().span_context().clone();
    }
    if trace.is_valid() {
        span.record("trace_id", tracing::field::display(trace.trace_id()));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Logs a panic that a handler ended with.
pub fn log_panic(panic: Box<dyn Any + Send>) {
    let text = panic.downcast::<String>().map(|text| *text);
    let text = text.or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()));
    tracing::error!(panic = text.ok(), "a handler panicked");
}

/// Counts all panics of the process: those of handlers, of the tasks of streams, and of the
/// server's own tasks.
fn count_panics() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        counter!("pedigree_panics_total").increment(1);
        report(panic);
    }));
}

/// The metrics of the process.
#[derive(Clone, Debug)]
pub struct Metrics {
    recorder: PrometheusHandle,
}

impl Metrics {
    /// The metrics of this process, which are counted from the first call on.
    ///
    /// # Errors
    ///
    /// `Internal` when the process has another recorder of metrics.
    pub fn of_process() -> Result<Self> {
        static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let recorder = RECORDER.get_or_init(|| install().ok());
        match recorder.clone() {
            Some(recorder) => Ok(Self { recorder }),
            None => Err(Error::internal("metrics cannot be counted")),
        }
    }

    /// All of them, in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.recorder.run_upkeep();
        self.recorder.render()
    }

    /// The value of a counter without labels.
    #[cfg(test)]
    pub(crate) fn value(&self, counter: &str) -> u64 {
        let rendered = self.render();
        let line = rendered.lines().find_map(|line| line.strip_prefix(counter));
        line.unwrap().trim().parse().unwrap()
    }
}

fn install() -> std::result::Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &DURATION_BUCKETS_SECONDS,
        )?
        .install_recorder()?;
    describe_counter!(
        "pedigree_rpc_requests_total",
        "Requests by method and gRPC code"
    );
    describe_histogram!(
        "pedigree_rpc_duration_seconds",
        "Time from a request to the end of its answer"
    );
    describe_gauge!("pedigree_rpc_in_flight", "Requests under way");
    describe_counter!(
        "pedigree_http_requests_total",
        "HTTP requests by method, route and status"
    );
    describe_histogram!(
        "pedigree_http_duration_seconds",
        "Time from an HTTP request to the end of its response"
    );
    describe_gauge!("pedigree_http_in_flight", "HTTP requests under way");
    describe_counter!(
        "pedigree_connections_refused_total",
        "Connections closed at once, by the limit that they exceeded"
    );
    describe_counter!(
        "pedigree_connections_failed_total",
        "Connections that ended with an error"
    );
    describe_gauge!(
        "pedigree_security_file_valid",
        "1 if the security file is in force as it is, 0 if an older one stays in force"
    );
    describe_counter!(
        "pedigree_authz_would_refuse_total",
        "Requests that a security file in mode observe would refuse, by method and reason"
    );
    describe_counter!(
        "pedigree_panics_total",
        "Panics of handlers and of other tasks"
    );
    // Alerts need the zero before the first panic.
    counter!("pedigree_panics_total").increment(0);
    count_panics();
    describe_gauge!(
        "pedigree_db_connections",
        "Connections to the database by pool and state"
    );
    describe_gauge!(
        "pedigree_db_connections_waiting",
        "Requests that wait for a connection"
    );
    describe_counter!(
        "pedigree_transaction_retries_total",
        "Transactions that were run again"
    );
    // The rate of a counter begins with its second value: without this the first retry would not be
    // seen.
    counter!("pedigree_transaction_retries_total").increment(0);
    describe_counter!(
        "pedigree_standby_reads_total",
        "Reads that --database-read-url is for, by the server that served them"
    );
    describe_counter!("pedigree_db_errors_total", "Errors of the database by kind");
    describe_counter!(
        "pedigree_unreadable_values_total",
        "Values that were read and could not be decoded"
    );
    describe_gauge!("pedigree_build_info", "1, with the version as a label");
    let (version, commit) = (build_info::VERSION, build_info::COMMIT);
    gauge!("pedigree_build_info", "version" => version, "commit" => commit).set(1);
    Ok(recorder)
}
