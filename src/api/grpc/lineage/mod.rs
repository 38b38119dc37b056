//! `pedigree.lineage.v1.LineageService`. Each method is the [`LineageRpc`] of its request, in the
//! file of its name: convert, call the graph, convert back.

mod get_facets;
mod heartbeat;
mod record;
mod run_event;
mod trace;
mod trace_columns;
mod watch;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::api::call::{Call, Calls};
use crate::api::grpc::sink::Responses;
use crate::error::Error;
use crate::model::Door;
use crate::proto::pedigree::lineage::v1::lineage_service_server::LineageService;
use crate::proto::pedigree::lineage::v1::{
    GetFacetsRequest, GetFacetsResponse, RecordRequest, RecordResponse, TraceColumnsRequest,
    TraceColumnsResponse, TraceRequest, TraceResponse, WatchRequest, WatchResponse,
};
pub use record::Batches;

/// The service.
#[derive(Clone, Debug)]
pub struct Service {
    calls: Calls,
    batches: Batches,
    /// How long a client may leave a stream unread that holds a connection to the database.
    slow_reader_timeout: Duration,
    /// Cancelled when the server stops; streams end then.
    stop: CancellationToken,
}

impl Service {
    #[must_use]
    pub const fn new(
        calls: Calls,
        batches: Batches,
        slow_reader_timeout: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self {
            calls,
            batches,
            slow_reader_timeout,
            stop,
        }
    }

    /// Makes the call of a request and runs the request.
    async fn run<R: LineageRpc>(
        &self,
        request: Request<R>,
    ) -> Result<Response<R::Response>, Status> {
        let call = self
            .calls
            .call(Door::Pedigree, request.extensions())
            .await?;
        Ok(Response::new(request.into_inner().run(&call, self).await?))
    }
}

/// A request of a method.
trait LineageRpc: Send {
    /// [`Responses`] of a method that streams them.
    type Response;

    /// Answers the request, or begins to.
    fn run(
        self,
        call: &Call,
        service: &Service,
    ) -> impl Future<Output = Result<Self::Response, Error>> + Send;
}

/// A text that was given: one that is unset is empty on the wire.
fn text(given: String) -> Option<String> {
    (!given.is_empty()).then_some(given)
}

/// The status of a stream that ends because the server stops.
fn stopping() -> Status {
    Status::unavailable("the server stops; open another stream and go on from the last response")
}

#[tonic::async_trait]
impl LineageService for Service {
    type RecordStream = Responses<RecordResponse>;
    type WatchStream = Responses<WatchResponse>;
    type TraceStream = Responses<TraceResponse>;
    type TraceColumnsStream = Responses<TraceColumnsResponse>;
    type GetFacetsStream = Responses<GetFacetsResponse>;

    async fn record(
        &self,
        requests: Request<Streaming<RecordRequest>>,
    ) -> Result<Response<Self::RecordStream>, Status> {
        self.run(requests).await
    }

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.run(request).await
    }

    async fn trace(
        &self,
        request: Request<TraceRequest>,
    ) -> Result<Response<Self::TraceStream>, Status> {
        self.run(request).await
    }

    async fn trace_columns(
        &self,
        request: Request<TraceColumnsRequest>,
    ) -> Result<Response<Self::TraceColumnsStream>, Status> {
        self.run(request).await
    }

    async fn get_facets(
        &self,
        request: Request<GetFacetsRequest>,
    ) -> Result<Response<Self::GetFacetsStream>, Status> {
        self.run(request).await
    }
}
