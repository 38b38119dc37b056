//! `GetLineageGraph`: the graph around a page of artifacts, with whole nodes.

use crate::error::{Error, Result};
use crate::graph::filters::{parse_filter, permit_for};
use crate::graph::lineage::answer::{LineageGraph, LineageParts, collect, hydrate};
use crate::graph::lineage::boundary::Boundary;
use crate::graph::lineage::subgraph::{max_hops, no_starting_nodes};
use crate::graph::lineage::traverse::{EventFilter, Traversal};
use crate::graph::nodes::page::{self, ListOptions};
use crate::model::{Kind, Node, PerSide};
use crate::storage::Database;
use crate::storage::tables::lists::Scope;

/// A query for the graph around artifacts.
#[derive(Clone, Debug, Default)]
pub struct GraphQuery {
    /// The page of artifacts to start from. Required.
    pub artifacts: Option<ListOptions>,
    /// In hops from a starting node.
    pub max_hops: Option<i64>,
    /// The filter of artifacts at which the traversal stops; none when unset or empty.
    pub boundary_artifacts: Option<String>,
    /// The same for executions.
    pub boundary_executions: Option<String>,
    /// The most artifacts and executions of the answer.
    pub max_nodes: i64,
}

pub(in crate::graph) async fn around_artifacts(
    database: &Database,
    query: &GraphQuery,
) -> Result<LineageGraph<Node>> {
    let Some(start) = &query.artifacts else {
        return Err(Error::invalid("Missing arguments for listing query nodes."));
    };
    let max_nodes = match usize::try_from(query.max_nodes) {
        Ok(max_nodes) if max_nodes > 0 => max_nodes,
        _ => {
            let given = query.max_nodes;
            return Err(Error::invalid(format!(
                "max_node_size must be greater than 0: max_node_size = {given}"
            )));
        }
    };
    let max_hops = max_hops(query.max_hops)?;
    let boundaries = PerSide {
        artifacts: boundary(query.boundary_artifacts.as_ref()).parse(Kind::Artifact)?,
        executions: boundary(query.boundary_executions.as_ref()).parse(Kind::Execution)?,
    };
    let filter = parse_filter(Kind::Artifact, start.filter.as_deref())?;
    let permit = permit_for(database, filter.as_ref()).await?;
    let mut tx = database.read().await?;
    let scope = Scope::All;
    let page = page::list_scope(&mut tx, Kind::Artifact, scope, start, filter.as_ref()).await?;
    drop(permit);
    let found = page.nodes.iter().map(|node| node.id).take(max_nodes);
    let starts = PerSide {
        artifacts: found.collect::<Vec<i64>>(),
        executions: Vec::new(),
    };
    if starts.artifacts.is_empty() {
        return Err(no_starting_nodes());
    }
    let followed = EventFilter::default();
    let mut traversal = Traversal::start(&mut tx, starts, followed, boundaries).await?;
    let events = traversal.run(&mut tx, max_hops, max_nodes).await?;
    let found = collect(&mut tx, &traversal, events, LineageParts::ALL).await?;
    hydrate(&mut tx, found).await
}

/// The boundary of a filter. Its nodes belong to the answer.
fn boundary(filter: Option<&String>) -> Boundary {
    Boundary {
        filter: filter.filter(|filter| !filter.is_empty()).cloned(),
        include: true,
    }
}
