//! Methods about contexts: those of a node, and their parents and children.

use super::Rpc;
use super::convert::all;
use crate::api::call::Call;
use crate::error::Result;
use crate::graph::Relatives;
use crate::model::Kind;
use crate::proto::ml_metadata as pb;
use crate::proto::ml_metadata::get_children_contexts_by_contexts_response::ChildrenContextsPerParent;
use crate::proto::ml_metadata::get_parent_contexts_by_contexts_response::ParentContextsPerChild;

impl Rpc for pb::GetContextsByArtifactRequest {
    type Response = pb::GetContextsByArtifactResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = call.graph.contexts_of(Kind::Artifact, self.artifact_id());
        let contexts = all(found.await?);
        Ok(pb::GetContextsByArtifactResponse { contexts })
    }
}

impl Rpc for pb::GetContextsByExecutionRequest {
    type Response = pb::GetContextsByExecutionResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = call.graph.contexts_of(Kind::Execution, self.execution_id());
        let contexts = all(found.await?);
        Ok(pb::GetContextsByExecutionResponse { contexts })
    }
}

impl Rpc for pb::GetParentContextsByContextRequest {
    type Response = pb::GetParentContextsByContextResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let contexts = all(call
            .graph
            .relatives(Relatives::Parents, self.context_id())
            .await?);
        Ok(pb::GetParentContextsByContextResponse { contexts })
    }
}

impl Rpc for pb::GetChildrenContextsByContextRequest {
    type Response = pb::GetChildrenContextsByContextResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let contexts = all(call
            .graph
            .relatives(Relatives::Children, self.context_id())
            .await?);
        Ok(pb::GetChildrenContextsByContextResponse { contexts })
    }
}

impl Rpc for pb::GetParentContextsByContextsRequest {
    type Response = pb::GetParentContextsByContextsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = call
            .graph
            .relatives_of_all(Relatives::Parents, &self.context_ids);
        let entry = |(id, parents)| {
            let parent_contexts = all(parents);
            (id, ParentContextsPerChild { parent_contexts })
        };
        let contexts = found.await?.into_iter().map(entry).collect();
        Ok(pb::GetParentContextsByContextsResponse { contexts })
    }
}

impl Rpc for pb::GetChildrenContextsByContextsRequest {
    type Response = pb::GetChildrenContextsByContextsResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let found = call
            .graph
            .relatives_of_all(Relatives::Children, &self.context_ids);
        let entry = |(id, children)| {
            let children_contexts = all(children);
            (id, ChildrenContextsPerParent { children_contexts })
        };
        let contexts = found.await?.into_iter().map(entry).collect();
        Ok(pb::GetChildrenContextsByContextsResponse { contexts })
    }
}
