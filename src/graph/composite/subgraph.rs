//! `PutLineageSubgraph`: executions, artifacts, contexts and the events between them, in one
//! transaction.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::composite::artifacts::{ArtifactReuse, ArtifactWriter};
use crate::graph::composite::contexts::{ContextReuse, ContextWriter};
use crate::graph::datasets::join;
use crate::graph::edges::events::Written;
use crate::graph::edges::{events, memberships};
use crate::graph::nodes::rules as node_rules;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::write::Write;
use crate::model::{EventInput, Kind, NodeInput, NodeType, Origin, Stored, distinct_ids};
use crate::storage::Tx;
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::types;

/// An event of a subgraph; its ends are given by id in the event or by place in the request.
#[derive(Clone, Debug, Default)]
pub struct EventEdge {
    pub execution_index: Option<i32>,
    pub artifact_index: Option<i32>,
    /// Required.
    pub event: Option<EventInput>,
}

/// Stores a subgraph (`PutLineageSubgraph`). All executions and artifacts of it are put into all of
/// its contexts.
#[derive(Clone, Debug, Default)]
pub struct PutSubgraph {
    pub executions: Vec<NodeInput>,
    pub artifacts: Vec<NodeInput>,
    pub contexts: Vec<NodeInput>,
    pub edges: Vec<EventEdge>,
    /// A context without id whose type and name exist is not created, and not updated either.
    pub reuse_contexts: bool,
    /// An artifact without id whose external id exists becomes an update of that one.
    pub reuse_artifacts: bool,
}

/// The ids of what was stored, each list aligned with its part of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutSubgraphAnswer {
    pub execution_ids: Vec<i64>,
    pub artifact_ids: Vec<i64>,
    pub context_ids: Vec<i64>,
}

impl Write for PutSubgraph {
    type Answer = PutSubgraphAnswer;

    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<PutSubgraphAnswer> {
        let now = origin.time;
        for edge in &self.edges {
            self.check_edge(edge)?;
        }
        check_nodes(tx, Kind::Artifact, &self.artifacts).await?;
        check_nodes(tx, Kind::Execution, &self.executions).await?;
        check_nodes(tx, Kind::Context, &self.contexts).await?;

        let reuse = ContextReuse {
            by_name: self.reuse_contexts,
            by_id: false,
        };
        let options = PutOptions::default();
        // Locks are taken in one order by all writes: contexts, executions, artifacts.
        let contexts = ContextWriter::new(tx, &self.contexts, reuse, now).await?;
        let coming = self.executions.iter();
        let mut executions = NodeWriter::new(tx, Kind::Execution, coming, options, now).await?;
        let reuse = if self.reuse_artifacts {
            ArtifactReuse::Stored
        } else {
            ArtifactReuse::Never
        };
        let artifacts = self.artifacts.iter().collect();
        let artifacts = ArtifactWriter::new(tx, artifacts, reuse, now).await?;

        let context_ids = contexts.put(tx).await?;
        let artifact_ids = artifacts.put(tx).await?;
        for execution in &self.executions {
            executions.put(tx, Cow::Borrowed(execution)).await?;
        }
        let execution_ids = executions.finish(tx).await?;
        memberships::put_all(
            tx,
            Kind::Execution,
            &context_ids,
            &execution_ids,
            Nodes::Any,
        )
        .await?;
        memberships::put_all(tx, Kind::Artifact, &context_ids, &artifact_ids, Nodes::Any).await?;
        let resolved: Vec<EventInput> = self
            .edges
            .iter()
            .filter_map(|edge| resolve(edge, &artifact_ids, &execution_ids))
            .collect();
        let written = Written {
            artifacts: &artifact_ids,
            executions: &execution_ids,
        };
        let outputs = events::put(tx, resolved, written, now).await?;
        let artifacts = self.artifacts.iter().zip(artifact_ids.iter().copied());
        join::written(tx, artifacts, &outputs, now).await?;
        Ok(PutSubgraphAnswer {
            execution_ids,
            artifact_ids,
            context_ids,
        })
    }
}

impl PutSubgraph {
    fn check_edge(&self, edge: &EventEdge) -> Result<()> {
        let Some(event) = &edge.event else {
            return Err(Error::invalid("No event found for event_edge: it has none"));
        };
        check_end(
            Kind::Execution,
            edge.execution_index,
            event.execution_id,
            &self.executions,
        )?;
        check_end(
            Kind::Artifact,
            edge.artifact_index,
            event.artifact_id,
            &self.artifacts,
        )
    }
}

/// One end of an edge: an index within bounds, an id, or both if they agree.
fn check_end(kind: Kind, index: Option<i32>, id: Option<i64>, nodes: &[NodeInput]) -> Result<()> {
    let noun = kind.noun();
    let Some(index) = index else {
        return match id {
            Some(_) => Ok(()),
            None => Err(Error::invalid(format!("Event_edge is missing an {noun}."))),
        };
    };
    let node = usize::try_from(index)
        .ok()
        .and_then(|index| nodes.get(index));
    let Some(node) = node else {
        return Err(Error::OutOfRange(format!(
            "The event_edge has an {noun}_index {index} that is outside the bounds of the request's {}",
            kind.plural()
        )));
    };
    match (id, node.id) {
        (Some(_), None) => Err(Error::invalid(format!("Missing {noun} ID."))),
        (Some(given), Some(known)) if given != known => {
            Err(Error::invalid(format!("{kind} ID mismatch.")))
        }
        _ => Ok(()),
    }
}

/// Every node needs a type, updates too, and properties that the type declares.
async fn check_nodes(tx: &mut Tx, kind: Kind, nodes: &[NodeInput]) -> Result<()> {
    if nodes.iter().any(|node| node.type_id.is_none()) {
        return Err(Error::invalid("Type id is missing."));
    }
    let ids = distinct_ids(nodes.iter().filter_map(|node| node.type_id));
    let known = types::known(tx, kind, &ids).await?;
    if check_against(&known, kind, nodes, &ids).is_ok() {
        return Ok(());
    }
    // The types may allow it by now.
    let stored = types::stored(tx, kind, &ids).await?;
    check_against(&stored, kind, nodes, &ids)
}

fn check_against(
    types: &[Arc<Stored<NodeType>>],
    kind: Kind,
    nodes: &[NodeInput],
    ids: &[i64],
) -> Result<()> {
    let known: HashMap<_, _> = types.iter().map(|found| (found.id, found)).collect();
    let (found, missing): (Vec<i64>, Vec<i64>) = ids.iter().partition(|id| known.contains_key(*id));
    if !missing.is_empty() {
        return Err(Error::NotFound(format!(
            "Results missing for ids: {missing:?}. Found results for {found:?}"
        )));
    }
    for node in nodes {
        if let Some(node_type) = node.type_id.and_then(|id| known.get(&id)) {
            node_rules::check_declared(kind, node, &node_type.value)?;
        }
    }
    Ok(())
}

/// The event of an edge with both ends: the id of the event itself, or that of the node at the
/// index.
fn resolve(edge: &EventEdge, artifact_ids: &[i64], execution_ids: &[i64]) -> Option<EventInput> {
    let at = |index: Option<i32>, ids: &[i64]| ids.get(usize::try_from(index?).ok()?).copied();
    let event = edge.event.clone()?;
    Some(EventInput {
        artifact_id: event
            .artifact_id
            .or_else(|| at(edge.artifact_index, artifact_ids)),
        execution_id: event
            .execution_id
            .or_else(|| at(edge.execution_index, execution_ids)),
        ..event
    })
}
