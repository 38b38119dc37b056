//! Runs as they are sent: with what they used and produced, and the contexts that they are in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::error::Result;
use crate::model::{Event, Kind, Node, Side, distinct_ids};
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::tables::{events, nodes};
use crate::storage::{Database, Tx};

/// A run and the contexts that it is in.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedRun {
    pub run: Node,
    pub contexts: Vec<Arc<Node>>,
}

/// A run with its artifacts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunWithData {
    pub placed: PlacedRun,
    /// With the event between the run and the artifact, in the order of the events.
    pub artifacts: Vec<(Event, Arc<Node>)>,
}

/// The executions with these ids, ascending by id, with their artifacts.
pub(in crate::graph) async fn with_data(
    database: &Database,
    ids: &[i64],
) -> Result<Vec<RunWithData>> {
    let mut tx = database.read().await?;
    let runs = nodes::by_ids(&mut tx, Kind::Execution, ids).await?;
    let found = events::whole_of_nodes(&mut tx, Side::Execution, ids).await?;
    let artifact_ids = distinct_ids(found.iter().map(|stored| stored.value.artifact_id));
    let artifacts = nodes::by_ids(&mut tx, Kind::Artifact, &artifact_ids).await?;
    let artifacts = shared(artifacts);
    let mut of_runs: HashMap<i64, Vec<(Event, Arc<Node>)>> = HashMap::new();
    for event in found.into_iter().map(|stored| stored.value) {
        if let Some(artifact) = artifacts.get(&event.artifact_id) {
            let of_run = of_runs.entry(event.execution_id).or_default();
            of_run.push((event, artifact.clone()));
        }
    }
    let placed = place(&mut tx, runs).await?;
    let with_data = placed.into_iter().map(|placed| RunWithData {
        artifacts: of_runs.remove(&placed.run.id).unwrap_or_default(),
        placed,
    });
    Ok(with_data.collect())
}

/// The executions with these ids, and those with these external ids.
pub(in crate::graph) async fn placed(
    database: &Database,
    ids: &[i64],
    external_ids: &[String],
) -> Result<Vec<PlacedRun>> {
    if ids.is_empty() && external_ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = database.read().await?;
    let external_ids: Vec<&str> = external_ids.iter().map(String::as_str).collect();
    let mut runs = nodes::by_ids(&mut tx, Kind::Execution, ids).await?;
    runs.extend(nodes::by_external_ids(&mut tx, Kind::Execution, &external_ids).await?);
    runs.sort_by_key(|run| run.id);
    runs.dedup_by_key(|run| run.id);
    place(&mut tx, runs).await
}

async fn place(tx: &mut Tx, runs: Vec<Node>) -> Result<Vec<PlacedRun>> {
    let ids: Vec<i64> = runs.iter().map(|run| run.id).collect();
    let members = memberships::find(tx, Kind::Execution, MembershipEnd::Node, &ids).await?;
    let context_ids = distinct_ids(members.iter().map(|member| member.context_id));
    let contexts = shared(nodes::by_ids(tx, Kind::Context, &context_ids).await?);
    let mut of_runs: HashMap<i64, Vec<Arc<Node>>> = HashMap::new();
    for member in members {
        let context = contexts.get(&member.context_id).cloned();
        of_runs.entry(member.node_id).or_default().extend(context);
    }
    let place = |run: Node| PlacedRun {
        contexts: of_runs.remove(&run.id).unwrap_or_default(),
        run,
    };
    Ok(runs.into_iter().map(place).collect())
}

fn shared(nodes: Vec<Node>) -> BTreeMap<i64, Arc<Node>> {
    let by_id = |node: Node| (node.id, Arc::new(node));
    nodes.into_iter().map(by_id).collect()
}
