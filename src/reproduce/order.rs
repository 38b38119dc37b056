//! The executions that an artifact takes, each after those whose outputs it reads.

use std::collections::{BTreeMap, BTreeSet};

use super::{ArtifactLineage, BLOB_TYPE, PlanOptions, REPRODUCTION_TYPE};
use crate::model::{ExecutionState, Node, NodeState, Step, Value};

/// The type of the executions of Kubeflow Pipelines that name an artifact that is there. They make
/// nothing: what they name is a source.
const IMPORTER_TYPE: &str = "system.ImporterExecution";

/// Which executions read and write what.
pub(super) struct Uses {
    /// The inputs of each execution, by their roles.
    pub inputs: BTreeMap<i64, BTreeMap<String, i64>>,
    pub outputs: BTreeMap<i64, BTreeMap<String, i64>>,
    /// The execution that is taken for each artifact.
    producers: BTreeMap<i64, i64>,
}

/// The executions in their order, and the artifacts that none of them makes.
#[derive(Default)]
pub(super) struct Order {
    pub executions: Vec<i64>,
    pub sources: BTreeSet<i64>,
    /// Artifacts that are made from themselves. They are sources too.
    pub circular: BTreeSet<i64>,
}

impl Uses {
    pub(super) fn of(lineage: &ArtifactLineage, options: &PlanOptions) -> Self {
        let mut uses = Self {
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            producers: BTreeMap::new(),
        };
        for event in &lineage.events {
            let (artifact, execution) = (event.artifact_id, event.execution_id);
            let Some(node) = lineage.executions.get(&execution) else {
                continue;
            };
            if !lineage.artifacts.contains_key(&artifact) || is_of_type(node, REPRODUCTION_TYPE) {
                continue;
            }
            let side = if event.event_type.is_input() {
                &mut uses.inputs
            } else if event.event_type.is_output() {
                &mut uses.outputs
            } else {
                continue;
            };
            let roles = side.entry(execution).or_default();
            roles.insert(unused_role(role_of(&event.path), roles), artifact);
            let is_made = !has_failed(node) && !is_of_type(node, IMPORTER_TYPE);
            if event.event_type.is_output() && is_made {
                let taken = uses.producers.entry(artifact).or_insert(execution);
                if rank(lineage, options, execution) > rank(lineage, options, *taken) {
                    *taken = execution;
                }
            }
        }
        uses
    }

    /// The order of the executions that an artifact takes.
    pub(super) fn order(&self, lineage: &ArtifactLineage, artifact: i64) -> Order {
        let mut order = Order::default();
        let mut is_open = BTreeSet::new();
        let mut is_done = BTreeSet::new();
        // Executions to visit, and to close once what they read is done. Not a recursion: lineage
        // can be deeper than a stack.
        let mut work = Vec::new();
        self.need(artifact, &is_open, &mut order, &mut work);
        while let Some((execution, is_closing)) = work.pop() {
            if is_closing {
                is_open.remove(&execution);
                is_done.insert(execution);
                order.executions.push(execution);
            } else if !is_done.contains(&execution) && is_open.insert(execution) {
                work.push((execution, true));
                for input in self
                    .inputs
                    .get(&execution)
                    .into_iter()
                    .flat_map(BTreeMap::values)
                {
                    let is_blob = lineage
                        .artifacts
                        .get(input)
                        .is_some_and(|it| is_of_type(it, BLOB_TYPE));
                    if !is_blob {
                        self.need(*input, &is_open, &mut order, &mut work);
                    }
                }
            }
        }
        order
    }

    /// Notes that an artifact is needed.
    fn need(
        &self,
        artifact: i64,
        is_open: &BTreeSet<i64>,
        order: &mut Order,
        work: &mut Vec<(i64, bool)>,
    ) {
        match self.producers.get(&artifact) {
            Some(producer) if is_open.contains(producer) => {
                order.circular.insert(artifact);
                order.sources.insert(artifact);
            }
            Some(producer) => work.push((*producer, false)),
            None => {
                order.sources.insert(artifact);
            }
        }
    }
}

/// What decides between executions that produced the same artifact: the one that is asked for, one
/// that was not skipped, the newest.
fn rank(
    lineage: &ArtifactLineage,
    options: &PlanOptions,
    execution: i64,
) -> (bool, bool, i64, i64) {
    let node = lineage.executions.get(&execution);
    let is_skipped = node.is_some_and(|node| {
        node.content.state == Some(NodeState::Execution(ExecutionState::Cached))
    });
    let ended = node.map(
        |node| match node.content.custom_properties.get("ended_at") {
            Some(Value::Int(time)) => *time,
            _ => node.create_time,
        },
    );
    let is_asked_for = options.executions.contains(&execution);
    (
        is_asked_for,
        !is_skipped,
        ended.unwrap_or(i64::MIN),
        execution,
    )
}

pub(super) fn is_of_type(node: &Node, name: &str) -> bool {
    node.type_name.as_deref() == Some(name)
}

fn has_failed(node: &Node) -> bool {
    let Some(NodeState::Execution(state)) = node.content.state else {
        return false;
    };
    matches!(state, ExecutionState::Failed | ExecutionState::Canceled)
}

/// The role of an artifact: the first key in the path of its event, or empty.
fn role_of(path: &[Step]) -> &str {
    let mut keys = path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    keys.next().unwrap_or_default()
}

/// A role, or the first number from the count of roles on that makes it one of its own.
fn unused_role(role: &str, used: &BTreeMap<String, i64>) -> String {
    let mut numbered = role.to_owned();
    let mut number = used.len().max(1);
    while numbered.is_empty() || used.contains_key(&numbered) {
        number += 1;
        numbered = format!("{role}{number}");
    }
    numbered
}
