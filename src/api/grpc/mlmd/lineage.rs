//! RPCs about lineage.

use super::convert::all;
use super::rpc;
use super::types::WireType;
use crate::error::{Error, Result};
use crate::graph::{Boundary, Direction, GraphQuery, LineageGraph, Parts, SubgraphQuery};
use crate::model::Kind;
use crate::proto::ml_metadata::lineage_graph_query_options::QueryNodes;
use crate::proto::ml_metadata::lineage_subgraph_query_options::{
    Direction as WireDirection, EndingNodes, StartingNodesOneOf,
};
use crate::proto::ml_metadata::{
    ArtifactType, ContextType, ExecutionType, GetLineageGraphRequest, GetLineageGraphResponse,
    GetLineageSubgraphRequest, GetLineageSubgraphResponse, LineageGraph as WireGraph,
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

impl TryFrom<LineageGraph> for WireGraph {
    type Error = Error;

    fn try_from(found: LineageGraph) -> Result<Self> {
        Ok(Self {
            artifact_types: ArtifactType::all_from_model(found.artifact_types)?,
            execution_types: ExecutionType::all_from_model(found.execution_types)?,
            context_types: ContextType::all_from_model(found.context_types)?,
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

rpc!(GetLineageSubgraphRequest => GetLineageSubgraphResponse, |request, graph| {
    let options = request.lineage_subgraph_query_options.unwrap_or_default();
    let direction = match options.direction() {
        WireDirection::Upstream => Direction::Upstream,
        WireDirection::Downstream => Direction::Downstream,
        WireDirection::Unspecified | WireDirection::Bidirectional => Direction::Both,
    };
    let mask = request.read_mask.unwrap_or_default();
    let query = SubgraphQuery {
        start: options.starting_nodes.map(|start| match start {
            StartingNodesOneOf::StartingArtifacts(nodes) => (Kind::Artifact, nodes.filter_query),
            StartingNodesOneOf::StartingExecutions(nodes) => (Kind::Execution, nodes.filter_query),
        }),
        max_hops: options.max_num_hops,
        direction,
        ending_artifacts: options.ending_artifacts.into(),
        ending_executions: options.ending_executions.into(),
        parts: Parts::from_paths(mask.paths.iter().map(String::as_str)),
    };
    let found = graph.lineage_subgraph(&query).await?;
    GetLineageSubgraphResponse { lineage_subgraph: Some(found.try_into()?) }
});

rpc!(GetLineageGraphRequest => GetLineageGraphResponse, |request, graph| {
    let options = request.options.unwrap_or_default();
    let max_nodes = options.max_node_size();
    let stop = options.stop_conditions.unwrap_or_default();
    let query = GraphQuery {
        artifacts: options
            .query_nodes
            .map(|QueryNodes::ArtifactsOptions(options)| options.into()),
        max_hops: stop.max_num_hops,
        boundary_artifacts: stop.boundary_artifacts,
        boundary_executions: stop.boundary_executions,
        max_nodes,
    };
    let found = graph.lineage_graph(&query).await?;
    GetLineageGraphResponse { subgraph: Some(found.try_into()?) }
});
