//! Nodes and bends in the rows of their layers.

use super::layers::Layers;
use super::{LayoutEdge, LayoutNode};

/// The height of a bend, in pixels.
const BEND_HEIGHT: f64 = 6.0;

/// What stands in a row: a node, or the bend of an edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowStop {
    pub layer: usize,
    pub height: f64,
    pub is_bend: bool,
    /// The order that it keeps among those that have one.
    pub seed: Option<usize>,
}

/// The layers, each from top to bottom, and the links between neighbouring ones. The first stops
/// are the nodes, in their order.
#[derive(Debug)]
pub(super) struct LayerRows {
    pub stops: Vec<RowStop>,
    pub rows: Vec<Vec<usize>>,
    /// The stops of the layer to the left, and to the right, that each stop is linked to.
    pub before: Vec<Vec<usize>>,
    pub after: Vec<Vec<usize>>,
    /// The stops of each edge from the left to the right.
    pub chains: Vec<Vec<usize>>,
    pub is_turned: Vec<bool>,
    /// The place of each stop in its row.
    pub order: Vec<usize>,
}

impl LayerRows {
    pub fn new(nodes: &[LayoutNode], edges: &[LayoutEdge], layers: &Layers) -> Self {
        let mut ranks: Vec<usize> = (0..nodes.len()).collect();
        ranks.sort_by_key(|node| {
            let LayoutNode { seed, rank, .. } = nodes[*node];
            (seed.is_none(), seed, rank, *node)
        });
        let mut rank_of = vec![0; nodes.len()];
        for (rank, node) in ranks.into_iter().enumerate() {
            rank_of[node] = rank;
        }
        let stop = |(layer, node): (&usize, &LayoutNode)| RowStop {
            layer: *layer,
            height: node.height,
            is_bend: false,
            seed: node.seed,
        };
        let stops: Vec<RowStop> = layers.of_nodes.iter().zip(nodes).map(stop).collect();
        let depth = layers.of_nodes.iter().max().map_or(0, |last| last + 1);
        let mut this = Self {
            before: vec![Vec::new(); stops.len()],
            after: vec![Vec::new(); stops.len()],
            order: Vec::new(),
            rows: vec![Vec::new(); depth],
            chains: Vec::with_capacity(edges.len()),
            is_turned: layers.is_turned.clone(),
            stops,
        };
        let mut keys: Vec<(usize, usize)> = rank_of.iter().map(|rank| (*rank, 0)).collect();
        for edge in 0..edges.len() {
            let (left, right) = layers.ends(edges, edge);
            let mut chain = vec![left];
            for layer in layers.of_nodes[left] + 1..layers.of_nodes[right] {
                let bend = this.add_bend(layer);
                keys.push((rank_of[left].min(rank_of[right]), edge + 1));
                chain.push(bend);
            }
            chain.push(right);
            for pair in chain.windows(2) {
                this.after[pair[0]].push(pair[1]);
                this.before[pair[1]].push(pair[0]);
            }
            this.chains.push(chain);
        }
        for (stop, place) in this.stops.iter().zip(0..) {
            this.rows[stop.layer].push(place);
        }
        for row in &mut this.rows {
            row.sort_by_key(|stop| keys[*stop]);
        }
        this.order = vec![0; this.stops.len()];
        this.number_all();
        this
    }

    fn add_bend(&mut self, layer: usize) -> usize {
        self.stops.push(RowStop {
            layer,
            height: BEND_HEIGHT,
            is_bend: true,
            seed: None,
        });
        self.before.push(Vec::new());
        self.after.push(Vec::new());
        self.stops.len() - 1
    }

    /// Notes the places of the stops of a row.
    pub fn number(&mut self, layer: usize) {
        for (place, stop) in self.rows[layer].iter().enumerate() {
            self.order[*stop] = place;
        }
    }

    pub fn number_all(&mut self) {
        for layer in 0..self.rows.len() {
            self.number(layer);
        }
    }
}
