//! RPCs that write edges, or several kinds of thing at once.

use super::convert::all;
use super::rpc;
use crate::graph::{PutEvents, PutExecution, PutMemberships, PutParentContexts, PutSubgraph};
use crate::proto::ml_metadata::{
    PutAttributionsAndAssociationsRequest, PutAttributionsAndAssociationsResponse,
    PutEventsRequest, PutEventsResponse, PutExecutionRequest, PutExecutionResponse,
    PutLineageSubgraphRequest, PutLineageSubgraphResponse, PutParentContextsRequest,
    PutParentContextsResponse,
};

/// What stands in `artifact_ids` for a pair that names no artifact.
const NO_ARTIFACT: i64 = -1;

rpc!(PutEventsRequest => PutEventsResponse, |request, graph| {
    graph.write(&PutEvents { events: all(request.events) }).await?;
    PutEventsResponse {}
});

rpc!(PutAttributionsAndAssociationsRequest => PutAttributionsAndAssociationsResponse, |request, graph| {
    let put = PutMemberships {
        attributions: all(request.attributions),
        associations: all(request.associations),
    };
    graph.write(&put).await?;
    PutAttributionsAndAssociationsResponse {}
});

rpc!(PutParentContextsRequest => PutParentContextsResponse, |request, graph| {
    graph.write(&PutParentContexts { links: all(request.parent_contexts) }).await?;
    PutParentContextsResponse {}
});

rpc!(PutExecutionRequest => PutExecutionResponse, |request, graph| {
    let options = request.options.unwrap_or_default();
    let put = PutExecution {
        execution: request.execution.map(Into::into),
        pairs: all(request.artifact_event_pairs),
        contexts: all(request.contexts),
        reuse_contexts: options.reuse_context_if_already_exist(),
        reuse_artifacts: options.reuse_artifact_if_already_exist_by_external_id(),
        force_update_time: options.force_update_time(),
        force_reuse_contexts: options.force_reuse_context(),
    };
    let stored = graph.write(&put).await?;
    let artifact_ids = stored.artifact_ids.into_iter();
    PutExecutionResponse {
        execution_id: Some(stored.execution_id),
        artifact_ids: artifact_ids.map(|id| id.unwrap_or(NO_ARTIFACT)).collect(),
        context_ids: stored.context_ids,
    }
});

rpc!(PutLineageSubgraphRequest => PutLineageSubgraphResponse, |request, graph| {
    let options = request.options.unwrap_or_default();
    let put = PutSubgraph {
        executions: all(request.executions),
        artifacts: all(request.artifacts),
        contexts: all(request.contexts),
        edges: all(request.event_edges),
        reuse_contexts: options.reuse_context_if_already_exist(),
        reuse_artifacts: options.reuse_artifact_if_already_exist_by_external_id(),
    };
    let stored = graph.write(&put).await?;
    PutLineageSubgraphResponse {
        execution_ids: stored.execution_ids,
        artifact_ids: stored.artifact_ids,
        context_ids: stored.context_ids,
    }
});
