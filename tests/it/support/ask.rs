//! Requests know their method, so that a case names the request only.

use pedigree::proto::GetArtifactsByUriRequest;
use pedigree::proto::ml_metadata as pb;
use tonic::Status;

use super::store::Client;

/// A request together with the method it is for.
pub trait Ask: Send + 'static {
    type Answer: Send;

    fn ask(self, client: Client) -> impl Future<Output = Result<Self::Answer, Status>> + Send;
}

/// A request whose answer is turned into something else.
pub struct Then<A: Ask, T>(pub A, pub fn(A::Answer) -> T);

impl<A: Ask, T: Send + 'static> Ask for Then<A, T> {
    type Answer = T;

    async fn ask(self, client: Client) -> Result<T, Status> {
        Ok((self.1)(self.0.ask(client).await?))
    }
}

macro_rules! asks {
    ($($method:ident: $request:ty => $answer:ident;)*) => { $(
        impl Ask for $request {
            type Answer = pb::$answer;

            async fn ask(self, mut client: Client) -> Result<pb::$answer, Status> {
                Ok(client.$method(self).await?.into_inner())
            }
        }
    )* };
}
asks! {
    put_artifact_type: pb::PutArtifactTypeRequest => PutArtifactTypeResponse;
    put_execution_type: pb::PutExecutionTypeRequest => PutExecutionTypeResponse;
    put_context_type: pb::PutContextTypeRequest => PutContextTypeResponse;
    put_types: pb::PutTypesRequest => PutTypesResponse;
    put_artifacts: pb::PutArtifactsRequest => PutArtifactsResponse;
    put_executions: pb::PutExecutionsRequest => PutExecutionsResponse;
    put_contexts: pb::PutContextsRequest => PutContextsResponse;
    put_events: pb::PutEventsRequest => PutEventsResponse;
    put_attributions_and_associations: pb::PutAttributionsAndAssociationsRequest => PutAttributionsAndAssociationsResponse;
    put_parent_contexts: pb::PutParentContextsRequest => PutParentContextsResponse;
    put_execution: pb::PutExecutionRequest => PutExecutionResponse;
    put_lineage_subgraph: pb::PutLineageSubgraphRequest => PutLineageSubgraphResponse;
    get_artifact_type: pb::GetArtifactTypeRequest => GetArtifactTypeResponse;
    get_execution_type: pb::GetExecutionTypeRequest => GetExecutionTypeResponse;
    get_context_type: pb::GetContextTypeRequest => GetContextTypeResponse;
    get_artifact_types_by_id: pb::GetArtifactTypesByIdRequest => GetArtifactTypesByIdResponse;
    get_execution_types_by_id: pb::GetExecutionTypesByIdRequest => GetExecutionTypesByIdResponse;
    get_context_types_by_id: pb::GetContextTypesByIdRequest => GetContextTypesByIdResponse;
    get_artifact_types: pb::GetArtifactTypesRequest => GetArtifactTypesResponse;
    get_execution_types: pb::GetExecutionTypesRequest => GetExecutionTypesResponse;
    get_context_types: pb::GetContextTypesRequest => GetContextTypesResponse;
    get_artifact_types_by_external_ids: pb::GetArtifactTypesByExternalIdsRequest => GetArtifactTypesByExternalIdsResponse;
    get_execution_types_by_external_ids: pb::GetExecutionTypesByExternalIdsRequest => GetExecutionTypesByExternalIdsResponse;
    get_context_types_by_external_ids: pb::GetContextTypesByExternalIdsRequest => GetContextTypesByExternalIdsResponse;
    get_artifacts: pb::GetArtifactsRequest => GetArtifactsResponse;
    get_executions: pb::GetExecutionsRequest => GetExecutionsResponse;
    get_contexts: pb::GetContextsRequest => GetContextsResponse;
    get_artifacts_by_id: pb::GetArtifactsByIdRequest => GetArtifactsByIdResponse;
    get_executions_by_id: pb::GetExecutionsByIdRequest => GetExecutionsByIdResponse;
    get_contexts_by_id: pb::GetContextsByIdRequest => GetContextsByIdResponse;
    get_artifacts_by_type: pb::GetArtifactsByTypeRequest => GetArtifactsByTypeResponse;
    get_executions_by_type: pb::GetExecutionsByTypeRequest => GetExecutionsByTypeResponse;
    get_contexts_by_type: pb::GetContextsByTypeRequest => GetContextsByTypeResponse;
    get_artifact_by_type_and_name: pb::GetArtifactByTypeAndNameRequest => GetArtifactByTypeAndNameResponse;
    get_execution_by_type_and_name: pb::GetExecutionByTypeAndNameRequest => GetExecutionByTypeAndNameResponse;
    get_context_by_type_and_name: pb::GetContextByTypeAndNameRequest => GetContextByTypeAndNameResponse;
    get_artifacts_by_external_ids: pb::GetArtifactsByExternalIdsRequest => GetArtifactsByExternalIdsResponse;
    get_executions_by_external_ids: pb::GetExecutionsByExternalIdsRequest => GetExecutionsByExternalIdsResponse;
    get_contexts_by_external_ids: pb::GetContextsByExternalIdsRequest => GetContextsByExternalIdsResponse;
    get_artifacts_by_uri: GetArtifactsByUriRequest => GetArtifactsByUriResponse;
    get_events_by_execution_i_ds: pb::GetEventsByExecutionIDsRequest => GetEventsByExecutionIDsResponse;
    get_events_by_artifact_i_ds: pb::GetEventsByArtifactIDsRequest => GetEventsByArtifactIDsResponse;
    get_contexts_by_artifact: pb::GetContextsByArtifactRequest => GetContextsByArtifactResponse;
    get_contexts_by_execution: pb::GetContextsByExecutionRequest => GetContextsByExecutionResponse;
    get_artifacts_by_context: pb::GetArtifactsByContextRequest => GetArtifactsByContextResponse;
    get_executions_by_context: pb::GetExecutionsByContextRequest => GetExecutionsByContextResponse;
    get_parent_contexts_by_context: pb::GetParentContextsByContextRequest => GetParentContextsByContextResponse;
    get_children_contexts_by_context: pb::GetChildrenContextsByContextRequest => GetChildrenContextsByContextResponse;
    get_parent_contexts_by_contexts: pb::GetParentContextsByContextsRequest => GetParentContextsByContextsResponse;
    get_children_contexts_by_contexts: pb::GetChildrenContextsByContextsRequest => GetChildrenContextsByContextsResponse;
    get_lineage_subgraph: pb::GetLineageSubgraphRequest => GetLineageSubgraphResponse;
    get_lineage_graph: pb::GetLineageGraphRequest => GetLineageGraphResponse;
}
