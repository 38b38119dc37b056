//! The lineage graph that `GetLineageSubgraph` and `GetLineageGraph` answer with.

use crate::error::Result;
use crate::graph::lineage::traverse::Traversal;
use crate::model::{Event, Kind, Membership, Node, NodeId, NodeType, Side, Stored, distinct_ids};
use crate::storage::Tx;
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::tables::{nodes, types};

/// Nodes, the edges between them, and types. `N` is [`Node`], or [`NodeId`] where nothing else of a
/// node is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct LineageGraph<N> {
    pub artifact_types: Vec<Stored<NodeType>>,
    pub execution_types: Vec<Stored<NodeType>>,
    pub context_types: Vec<Stored<NodeType>>,
    pub artifacts: Vec<N>,
    pub executions: Vec<N>,
    pub contexts: Vec<N>,
    pub events: Vec<Event>,
    pub attributions: Vec<Membership>,
    pub associations: Vec<Membership>,
}

impl<N> Default for LineageGraph<N> {
    fn default() -> Self {
        Self {
            artifact_types: Vec::new(),
            execution_types: Vec::new(),
            context_types: Vec::new(),
            artifacts: Vec::new(),
            executions: Vec::new(),
            contexts: Vec::new(),
            events: Vec::new(),
            attributions: Vec::new(),
            associations: Vec::new(),
        }
    }
}

/// The parts of a lineage graph that a query returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of the answer"
)]
pub struct LineageParts {
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

impl LineageParts {
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

/// The parts of the result of a traversal that followed these events. The types are all types of
/// the graph.
pub(super) async fn collect(
    tx: &mut Tx,
    traversal: &Traversal,
    mut events: Vec<Stored<Event>>,
    parts: LineageParts,
) -> Result<LineageGraph<NodeId>> {
    let artifact_ids = traversal.result(Side::Artifact);
    let execution_ids = traversal.result(Side::Execution);
    let mut graph = LineageGraph::default();
    if parts.attributions || parts.contexts {
        graph.attributions =
            memberships::find(tx, Kind::Artifact, MembershipEnd::Node, &artifact_ids).await?;
    }
    if parts.associations || parts.contexts {
        graph.associations =
            memberships::find(tx, Kind::Execution, MembershipEnd::Node, &execution_ids).await?;
    }
    if parts.contexts {
        let members = graph.attributions.iter().chain(&graph.associations);
        let context_ids = distinct_ids(members.map(|member| member.context_id));
        graph.contexts = context_ids.into_iter().map(NodeId).collect();
    }
    if !parts.attributions {
        graph.attributions.clear();
    }
    if !parts.associations {
        graph.associations.clear();
    }
    if parts.events {
        traversal.attach_paths(tx, &mut events).await?;
        graph.events = events.into_iter().map(|stored| stored.value).collect();
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
        graph.artifacts = artifact_ids.into_iter().map(NodeId).collect();
    }
    if parts.executions {
        graph.executions = execution_ids.into_iter().map(NodeId).collect();
    }
    Ok(graph)
}

/// Reads the nodes of a graph, and leaves out the types that none of them has.
pub(super) async fn hydrate(
    tx: &mut Tx,
    found: LineageGraph<NodeId>,
) -> Result<LineageGraph<Node>> {
    let artifacts = whole(tx, Kind::Artifact, &found.artifacts).await?;
    let executions = whole(tx, Kind::Execution, &found.executions).await?;
    let contexts = whole(tx, Kind::Context, &found.contexts).await?;
    Ok(LineageGraph {
        artifact_types: of_nodes(found.artifact_types, &artifacts),
        execution_types: of_nodes(found.execution_types, &executions),
        context_types: of_nodes(found.context_types, &contexts),
        artifacts,
        executions,
        contexts,
        events: found.events,
        attributions: found.attributions,
        associations: found.associations,
    })
}

async fn whole(tx: &mut Tx, kind: Kind, ids: &[NodeId]) -> Result<Vec<Node>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    nodes::by_ids(tx, kind, &ids).await
}

fn of_nodes(mut types: Vec<Stored<NodeType>>, nodes: &[Node]) -> Vec<Stored<NodeType>> {
    types.retain(|known| nodes.iter().any(|node| node.type_id == known.id));
    types
}
