//! Draws the result of a traversal as a tree of lines or as a graph for Graphviz.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use crate::proto::ml_metadata::event::Type;
use crate::proto::ml_metadata::{Event, event};
use crate::proto::pedigree::lineage::v1::TraceResponse;
use crate::proto::pedigree::lineage::v1::trace_request::Direction;

/// The id of an artifact or an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum DrawnNode {
    Artifact(i64),
    Execution(i64),
}

/// The nodes and edges of a traversal.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    /// The hops from a start to each node, and its label.
    nodes: BTreeMap<DrawnNode, (i64, String)>,
    /// Source, target and role of each edge, in the direction of the data.
    edges: Vec<(DrawnNode, DrawnNode, String)>,
    /// Whether a limit ended the traversal.
    is_cut: bool,
}

impl Drawing {
    pub(super) fn add(&mut self, response: &TraceResponse) {
        for artifact in &response.artifacts {
            let name = artifact.name.as_deref().or(artifact.uri.as_deref());
            let label = label("artifact", artifact.id(), artifact.r#type(), name);
            let key = DrawnNode::Artifact(artifact.id());
            self.nodes.insert(key, (response.hop, label));
        }
        for execution in &response.executions {
            let name = execution.name.as_deref();
            let label = label("execution", execution.id(), execution.r#type(), name);
            let key = DrawnNode::Execution(execution.id());
            self.nodes.insert(key, (response.hop, label));
        }
        for event in &response.events {
            let artifact = DrawnNode::Artifact(event.artifact_id());
            let execution = DrawnNode::Execution(event.execution_id());
            self.edges.push(if is_input(event) {
                (artifact, execution, role(event))
            } else {
                (execution, artifact, role(event))
            });
        }
        self.is_cut |= response.end.is_some_and(|end| end.cut);
    }

    /// One line per node, below the node through which it was reached first. Where it is reached
    /// again, its line has a reference and no children.
    pub(super) fn tree(&self, direction: Direction) -> String {
        let mut neighbors: HashMap<DrawnNode, Vec<(DrawnNode, &str)>> = HashMap::new();
        for (source, target, role) in &self.edges {
            if direction != Direction::Provenance {
                neighbors.entry(*source).or_default().push((*target, role));
            }
            if direction != Direction::Impact {
                neighbors.entry(*target).or_default().push((*source, role));
            }
        }
        let starts = self.nodes.iter().filter(|(_, (hop, _))| *hop == 0);
        let mut text = String::new();
        let mut drawn = HashSet::new();
        for (start, _) in starts {
            self.branch(*start, direction, &neighbors, &mut drawn, &mut text);
        }
        if self.is_cut {
            text.push_str("… and more, beyond the limit\n");
        }
        text
    }

    fn branch(
        &self,
        start: DrawnNode,
        direction: Direction,
        neighbors: &HashMap<DrawnNode, Vec<(DrawnNode, &str)>>,
        drawn: &mut HashSet<DrawnNode>,
        text: &mut String,
    ) {
        // What is left to draw: a node, its role, the text before its line, the text before the
        // lines of its children, and whether the node is drawn for the first time.
        let mut pending = vec![(start, "", String::new(), String::new(), true)];
        while let Some((node, role, lead, below, is_whole)) = pending.pop() {
            let (hop, label) = self.node(node);
            let again = if is_whole { "" } else { " (see there)" };
            let _ = writeln!(text, "{lead}{label}{role}{again}");
            if !is_whole {
                continue;
            }
            let mut children = Vec::new();
            for (child, role) in neighbors.get(&node).into_iter().flatten() {
                let child_hop = self.node(*child).0;
                // A run is gone on from again when another of its outputs is reached, so that what
                // it used can be more than a hop away.
                let is_first = child_hop > hop && drawn.insert(*child);
                // In both directions, a node nearer to a start is the one this node came from.
                if is_first || direction != Direction::Both || child_hop > hop {
                    children.push((*child, *role, is_first));
                }
            }
            let count = children.len();
            for (place, (child, role, is_first)) in children.into_iter().enumerate().rev() {
                let (branch, bar) = if place + 1 == count {
                    ("└─ ", "   ")
                } else {
                    ("├─ ", "│  ")
                };
                let lead = format!("{below}{branch}");
                pending.push((child, role, lead, format!("{below}{bar}"), is_first));
            }
        }
    }

    fn node(&self, key: DrawnNode) -> (i64, &str) {
        let found = self.nodes.get(&key);
        found.map_or((0, "?"), |(hop, label)| (*hop, label))
    }

    /// Executions are boxes; arrows have the direction of the data.
    pub(super) fn dot(&self) -> String {
        let mut text = String::from("digraph lineage {\n  rankdir=LR;\n");
        for (key, (hop, label)) in &self.nodes {
            let shape = match key {
                DrawnNode::Artifact(_) => "ellipse",
                DrawnNode::Execution(_) => "box",
            };
            let style = if *hop == 0 { ", style=bold" } else { "" };
            let (name, label) = (name(*key), quoted(label));
            let _ = writeln!(text, "  {name} [shape={shape}, label={label}{style}];");
        }
        for (source, target, role) in &self.edges {
            let (source, target, role) = (name(*source), name(*target), quoted(role.trim()));
            let _ = writeln!(text, "  {source} -> {target} [label={role}];");
        }
        text.push_str("}\n");
        text
    }
}

fn label(kind: &str, id: i64, type_name: &str, name: Option<&str>) -> String {
    let mut label = format!("{kind} {id} {type_name}");
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        // A name could contain control characters for the terminal.
        let _ = write!(label, " {}", name.escape_debug());
    }
    label
}

/// Whether the artifact of an event flows into its execution.
pub(super) fn is_input(event: &Event) -> bool {
    matches!(
        event.r#type(),
        Type::Input | Type::DeclaredInput | Type::InternalInput
    )
}

/// The keys of the event's path, in brackets.
fn role(event: &Event) -> String {
    let steps = event.path.iter().flat_map(|path| &path.steps);
    let keys: Vec<String> = steps
        .filter_map(|step| match &step.value {
            Some(event::path::step::Value::Key(key)) => Some(key.escape_debug().to_string()),
            _ => None,
        })
        .collect();
    if keys.is_empty() {
        String::new()
    } else {
        format!(" [{}]", keys.join("/"))
    }
}

fn name(key: DrawnNode) -> String {
    match key {
        DrawnNode::Artifact(id) => format!("a{id}"),
        DrawnNode::Execution(id) => format!("e{id}"),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ml_metadata::{Artifact, Execution};

    fn found() -> Drawing {
        let artifact = |id, name: &str| Artifact {
            id: Some(id),
            r#type: Some("Data".to_owned()),
            name: Some(name.to_owned()),
            ..Artifact::default()
        };
        let execution = |id| Execution {
            id: Some(id),
            r#type: Some("Train".to_owned()),
            ..Execution::default()
        };
        let event = |artifact, execution, kind: Type| Event {
            artifact_id: Some(artifact),
            execution_id: Some(execution),
            r#type: Some(kind.into()),
            ..Event::default()
        };
        let mut found = Drawing::default();
        for response in [
            TraceResponse {
                artifacts: vec![artifact(3, "model")],
                ..TraceResponse::default()
            },
            TraceResponse {
                hop: 1,
                executions: vec![execution(1)],
                events: vec![event(3, 1, Type::Output)],
                ..TraceResponse::default()
            },
            // The model is an input of its own training.
            TraceResponse {
                hop: 2,
                artifacts: vec![artifact(1, "a\"\n"), artifact(2, "b")],
                events: vec![1, 3, 2]
                    .into_iter()
                    .map(|id| event(id, 1, Type::Input))
                    .collect(),
                ..TraceResponse::default()
            },
        ] {
            found.add(&response);
        }
        found
    }

    #[test]
    fn a_tree_has_each_node_once_and_ends_in_cycles() {
        assert_eq!(
            found().tree(Direction::Provenance),
            "artifact 3 Data model\n\
             └─ execution 1 Train\n\
             \x20  ├─ artifact 1 Data a\\\"\\n\n\
             \x20  ├─ artifact 3 Data model (see there)\n\
             \x20  └─ artifact 2 Data b\n"
        );
    }

    #[test]
    fn arrows_go_the_way_that_data_went() {
        let dot = found().dot();
        for line in [
            "  a3 [shape=ellipse, label=\"artifact 3 Data model\", style=bold];",
            "  a1 [shape=ellipse, label=\"artifact 1 Data a\\\\\\\"\\\\n\"];",
            "  e1 -> a3 [label=\"\"];",
            "  a1 -> e1 [label=\"\"];",
        ] {
            assert!(dot.lines().any(|found| found == line), "{line}\n{dot}");
        }
    }
}
