//! RPCs that put and get nodes of one kind, and events.

use tonic::Response;

use super::convert::{all, mask};
use super::large::Large;
use super::types::WireType;
use super::{Rpc, put, rpc};
use crate::api::call::Call;
use crate::error::{Error, Result};
use crate::graph::{PutNodes, Within};
use crate::model::Kind;
use crate::proto::GetArtifactsByUriRequest;
use crate::proto::ml_metadata::{
    ArtifactType, GetArtifactByTypeAndNameRequest, GetArtifactByTypeAndNameResponse,
    GetArtifactsByContextRequest, GetArtifactsByContextResponse, GetArtifactsByExternalIdsRequest,
    GetArtifactsByExternalIdsResponse, GetArtifactsByIdRequest, GetArtifactsByIdResponse,
    GetArtifactsByTypeRequest, GetArtifactsByTypeResponse, GetArtifactsByUriResponse,
    GetArtifactsRequest, GetArtifactsResponse, GetContextByTypeAndNameRequest,
    GetContextByTypeAndNameResponse, GetContextsByExternalIdsRequest,
    GetContextsByExternalIdsResponse, GetContextsByIdRequest, GetContextsByIdResponse,
    GetContextsByTypeRequest, GetContextsByTypeResponse, GetContextsRequest, GetContextsResponse,
    GetEventsByArtifactIDsRequest, GetEventsByArtifactIDsResponse, GetEventsByExecutionIDsRequest,
    GetEventsByExecutionIDsResponse, GetExecutionByTypeAndNameRequest,
    GetExecutionByTypeAndNameResponse, GetExecutionsByContextRequest,
    GetExecutionsByContextResponse, GetExecutionsByExternalIdsRequest,
    GetExecutionsByExternalIdsResponse, GetExecutionsByIdRequest, GetExecutionsByIdResponse,
    GetExecutionsByTypeRequest, GetExecutionsByTypeResponse, GetExecutionsRequest,
    GetExecutionsResponse, PutArtifactsRequest, PutArtifactsResponse, PutContextsRequest,
    PutContextsResponse, PutExecutionsRequest, PutExecutionsResponse,
};

macro_rules! put_nodes {
    ($kind:ident: $request:ident => $response:ident, $nodes:ident, $ids:ident $(, $options:ident)?) => {
        put!($request => $response, PutNodes, |request| {
            let put = PutNodes {
                kind: Kind::$kind,
                nodes: all(request.$nodes),
                mask: mask(request.update_mask),
                abort_if_changed: false
                    $(|| request.$options.is_some_and(|options| {
                        options.abort_if_latest_updated_time_changed()
                    }))?,
            };
            (put, |ids| $response { $ids: ids })
        });
    };
}
put_nodes!(Artifact: PutArtifactsRequest => PutArtifactsResponse, artifacts, artifact_ids, options);
put_nodes!(Execution: PutExecutionsRequest => PutExecutionsResponse, executions, execution_ids);
put_nodes!(Context: PutContextsRequest => PutContextsResponse, contexts, context_ids);

rpc!(GetArtifactsByIdRequest => GetArtifactsByIdResponse, |request, graph| {
    let (kind, ids) = (Kind::Artifact, &request.artifact_ids);
    if request.populate_artifact_types() {
        let (artifacts, types) = graph.nodes_and_types_by_ids(kind, ids).await?;
        GetArtifactsByIdResponse {
            artifacts: all(artifacts),
            artifact_types: ArtifactType::all_from_model(types)?,
        }
    } else {
        GetArtifactsByIdResponse {
            artifacts: all(graph.nodes_by_ids(kind, ids).await?),
            artifact_types: Vec::new(),
        }
    }
});

macro_rules! get_nodes_by {
    ($method:ident($ids:ident) $kind:ident: $request:ident => $response:ident, $nodes:ident) => {
        rpc!($request => $response, |request, graph| {
            $response { $nodes: all(graph.$method(Kind::$kind, &request.$ids).await?) }
        });
    };
}
get_nodes_by!(nodes_by_ids(execution_ids) Execution:
    GetExecutionsByIdRequest => GetExecutionsByIdResponse, executions);
get_nodes_by!(nodes_by_ids(context_ids) Context:
    GetContextsByIdRequest => GetContextsByIdResponse, contexts);
get_nodes_by!(nodes_by_external_ids(external_ids) Artifact:
    GetArtifactsByExternalIdsRequest => GetArtifactsByExternalIdsResponse, artifacts);
get_nodes_by!(nodes_by_external_ids(external_ids) Execution:
    GetExecutionsByExternalIdsRequest => GetExecutionsByExternalIdsResponse, executions);
get_nodes_by!(nodes_by_external_ids(external_ids) Context:
    GetContextsByExternalIdsRequest => GetContextsByExternalIdsResponse, contexts);
get_nodes_by!(events_of(artifact_ids) Artifact:
    GetEventsByArtifactIDsRequest => GetEventsByArtifactIDsResponse, events);
get_nodes_by!(events_of(execution_ids) Execution:
    GetEventsByExecutionIDsRequest => GetEventsByExecutionIDsResponse, events);

rpc!(GetArtifactsByUriRequest => GetArtifactsByUriResponse, |request, graph| {
    if request.has_retired_uri {
        return Err(Error::invalid("The request contains deprecated field `uri`. Use `uris`."));
    }
    GetArtifactsByUriResponse { artifacts: all(graph.artifacts_by_uris(&request.uris).await?) }
});

macro_rules! get_node_by_type_and_name {
    ($kind:ident: $request:ident => $response:ident, $name:ident, $node:ident) => {
        rpc!($request => $response, |request, graph| {
            let version = request.type_version.as_deref();
            let found = graph
                .node_by_type_and_name(Kind::$kind, request.type_name(), version, request.$name())
                .await?;
            $response { $node: found.map(Into::into) }
        });
    };
}
get_node_by_type_and_name!(Artifact:
    GetArtifactByTypeAndNameRequest => GetArtifactByTypeAndNameResponse, artifact_name, artifact);
get_node_by_type_and_name!(Execution:
    GetExecutionByTypeAndNameRequest => GetExecutionByTypeAndNameResponse, execution_name, execution);
get_node_by_type_and_name!(Context:
    GetContextByTypeAndNameRequest => GetContextByTypeAndNameResponse, context_name, context);

macro_rules! list_nodes {
    ($kind:ident: $request:ident => $response:ident, $nodes:ident, |$given:ident| $within:expr) => {
        impl Rpc for $request {
            type Response = $response;

            async fn run(self, call: &Call, large: &Large) -> Result<Response<$response>> {
                let ($given, graph) = (self, &call.graph);
                let within = $within;
                let response = |nodes| $response { $nodes: all(nodes), ..Default::default() };
                let Some(options) = $given.options.map(Into::into) else {
                    return large.answer(graph, (Kind::$kind, within), response).await;
                };
                let page = graph.list(Kind::$kind, &within, &options).await?;
                let mut response = response(page.nodes);
                response.next_page_token = page.next_page_token;
                Ok(Response::new(response))
            }
        }
    };
    (all $kind:ident: $request:ident => $response:ident, $nodes:ident) => {
        list_nodes!($kind: $request => $response, $nodes, |request| Within::All);
    };
    (by type $kind:ident: $request:ident => $response:ident, $nodes:ident) => {
        list_nodes!($kind: $request => $response, $nodes, |request| {
            Within::Type(request.type_name().to_owned(), request.type_version.clone())
        });
    };
    (by context $kind:ident: $request:ident => $response:ident, $nodes:ident) => {
        list_nodes!($kind: $request => $response, $nodes, |request| {
            Within::Context(request.context_id())
        });
    };
}
list_nodes!(all Artifact: GetArtifactsRequest => GetArtifactsResponse, artifacts);
list_nodes!(all Execution: GetExecutionsRequest => GetExecutionsResponse, executions);
list_nodes!(all Context: GetContextsRequest => GetContextsResponse, contexts);
list_nodes!(by type Artifact: GetArtifactsByTypeRequest => GetArtifactsByTypeResponse, artifacts);
list_nodes!(by type Execution:
    GetExecutionsByTypeRequest => GetExecutionsByTypeResponse, executions);
list_nodes!(by type Context: GetContextsByTypeRequest => GetContextsByTypeResponse, contexts);
list_nodes!(by context Artifact:
    GetArtifactsByContextRequest => GetArtifactsByContextResponse, artifacts);
list_nodes!(by context Execution:
    GetExecutionsByContextRequest => GetExecutionsByContextResponse, executions);
