//! `LineageService.TraceColumns`.

use super::{LineageRpc, Service, text};
use crate::api::call::Call;
use crate::api::grpc::sink::{ResponseSink, Responses};
use crate::error::{Error, Result};
use crate::graph::{ColumnEdge, ColumnQuery, ColumnStart, DatasetColumn, Direction};
use crate::proto::pedigree::lineage::v1::trace_columns_request::{
    Direction as WireDirection, Start,
};
use crate::proto::pedigree::lineage::v1::{
    ColumnEdge as WireEdge, ColumnRef, ColumnTraceEnd, TraceColumnsRequest, TraceColumnsResponse,
};

/// The most edges of a response.
const MAX_RESPONSE_EDGES: usize = 1000;

impl LineageRpc for TraceColumnsRequest {
    type Response = Responses<TraceColumnsResponse>;

    async fn run(self, call: &Call, service: &Service) -> Result<Self::Response> {
        let found = call.graph.column_lineage(&self.try_into()?).await?;
        let end = ColumnTraceEnd {
            edges: found.edges.len().try_into().unwrap_or(i64::MAX),
            cut: found.is_cut,
        };
        let work = move |mut sink: ResponseSink<TraceColumnsResponse>| async move {
            let mut edges = found.edges.into_iter().map(WireEdge::from).peekable();
            while edges.peek().is_some() {
                let part = edges.by_ref().take(MAX_RESPONSE_EDGES).collect();
                let response = TraceColumnsResponse {
                    edges: part,
                    end: None,
                };
                sink.send(response).await?;
            }
            let last = TraceColumnsResponse {
                edges: Vec::new(),
                end: Some(end),
            };
            sink.send(last).await
        };
        Ok(Responses::from_task(
            &call.tasks,
            service.slow_reader_timeout,
            work,
        ))
    }
}

impl TryFrom<TraceColumnsRequest> for ColumnQuery {
    type Error = Error;

    fn try_from(given: TraceColumnsRequest) -> Result<Self> {
        let direction = match WireDirection::try_from(given.direction) {
            Ok(WireDirection::Provenance) => Direction::Upstream,
            Ok(WireDirection::Impact) => Direction::Downstream,
            Err(_) => {
                let number = given.direction;
                return Err(Error::invalid(format!("direction cannot be {number}")));
            }
        };
        let start = match given.start {
            Some(Start::Dataset(uri)) if !uri.is_empty() => ColumnStart::Dataset(uri),
            Some(Start::ArtifactId(id)) => ColumnStart::Version(id),
            Some(Start::ExecutionId(id)) => ColumnStart::Run(id),
            Some(Start::Dataset(_)) | None => {
                return Err(Error::invalid(
                    "nowhere to start: give a dataset, an artifact or an execution",
                ));
            }
        };
        Ok(Self {
            direction,
            start,
            column: text(given.column),
            max_hops: given.max_hops,
            max_edges: given.max_edges,
        })
    }
}

impl From<ColumnEdge> for WireEdge {
    fn from(edge: ColumnEdge) -> Self {
        Self {
            hop: edge.hop,
            output: Some(edge.output.into()),
            input: Some(edge.input.into()),
            transformation: edge.transformation.kind,
            subtype: edge.transformation.subtype,
            description: edge.transformation.description,
            masking: edge.transformation.is_masking,
            execution_id: edge.execution_id.unwrap_or(0),
        }
    }
}

impl From<DatasetColumn> for ColumnRef {
    fn from(column: DatasetColumn) -> Self {
        Self {
            dataset: column.dataset,
            column: column.column,
        }
    }
}
