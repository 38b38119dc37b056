//! The result of a traversal as a drawing.

use std::collections::BTreeSet;

use super::draw::is_input;
use crate::picture::{
    FigureKey, FoldRules, Mark, TracedEdge, TracedLineage, TracedNode, fold, svg,
};
use crate::proto::ml_metadata::event::path;
use crate::proto::ml_metadata::{Artifact, Event, Execution};
use crate::proto::pedigree::lineage::v1::TraceResponse;
use crate::proto::pedigree::lineage::v1::trace_request::Direction;

/// Collects what a traversal finds.
pub(super) struct TracePicture {
    /// What a node at one hop has as its hop: -1 for what the start was derived from.
    sign: i64,
    lineage: TracedLineage,
}

impl TracePicture {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            sign: if direction == Direction::Provenance {
                -1
            } else {
                1
            },
            lineage: TracedLineage::default(),
        }
    }

    pub(super) fn add(&mut self, response: &TraceResponse) {
        let hop = self.sign * response.hop;
        let artifacts = response.artifacts.iter();
        let artifacts = artifacts.map(|found| of_artifact(found, hop));
        self.lineage.nodes.extend(artifacts);
        let executions = response.executions.iter();
        let executions = executions.map(|found| of_execution(found, hop));
        self.lineage.nodes.extend(executions);
        self.lineage.edges.extend(response.events.iter().map(edge));
        self.lineage.is_cut |= response.end.is_some_and(|end| end.cut);
    }

    /// The drawing. Repeated steps are one figure, and at most 150 figures are drawn.
    pub(super) fn svg(mut self) -> String {
        self.lineage.normalize();
        let starts = self.lineage.nodes.iter().filter(|node| node.hop == 0);
        let focus: BTreeSet<FigureKey> = starts.map(|node| node.key).collect();
        let title = match focus.first() {
            Some(first) if focus.len() == 1 => {
                let start = self.lineage.nodes.iter().find(|node| node.key == *first);
                start.map_or_else(String::new, |node| format!("Lineage of {}", node.label))
            }
            _ => format!("Lineage of {} nodes", focus.len()),
        };
        let rules = FoldRules {
            hops: u32::MAX,
            focus,
            ..FoldRules::default()
        };
        let scene = fold(&self.lineage, &rules);
        let (figures, nodes) = (scene.figures.len(), self.lineage.nodes.len());
        let cut = if self.lineage.is_cut {
            "; there is more beyond the limit"
        } else {
            ""
        };
        let description = format!("{figures} figures for {nodes} nodes{cut}");
        svg::document(&scene, &scene.layout(None), &title, &description)
    }
}

/// A name, or the end of a URI, or the type and the id.
fn label(name: &str, uri: &str, type_name: &str, id: i64) -> String {
    let end = uri.rsplit('/').find(|part| !part.is_empty());
    match (name, end) {
        ("", None) => format!("{type_name} #{id}"),
        ("", Some(end)) => end.to_owned(),
        (name, _) => name.to_owned(),
    }
}

fn of_artifact(found: &Artifact, hop: i64) -> TracedNode {
    TracedNode {
        key: FigureKey::artifact(found.id()),
        label: label(found.name(), found.uri(), found.r#type(), found.id()),
        type_name: found.r#type().to_owned(),
        mark: Mark::of_artifact(found.state.unwrap_or_default().into()),
        hop,
        time: found.create_time_since_epoch(),
    }
}

fn of_execution(found: &Execution, hop: i64) -> TracedNode {
    TracedNode {
        key: FigureKey::execution(found.id()),
        label: label(found.name(), "", found.r#type(), found.id()),
        type_name: found.r#type().to_owned(),
        mark: Mark::of_execution(found.last_known_state.unwrap_or_default().into()),
        hop,
        time: found.create_time_since_epoch(),
    }
}

fn edge(event: &Event) -> TracedEdge {
    let artifact = FigureKey::artifact(event.artifact_id());
    let execution = FigureKey::execution(event.execution_id());
    let (from, to) = if is_input(event) {
        (artifact, execution)
    } else {
        (execution, artifact)
    };
    let steps = event.path.iter().flat_map(|path| &path.steps);
    let keys: Vec<&str> = steps
        .filter_map(|step| match &step.value {
            Some(path::step::Value::Key(key)) => Some(key.as_str()),
            _ => None,
        })
        .collect();
    let role = keys.join("/");
    TracedEdge { from, to, role }
}
