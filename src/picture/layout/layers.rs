//! The layer of each node.

use super::{LayoutEdge, LayoutNode};

/// The layer of each node, and which edges go against the flow.
#[derive(Debug)]
pub(super) struct Layers {
    pub of_nodes: Vec<usize>,
    pub is_turned: Vec<bool>,
}

impl Layers {
    /// The ends of an edge, the left one first.
    pub fn ends(&self, edges: &[LayoutEdge], edge: usize) -> (usize, usize) {
        let LayoutEdge { from, to } = edges[edge];
        if self.is_turned[edge] {
            (to, from)
        } else {
            (from, to)
        }
    }
}

/// Edges by an end: the numbers of those that leave each node.
fn leaving(count: usize, edges: &[LayoutEdge]) -> Vec<Vec<usize>> {
    let mut leaving = vec![Vec::new(); count];
    for (number, edge) in edges.iter().enumerate() {
        leaving[edge.from].push(number);
    }
    leaving
}

/// The longest path from a node without inputs decides its layer. Then what feeds few places moves
/// next to them.
pub(super) fn assign(nodes: &[LayoutNode], edges: &[LayoutEdge]) -> Layers {
    let mut layers = Layers {
        of_nodes: vec![0; nodes.len()],
        is_turned: turned(nodes, edges),
    };
    let mut outputs = vec![Vec::new(); nodes.len()];
    let mut inputs = vec![0_usize; nodes.len()];
    for edge in 0..edges.len() {
        let (left, right) = layers.ends(edges, edge);
        outputs[left].push(right);
        inputs[right] += 1;
    }
    let counts = inputs.clone();
    let mut order: Vec<usize> = (0..nodes.len()).filter(|node| inputs[*node] == 0).collect();
    let mut next = 0;
    while let Some(&node) = order.get(next) {
        next += 1;
        for &right in &outputs[node] {
            let layer = layers.of_nodes[node] + 1;
            layers.of_nodes[right] = layers.of_nodes[right].max(layer);
            inputs[right] -= 1;
            if inputs[right] == 0 {
                order.push(right);
            }
        }
    }
    for only_sources in [true, false] {
        for &node in order.iter().rev() {
            let is_pulled = if only_sources {
                counts[node] == 0
            } else {
                outputs[node].len() > counts[node]
            };
            let nearest = outputs[node].iter().map(|right| layers.of_nodes[*right]);
            if let (true, Some(nearest)) = (is_pulled, nearest.min()) {
                layers.of_nodes[node] = layers.of_nodes[node].max(nearest.saturating_sub(1));
            }
        }
    }
    layers
}

/// The edges that close a circle in a depth-first search, which begins at the nodes of the lowest
/// ranks.
fn turned(nodes: &[LayoutNode], edges: &[LayoutEdge]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum SearchState {
        New,
        Open,
        Done,
    }
    let leaving = leaving(nodes.len(), edges);
    let mut is_turned = vec![false; edges.len()];
    let mut visits = vec![SearchState::New; nodes.len()];
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|node| (nodes[*node].rank, *node));
    for start in order {
        if visits[start] != SearchState::New {
            continue;
        }
        visits[start] = SearchState::Open;
        let mut path = vec![(start, 0)];
        while let Some((node, tried)) = path.last_mut() {
            let Some(&edge) = leaving[*node].get(*tried) else {
                visits[*node] = SearchState::Done;
                path.pop();
                continue;
            };
            *tried += 1;
            let to = edges[edge].to;
            match visits[to] {
                SearchState::Open => is_turned[edge] = true,
                SearchState::New => {
                    visits[to] = SearchState::Open;
                    path.push((to, 0));
                }
                SearchState::Done => {}
            }
        }
    }
    is_turned
}
