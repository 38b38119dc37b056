//! Methods that return lineage.

use super::Rpc;
use super::convert::all;
use super::paging::list_options;
use super::types::TypeMessage;
use crate::api::call::Call;
use crate::error::{Error, Result};
use crate::graph::{Boundary, Direction, GraphQuery, LineageGraph, LineageParts, SubgraphQuery};
use crate::model::Side;
use crate::proto::ml_metadata as pb;
use crate::proto::ml_metadata::lineage_graph_query_options::QueryNodes;
use crate::proto::ml_metadata::lineage_subgraph_query_options::{
    Direction as WireDirection, EndingNodes, StartingNodesOneOf,
};

impl From<Option<EndingNodes>> for Boundary {
    fn from(given: Option<EndingNodes>) -> Self {
        let given = given.unwrap_or_default();
        Self {
            include: given.include_ending_nodes(),
            filter: given.filter_query,
        }
    }
}

/// The parts that a field mask names: only whole fields count, and no path means all of them.
fn parts(paths: &[String]) -> LineageParts {
    if paths.is_empty() {
        return LineageParts::ALL;
    }
    let has = |field: &str| paths.iter().any(|path| path == field);
    LineageParts {
        artifact_types: has("artifact_types"),
        execution_types: has("execution_types"),
        context_types: has("context_types"),
        artifacts: has("artifacts"),
        executions: has("executions"),
        contexts: has("contexts"),
        events: has("events"),
        attributions: has("attributions"),
        associations: has("associations"),
    }
}

impl<N> TryFrom<LineageGraph<N>> for pb::LineageGraph
where
    pb::Artifact: From<N>,
    pb::Execution: From<N>,
    pb::Context: From<N>,
{
    type Error = Error;

    fn try_from(found: LineageGraph<N>) -> Result<Self> {
        Ok(Self {
            artifact_types: pb::ArtifactType::all_from_model(found.artifact_types)?,
            execution_types: pb::ExecutionType::all_from_model(found.execution_types)?,
            context_types: pb::ContextType::all_from_model(found.context_types)?,
            artifacts: all(found.artifacts),
            executions: all(found.executions),
            contexts: all(found.contexts),
            events: all(found.events),
            attributions: all(found.attributions),
            associations: all(found.associations),
            parent_contexts: Vec::new(),
        })
    }
}

impl Rpc for pb::GetLineageSubgraphRequest {
    type Response = pb::GetLineageSubgraphResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let options = self.lineage_subgraph_query_options.unwrap_or_default();
        let direction = match options.direction() {
            WireDirection::Upstream => Direction::Upstream,
            WireDirection::Downstream => Direction::Downstream,
            WireDirection::Unspecified | WireDirection::Bidirectional => Direction::Both,
        };
        let mask = self.read_mask.unwrap_or_default();
        let query = SubgraphQuery {
            start: options.starting_nodes.map(|start| match start {
                StartingNodesOneOf::StartingArtifacts(nodes) => {
                    (Side::Artifact, nodes.filter_query)
                }
                StartingNodesOneOf::StartingExecutions(nodes) => {
                    (Side::Execution, nodes.filter_query)
                }
            }),
            max_hops: options.max_num_hops,
            direction,
            ending_artifacts: options.ending_artifacts.into(),
            ending_executions: options.ending_executions.into(),
            parts: parts(&mask.paths),
        };
        let found = call.graph.lineage_subgraph(&query).await?;
        Ok(pb::GetLineageSubgraphResponse {
            lineage_subgraph: Some(found.try_into()?),
        })
    }
}

impl Rpc for pb::GetLineageGraphRequest {
    type Response = pb::GetLineageGraphResponse;

    async fn run(self, call: &Call) -> Result<Self::Response> {
        let options = self.options.unwrap_or_default();
        let max_nodes = options.max_node_size();
        let stop = options.stop_conditions.unwrap_or_default();
        let query = GraphQuery {
            artifacts: options
                .query_nodes
                .map(|QueryNodes::ArtifactsOptions(options)| list_options(call, &options))
                .transpose()?,
            max_hops: stop.max_num_hops,
            boundary_artifacts: stop.boundary_artifacts,
            boundary_executions: stop.boundary_executions,
            max_nodes,
        };
        let found = call.graph.lineage_graph(&query).await?;
        Ok(pb::GetLineageGraphResponse {
            subgraph: Some(found.try_into()?),
        })
    }
}
