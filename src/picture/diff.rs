//! Two lineages side by side: which nodes are in both, and what only one of them has.
//!
//! Nodes that are the same stay the same. Of the others, those are matched that stand in the same
//! place: of one kind and type, with labels that differ in digits and hashes only, as far away, and
//! linked alike. What is left is matched without its links, and then without its distance.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::fold::name_stem;
use super::lineage::{FigureKey, FigureKind, TracedEdge, TracedLineage, TracedNode};

/// What a node of one lineage is in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiffMark {
    /// Another one in the same place.
    Changed,
    Added,
    Gone,
    Same,
}

impl DiffMark {
    /// A word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Gone => "gone",
            Self::Same => "same",
        }
    }

    /// The sign in pictures and tables.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Changed => "≠",
            Self::Added => "+",
            Self::Gone => "−",
            Self::Same => "=",
        }
    }
}

/// A node of a lineage, and the one in its place in another lineage. One of them may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MatchedPair {
    pub new: Option<FigureKey>,
    pub old: Option<FigureKey>,
}

/// Two lineages as one.
#[derive(Clone, Debug, Default)]
pub struct LineageUnion {
    /// The new lineage, with what only the old one has.
    pub lineage: TracedLineage,
    /// Every node of both lineages in one pair, ascending.
    pub pairs: Vec<MatchedPair>,
    /// Links between nodes of both lineages that only one of them has: added, or gone.
    pub links: Vec<(DiffMark, TracedEdge)>,
}

/// Where a node stands, from the most exact description to the least exact one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum NodePlacement<'t> {
    Linked(Looks<'t>, i64, BTreeSet<(bool, &'t str, Looks<'t>)>),
    Distant(Looks<'t>, i64),
    Alike(Looks<'t>),
}

/// Kind, type, and the label without what differs from run to run.
type Looks<'t> = (FigureKind, &'t str, String);

fn looks(node: &TracedNode) -> Looks<'_> {
    (node.key.kind, node.type_name.as_str(), name_stem(node))
}

/// The placements of nodes, of one exactness after the other.
fn placements(lineage: &TracedLineage) -> [HashMap<FigureKey, NodePlacement<'_>>; 3] {
    let places = lineage.places();
    let looks: Vec<Looks<'_>> = lineage.nodes.iter().map(looks).collect();
    let mut around = vec![BTreeSet::new(); lineage.nodes.len()];
    for edge in &lineage.edges {
        if let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) {
            around[*from].insert((true, edge.role.as_str(), looks[*to].clone()));
            around[*to].insert((false, edge.role.as_str(), looks[*from].clone()));
        }
    }
    let nodes = || lineage.nodes.iter().zip(looks.iter().cloned());
    let linked = nodes().zip(around);
    let linked = linked
        .map(|((node, looks), around)| (node.key, NodePlacement::Linked(looks, node.hop, around)));
    let distant = nodes().map(|(node, looks)| (node.key, NodePlacement::Distant(looks, node.hop)));
    let alike = nodes().map(|(node, looks)| (node.key, NodePlacement::Alike(looks)));
    [linked.collect(), distant.collect(), alike.collect()]
}

/// Matches the nodes of two normalized lineages.
fn match_nodes(new: &TracedLineage, old: &TracedLineage) -> Vec<MatchedPair> {
    let mut left: BTreeMap<FigureKey, i64> = times(new);
    let mut right: BTreeMap<FigureKey, i64> = times(old);
    let both: Vec<FigureKey> = left
        .keys()
        .copied()
        .filter(|it| right.contains_key(it))
        .collect();
    let mut pairs = Vec::new();
    for key in both {
        left.remove(&key);
        right.remove(&key);
        pairs.push(MatchedPair {
            new: Some(key),
            old: Some(key),
        });
    }
    for (of_new, of_old) in placements(new).iter().zip(&placements(old)) {
        let (mut by_new, by_old) = (grouped(&left, of_new), grouped(&right, of_old));
        for (placement, old_keys) in by_old {
            let new_keys = by_new.remove(placement).unwrap_or_default();
            for (new, old) in new_keys.into_iter().zip(old_keys) {
                left.remove(&new);
                right.remove(&old);
                pairs.push(MatchedPair {
                    new: Some(new),
                    old: Some(old),
                });
            }
        }
    }
    pairs.extend(left.into_keys().map(|key| MatchedPair {
        new: Some(key),
        old: None,
    }));
    pairs.extend(right.into_keys().map(|key| MatchedPair {
        new: None,
        old: Some(key),
    }));
    pairs.sort();
    pairs
}

fn times(lineage: &TracedLineage) -> BTreeMap<FigureKey, i64> {
    let nodes = lineage.nodes.iter();
    nodes.map(|node| (node.key, node.time)).collect()
}

/// The nodes that are not matched yet by their placements, in the order of their times.
fn grouped<'p, 't>(
    left: &BTreeMap<FigureKey, i64>,
    placements: &'p HashMap<FigureKey, NodePlacement<'t>>,
) -> BTreeMap<&'p NodePlacement<'t>, Vec<FigureKey>> {
    let mut groups: BTreeMap<&NodePlacement<'t>, Vec<FigureKey>> = BTreeMap::new();
    for key in left.keys() {
        if let Some(placement) = placements.get(key) {
            groups.entry(placement).or_default().push(*key);
        }
    }
    for keys in groups.values_mut() {
        keys.sort_by_key(|key| (left.get(key), *key));
    }
    groups
}

/// Puts two normalized lineages together.
#[must_use]
pub fn unite(new: &TracedLineage, old: &TracedLineage) -> LineageUnion {
    let pairs = match_nodes(new, old);
    let matched = pairs
        .iter()
        .filter_map(|pair| Some((pair.old?, pair.new.or(pair.old)?)));
    let key_of: HashMap<FigureKey, FigureKey> = matched.collect();
    let gone: HashSet<FigureKey> = pairs
        .iter()
        .filter(|pair| pair.new.is_none())
        .filter_map(|pair| pair.old)
        .collect();
    let added: HashSet<FigureKey> = pairs
        .iter()
        .filter(|pair| pair.old.is_none())
        .filter_map(|pair| pair.new)
        .collect();
    let mut lineage = new.clone();
    lineage.is_cut |= old.is_cut;
    let only_old = old.nodes.iter().filter(|node| gone.contains(&node.key));
    lineage.nodes.extend(only_old.cloned());
    let old_edges = old.edges.iter().filter_map(|edge| {
        Some(TracedEdge {
            from: *key_of.get(&edge.from)?,
            to: *key_of.get(&edge.to)?,
            role: edge.role.clone(),
        })
    });
    let old_edges: BTreeSet<TracedEdge> = old_edges.collect();
    let new_edges: BTreeSet<TracedEdge> = new.edges.iter().cloned().collect();
    let is_between = |edge: &TracedEdge, only: &HashSet<FigureKey>| {
        !only.contains(&edge.from) && !only.contains(&edge.to)
    };
    let mut links = Vec::new();
    for edge in new_edges.difference(&old_edges) {
        if is_between(edge, &added) {
            links.push((DiffMark::Added, edge.clone()));
        }
    }
    for edge in old_edges.difference(&new_edges) {
        if is_between(edge, &gone) {
            links.push((DiffMark::Gone, edge.clone()));
        }
        lineage.edges.push(edge.clone());
    }
    lineage.normalize();
    LineageUnion {
        lineage,
        pairs,
        links,
    }
}
