//! The traces that a picture is made of.

use super::event_role;
use crate::api::call::Call;
use crate::api::ui::views::{label, mark};
use crate::error::{Error, Result};
use crate::graph::{AsOf, Direction, TraceQuery};
use crate::model::{Event, Kind, Node};
use crate::picture::{FigureKey, FigureKind, TracedEdge, TracedLineage, TracedNode};

/// The most nodes that a walk in one direction finds.
pub const MAX_TRACED_NODES: i64 = 5000;

/// The most nodes of one part of a walk.
const MAX_PART_NODES: usize = 500;

/// The most members of a context from which a walk begins, of each kind.
const MAX_START_NODES: i64 = 200;

/// Which ways a walk goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WalkDirection {
    Provenance,
    #[default]
    Both,
    Impact,
}

/// Where walks begin and how far they go.
#[derive(Clone, Debug)]
pub struct WalkPlan {
    pub starts: Vec<FigureKey>,
    pub direction: WalkDirection,
    pub hops: u32,
    pub max_nodes: i64,
    /// The time as of which the graph is walked, in milliseconds since epoch; `None` for now.
    pub as_of: Option<i64>,
}

impl WalkPlan {
    /// Both ways from a node.
    pub fn around(start: FigureKey, hops: u32) -> Self {
        Self {
            starts: vec![start],
            direction: WalkDirection::Both,
            hops,
            max_nodes: MAX_TRACED_NODES,
            as_of: None,
        }
    }

    fn ids(&self, kind: FigureKind) -> Vec<i64> {
        let starts = self.starts.iter().filter(|start| start.kind == kind);
        starts.map(|start| start.id).collect()
    }
}

/// The newest executions and artifacts in a context, or those that were the newest at a time.
///
/// # Errors
///
/// Those of the database.
pub async fn members(call: &Call, context: i64, as_of: Option<i64>) -> Result<Vec<FigureKey>> {
    let time = as_of.unwrap_or(i64::MAX);
    let catalog = call.graph.catalog();
    let of = |kind| catalog.members_created_by(kind, context, time, MAX_START_NODES);
    let executions = of(Kind::Execution).await?.into_iter();
    let artifacts = of(Kind::Artifact).await?.into_iter();
    let executions = executions.map(FigureKey::execution);
    Ok(executions
        .chain(artifacts.map(FigureKey::artifact))
        .collect())
}

/// What is found both ways: what the starts came from has negative hops. A trace in both directions
/// at once would turn round at every node, and find siblings.
///
/// # Errors
///
/// `NotFound` when there is no start.
pub async fn trace(call: &Call, walk: &WalkPlan) -> Result<TracedLineage> {
    if walk.starts.is_empty() {
        return Err(Error::NotFound("there is no node to start from".into()));
    }
    let mut found = TracedLineage::default();
    if walk.direction != WalkDirection::Impact {
        follow(call, walk, Direction::Upstream, &mut found).await?;
    }
    if walk.direction != WalkDirection::Provenance {
        follow(call, walk, Direction::Downstream, &mut found).await?;
    }
    found.normalize();
    Ok(found)
}

async fn follow(
    call: &Call,
    walk: &WalkPlan,
    direction: Direction,
    found: &mut TracedLineage,
) -> Result<()> {
    let sign = if direction == Direction::Upstream {
        -1
    } else {
        1
    };
    let query = TraceQuery {
        direction,
        artifact_ids: walk.ids(FigureKind::Artifact),
        execution_ids: walk.ids(FigureKind::Execution),
        max_hops: Some(i64::from(walk.hops)),
        max_nodes: walk.max_nodes,
        as_of: walk.as_of.map(AsOf::for_page),
        ..TraceQuery::default()
    };
    let mut trace = call.graph.trace(query).await?;
    while let Some(part) = trace.next(MAX_PART_NODES).await? {
        let hop = sign * part.hop;
        let artifacts = part.artifacts.iter();
        let artifacts = artifacts.map(|node| traced(FigureKey::artifact(node.id), node, hop));
        found.nodes.extend(artifacts);
        let executions = part.executions.iter();
        let executions = executions.map(|node| traced(FigureKey::execution(node.id), node, hop));
        found.nodes.extend(executions);
        found.edges.extend(part.events.iter().map(edge));
        let present = part.present;
        let artifacts = present.artifacts.into_iter().map(FigureKey::artifact);
        let executions = present.executions.into_iter().map(FigureKey::execution);
        found.present.extend(artifacts.chain(executions));
    }
    let (nodes, is_cut) = trace.end();
    found.is_cut |= is_cut && nodes >= walk.max_nodes;
    Ok(())
}

/// A node as a picture needs it.
pub(super) fn traced(key: FigureKey, node: &Node, hop: i64) -> TracedNode {
    TracedNode {
        key,
        label: label(node),
        type_name: node.type_name.clone().unwrap_or_default(),
        mark: mark(node),
        hop,
        time: node.create_time,
    }
}

fn edge(event: &Event) -> TracedEdge {
    let artifact = FigureKey::artifact(event.artifact_id);
    let execution = FigureKey::execution(event.execution_id);
    let (from, to) = if event.event_type.is_input() {
        (artifact, execution)
    } else {
        (execution, artifact)
    };
    let role = event_role(event);
    TracedEdge { from, to, role }
}
