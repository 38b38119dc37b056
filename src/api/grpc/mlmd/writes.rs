//! Methods that write nodes, edges, or several kinds of them at once.

use super::Put;
use super::convert::{all, mask};
use crate::error::Result;
use crate::graph::{
    PutEvents, PutExecution, PutExecutionAnswer, PutMemberships, PutNodes, PutParentContexts,
    PutSubgraph, PutSubgraphAnswer,
};
use crate::model::Kind;
use crate::proto::ml_metadata as pb;

/// The entry of `artifact_ids` for a pair without an artifact.
const NO_ARTIFACT_ID: i64 = -1;

impl Put for pb::PutArtifactsRequest {
    type Change = PutNodes;
    type Shape = ();
    type Response = pb::PutArtifactsResponse;

    fn change(self) -> Result<(PutNodes, ())> {
        let options = self.options.unwrap_or_default();
        let change = PutNodes {
            kind: Kind::Artifact,
            nodes: all(self.artifacts),
            mask: mask(Kind::Artifact, self.update_mask.as_ref()),
            abort_if_changed: options.abort_if_latest_updated_time_changed(),
        };
        Ok((change, ()))
    }

    fn response((): (), artifact_ids: Vec<i64>) -> Self::Response {
        pb::PutArtifactsResponse { artifact_ids }
    }
}

impl Put for pb::PutExecutionsRequest {
    type Change = PutNodes;
    type Shape = ();
    type Response = pb::PutExecutionsResponse;

    fn change(self) -> Result<(PutNodes, ())> {
        let change = PutNodes {
            kind: Kind::Execution,
            nodes: all(self.executions),
            mask: mask(Kind::Execution, self.update_mask.as_ref()),
            abort_if_changed: false,
        };
        Ok((change, ()))
    }

    fn response((): (), execution_ids: Vec<i64>) -> Self::Response {
        pb::PutExecutionsResponse { execution_ids }
    }
}

impl Put for pb::PutContextsRequest {
    type Change = PutNodes;
    type Shape = ();
    type Response = pb::PutContextsResponse;

    fn change(self) -> Result<(PutNodes, ())> {
        let change = PutNodes {
            kind: Kind::Context,
            nodes: all(self.contexts),
            mask: mask(Kind::Context, self.update_mask.as_ref()),
            abort_if_changed: false,
        };
        Ok((change, ()))
    }

    fn response((): (), context_ids: Vec<i64>) -> Self::Response {
        pb::PutContextsResponse { context_ids }
    }
}

impl Put for pb::PutEventsRequest {
    type Change = PutEvents;
    type Shape = ();
    type Response = pb::PutEventsResponse;

    fn change(self) -> Result<(PutEvents, ())> {
        let events = all(self.events);
        Ok((PutEvents { events }, ()))
    }

    fn response((): (), (): ()) -> Self::Response {
        pb::PutEventsResponse {}
    }
}

impl Put for pb::PutAttributionsAndAssociationsRequest {
    type Change = PutMemberships;
    type Shape = ();
    type Response = pb::PutAttributionsAndAssociationsResponse;

    fn change(self) -> Result<(PutMemberships, ())> {
        let change = PutMemberships {
            attributions: all(self.attributions),
            associations: all(self.associations),
        };
        Ok((change, ()))
    }

    fn response((): (), (): ()) -> Self::Response {
        pb::PutAttributionsAndAssociationsResponse {}
    }
}

impl Put for pb::PutParentContextsRequest {
    type Change = PutParentContexts;
    type Shape = ();
    type Response = pb::PutParentContextsResponse;

    fn change(self) -> Result<(PutParentContexts, ())> {
        let links = all(self.parent_contexts);
        Ok((PutParentContexts { links }, ()))
    }

    fn response((): (), (): ()) -> Self::Response {
        pb::PutParentContextsResponse {}
    }
}

impl Put for pb::PutExecutionRequest {
    type Change = PutExecution;
    type Shape = ();
    type Response = pb::PutExecutionResponse;

    fn change(self) -> Result<(PutExecution, ())> {
        let options = self.options.unwrap_or_default();
        let change = PutExecution {
            execution: self.execution.map(Into::into),
            pairs: all(self.artifact_event_pairs),
            contexts: all(self.contexts),
            reuse_contexts: options.reuse_context_if_already_exist(),
            reuse_artifacts: options.reuse_artifact_if_already_exist_by_external_id(),
            force_update_time: options.force_update_time(),
            force_reuse_contexts: options.force_reuse_context(),
        };
        Ok((change, ()))
    }

    fn response((): (), stored: PutExecutionAnswer) -> Self::Response {
        let artifact_ids = stored.artifact_ids.into_iter();
        pb::PutExecutionResponse {
            execution_id: Some(stored.execution_id),
            artifact_ids: artifact_ids
                .map(|id| id.unwrap_or(NO_ARTIFACT_ID))
                .collect(),
            context_ids: stored.context_ids,
        }
    }
}

impl Put for pb::PutLineageSubgraphRequest {
    type Change = PutSubgraph;
    type Shape = ();
    type Response = pb::PutLineageSubgraphResponse;

    fn change(self) -> Result<(PutSubgraph, ())> {
        let options = self.options.unwrap_or_default();
        let change = PutSubgraph {
            executions: all(self.executions),
            artifacts: all(self.artifacts),
            contexts: all(self.contexts),
            edges: all(self.event_edges),
            reuse_contexts: options.reuse_context_if_already_exist(),
            reuse_artifacts: options.reuse_artifact_if_already_exist_by_external_id(),
        };
        Ok((change, ()))
    }

    fn response((): (), stored: PutSubgraphAnswer) -> Self::Response {
        pb::PutLineageSubgraphResponse {
            execution_ids: stored.execution_ids,
            artifact_ids: stored.artifact_ids,
            context_ids: stored.context_ids,
        }
    }
}
