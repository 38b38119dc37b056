//! Our own `pedigree.lineage.v1.LineageService`: write lineage, watch it, trace it, each in the file of its method.

#[cfg_attr(not(test), expect(dead_code, reason = "the stream of Record calls it"))]
mod run_event;
mod trace;

use std::pin::Pin;

use tonic::{Request, Response, Status, Streaming};

use crate::graph::Graphs;
use crate::proto::pedigree::lineage::v1::lineage_service_server::LineageService;
use crate::proto::pedigree::lineage::v1::{
    RecordRequest, RecordResponse, TraceRequest, TraceResponse, WatchRequest, WatchResponse,
};

/// The responses of a call, as they come.
type Responses<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

/// The service on the graph of each request.
#[derive(Clone, Debug)]
pub struct Service {
    graphs: Graphs,
}

impl Service {
    #[must_use]
    pub const fn new(graphs: Graphs) -> Self {
        Self { graphs }
    }
}

#[tonic::async_trait]
impl LineageService for Service {
    type RecordStream = Responses<RecordResponse>;
    type WatchStream = Responses<WatchResponse>;
    type TraceStream = Responses<TraceResponse>;

    async fn record(
        &self,
        _requests: Request<Streaming<RecordRequest>>,
    ) -> Result<Response<Self::RecordStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn watch(
        &self,
        _request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn trace(
        &self,
        request: Request<TraceRequest>,
    ) -> Result<Response<Self::TraceStream>, Status> {
        let graph = self.graphs.get()?;
        let responses = trace::run(graph.clone(), request.into_inner())?;
        Ok(Response::new(responses))
    }
}
