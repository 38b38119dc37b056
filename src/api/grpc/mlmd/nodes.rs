//! Methods that get nodes of one kind, and events, by what identifies them.

use super::Rpc;
use super::convert::all;
use super::types::TypeMessage;
use crate::api::call::Call;
use crate::error::{Error, Result};
use crate::model::{Kind, Node, Side};
use crate::proto::ml_metadata as pb;

/// A message that is a node of one kind.
pub(super) trait NodeMessage: From<Node> + 'static {
    const KIND: Kind;
}

impl NodeMessage for pb::Artifact {
    const KIND: Kind = Kind::Artifact;
}

impl NodeMessage for pb::Execution {
    const KIND: Kind = Kind::Execution;
}

impl NodeMessage for pb::Context {
    const KIND: Kind = Kind::Context;
}

async fn by_ids<N: NodeMessage>(call: &Call, ids: &[i64]) -> Result<Vec<N>> {
    Ok(all(call.graph.nodes_by_ids(N::KIND, ids).await?))
}

async fn by_external_ids<N: NodeMessage>(call: &Call, ids: &[String]) -> Result<Vec<N>> {
    Ok(all(call.graph.nodes_by_external_ids(N::KIND, ids).await?))
}

/// The node with this type, version and name, if there is one.
async fn by_type_and_name<N: NodeMessage>(
    call: &Call,
    (type_name, version): (&str, Option<&str>),
    name: &str,
) -> Result<Option<N>> {
    let graph = &call.graph;
    let found = graph.node_by_type_and_name(N::KIND, type_name, version, name);
    Ok(found.await?.map(N::from))
}

impl Rpc for pb::GetArtifactsByIdRequest {
    type Response = pb::GetArtifactsByIdResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let ids = &self.artifact_ids;
        if !self.populate_artifact_types() {
            return Ok(pb::GetArtifactsByIdResponse {
                artifacts: by_ids(call, ids).await?,
                artifact_types: Vec::new(),
            });
        }
        let graph = &call.graph;
        let (artifacts, types) = graph.nodes_and_types_by_ids(Kind::Artifact, ids).await?;
        Ok(pb::GetArtifactsByIdResponse {
            artifacts: all(artifacts),
            artifact_types: pb::ArtifactType::all_from_model(types)?,
        })
    }
}

impl Rpc for pb::GetExecutionsByIdRequest {
    type Response = pb::GetExecutionsByIdResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let executions = by_ids(call, &self.execution_ids).await?;
        Ok(pb::GetExecutionsByIdResponse { executions })
    }
}

impl Rpc for pb::GetContextsByIdRequest {
    type Response = pb::GetContextsByIdResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let contexts = by_ids(call, &self.context_ids).await?;
        Ok(pb::GetContextsByIdResponse { contexts })
    }
}

impl Rpc for pb::GetArtifactsByExternalIdsRequest {
    type Response = pb::GetArtifactsByExternalIdsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let artifacts = by_external_ids(call, &self.external_ids).await?;
        Ok(pb::GetArtifactsByExternalIdsResponse { artifacts })
    }
}

impl Rpc for pb::GetExecutionsByExternalIdsRequest {
    type Response = pb::GetExecutionsByExternalIdsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let executions = by_external_ids(call, &self.external_ids).await?;
        Ok(pb::GetExecutionsByExternalIdsResponse { executions })
    }
}

impl Rpc for pb::GetContextsByExternalIdsRequest {
    type Response = pb::GetContextsByExternalIdsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let contexts = by_external_ids(call, &self.external_ids).await?;
        Ok(pb::GetContextsByExternalIdsResponse { contexts })
    }
}

impl Rpc for pb::GetArtifactsByUriRequest {
    type Response = pb::GetArtifactsByUriResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        if self.has_retired_uri {
            return Err(Error::invalid(
                "The request contains deprecated field `uri`. Use `uris`.",
            ));
        }
        let artifacts = all(call.graph.artifacts_by_uris(&self.uris).await?);
        Ok(pb::GetArtifactsByUriResponse { artifacts })
    }
}

impl Rpc for pb::GetArtifactByTypeAndNameRequest {
    type Response = pb::GetArtifactByTypeAndNameResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let of_type = (self.type_name(), self.type_version.as_deref());
        let artifact = by_type_and_name(call, of_type, self.artifact_name()).await?;
        Ok(pb::GetArtifactByTypeAndNameResponse { artifact })
    }
}

impl Rpc for pb::GetExecutionByTypeAndNameRequest {
    type Response = pb::GetExecutionByTypeAndNameResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let of_type = (self.type_name(), self.type_version.as_deref());
        let execution = by_type_and_name(call, of_type, self.execution_name()).await?;
        Ok(pb::GetExecutionByTypeAndNameResponse { execution })
    }
}

impl Rpc for pb::GetContextByTypeAndNameRequest {
    type Response = pb::GetContextByTypeAndNameResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let of_type = (self.type_name(), self.type_version.as_deref());
        let context = by_type_and_name(call, of_type, self.context_name()).await?;
        Ok(pb::GetContextByTypeAndNameResponse { context })
    }
}

impl Rpc for pb::GetEventsByArtifactIDsRequest {
    type Response = pb::GetEventsByArtifactIDsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = call.graph.events_of(Side::Artifact, &self.artifact_ids);
        let events = all(found.await?);
        Ok(pb::GetEventsByArtifactIDsResponse { events })
    }
}

impl Rpc for pb::GetEventsByExecutionIDsRequest {
    type Response = pb::GetEventsByExecutionIDsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = call.graph.events_of(Side::Execution, &self.execution_ids);
        let events = all(found.await?);
        Ok(pb::GetEventsByExecutionIDsResponse { events })
    }
}
