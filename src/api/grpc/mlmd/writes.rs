//! RPCs that write edges, or several kinds of thing at once.

use super::convert::all;
use super::put;
use crate::graph::{
    PutEvents, PutExecution, PutExecutionAnswer, PutMemberships, PutParentContexts, PutSubgraph,
    PutSubgraphAnswer,
};
use crate::proto::ml_metadata::{
    PutAttributionsAndAssociationsRequest, PutAttributionsAndAssociationsResponse,
    PutEventsRequest, PutEventsResponse, PutExecutionRequest, PutExecutionResponse,
    PutLineageSubgraphRequest, PutLineageSubgraphResponse, PutParentContextsRequest,
    PutParentContextsResponse,
};

/// What stands in `artifact_ids` for a pair that names no artifact.
const NO_ARTIFACT: i64 = -1;

put!(PutEventsRequest => PutEventsResponse, PutEvents, |request| {
    (PutEvents { events: all(request.events) }, |()| PutEventsResponse {})
});

put!(PutAttributionsAndAssociationsRequest => PutAttributionsAndAssociationsResponse, PutMemberships, |request| {
    let put = PutMemberships {
        attributions: all(request.attributions),
        associations: all(request.associations),
    };
    (put, |()| PutAttributionsAndAssociationsResponse {})
});

put!(PutParentContextsRequest => PutParentContextsResponse, PutParentContexts, |request| {
    (PutParentContexts { links: all(request.parent_contexts) }, |()| PutParentContextsResponse {})
});

put!(PutExecutionRequest => PutExecutionResponse, PutExecution, |request| {
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
    let response = |stored: PutExecutionAnswer| {
        let artifact_ids = stored.artifact_ids.into_iter();
        PutExecutionResponse {
            execution_id: Some(stored.execution_id),
            artifact_ids: artifact_ids.map(|id| id.unwrap_or(NO_ARTIFACT)).collect(),
            context_ids: stored.context_ids,
        }
    };
    (put, response)
});

put!(PutLineageSubgraphRequest => PutLineageSubgraphResponse, PutSubgraph, |request| {
    let options = request.options.unwrap_or_default();
    let put = PutSubgraph {
        executions: all(request.executions),
        artifacts: all(request.artifacts),
        contexts: all(request.contexts),
        edges: all(request.event_edges),
        reuse_contexts: options.reuse_context_if_already_exist(),
        reuse_artifacts: options.reuse_artifact_if_already_exist_by_external_id(),
    };
    let response = |stored: PutSubgraphAnswer| PutLineageSubgraphResponse {
        execution_ids: stored.execution_ids,
        artifact_ids: stored.artifact_ids,
        context_ids: stored.context_ids,
    };
    (put, response)
});
