//! Two lineages side by side.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::generate::{choices, generated};
use crate::picture::diff::{DiffMark, MatchedPair, unite};
use crate::picture::{FigureKey, TracedEdge, TracedLineage, TracedNode};

fn node(key: FigureKey, label: &str, hop: i64) -> TracedNode {
    TracedNode {
        key,
        label: label.to_owned(),
        type_name: "T".to_owned(),
        mark: None,
        hop,
        time: key.id,
    }
}

fn lineage(nodes: &[(FigureKey, &str)], edges: &[(FigureKey, FigureKey)]) -> TracedLineage {
    let edge = |(from, to): &(FigureKey, FigureKey)| TracedEdge {
        from: *from,
        to: *to,
        role: String::new(),
    };
    let mut found = TracedLineage {
        nodes: nodes
            .iter()
            .map(|(key, label)| node(*key, label, 0))
            .collect(),
        edges: edges.iter().map(edge).collect(),
        ..TracedLineage::default()
    };
    found.normalize();
    found
}

fn a(id: i64) -> FigureKey {
    FigureKey::artifact(id)
}

fn e(id: i64) -> FigureKey {
    FigureKey::execution(id)
}

#[test]
fn steps_are_matched_by_what_they_are_and_where_they_stand() {
    let new = lineage(
        &[
            (a(1), "raw"),
            (e(11), "train"),
            (a(12), "model-218"),
            (e(13), "audit"),
        ],
        &[(a(1), e(11)), (e(11), a(12)), (a(12), e(13))],
    );
    let old = lineage(
        &[
            (a(1), "raw"),
            (e(5), "train"),
            (a(6), "model-217"),
            (a(7), "holdout"),
        ],
        &[(a(1), e(5)), (e(5), a(6)), (e(5), a(7))],
    );
    let union = unite(&new, &old);
    let of = |new: Option<FigureKey>, old| MatchedPair { new, old };
    assert_eq!(
        union.pairs,
        [
            of(None, Some(a(7))),
            of(Some(a(1)), Some(a(1))),
            of(Some(a(12)), Some(a(6))),
            of(Some(e(11)), Some(e(5))),
            of(Some(e(13)), None),
        ]
    );
    assert_eq!(union.links, []);
    // What is gone hangs where it hung.
    let held = TracedEdge {
        from: e(11),
        to: a(7),
        role: String::new(),
    };
    assert!(union.lineage.edges.contains(&held), "{union:?}");
    assert_eq!(union.lineage.nodes.len(), 5);
}

#[test]
fn links_between_nodes_of_both_are_told_apart() {
    let nodes = [(a(1), "raw"), (a(2), "labels"), (e(3), "train")];
    let new = lineage(&nodes, &[(a(1), e(3))]);
    let old = lineage(&nodes, &[(a(2), e(3))]);
    let marks: Vec<(DiffMark, FigureKey)> = unite(&new, &old)
        .links
        .iter()
        .map(|(mark, edge)| (*mark, edge.from))
        .collect();
    assert_eq!(marks, [(DiffMark::Added, a(1)), (DiffMark::Gone, a(2))]);
}

proptest! {
    #[test]
    fn every_node_is_in_one_pair(one in choices(40), other in choices(40)) {
        let (new, old) = (generated(&one).0, generated(&other).0);
        let union = unite(&new, &old);
        let count = |of: fn(&MatchedPair) -> Option<FigureKey>| {
            let keys: Vec<FigureKey> = union.pairs.iter().filter_map(of).collect();
            let once: BTreeSet<FigureKey> = keys.iter().copied().collect();
            assert_eq!(keys.len(), once.len());
            once
        };
        let keys = |lineage: &TracedLineage| -> BTreeSet<FigureKey> {
            lineage.nodes.iter().map(|node| node.key).collect()
        };
        prop_assert_eq!(count(|pair| pair.new), keys(&new));
        prop_assert_eq!(count(|pair| pair.old), keys(&old));
        prop_assert_eq!(union.lineage.nodes.len(), union.pairs.len());
    }

    #[test]
    fn a_lineage_does_not_differ_from_itself(steps in choices(40)) {
        let lineage = generated(&steps).0;
        let union = unite(&lineage, &lineage);
        prop_assert!(union.pairs.iter().all(|pair| pair.new == pair.old));
        prop_assert!(union.links.is_empty());
        prop_assert_eq!(union.lineage, lineage);
    }
}
