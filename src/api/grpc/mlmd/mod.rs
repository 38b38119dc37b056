//! `ml_metadata.MetadataStoreService`: the methods, in one list.
//!
//! Each method is the [`Rpc`], the [`Put`] or the [`lists::ListRpc`] of its request, in the file of
//! its subject: convert, call the graph, convert back.

mod contexts;
pub(super) mod convert;
mod lineage;
mod lists;
mod nodes;
mod paging;
mod signature;
pub(super) mod types;
mod unpaged;
mod writes;

use std::time::Duration;

use tonic::service::{LayerExt, Layered};
use tonic::{Request, Response, Status};
use tower::util::{MapResponse, MapResponseLayer};

use crate::api::call::{Call, Calls};
use crate::error::Result;
use crate::graph::Write;
use crate::model::Door;
use crate::proto::ml_metadata as pb;
use crate::proto::ml_metadata::metadata_store_service_server::{
    MetadataStoreService, MetadataStoreServiceServer,
};
use unpaged::{ReplaceBody, UnpagedLists};

/// The service.
#[derive(Clone, Debug)]
pub struct MetadataStore {
    calls: Calls,
    unpaged: UnpagedLists,
}

/// Limits of the service.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The size of a request, in bytes.
    pub request_bytes: usize,
    /// The size of a response, in bytes.
    pub response_bytes: usize,
    /// The memory of all unpaged lists in flight together, in bytes.
    pub list_buffer_bytes: usize,
    /// How long a client may leave a response unread that holds a database connection.
    pub slow_reader_timeout: Duration,
}

type MetadataServer = MetadataStoreServiceServer<MetadataStore>;

/// The service and the layer that replaces the bodies of unpaged lists.
pub type Replacing = Layered<MapResponse<MetadataServer, ReplaceBody>, MetadataServer>;

/// The service, whose requests get their context from `calls`.
#[must_use]
pub fn service(calls: Calls, limits: Limits) -> Replacing {
    let service = MetadataStore {
        calls,
        unpaged: UnpagedLists::new(limits),
    };
    let service = MetadataStoreServiceServer::new(service)
        .max_decoding_message_size(limits.request_bytes)
        .max_encoding_message_size(limits.response_bytes);
    MapResponseLayer::new(unpaged::replace_body as ReplaceBody).named_layer(service)
}

/// A request of a unary method.
trait Rpc: Send {
    type Response;

    /// Answers the request.
    fn run(self, call: &Call) -> impl Future<Output = Result<Self::Response>> + Send;
}

/// A request that changes the graph. `LineageService.Record` takes the same requests as messages.
pub(super) trait Put: Sized + Send {
    type Change: Write + 'static;
    /// What the response needs of the request besides the answer of the graph.
    type Shape: Send + 'static;
    type Response;

    /// The change that the request asks for.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what cannot be converted.
    fn change(self) -> Result<(Self::Change, Self::Shape)>;

    /// Whether everything that the change would store is stored already. `false` for changes of
    /// which a read cannot say so.
    ///
    /// # Errors
    ///
    /// Those of the read.
    fn is_stored(_: &Call, _: &Self::Change) -> impl Future<Output = Result<bool>> + Send {
        async { Ok(false) }
    }

    /// The response for the graph's answer.
    fn response(shape: Self::Shape, answer: Answer<Self>) -> Self::Response;
}

/// What the graph answers to the change of a request.
pub(super) type Answer<P> = <<P as Put>::Change as Write>::Answer;

impl<P: Put> Rpc for P {
    type Response = P::Response;

    async fn run(self, call: &Call) -> Result<P::Response> {
        let (change, shape) = self.change()?;
        if let Some(right) = &call.missing_right
            && !P::is_stored(call, &change).await?
        {
            right.need()?;
        }
        let answer = call.graph.write(&call.caller, change).await?;
        Ok(P::response(shape, answer))
    }
}

/// Implements the service: a method runs its request.
macro_rules! methods {
    (
        unary { $($method:ident($request:ident) -> $response:ident;)* }
        lists { $($list:ident($list_request:ident) -> $list_response:ident;)* }
    ) => {
        #[tonic::async_trait]
        impl MetadataStoreService for MetadataStore {
            $(async fn $method(
                &self,
                request: Request<pb::$request>,
            ) -> Result<Response<pb::$response>, Status> {
                let call = self.calls.call(Door::MlMetadata, request.extensions()).await?;
                Ok(Response::new(request.into_inner().run(&call).await?))
            })*
            $(async fn $list(
                &self,
                request: Request<pb::$list_request>,
            ) -> Result<Response<pb::$list_response>, Status> {
                let call = self.calls.call(Door::MlMetadata, request.extensions()).await?;
                Ok(lists::run(request.into_inner(), &call, &self.unpaged).await?)
            })*
        }
    };
}

methods! {
    unary {
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
        get_artifacts_by_id(GetArtifactsByIdRequest) -> GetArtifactsByIdResponse;
        get_executions_by_id(GetExecutionsByIdRequest) -> GetExecutionsByIdResponse;
        get_contexts_by_id(GetContextsByIdRequest) -> GetContextsByIdResponse;
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
        get_parent_contexts_by_context(GetParentContextsByContextRequest) -> GetParentContextsByContextResponse;
        get_children_contexts_by_context(GetChildrenContextsByContextRequest) -> GetChildrenContextsByContextResponse;
        get_parent_contexts_by_contexts(GetParentContextsByContextsRequest) -> GetParentContextsByContextsResponse;
        get_children_contexts_by_contexts(GetChildrenContextsByContextsRequest) -> GetChildrenContextsByContextsResponse;
        get_lineage_subgraph(GetLineageSubgraphRequest) -> GetLineageSubgraphResponse;
        get_lineage_graph(GetLineageGraphRequest) -> GetLineageGraphResponse;
    }
    lists {
        get_artifacts(GetArtifactsRequest) -> GetArtifactsResponse;
        get_executions(GetExecutionsRequest) -> GetExecutionsResponse;
        get_contexts(GetContextsRequest) -> GetContextsResponse;
        get_artifacts_by_type(GetArtifactsByTypeRequest) -> GetArtifactsByTypeResponse;
        get_executions_by_type(GetExecutionsByTypeRequest) -> GetExecutionsByTypeResponse;
        get_contexts_by_type(GetContextsByTypeRequest) -> GetContextsByTypeResponse;
        get_artifacts_by_context(GetArtifactsByContextRequest) -> GetArtifactsByContextResponse;
        get_executions_by_context(GetExecutionsByContextRequest) -> GetExecutionsByContextResponse;
    }
}
