//! What a trace found, as a tree of lines and as a graph in the language of Graphviz.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use crate::proto::ml_metadata::event::Type;
use crate::proto::ml_metadata::{Event, event};
use crate::proto::pedigree::lineage::v1::TraceResponse;
use crate::proto::pedigree::lineage::v1::trace_request::Direction;

/// An artifact or an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Artifact(i64),
    Execution(i64),
}

/// All that a trace found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// How far it is from a start, and what it is called.
    nodes: BTreeMap<Key, (i64, String)>,
    /// From where something flowed to where, and by which role.
    edges: Vec<(Key, Key, String)>,
    cut: bool,
}

impl Found {
    pub(super) fn add(&mut self, response: &TraceResponse) {
        for artifact in &response.artifacts {
            let name = artifact.name.as_deref().or(artifact.uri.as_deref());
            let label = label("artifact", artifact.id(), artifact.r#type(), name);
            let key = Key::Artifact(artifact.id());
            self.nodes.insert(key, (response.hop, label));
        }
        for execution in &response.executions {
            let name = execution.name.as_deref();
            let label = label("execution", execution.id(), execution.r#type(), name);
            let key = Key::Execution(execution.id());
            self.nodes.insert(key, (response.hop, label));
        }
        for event in &response.events {
            let artifact = Key::Artifact(event.artifact_id());
            let execution = Key::Execution(event.execution_id());
            let is_input = matches!(
                event.r#type(),
                Type::Input | Type::DeclaredInput | Type::InternalInput
            );
            self.edges.push(if is_input {
                (artifact, execution, role(event))
            } else {
                (execution, artifact, role(event))
            });
        }
        self.cut |= response.end.is_some_and(|end| end.cut);
    }

    /// A line for each node below the one through which it was reached first. A node that is reached again is only named.
    pub(super) fn tree(&self, direction: Direction) -> String {
        let mut ways: HashMap<Key, Vec<(Key, &str)>> = HashMap::new();
        for (source, target, role) in &self.edges {
            if direction != Direction::Provenance {
                ways.entry(*source).or_default().push((*target, role));
            }
            if direction != Direction::Impact {
                ways.entry(*target).or_default().push((*source, role));
            }
        }
        let starts = self.nodes.iter().filter(|(_, (hop, _))| *hop == 0);
        let mut text = String::new();
        let mut drawn = HashSet::new();
        for (start, _) in starts {
            self.branch(*start, direction, &ways, &mut drawn, &mut text);
        }
        if self.cut {
            text.push_str("… and more, beyond the limit\n");
        }
        text
    }

    fn branch(
        &self,
        start: Key,
        direction: Direction,
        ways: &HashMap<Key, Vec<(Key, &str)>>,
        drawn: &mut HashSet<Key>,
        text: &mut String,
    ) {
        // What is yet to be drawn: a node, its role, what stands before its line, and before those below it.
        let mut waiting = vec![(start, "", String::new(), String::new(), true)];
        while let Some((node, role, lead, below, is_whole)) = waiting.pop() {
            let (hop, label) = self.node(node);
            let again = if is_whole { "" } else { " (see there)" };
            let _ = writeln!(text, "{lead}{label}{role}{again}");
            if !is_whole {
                continue;
            }
            let mut children = Vec::new();
            for (child, role) in ways.get(&node).into_iter().flatten() {
                let far = self.node(*child).0;
                let is_first = far == hop + 1 && drawn.insert(*child);
                // Both ways, what is nearer to a start is where this node was reached from.
                if is_first || direction != Direction::Both || far > hop {
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
                waiting.push((child, role, lead, format!("{below}{bar}"), is_first));
            }
        }
    }

    fn node(&self, key: Key) -> (i64, &str) {
        let found = self.nodes.get(&key);
        found.map_or((0, "?"), |(hop, label)| (*hop, label))
    }

    /// Boxes are executions; arrows go the way that data went.
    pub(super) fn dot(&self) -> String {
        let mut text = String::from("digraph lineage {\n  rankdir=LR;\n");
        for (key, (hop, label)) in &self.nodes {
            let shape = match key {
                Key::Artifact(_) => "ellipse",
                Key::Execution(_) => "box",
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
        // A name could move the cursor of a terminal.
        let _ = write!(label, " {}", name.escape_debug());
    }
    label
}

/// The keys of an event's path, in brackets.
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

fn name(key: Key) -> String {
    match key {
        Key::Artifact(id) => format!("a{id}"),
        Key::Execution(id) => format!("e{id}"),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ml_metadata::{Artifact, Execution};

    fn found() -> Found {
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
        let mut found = Found::default();
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
            // The model went into its own training.
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
