//! RPCs about contexts: what is in them, and what is above and below them.

use super::convert::all;
use super::rpc;
use crate::graph::End;
use crate::model::Kind;
use crate::proto::ml_metadata::get_children_contexts_by_contexts_response::ChildrenContextsPerParent;
use crate::proto::ml_metadata::get_parent_contexts_by_contexts_response::ParentContextsPerChild;
use crate::proto::ml_metadata::{
    GetChildrenContextsByContextRequest, GetChildrenContextsByContextResponse,
    GetChildrenContextsByContextsRequest, GetChildrenContextsByContextsResponse,
    GetContextsByArtifactRequest, GetContextsByArtifactResponse, GetContextsByExecutionRequest,
    GetContextsByExecutionResponse, GetParentContextsByContextRequest,
    GetParentContextsByContextResponse, GetParentContextsByContextsRequest,
    GetParentContextsByContextsResponse,
};

rpc!(GetContextsByArtifactRequest => GetContextsByArtifactResponse, |request, graph| {
    let found = graph.contexts_of(Kind::Artifact, request.artifact_id()).await?;
    GetContextsByArtifactResponse { contexts: all(found) }
});

rpc!(GetContextsByExecutionRequest => GetContextsByExecutionResponse, |request, graph| {
    let found = graph.contexts_of(Kind::Execution, request.execution_id()).await?;
    GetContextsByExecutionResponse { contexts: all(found) }
});

rpc!(GetParentContextsByContextRequest => GetParentContextsByContextResponse, |request, graph| {
    let found = graph.relatives(End::Node, request.context_id()).await?;
    GetParentContextsByContextResponse { contexts: all(found) }
});

rpc!(GetChildrenContextsByContextRequest => GetChildrenContextsByContextResponse, |request, graph| {
    let found = graph.relatives(End::Context, request.context_id()).await?;
    GetChildrenContextsByContextResponse { contexts: all(found) }
});

rpc!(GetParentContextsByContextsRequest => GetParentContextsByContextsResponse, |request, graph| {
    let found = graph.relatives_of_all(End::Node, &request.context_ids).await?;
    let entry = |(id, parents)| (id, ParentContextsPerChild { parent_contexts: all(parents) });
    GetParentContextsByContextsResponse { contexts: found.into_iter().map(entry).collect() }
});

rpc!(GetChildrenContextsByContextsRequest => GetChildrenContextsByContextsResponse, |request, graph| {
    let found = graph.relatives_of_all(End::Context, &request.context_ids).await?;
    let entry = |(id, children)| (id, ChildrenContextsPerParent { children_contexts: all(children) });
    GetChildrenContextsByContextsResponse { contexts: found.into_iter().map(entry).collect() }
});
