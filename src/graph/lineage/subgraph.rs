//! `GetLineageSubgraph`: the lineage of the nodes that match a filter, as ids.

use crate::error::{Error, Result};
use crate::graph::filters::parse_filter;
use crate::graph::lineage::answer::{LineageGraph, LineageParts, collect};
use crate::graph::lineage::boundary::Boundary;
use crate::graph::lineage::traverse::{Direction, EventFilter, Traversal};
use crate::model::{Kind, NodeId, PerSide, Side};
use crate::storage::Database;
use crate::storage::tables::lists;

/// The most hops of one call, and the number when it is unset.
const MAX_HOPS: i64 = 100;

/// The most starting nodes of one call. Upstream documents 100 and takes one more.
const MAX_STARTING_NODES: i64 = 101;

/// A query for the lineage of some nodes.
#[derive(Clone, Debug)]
pub struct SubgraphQuery {
    /// The side of the starting nodes and the filter that they match. Required.
    pub start: Option<(Side, Option<String>)>,
    /// In hops from a starting node.
    pub max_hops: Option<i64>,
    pub direction: Direction,
    pub ending_artifacts: Boundary,
    pub ending_executions: Boundary,
    pub parts: LineageParts,
}

pub(in crate::graph) async fn subgraph(
    database: &Database,
    query: &SubgraphQuery,
) -> Result<LineageGraph<NodeId>> {
    let Some((side, start)) = &query.start else {
        return Err(Error::invalid(
            "Missing arguments for listing starting nodes.",
        ));
    };
    if start.as_deref().is_none_or(str::is_empty) {
        return Err(Error::invalid(
            "Cannot list starting nodes if `filter_query` is unspecified.",
        ));
    }
    let max_hops = max_hops(query.max_hops)?;
    let start = parse_filter(side.kind(), start.as_deref())?;
    let mut tx = database.read().await?;
    let filter = start.map(|filter| filter.predicate(tx.dialect()));
    let filter = filter.as_ref();
    let found = lists::ids(&mut tx, side.kind(), None, filter, Some(MAX_STARTING_NODES)).await?;
    if found.is_empty() {
        return Err(no_starting_nodes());
    }
    let mut starts = PerSide::default();
    *starts.get_mut(*side) = found;
    let boundaries = PerSide {
        artifacts: query.ending_artifacts.parse(Kind::Artifact)?,
        executions: query.ending_executions.parse(Kind::Execution)?,
    };
    let followed = EventFilter {
        direction: query.direction,
        ..EventFilter::default()
    };
    let mut traversal = Traversal::start(&mut tx, starts, followed, boundaries).await?;
    let events = traversal.run(&mut tx, max_hops, usize::MAX).await?;
    collect(&mut tx, &traversal, events, query.parts).await
}

pub(super) fn no_starting_nodes() -> Error {
    Error::NotFound("Cannot find qualified nodes to start the traversal.".into())
}

/// The hops of a traversal.
pub(super) fn max_hops(given: Option<i64>) -> Result<i64> {
    match given.unwrap_or(MAX_HOPS) {
        negative if negative < 0 => Err(Error::invalid(format!(
            "max_num_hops cannot be negative: max_num_hops = {negative}"
        ))),
        hops => Ok(hops.min(MAX_HOPS)),
    }
}
