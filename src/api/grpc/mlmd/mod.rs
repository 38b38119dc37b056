//! ML Metadata's `MetadataStoreService`: 52 methods, each one line here and one `rpc!` in the file of its subject.

mod contexts;
pub(super) mod convert;
mod large;
mod lineage;
mod nodes;
mod signature;
pub(super) mod types;
mod writes;

use std::time::Duration;

use tonic::service::{LayerExt, Layered};
use tonic::{Request, Response, Status};
use tower::util::{MapResponse, MapResponseLayer};

use crate::api::call::Call;
use crate::error::Result;
use crate::graph::{Graphs, Write};
use crate::model::Door;
use crate::proto::GetArtifactsByUriRequest;
use crate::proto::ml_metadata::metadata_store_service_server::{
    MetadataStoreService, MetadataStoreServiceServer,
};
use crate::proto::ml_metadata::{
    GetArtifactByTypeAndNameRequest, GetArtifactByTypeAndNameResponse, GetArtifactTypeRequest,
    GetArtifactTypeResponse, GetArtifactTypesByExternalIdsRequest,
    GetArtifactTypesByExternalIdsResponse, GetArtifactTypesByIdRequest,
    GetArtifactTypesByIdResponse, GetArtifactTypesRequest, GetArtifactTypesResponse,
    GetArtifactsByContextRequest, GetArtifactsByContextResponse, GetArtifactsByExternalIdsRequest,
    GetArtifactsByExternalIdsResponse, GetArtifactsByIdRequest, GetArtifactsByIdResponse,
    GetArtifactsByTypeRequest, GetArtifactsByTypeResponse, GetArtifactsByUriResponse,
    GetArtifactsRequest, GetArtifactsResponse, GetChildrenContextsByContextRequest,
    GetChildrenContextsByContextResponse, GetChildrenContextsByContextsRequest,
    GetChildrenContextsByContextsResponse, GetContextByTypeAndNameRequest,
    GetContextByTypeAndNameResponse, GetContextTypeRequest, GetContextTypeResponse,
    GetContextTypesByExternalIdsRequest, GetContextTypesByExternalIdsResponse,
    GetContextTypesByIdRequest, GetContextTypesByIdResponse, GetContextTypesRequest,
    GetContextTypesResponse, GetContextsByArtifactRequest, GetContextsByArtifactResponse,
    GetContextsByExecutionRequest, GetContextsByExecutionResponse, GetContextsByExternalIdsRequest,
    GetContextsByExternalIdsResponse, GetContextsByIdRequest, GetContextsByIdResponse,
    GetContextsByTypeRequest, GetContextsByTypeResponse, GetContextsRequest, GetContextsResponse,
    GetEventsByArtifactIDsRequest, GetEventsByArtifactIDsResponse, GetEventsByExecutionIDsRequest,
    GetEventsByExecutionIDsResponse, GetExecutionByTypeAndNameRequest,
    GetExecutionByTypeAndNameResponse, GetExecutionTypeRequest, GetExecutionTypeResponse,
    GetExecutionTypesByExternalIdsRequest, GetExecutionTypesByExternalIdsResponse,
    GetExecutionTypesByIdRequest, GetExecutionTypesByIdResponse, GetExecutionTypesRequest,
    GetExecutionTypesResponse, GetExecutionsByContextRequest, GetExecutionsByContextResponse,
    GetExecutionsByExternalIdsRequest, GetExecutionsByExternalIdsResponse,
    GetExecutionsByIdRequest, GetExecutionsByIdResponse, GetExecutionsByTypeRequest,
    GetExecutionsByTypeResponse, GetExecutionsRequest, GetExecutionsResponse,
    GetLineageGraphRequest, GetLineageGraphResponse, GetLineageSubgraphRequest,
    GetLineageSubgraphResponse, GetParentContextsByContextRequest,
    GetParentContextsByContextResponse, GetParentContextsByContextsRequest,
    GetParentContextsByContextsResponse, PutArtifactTypeRequest, PutArtifactTypeResponse,
    PutArtifactsRequest, PutArtifactsResponse, PutAttributionsAndAssociationsRequest,
    PutAttributionsAndAssociationsResponse, PutContextTypeRequest, PutContextTypeResponse,
    PutContextsRequest, PutContextsResponse, PutEventsRequest, PutEventsResponse,
    PutExecutionRequest, PutExecutionResponse, PutExecutionTypeRequest, PutExecutionTypeResponse,
    PutExecutionsRequest, PutExecutionsResponse, PutLineageSubgraphRequest,
    PutLineageSubgraphResponse, PutParentContextsRequest, PutParentContextsResponse,
    PutTypesRequest, PutTypesResponse,
};
use large::{Large, PutInPlace};

/// The service on the graph of each request.
#[derive(Clone, Debug)]
pub struct Service {
    graphs: Graphs,
    large: Large,
}

/// What a client may ask of the service.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest request, in bytes.
    pub request: usize,
    /// The largest answer, in bytes.
    pub response: usize,
    /// How much memory long lists on the way to their clients take together, in bytes.
    pub lists: usize,
    /// How long an answer may be left unread that holds a connection to the database.
    pub patience: Duration,
}

type Server = MetadataStoreServiceServer<Service>;

/// The service with what belongs around it.
pub type Served = Layered<MapResponse<Server, PutInPlace>, Server>;

/// The service on these graphs.
#[must_use]
pub fn service(graphs: Graphs, limits: Limits) -> Served {
    let service = Service {
        graphs,
        large: Large::new(limits),
    };
    let service = MetadataStoreServiceServer::new(service)
        .max_decoding_message_size(limits.request)
        .max_encoding_message_size(limits.response);
    MapResponseLayer::new(large::put_in_place as PutInPlace).named_layer(service)
}

/// What a request does: convert, call the graph, convert back.
trait Rpc: Send {
    type Response;

    fn run(
        self,
        call: &Call,
        large: &Large,
    ) -> impl Future<Output = Result<Response<Self::Response>>> + Send;
}

/// Says what a request does. `$body` is async and may use `?`.
macro_rules! rpc {
    ($request_type:ty => $response:ty, |$request:ident, $graph:ident| $body:expr) => {
        impl crate::api::grpc::mlmd::Rpc for $request_type {
            type Response = $response;

            async fn run(
                self,
                call: &crate::api::call::Call,
                _: &crate::api::grpc::mlmd::Large,
            ) -> crate::error::Result<tonic::Response<$response>> {
                let ($request, $graph) = (self, &call.graph);
                Ok(tonic::Response::new($body))
            }
        }
    };
}
use rpc;

/// A request that changes the graph: what it changes, and what becomes of the answer.
pub(super) trait Put: Sized + Send {
    type Change: Write;
    type Response;

    /// # Errors
    ///
    /// Those of what cannot be converted.
    fn split(self) -> Result<(Self::Change, ToResponse<Self>)>;
}

/// Makes the response of the answer to a change.
pub(super) type ToResponse<P> =
    Box<dyn FnOnce(<<P as Put>::Change as Write>::Answer) -> <P as Put>::Response + Send>;

/// Says what a request changes and what answers it. `$body` is a pair of these and may use `?`.
macro_rules! put {
    ($request_type:ty => $response:ty, $change:ty, |$request:ident| $body:expr) => {
        impl crate::api::grpc::mlmd::Put for $request_type {
            type Change = $change;
            type Response = $response;

            fn split(
                self,
            ) -> crate::error::Result<($change, crate::api::grpc::mlmd::ToResponse<Self>)> {
                let $request = self;
                let (change, response) = $body;
                Ok((change, Box::new(response)))
            }
        }

        impl crate::api::grpc::mlmd::Rpc for $request_type {
            type Response = $response;

            async fn run(
                self,
                call: &crate::api::call::Call,
                _: &crate::api::grpc::mlmd::Large,
            ) -> crate::error::Result<tonic::Response<$response>> {
                let (change, response) = crate::api::grpc::mlmd::Put::split(self)?;
                let answer = call.graph.write(&call.caller, change).await?;
                Ok(tonic::Response::new(response(answer)))
            }
        }
    };
}
use put;

/// The methods of the service. A method is its request's [`Rpc::run`].
macro_rules! methods {
    ($($method:ident($request:ty) -> $response:ty;)*) => {
        #[tonic::async_trait]
        impl MetadataStoreService for Service {
            $(async fn $method(
                &self,
                request: Request<$request>,
            ) -> Result<Response<$response>, Status> {
                let call = Call::new(&self.graphs, Door::MlMetadata, request.extensions())?;
                Ok(request.into_inner().run(&call, &self.large).await?)
            })*
        }
    };
}

methods! {
    put_artifact_type(PutArtifactTypeRequest) -> PutArtifactTypeResponse;
    put_execution_type(PutExecutionTypeRequest) -> PutExecutionTypeResponse;
    put_context_type(PutContextTypeRequest) -> PutContextTypeResponse;
    put_types(PutTypesRequest) -> PutTypesResponse;
    put_artifacts(PutArtifactsRequest) -> PutArtifactsResponse;
    put_executions(PutExecutionsRequest) -> PutExecutionsResponse;
    put_contexts(PutContextsRequest) -> PutContextsResponse;
    put_events(PutEventsRequest) -> PutEventsResponse;
    put_attributions_and_associations(PutAttributionsAndAssociationsRequest) -> PutAttributionsAndAssociationsResponse;
    put_parent_contexts(PutParentContextsRequest) -> PutParentContextsResponse;
    put_execution(PutExecutionRequest) -> PutExecutionResponse;
    put_lineage_subgraph(PutLineageSubgraphRequest) -> PutLineageSubgraphResponse;
    get_artifact_type(GetArtifactTypeRequest) -> GetArtifactTypeResponse;
    get_execution_type(GetExecutionTypeRequest) -> GetExecutionTypeResponse;
    get_context_type(GetContextTypeRequest) -> GetContextTypeResponse;
    get_artifact_types_by_id(GetArtifactTypesByIdRequest) -> GetArtifactTypesByIdResponse;
    get_execution_types_by_id(GetExecutionTypesByIdRequest) -> GetExecutionTypesByIdResponse;
    get_context_types_by_id(GetContextTypesByIdRequest) -> GetContextTypesByIdResponse;
    get_artifact_types(GetArtifactTypesRequest) -> GetArtifactTypesResponse;
    get_execution_types(GetExecutionTypesRequest) -> GetExecutionTypesResponse;
    get_context_types(GetContextTypesRequest) -> GetContextTypesResponse;
    get_artifact_types_by_external_ids(GetArtifactTypesByExternalIdsRequest) -> GetArtifactTypesByExternalIdsResponse;
    get_execution_types_by_external_ids(GetExecutionTypesByExternalIdsRequest) -> GetExecutionTypesByExternalIdsResponse;
    get_context_types_by_external_ids(GetContextTypesByExternalIdsRequest) -> GetContextTypesByExternalIdsResponse;
    get_artifacts(GetArtifactsRequest) -> GetArtifactsResponse;
    get_executions(GetExecutionsRequest) -> GetExecutionsResponse;
    get_contexts(GetContextsRequest) -> GetContextsResponse;
    get_artifacts_by_id(GetArtifactsByIdRequest) -> GetArtifactsByIdResponse;
    get_executions_by_id(GetExecutionsByIdRequest) -> GetExecutionsByIdResponse;
    get_contexts_by_id(GetContextsByIdRequest) -> GetContextsByIdResponse;
    get_artifacts_by_type(GetArtifactsByTypeRequest) -> GetArtifactsByTypeResponse;
    get_executions_by_type(GetExecutionsByTypeRequest) -> GetExecutionsByTypeResponse;
    get_contexts_by_type(GetContextsByTypeRequest) -> GetContextsByTypeResponse;
    get_artifact_by_type_and_name(GetArtifactByTypeAndNameRequest) -> GetArtifactByTypeAndNameResponse;
    get_execution_by_type_and_name(GetExecutionByTypeAndNameRequest) -> GetExecutionByTypeAndNameResponse;
    get_context_by_type_and_name(GetContextByTypeAndNameRequest) -> GetContextByTypeAndNameResponse;
    get_artifacts_by_external_ids(GetArtifactsByExternalIdsRequest) -> GetArtifactsByExternalIdsResponse;
    get_executions_by_external_ids(GetExecutionsByExternalIdsRequest) -> GetExecutionsByExternalIdsResponse;
    get_contexts_by_external_ids(GetContextsByExternalIdsRequest) -> GetContextsByExternalIdsResponse;
    get_artifacts_by_uri(GetArtifactsByUriRequest) -> GetArtifactsByUriResponse;
    get_events_by_execution_i_ds(GetEventsByExecutionIDsRequest) -> GetEventsByExecutionIDsResponse;
    get_events_by_artifact_i_ds(GetEventsByArtifactIDsRequest) -> GetEventsByArtifactIDsResponse;
    get_contexts_by_artifact(GetContextsByArtifactRequest) -> GetContextsByArtifactResponse;
    get_contexts_by_execution(GetContextsByExecutionRequest) -> GetContextsByExecutionResponse;
    get_artifacts_by_context(GetArtifactsByContextRequest) -> GetArtifactsByContextResponse;
    get_executions_by_context(GetExecutionsByContextRequest) -> GetExecutionsByContextResponse;
    get_parent_contexts_by_context(GetParentContextsByContextRequest) -> GetParentContextsByContextResponse;
    get_children_contexts_by_context(GetChildrenContextsByContextRequest) -> GetChildrenContextsByContextResponse;
    get_parent_contexts_by_contexts(GetParentContextsByContextsRequest) -> GetParentContextsByContextsResponse;
    get_children_contexts_by_contexts(GetChildrenContextsByContextsRequest) -> GetChildrenContextsByContextsResponse;
    get_lineage_subgraph(GetLineageSubgraphRequest) -> GetLineageSubgraphResponse;
    get_lineage_graph(GetLineageGraphRequest) -> GetLineageGraphResponse;
}
