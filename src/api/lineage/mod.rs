//! Our own `pedigree.lineage.v1.LineageService`: write lineage, watch it, trace it, each in the file of its method.

mod outlet;
mod trace;

use std::pin::Pin;
use std::time::Duration;

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
    /// How long a client may leave a stream unread that holds something of the server's.
    patience: Duration,
}

impl Service {
    #[must_use]
    pub const fn new(graphs: Graphs, patience: Duration) -> Self {
        Self { graphs, patience }
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
        let request = request.into_inner();
        let responses = trace::run(graph.clone(), request, self.patience).await?;
        Ok(Response::new(responses))
    }
}
