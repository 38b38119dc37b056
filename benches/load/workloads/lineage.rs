//! Lineage queries.

use pedigree::proto::ml_metadata::lineage_subgraph_query_options::{
    Direction, StartingNodes, StartingNodesOneOf,
};
use pedigree::proto::ml_metadata::{GetLineageSubgraphRequest, LineageSubgraphQueryOptions};

use super::{Call, Turn, store};

fn subgraph(start: StartingNodesOneOf, direction: Direction, hops: i64) -> Call {
    let options = LineageSubgraphQueryOptions {
        starting_nodes: Some(start),
        max_num_hops: Some(hops),
        direction: Some(direction.into()),
        ..Default::default()
    };
    let request = GetLineageSubgraphRequest {
        lineage_subgraph_query_options: Some(options),
        ..Default::default()
    };
    Call::new("GetLineageSubgraph", &request)
}

fn with_id(id: i64) -> StartingNodes {
    StartingNodes {
        filter_query: Some(["id = ", &id.to_string()].concat()),
    }
}

/// From the head of the chain to its end.
pub fn chain() -> Call {
    subgraph(
        StartingNodesOneOf::StartingArtifacts(with_id(1)),
        Direction::Downstream,
        2 * store::CHAIN,
    )
}

/// The outputs of an execution.
pub fn fan_out() -> Call {
    subgraph(
        StartingNodesOneOf::StartingExecutions(with_id(store::FAN)),
        Direction::Downstream,
        1,
    )
}

/// Some hops in the random graph, in both directions.
pub fn random(turn: Turn) -> Call {
    let start = with_id(turn.pick(101, store::LAST_RANDOM_ID - 100));
    subgraph(
        StartingNodesOneOf::StartingArtifacts(start),
        Direction::Bidirectional,
        6,
    )
}
