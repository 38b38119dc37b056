//! Our own `pedigree.lineage.v1.LineageService`: write lineage, watch it, trace it, each in the
//! file of its method.

mod heartbeat;
mod record;
mod run_event;
mod trace;
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
    RecordRequest, RecordResponse, TraceRequest, TraceResponse, WatchRequest, WatchResponse,
};
pub use record::Batches;

/// The service.
#[derive(Clone, Debug)]
pub struct Service {
    calls: Calls,
    batches: Batches,
    /// How long a client may leave a stream unread that holds something of the server's.
    patience: Duration,
    /// Ends the streams, which would go on for ever.
    stop: CancellationToken,
}

impl Service {
    #[must_use]
    pub const fn new(
        calls: Calls,
        batches: Batches,
        patience: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self {
            calls,
            batches,
            patience,
            stop,
        }
    }

    async fn call(&self, extensions: &http::Extensions) -> Result<Call, Error> {
        self.calls.call(Door::Pedigree, extensions).await
    }
}

/// A text that was given: one that is unset is empty on the wire.
fn text(given: String) -> Option<String> {
    (!given.is_empty()).then_some(given)
}

/// The last word of a stream on a server that stops.
fn stopping() -> Status {
    Status::unavailable("the server stops; open another stream and go on from the last response")
}

#[tonic::async_trait]
impl LineageService for Service {
    type RecordStream = Responses<RecordResponse>;
    type WatchStream = Responses<WatchResponse>;
    type TraceStream = Responses<TraceResponse>;

    async fn record(
        &self,
        requests: Request<Streaming<RecordRequest>>,
    ) -> Result<Response<Self::RecordStream>, Status> {
        let call = self.call(requests.extensions()).await?;
        let responses = record::run(call, requests.into_inner(), self.batches, self.stop.clone());
        Ok(Response::new(responses))
    }

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let call = self.call(request.extensions()).await?;
        let responses = watch::run(&call, request.into_inner(), self.stop.clone()).await?;
        Ok(Response::new(responses))
    }

    async fn trace(
        &self,
        request: Request<TraceRequest>,
    ) -> Result<Response<Self::TraceStream>, Status> {
        let call = self.call(request.extensions()).await?;
        let responses = trace::run(&call, request.into_inner(), self.patience).await?;
        Ok(Response::new(responses))
    }
}
