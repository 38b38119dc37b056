//! What is drawn: figures, each of which stands for one node or for several.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::layout::{LayoutEdge, LayoutNode, PictureLayout, layout};
use super::{FigureKey, FigureKind, Mark, TracedNode, svg};

/// A node that is drawn, or several that are drawn as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The smallest of its members.
    pub key: FigureKey,
    /// Ascending; one, or all of a fold.
    pub members: Vec<FigureKey>,
    pub label: String,
    pub type_name: String,
    /// How many members have each state.
    pub marks: BTreeMap<Mark, usize>,
    pub hop: i64,
    /// When the oldest member was created, in milliseconds since epoch.
    pub time: i64,
    /// How many nodes that are not drawn its members came from.
    pub more_before: usize,
    /// How many nodes that are not drawn came from its members.
    pub more_after: usize,
    /// Whether the picture is about it.
    pub is_focus: bool,
}

/// A node on its own.
impl From<&TracedNode> for Figure {
    fn from(node: &TracedNode) -> Self {
        Self {
            key: node.key,
            members: vec![node.key],
            label: node.label.clone(),
            type_name: node.type_name.clone(),
            marks: node.mark.map(|mark| (mark, 1)).into_iter().collect(),
            hop: node.hop,
            time: node.time,
            more_before: 0,
            more_after: 0,
            is_focus: false,
        }
    }
}

impl Figure {
    /// Whether it stands for several nodes.
    #[must_use]
    pub const fn is_fold(&self) -> bool {
        self.members.len() > 1
    }

    /// All that the picture says of it, for people who do not see it.
    #[must_use]
    pub fn description(&self) -> String {
        let mut text = format!("{} {}", self.key.kind.noun(), self.label);
        if !self.type_name.is_empty() {
            text.push_str(", ");
            text.push_str(&self.type_name);
        }
        if self.is_fold() {
            let _ = write!(text, ", {} of them", self.members.len());
        }
        for (mark, count) in &self.marks {
            let word = mark.word().to_lowercase();
            if self.is_fold() {
                let _ = write!(text, ", {count} {word}");
            } else {
                let _ = write!(text, ", {word}");
            }
        }
        for (count, words) in [
            (self.more_before, "more before it"),
            (self.more_after, "more after it"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {words}");
            }
        }
        text
    }
}

/// Data that went from one figure to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SceneEdge {
    /// Indexes of figures.
    pub from: usize,
    pub to: usize,
    /// How many events it stands for.
    pub events: usize,
}

/// Figures and the edges between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// Ascending by key.
    pub figures: Vec<Figure>,
    pub edges: Vec<SceneEdge>,
    /// How many traced nodes no figure stands for.
    pub hidden: usize,
}

impl Scene {
    /// The index of the figure that stands for a node.
    #[must_use]
    pub fn figure_of(&self, key: FigureKey) -> Option<usize> {
        let mut figures = self.figures.iter();
        figures.position(|figure| figure.members.binary_search(&key).is_ok())
    }

    /// Where everything stands. With the scene and the layout before, what was in both keeps its
    /// order. The figure that the picture is about is at the origin.
    #[must_use]
    pub fn layout(&self, before: Option<(&Self, &PictureLayout)>) -> PictureLayout {
        let seeds: BTreeMap<FigureKey, usize> = before
            .into_iter()
            .flat_map(|(scene, layout)| {
                let places = layout.places.iter().map(|place| place.order);
                scene.figures.iter().map(|figure| figure.key).zip(places)
            })
            .collect();
        let node = |figure: &Figure| LayoutNode {
            width: match figure.key.kind {
                FigureKind::Artifact => svg::ARTIFACT_WIDTH,
                FigureKind::Execution => svg::EXECUTION_WIDTH,
            },
            height: svg::FIGURE_HEIGHT,
            rank: (figure.hop, figure.time, figure.key.id),
            seed: seeds.get(&figure.key).copied(),
        };
        let nodes: Vec<LayoutNode> = self.figures.iter().map(node).collect();
        let edge = |edge: &SceneEdge| LayoutEdge {
            from: edge.from,
            to: edge.to,
        };
        let edges: Vec<LayoutEdge> = self.edges.iter().map(edge).collect();
        let mut layout = layout(&nodes, &edges);
        if let Some(focus) = self.figures.iter().position(|figure| figure.is_focus) {
            layout.move_origin(focus);
        }
        layout
    }
}
