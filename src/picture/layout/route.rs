//! Edges as level and curved parts, and the positions of nodes.

use super::rows::LayerRows;
use super::{LAYER_GAP, LayoutNode, NodePlace, PictureLayout};

/// A curve between two layers, whose ends are level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub x1: f64,
    pub y1: f64,
    pub x2: f64,
    pub y2: f64,
}

/// An edge: it begins and ends at nodes. Between its spans it is level.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub start: f64,
    pub end: f64,
    /// From the left to the right.
    pub spans: Vec<Span>,
    /// Whether the data goes from the right to the left: the edge closes a circle.
    pub is_turned: bool,
}

impl Route {
    pub(super) fn move_by(&mut self, x: f64, y: f64) {
        self.start += x;
        self.end += x;
        for span in &mut self.spans {
            span.x1 += x;
            span.x2 += x;
            span.y1 += y;
            span.y2 += y;
        }
    }
}

/// The left edge and the width of each layer.
fn columns(nodes: &[LayoutNode], rows: &LayerRows) -> Vec<(f64, f64)> {
    let mut left = 0.0;
    let mut columns = Vec::with_capacity(rows.rows.len());
    for row in &rows.rows {
        let widths = row.iter().filter_map(|stop| Some(nodes.get(*stop)?.width));
        let width = widths.reduce(f64::max).unwrap_or_default();
        columns.push((left, width));
        left += width + LAYER_GAP;
    }
    columns
}

/// The layout of ordered rows with the heights of their stops.
pub(super) fn finish(
    nodes: &[LayoutNode],
    rows: &LayerRows,
    heights: &[f64],
    crossings: usize,
) -> PictureLayout {
    let columns = columns(nodes, rows);
    let place = |(index, node): (usize, &LayoutNode)| {
        let layer = rows.stops[index].layer;
        let (left, width) = columns[layer];
        NodePlace {
            x: left + (width - node.width) / 2.0,
            y: heights[index] - node.height / 2.0,
            layer,
            order: rows.order[index],
        }
    };
    let places: Vec<NodePlace> = nodes.iter().enumerate().map(place).collect();
    let route = |(chain, is_turned): (&Vec<usize>, &bool)| {
        let (first, last) = (chain[0], chain[chain.len() - 1]);
        let span = |pair: &[usize]| {
            let (left, width) = columns[rows.stops[pair[0]].layer];
            Span {
                x1: left + width,
                y1: heights[pair[0]],
                x2: columns[rows.stops[pair[1]].layer].0,
                y2: heights[pair[1]],
            }
        };
        Route {
            start: places[first].x + nodes[first].width,
            end: places[last].x,
            spans: chain.windows(2).map(span).collect(),
            is_turned: *is_turned,
        }
    };
    let routes = rows.chains.iter().zip(&rows.is_turned).map(route).collect();
    let bottom = |(place, node): (&NodePlace, &LayoutNode)| place.y + node.height;
    let bottoms = places.iter().zip(nodes).map(bottom);
    PictureLayout {
        left: 0.0,
        top: 0.0,
        width: columns.last().map_or(0.0, |(left, width)| left + width),
        height: bottoms.chain(heights.iter().copied()).fold(0.0, f64::max),
        places,
        routes,
        crossings,
    }
}
