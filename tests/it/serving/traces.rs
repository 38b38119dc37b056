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

use crate::binary::Server;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_continue_the_trace_of_the_caller() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, mut spans) = mpsc::unbounded_channel();
    let collector = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector(sender)))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(collector);

    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &["--otlp-endpoint", &endpoint]);
    let mut client = server.client().await;
    let mut request = Request::new(pb::GetArtifactTypesRequest::default());
    request.metadata_mut().insert(
        "traceparent",
        MetadataValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    );
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
