//! Positions: what holds for every layout, crossings beside those of another library, and that
//! what is on the screen keeps its order when a picture grows.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::generate::{choices, generated};
use crate::picture::layout::{LayoutEdge, LayoutNode, NODE_GAP, PictureLayout, layout};
use crate::picture::{FoldRules, Grouping, Scene, fold};

/// All nodes of a generated lineage as they are.
fn unfolded(choices: &[u8], hops: u32) -> Scene {
    let (lineage, focus) = generated(choices);
    let rules = FoldRules {
        grouping: Grouping::Nothing,
        hops,
        focus: BTreeSet::from([focus]),
        ..FoldRules::default()
    };
    fold(&lineage, &rules)
}

/// Whether two nodes of a layout overlap.
fn has_overlap(scene: &Scene, found: &PictureLayout) -> bool {
    let mut rows: HashMap<usize, Vec<f64>> = HashMap::new();
    for place in &found.places[..scene.figures.len()] {
        rows.entry(place.layer).or_default().push(place.y);
    }
    rows.into_values().any(|mut tops| {
        tops.sort_by(f64::total_cmp);
        tops.windows(2)
            .any(|pair| pair[1] - pair[0] < crate::picture::svg::FIGURE_HEIGHT + NODE_GAP - 1e-6)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nodes_stand_apart_and_edges_pass_between_them(choices in choices(60)) {
        let scene = unfolded(&choices, 40);
        let found = scene.layout(None);
        prop_assert!(!has_overlap(&scene, &found));
        for (edge, route) in scene.edges.iter().zip(&found.routes) {
            let (from, to) = (found.places[edge.from], found.places[edge.to]);
            prop_assert!(route.is_turned || from.layer < to.layer);
            for pair in route.spans.windows(2) {
                // Between two spans the edge is level, over a whole layer.
                prop_assert!((pair[0].y2 - pair[1].y1).abs() < 1e-9);
                let free = scene.figures.iter().zip(&found.places).all(|(_, place)| {
                    let is_over = place.x < pair[1].x1 && place.x + 150.0 > pair[0].x2;
                    let bottom = place.y + crate::picture::svg::FIGURE_HEIGHT;
                    !is_over || pair[0].y2 < place.y || pair[0].y2 > bottom
                });
                prop_assert!(free, "an edge goes through a node");
            }
        }
    }

    #[test]
    fn the_same_lineage_has_the_same_picture(choices in choices(40)) {
        prop_assert_eq!(unfolded(&choices, 9).layout(None), unfolded(&choices, 9).layout(None));
    }

    #[test]
    fn what_is_on_the_screen_keeps_its_order(choices in choices(50), hops in 1..5_u32) {
        let small = unfolded(&choices, hops);
        let before = small.layout(None);
        let large = unfolded(&choices, hops + 3);
        let after = large.layout(Some((&small, &before)));
        let orders: HashMap<_, _> = small
            .figures
            .iter()
            .zip(&before.places)
            .map(|(figure, place)| (figure.key, place.order))
            .collect();
        let mut layers: HashMap<usize, Vec<(usize, usize)>> = HashMap::new();
        for (figure, place) in large.figures.iter().zip(&after.places) {
            if let Some(order) = orders.get(&figure.key) {
                layers.entry(place.layer).or_default().push((place.order, *order));
            }
        }
        for mut layer in layers.into_values() {
            layer.sort_unstable();
            prop_assert!(layer.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{layer:?}");
        }
    }
}

/// How many pairs of straight lines between the middles of nodes cross.
fn straight_crossings(edges: &[LayoutEdge], middles: &[(f64, f64)]) -> usize {
    let side = |(ax, ay): (f64, f64), (bx, by): (f64, f64), (cx, cy): (f64, f64)| {
        (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    };
    let mut count = 0;
    for (place, one) in edges.iter().enumerate() {
        for other in &edges[place + 1..] {
            let shares_end = [one.from, one.to]
                .iter()
                .any(|end| [other.from, other.to].contains(end));
            let [a, b, c, d] = [one.from, one.to, other.from, other.to].map(|end| middles[end]);
            let crosses =
                side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0;
            count += usize::from(!shares_end && crosses);
        }
    }
    count
}

/// Crossings of straight edges in our layouts and in those of `rust-sugiyama`, over 12 lineages.
#[test]
fn crossings_are_few_beside_those_of_a_library() {
    let (mut ours, mut theirs) = (0, 0);
    for seed in 0..12_u32 {
        let choices: Vec<u8> = (0..70_u32)
            .map(|step| {
                let mixed = (seed * 70 + step + 1).wrapping_mul(2_654_435_761);
                mixed.to_be_bytes()[0]
            })
            .collect();
        let scene = unfolded(&choices, 40);
        let node = |(place, _): (usize, _)| LayoutNode {
            width: 10.0,
            height: 10.0,
            rank: (0, 0, i64::try_from(place).unwrap()),
            seed: None,
        };
        let nodes: Vec<LayoutNode> = scene.figures.iter().enumerate().map(node).collect();
        let edges: Vec<LayoutEdge> = scene
            .edges
            .iter()
            .map(|edge| LayoutEdge {
                from: edge.from,
                to: edge.to,
            })
            .collect();
        let found = layout(&nodes, &edges);
        let middles: Vec<_> = found.places.iter().map(|it| (it.x, it.y)).collect();
        ours += straight_crossings(&edges, &middles);
        let number = |end: usize| u32::try_from(end).unwrap();
        let pairs: Vec<(u32, u32)> = edges
            .iter()
            .map(|edge| (number(edge.from), number(edge.to)))
            .collect();
        let config = rust_sugiyama::configure::Config::default();
        let mut middles = vec![(0.0, 0.0); nodes.len()];
        let mut shift = 0.0;
        for (places, width, _) in rust_sugiyama::from_edges(&pairs, &config) {
            for (node, (x, y)) in places {
                middles[node] = (x + shift, y);
            }
            shift += width + 1000.0;
        }
        theirs += straight_crossings(&edges, &middles);
    }
    assert!(theirs > 100, "{theirs}");
    assert!(
        ours * 4 <= theirs * 5,
        "{ours} crossings, {theirs} of the library"
    );
}

#[test]
fn a_circle_has_one_edge_against_the_flow() {
    let nodes = [0, 1, 2].map(|rank| LayoutNode {
        width: 100.0,
        height: 40.0,
        rank: (rank, 0, 0),
        seed: None,
    });
    let edges = [(0, 1), (1, 2), (2, 0)].map(|(from, to)| LayoutEdge { from, to });
    let found = layout(&nodes, &edges);
    let turned: Vec<bool> = found.routes.iter().map(|route| route.is_turned).collect();
    assert_eq!(turned, [false, false, true]);
    let layers: Vec<usize> = found.places.iter().map(|place| place.layer).collect();
    assert_eq!(layers, [0, 1, 2]);
}
