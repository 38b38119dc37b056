//! Traces, as a collector of OTLP receives them.

use std::net::Ipv4Addr;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::TcpProxy;
use crate::binary::{Process, Server, pedigree_on};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    spans_continue_the_trace_of_the_caller,
    lines_of_logs_name_the_request_and_its_trace,
}
with_servers!(errors_name_the_request_whatever_the_level);

/// A caller's place in its trace.
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Collector(mpsc::UnboundedSender<Span>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            for scope in resource.scope_spans {
                for span in scope.spans {
                    self.0.send(span).unwrap();
                }
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A collector: where it is, and what it receives.
async fn collector() -> (String, mpsc::UnboundedReceiver<Span>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, spans) = mpsc::unbounded_channel();
    let collector = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector(sender)))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(collector);
    (endpoint, spans)
}

async fn spans_continue_the_trace_of_the_caller() {
    let (endpoint, mut spans) = collector().await;
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &["--otlp-endpoint", &endpoint]);
    let mut client = server.client().await;
    let mut request = Request::new(pb::GetArtifactTypesRequest::default());
    let metadata = request.metadata_mut();
    metadata.insert("traceparent", MetadataValue::from_static(PARENT));
    client.get_artifact_types(request).await.unwrap();
    // What was not sent before is sent on the way down.
    server.stop();

    let mut received = Vec::new();
    while let Ok(span) = spans.try_recv() {
        received.push(span);
    }
    let of_request = received
        .iter()
        .find(|span| span.name == "ml_metadata.MetadataStoreService/GetArtifactTypes")
        .unwrap();
    let trace_id = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes();
    assert_eq!(of_request.trace_id, trace_id);
    let caller = 0xb7ad_6b71_6920_3331_u64.to_be_bytes();
    assert_eq!(of_request.parent_span_id, caller);
    let statements: Vec<&Span> = received
        .iter()
        .filter(|span| span.parent_span_id == of_request.span_id)
        .collect();
    assert!(!statements.is_empty());
    assert!(
        statements
            .iter()
            .all(|span| span.trace_id == of_request.trace_id)
    );
}

/// Has a server answer calls of these ids, the second of which has a trace already. Returns the
/// log, and the traces by OTLP.
async fn log_of(calls: [&'static str; 2], more: &[&str]) -> (String, Vec<String>) {
    let (endpoint, mut spans) = collector().await;
    let database = TestDatabase::new(Backend::SqliteFile);
    let arguments = ["--otlp-endpoint", &endpoint, "--log-level", "debug"];
    let server = Server::on(&database, &[&arguments, more].concat());
    let mut client = server.client().await;
    for (id, parent) in calls.into_iter().zip([None, Some(PARENT)]) {
        let mut request = Request::new(pb::GetArtifactTypesRequest::default());
        let metadata = request.metadata_mut();
        metadata.insert("x-request-id", MetadataValue::from_static(id));
        if let Some(parent) = parent {
            metadata.insert("traceparent", MetadataValue::from_static(parent));
        }
        client.get_artifact_types(request).await.unwrap();
    }
    let log = server.process.log();
    server.stop();
    let mut traces = Vec::new();
    while let Ok(span) = spans.try_recv() {
        if span.name == "ml_metadata.MetadataStoreService/GetArtifactTypes" {
            let trace = <[u8; 16]>::try_from(span.trace_id).unwrap();
            traces.push(format!("{:032x}", u128::from_be_bytes(trace)));
        }
    }
    (log, traces)
}

/// The line that tells the end of a request.
fn answered<'a>(log: &'a str, id: &str) -> &'a str {
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("answered") && line.contains(id));
    line.unwrap_or_else(|| panic!("no {id} in {log}"))
}

async fn lines_of_logs_name_the_request_and_its_trace() {
    let calls = ["run-1", "run-2"];
    let (log, traces) = log_of(calls, &["--log-format", "json"]).await;
    assert_eq!(traces.len(), 2);
    for (id, trace) in calls.iter().zip(&traces) {
        let line: serde_json::Value = serde_json::from_str(answered(&log, id)).unwrap();
        assert_eq!(line["span"]["id"], *id);
        assert_eq!(line["span"]["trace_id"], *trace);
    }
    let (log, traces) = log_of(calls, &["--log-format", "text"]).await;
    assert_eq!(traces.len(), 2);
    for (id, trace) in calls.iter().zip(&traces) {
        let line = answered(&log, id);
        assert!(line.contains(&format!("trace_id={trace}")), "{line}");
    }
    assert_eq!(traces[1], "0af7651916cd43dd8448eb211c80319c");
}

/// A caller's trace is told also where none is sent, and of none nothing is said.
async fn errors_name_the_request_whatever_the_level() {
    let proxy = TcpProxy::to(0).await;
    let mut database = TestDatabase::new(Backend::Postgres);
    let reached = database.port();
    database.go_through(proxy.port);
    // The listener's line, which tells the port, and no other below an error.
    let level = "error,pedigree::server=info,pedigree::server::layers=error";
    let arguments = [
        "--log-format",
        "json",
        "--log-level",
        level,
        "--startup-wait",
        "0",
    ];
    let process = Process::start(pedigree_on(&database, &arguments));
    let server = Server::early(process);
    let mut client = server.client().await;
    let mut request = Request::new(pb::GetArtifactTypesRequest::default());
    let metadata = request.metadata_mut();
    metadata.insert("x-request-id", MetadataValue::from_static("run-3"));
    metadata.insert("traceparent", MetadataValue::from_static(PARENT));
    client.get_artifact_types(request).await.unwrap_err();
    let log = server.process.log();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("request failed")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["span"]["id"], "run-3");
    assert_eq!(line["span"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    server.stop();
    database.go_through(reached);
}
