//! Lineage as a tree of rows: each figure once, below the one through which it was reached first.

use std::collections::{BTreeMap, HashMap};

use super::draw::Drawn;
use crate::api::ui::page::{Links, kind_of};
use crate::api::ui::text;
use crate::api::ui::views::kind_glyph;
use crate::picture::{Figure, FigureKind, Mark, Scene};

/// The deepest indentation.
const MAX_DEPTH: usize = 12;

/// A figure as a row.
pub(super) struct ListRow {
    /// A class for the indentation.
    pub depth: usize,
    pub level: usize,
    pub kind: &'static str,
    pub glyph: &'static str,
    pub label: String,
    pub link: String,
    pub type_name: String,
    /// How many nodes it stands for, beyond one.
    pub members: Option<usize>,
    pub states: Vec<(Mark, usize)>,
    /// Whether it is what the start came from, or what came from the start.
    pub side: &'static str,
    pub hops: u64,
    pub created: String,
}

/// A number above the list.
pub(super) struct Card {
    pub word: &'static str,
    pub number: String,
    pub note: String,
}

/// What was found in numbers.
pub(super) fn cards(drawn: &Drawn) -> Vec<Card> {
    let nodes = &drawn.lineage.nodes;
    let of_kind = |kind| {
        nodes
            .iter()
            .filter(move |it| it.key.kind == kind && it.hop != 0)
    };
    let number = |count: usize| text::number(i64::try_from(count).unwrap_or(i64::MAX));
    let failed = of_kind(FigureKind::Execution);
    let failed = failed
        .filter(|node| node.mark == Some(Mark::Failed))
        .count();
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    for node in of_kind(FigureKind::Artifact) {
        *types.entry(&node.type_name).or_default() += 1;
    }
    let most = types.iter().max_by_key(|(_, count)| **count);
    let farthest = nodes.iter().max_by_key(|node| node.hop.unsigned_abs());
    vec![
        Card {
            word: "Artifacts",
            number: number(of_kind(FigureKind::Artifact).count()),
            note: most.map_or_else(String::new, |(name, count)| {
                format!("{} of {}", number(*count), text::cell(name))
            }),
        },
        Card {
            word: "Executions",
            number: number(of_kind(FigureKind::Execution).count()),
            note: match failed {
                0 => String::new(),
                failed => format!("{} failed", number(failed)),
            },
        },
        Card {
            word: "Farthest",
            number: farthest.map_or_else(String::new, |node| {
                text::count(
                    usize::try_from(node.hop.unsigned_abs()).unwrap_or(usize::MAX),
                    "hop",
                )
            }),
            note: farthest.map(|node| node.label.clone()).unwrap_or_default(),
        },
    ]
}

/// The rows of a scene: what depends on the starts, then what these came from.
pub(super) fn rows(links: &Links, drawn: &Drawn) -> Vec<ListRow> {
    let scene = &drawn.scene;
    let children = children(scene);
    let mut starts: Vec<usize> = (0..scene.figures.len())
        .filter(|place| !children.parents.contains_key(place))
        .collect();
    starts.sort_by_key(|place| rank(&scene.figures[*place]));
    let mut rows = Vec::new();
    let mut pending: Vec<(usize, usize)> = starts.into_iter().rev().map(|it| (it, 0)).collect();
    while let Some((place, depth)) = pending.pop() {
        rows.push(row(links, &scene.figures[place], depth));
        let below = children.of.get(&place).into_iter().flatten().rev();
        pending.extend(below.map(|child| (*child, depth + 1)));
    }
    rows
}

/// The tree of a scene.
struct Children {
    of: HashMap<usize, Vec<usize>>,
    parents: HashMap<usize, usize>,
}

/// Each figure below the neighbour that is one hop nearer, on the same side.
fn children(scene: &Scene) -> Children {
    let mut parents: HashMap<usize, usize> = HashMap::new();
    for edge in &scene.edges {
        let [from, to] = [edge.from, edge.to].map(|end| scene.figures[end].hop);
        let (parent, child) = if to > 0 && from == to - 1 {
            (edge.from, edge.to)
        } else if from < 0 && to == from + 1 {
            (edge.to, edge.from)
        } else {
            continue;
        };
        let known = parents.entry(child).or_insert(parent);
        if rank(&scene.figures[parent]) < rank(&scene.figures[*known]) {
            *known = parent;
        }
    }
    let mut of: HashMap<usize, Vec<usize>> = HashMap::new();
    for (child, parent) in &parents {
        of.entry(*parent).or_default().push(*child);
    }
    for children in of.values_mut() {
        children.sort_by_key(|place| rank(&scene.figures[*place]));
    }
    Children { of, parents }
}

/// The order among rows of a level: what depends on the start first, then by time.
fn rank(figure: &Figure) -> (bool, i64, crate::picture::FigureKey) {
    (figure.hop < 0, figure.time, figure.key)
}

fn row(links: &Links, figure: &Figure, depth: usize) -> ListRow {
    let kind = kind_of(figure.key);
    ListRow {
        depth: depth.min(MAX_DEPTH),
        level: depth + 1,
        kind: kind.noun(),
        glyph: kind_glyph(kind),
        label: figure.label.clone(),
        link: links.node(kind, figure.key.id),
        type_name: text::cell(&figure.type_name),
        members: figure.is_fold().then_some(figure.members.len()),
        states: figure
            .marks
            .iter()
            .map(|(mark, count)| (*mark, *count))
            .collect(),
        side: match figure.hop.signum() {
            -1 => "provenance",
            0 => "start",
            _ => "impact",
        },
        hops: figure.hop.unsigned_abs(),
        created: text::time(figure.time),
    }
}
