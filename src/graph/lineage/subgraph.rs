//! Where nodes come from and what depends on them.

use crate::error::{Error, Result};
use crate::graph::lineage::traverse::{Direction, Ending, Follow, Side, Walk};
use crate::graph::nodes::filters::parse_filter;
use crate::graph::nodes::page::{self, ListOptions};
use crate::model::{Event, Kind, Membership, Node, NodeType};
use crate::storage::tables::events::StoredEvent;
use crate::storage::tables::lists::{self, Scope};
use crate::storage::tables::memberships::{self, End};
use crate::storage::tables::{nodes, types};
use crate::storage::{Database, Tx};

/// The most hops of one call, and what an unset number means.
const MAX_HOPS: i64 = 100;

/// The most starting nodes of one call. Upstream documents 100 and takes one more.
const MAX_STARTS: i64 = 101;

/// A question for lineage (`GetLineageSubgraph`).
#[derive(Clone, Debug)]
pub struct SubgraphQuery {
    /// The kind of the starting nodes and the filter that finds them. Required.
    pub start: Option<(Kind, Option<String>)>,
    /// In hops from a starting node.
    pub max_hops: Option<i64>,
    pub direction: Direction,
    pub ending_artifacts: Boundary,
    pub ending_executions: Boundary,
    pub parts: Parts,
}

/// Nodes at which a walk ends.
#[derive(Clone, Debug, Default)]
pub struct Boundary {
    /// Unset: none. Empty: every node. Otherwise those it lets through.
    pub filter: Option<String>,
    /// Whether the ending nodes and the events that lead to them belong to the result.
    pub include: bool,
}

impl Boundary {
    pub(in crate::graph) fn side(&self, kind: Kind) -> Result<Side> {
        let ending = match (&self.filter, parse_filter(kind, self.filter.as_deref())?) {
            (None, _) => Ending::Never,
            (Some(_), None) => Ending::Always,
            (Some(_), Some(filter)) => Ending::At(filter),
        };
        Ok(Side {
            ending,
            include_ending: self.include,
            ..Side::default()
        })
    }
}

/// The parts of a lineage graph that a query returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of the answer"
)]
pub struct Parts {
    pub artifact_types: bool,
    pub execution_types: bool,
    pub context_types: bool,
    pub artifacts: bool,
    pub executions: bool,
    pub contexts: bool,
    pub events: bool,
    pub attributions: bool,
    pub associations: bool,
}

impl Parts {
    /// Every part.
    pub const ALL: Self = Self {
        artifact_types: true,
        execution_types: true,
        context_types: true,
        artifacts: true,
        executions: true,
        contexts: true,
        events: true,
        attributions: true,
        associations: true,
    };
}

/// Nodes, the edges between them, and their types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineageGraph {
    pub artifact_types: Vec<NodeType>,
    pub execution_types: Vec<NodeType>,
    pub context_types: Vec<NodeType>,
    pub artifacts: Vec<Node>,
    pub executions: Vec<Node>,
    pub contexts: Vec<Node>,
    pub events: Vec<Event>,
    pub attributions: Vec<Membership>,
    pub associations: Vec<Membership>,
}

/// A question for whole nodes around artifacts (`GetLineageGraph`).
#[derive(Clone, Debug, Default)]
pub struct GraphQuery {
    /// The page of artifacts to start from. Required.
    pub artifacts: Option<ListOptions>,
    /// In hops from a starting node.
    pub max_hops: Option<i64>,
    /// Artifacts that are not walked through.
    pub boundary_artifacts: Option<String>,
    /// Executions that are not walked through.
    pub boundary_executions: Option<String>,
    /// The most artifacts and executions of the answer.
    pub max_nodes: i64,
}

/// The lineage of some nodes: ids of nodes only, with events, memberships and types as asked for.
///
/// # Errors
///
/// `InvalidArgument` for a question without starting nodes, negative hops or a wrong filter; `NotFound` when no node
/// qualifies as a start.
pub(in crate::graph) async fn subgraph(
    database: &Database,
    query: &SubgraphQuery,
) -> Result<LineageGraph> {
    let Some((kind, start)) = &query.start else {
        return Err(Error::invalid(
            "Missing arguments for listing starting nodes.",
        ));
    };
    if start.as_deref().is_none_or(str::is_empty) {
        return Err(Error::invalid(
            "Cannot list starting nodes if `filter_query` is unspecified.",
        ));
    }
    let hops = hops(query.max_hops)?;
    let start = parse_filter(*kind, start.as_deref())?;
    let mut tx = database.read().await?;
    let filter = start.map(|filter| filter.predicate(tx.dialect()));
    let filter = filter.as_ref();
    let starts = lists::ids(&mut tx, *kind, None, filter, Some(MAX_STARTS)).await?;
    if starts.is_empty() {
        return Err(Error::NotFound(
            "Cannot find qualified nodes to start the traversal.".into(),
        ));
    }
    let sides = (
        query.ending_artifacts.side(Kind::Artifact)?,
        query.ending_executions.side(Kind::Execution)?,
    );
    let mut walk = stand_on(&mut tx, (*kind, starts), query.direction, sides).await?;
    let events = walk_on(&mut tx, &mut walk, hops, usize::MAX).await?;
    collect(&mut tx, &walk, events, query.parts).await
}

/// The graph around a page of artifacts, both ways, with whole nodes and the types of those.
///
/// # Errors
///
/// As [`subgraph`], and `InvalidArgument` for a limit on nodes that is not positive.
pub(in crate::graph) async fn around_artifacts(
    database: &Database,
    query: &GraphQuery,
) -> Result<LineageGraph> {
    let Some(start) = &query.artifacts else {
        return Err(Error::invalid("Missing arguments for listing query nodes."));
    };
    let limit = usize::try_from(query.max_nodes).unwrap_or_default();
    if limit == 0 {
        return Err(Error::invalid(format!(
            "max_node_size must be greater than 0: max_node_size = {}",
            query.max_nodes
        )));
    }
    let hops = hops(query.max_hops)?;
    let side = |filter: &Option<String>, kind| {
        let filter = filter.clone().filter(|filter| !filter.is_empty());
        Boundary {
            filter,
            include: true,
        }
        .side(kind)
    };
    let sides = (
        side(&query.boundary_artifacts, Kind::Artifact)?,
        side(&query.boundary_executions, Kind::Execution)?,
    );
    let mut tx = database.read().await?;
    let found = page::list_scope(&mut tx, Kind::Artifact, Scope::All, start).await?;
    let starts: Vec<i64> = found
        .nodes
        .iter()
        .filter_map(|node| node.id)
        .take(limit)
        .collect();
    if starts.is_empty() {
        return Err(Error::NotFound(
            "Cannot find qualified nodes to start the traversal.".into(),
        ));
    }
    let starts = (Kind::Artifact, starts);
    let mut walk = stand_on(&mut tx, starts, Direction::Both, sides).await?;
    let events = walk_on(&mut tx, &mut walk, hops, limit).await?;
    let dehydrated = collect(&mut tx, &walk, events, Parts::ALL).await?;
    hydrate(&mut tx, dehydrated).await
}

fn hops(given: Option<i64>) -> Result<i64> {
    match given.unwrap_or(MAX_HOPS) {
        negative if negative < 0 => Err(Error::invalid(format!(
            "max_num_hops cannot be negative: max_num_hops = {negative}"
        ))),
        hops => Ok(hops.min(MAX_HOPS)),
    }
}

/// A walk from nodes of one kind, along all events of its direction.
async fn stand_on(
    tx: &mut Tx,
    (kind, ids): (Kind, Vec<i64>),
    direction: Direction,
    sides: (Side, Side),
) -> Result<Walk> {
    let follow = Follow {
        direction,
        ..Follow::default()
    };
    let starts = [(kind, ids), (kind, Vec::new())];
    Walk::start(tx, starts, follow, sides).await
}

/// Walks so many hops at most, while there is somewhere to go and the result has less than `limit` nodes, and returns the
/// events walked along.
async fn walk_on(
    tx: &mut Tx,
    walk: &mut Walk,
    hops: i64,
    limit: usize,
) -> Result<Vec<StoredEvent>> {
    let mut events = Vec::new();
    for _ in 0..hops {
        let room = limit.saturating_sub(walk.size());
        if room == 0 || walk.is_done() {
            break;
        }
        events.extend(walk.hop(tx, room).await?.events);
    }
    Ok(events)
}

/// The answer of a walk, with nodes as ids.
async fn collect(
    tx: &mut Tx,
    walk: &Walk,
    mut events: Vec<StoredEvent>,
    parts: Parts,
) -> Result<LineageGraph> {
    let artifact_ids: Vec<i64> = walk.artifacts.result().into_iter().collect();
    let execution_ids: Vec<i64> = walk.executions.result().into_iter().collect();
    let mut graph = LineageGraph::default();
    if parts.attributions || parts.contexts {
        graph.attributions =
            memberships::find(tx, Kind::Artifact, End::Node, &artifact_ids).await?;
    }
    if parts.associations || parts.contexts {
        graph.associations =
            memberships::find(tx, Kind::Execution, End::Node, &execution_ids).await?;
    }
    if parts.contexts {
        let members = graph.attributions.iter().chain(&graph.associations);
        let mut ids: Vec<i64> = members.map(|member| member.context_id).collect();
        ids.sort_unstable();
        ids.dedup();
        graph.contexts = only_ids(ids);
    }
    if !parts.attributions {
        graph.attributions.clear();
    }
    if !parts.associations {
        graph.associations.clear();
    }
    if parts.events {
        walk.attach_paths(tx, &mut events).await?;
        graph.events = events.into_iter().map(|stored| stored.event).collect();
    }
    if parts.artifact_types {
        graph.artifact_types = types::all(tx, Kind::Artifact).await?;
    }
    if parts.execution_types {
        graph.execution_types = types::all(tx, Kind::Execution).await?;
    }
    if parts.context_types {
        graph.context_types = types::all(tx, Kind::Context).await?;
    }
    if parts.artifacts {
        graph.artifacts = only_ids(artifact_ids);
    }
    if parts.executions {
        graph.executions = only_ids(execution_ids);
    }
    Ok(graph)
}

fn only_ids(ids: impl IntoIterator<Item = i64>) -> Vec<Node> {
    let node = |id| Node {
        id: Some(id),
        ..Node::default()
    };
    ids.into_iter().map(node).collect()
}

/// Replaces ids by whole nodes and keeps the types that these have.
async fn hydrate(tx: &mut Tx, mut graph: LineageGraph) -> Result<LineageGraph> {
    for (kind, found, known) in [
        (
            Kind::Artifact,
            &mut graph.artifacts,
            &mut graph.artifact_types,
        ),
        (
            Kind::Execution,
            &mut graph.executions,
            &mut graph.execution_types,
        ),
        (Kind::Context, &mut graph.contexts, &mut graph.context_types),
    ] {
        let ids: Vec<i64> = found.iter().filter_map(|node| node.id).collect();
        *found = nodes::by_ids(tx, kind, &ids).await?;
        known.retain(|known| found.iter().any(|node| node.type_id == known.id));
    }
    Ok(graph)
}
