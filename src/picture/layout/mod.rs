//! A layered layout: data flows from left to right. Sizes and edges in, positions out; the same
//! input has the same output.
//!
//! 1. `layers`: the longest paths decide the layer of each node. Edges that close a circle are
//!    turned round.
//! 2. `rows`: an edge over several layers has a bend in each, so that it passes between nodes.
//! 3. `order`: the order in each layer, with few crossings. Nodes with a seed keep their order.
//! 4. `place`: each layer goes to the mean of its neighbours, as far as nodes do not overlap.
//! 5. `route`: edges as level and curved parts.

mod layers;
mod order;
mod place;
mod route;
mod rows;

pub use route::{Route, Span};

/// The space between layers, and between nodes of a layer, in pixels.
pub const LAYER_GAP: f64 = 48.0;
pub const NODE_GAP: f64 = 22.0;

/// A node to place.
#[derive(Clone, Copy, Debug)]
pub struct LayoutNode {
    /// Pixels.
    pub width: f64,
    pub height: f64,
    /// What decides where nothing else does.
    pub rank: (i64, i64, i64),
    /// Its order in its layer in an earlier layout. Nodes with a seed keep their order.
    pub seed: Option<usize>,
}

/// An edge between two different nodes, which are indexes.
#[derive(Clone, Copy, Debug)]
pub struct LayoutEdge {
    pub from: usize,
    pub to: usize,
}

/// Where a node stands: its upper left corner, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodePlace {
    pub x: f64,
    pub y: f64,
    pub layer: usize,
    /// How many nodes and bends of the layer are above it.
    pub order: usize,
}

/// The positions of nodes and edges, in the order of the input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PictureLayout {
    pub places: Vec<NodePlace>,
    pub routes: Vec<Route>,
    /// The upper left corner of everything.
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    /// How many edges cross between neighbouring layers.
    pub crossings: usize,
}

/// Places nodes and edges.
#[must_use]
pub fn layout(nodes: &[LayoutNode], edges: &[LayoutEdge]) -> PictureLayout {
    let layered = layers::assign(nodes, edges);
    let mut rows = rows::LayerRows::new(nodes, edges, &layered);
    let crossings = order::arrange(&mut rows);
    let heights = place::vertical(&rows);
    route::finish(nodes, &rows, &heights, crossings)
}

impl PictureLayout {
    /// Puts the middle of a node at the origin.
    pub fn move_origin(&mut self, node: usize) {
        let NodePlace { x, y, .. } = self.places[node];
        for place in &mut self.places {
            place.x -= x;
            place.y -= y;
        }
        for route in &mut self.routes {
            route.move_by(-x, -y);
        }
        self.left -= x;
        self.top -= y;
    }
}
