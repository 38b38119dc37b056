//! `/lineage/{kind}/{id}?against={kind}/{id}`: in what two lineages differ, as a picture and as a
//! list.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::query::LineageView;
use super::walk::{self, WalkDirection, WalkPlan};
use super::{LineageSubject, with_query};
use crate::api::openlineage::out::value::property;
use crate::api::ui::compare::{FactSort, sort_of};
use crate::api::ui::page::{Links, Section, Shell, html, kind_of};
use crate::api::ui::text;
use crate::api::ui::views::{kind_glyph, label, mark, value_text};
use crate::api::ui::visit::{Visit, parse_id};
use crate::error::{Error, Result};
use crate::model::{Kind, Node, Value};
use crate::picture::diff::{DiffMark, LineageUnion, MatchedPair, unite};
use crate::picture::svg::{MoreSide, SceneLinks};
use crate::picture::{Figure, FigureKey, FigureKind, FoldRules, TracedLineage, fold, svg};

/// The most nodes that a walk of each lineage finds.
const MAX_DIFF_NODES: i64 = 1000;

/// The most differences, and the most values that differ, that are listed.
const MAX_DIFFERENCES: usize = 200;
const MAX_VALUES: usize = 100;

/// The most differing nodes that are drawn one by one. Others may be in folds.
const MAX_DRAWN_DIFFERENCES: usize = 60;

/// Hops of a lineage unless they are asked for: of a context, whose members are where walks begin,
/// and of a node.
const CONTEXT_HOPS: u32 = 1;
const NODE_HOPS: u32 = 8;

/// A node in which two lineages differ.
struct DifferenceRow {
    mark: DiffMark,
    /// A class of the style sheet.
    class: &'static str,
    kind: &'static str,
    glyph: &'static str,
    label: String,
    link: String,
    /// From what to what.
    note: String,
}

/// A value in which two nodes differ.
struct ValueRow {
    name: String,
    old: String,
    new: String,
}

/// Values of a pair of nodes that differ.
struct ValueList {
    title: String,
    rows: Vec<ValueRow>,
}

#[derive(Template)]
#[template(path = "ui/lineage_diff.html")]
struct LineageDiffPage {
    page: Shell,
    title: String,
    new_link: String,
    old_link: String,
    swap: String,
    action: String,
    against: String,
    direction: &'static str,
    hops: u32,
    /// An `svg` element, made of escaped texts only.
    picture: String,
    differences: Vec<DifferenceRow>,
    links: Vec<DifferenceRow>,
    left_out: String,
    same: String,
    values: Vec<ValueList>,
    metrics: Vec<ValueList>,
    cut: &'static str,
}

/// The node or the context that a text such as `executions/7` names; `7` has the kind of the page.
async fn find_other(visit: &Visit, kind: Kind, text: &str) -> Result<LineageSubject> {
    let (kind, id) = match text.split_once('/') {
        None => (kind, text),
        Some((plural, id)) => {
            let kinds = Kind::ALL.into_iter();
            let found = kinds.clone().find(|kind| kind.plural() == plural);
            let rule = "against: must be an id, or a kind and an id such as executions/7";
            (found.ok_or_else(|| Error::invalid(rule))?, id)
        }
    };
    let id = id.trim().strip_prefix('#').unwrap_or_else(|| id.trim());
    let id =
        parse_id(id).map_err(|_| Error::invalid("against: must be an id, or a kind and an id"));
    LineageSubject::of(visit, kind, id?).await
}

/// What one lineage is.
async fn lineage_of(
    visit: &Visit,
    subject: &LineageSubject,
    direction: WalkDirection,
    hops: u32,
) -> Result<TracedLineage> {
    if subject.starts.is_empty() {
        return Ok(TracedLineage::default());
    }
    let walk = WalkPlan {
        starts: subject.starts.clone(),
        direction,
        hops,
        max_nodes: MAX_DIFF_NODES,
    };
    walk::trace(&visit.call, &walk).await
}

pub(super) async fn page(
    visit: &Visit,
    subject: &LineageSubject,
    view: &LineageView,
    against: &str,
) -> Result<Response> {
    let other = find_other(visit, subject.kind, against).await?;
    let direction = match visit.asked("direction") {
        Some(_) => view.direction,
        None => WalkDirection::Provenance,
    };
    let unasked = if subject.kind == Kind::Context {
        CONTEXT_HOPS
    } else {
        NODE_HOPS
    };
    let hops = view.hops.unwrap_or(unasked);
    let new = lineage_of(visit, subject, direction, hops).await?;
    let old = lineage_of(visit, &other, direction, hops).await?;
    let union = unite(&new, &old);
    let nodes = nodes_of(visit, &union).await?;
    let marks = marks(&union, &nodes);
    let shown = show(
        visit,
        (subject, &other),
        (direction, hops),
        (&union, &nodes, &marks),
    );
    html(StatusCode::OK, &shown)
}

/// The nodes of pairs of two nodes that are not the same one.
async fn nodes_of(visit: &Visit, union: &LineageUnion) -> Result<HashMap<FigureKey, Node>> {
    let mut found = HashMap::new();
    for kind in [FigureKind::Artifact, FigureKind::Execution] {
        let pairs = union.pairs.iter().filter(|pair| pair.new != pair.old);
        let keys = pairs.filter_map(|pair| pair.new.zip(pair.old));
        let keys = keys.flat_map(|(new, old)| [new, old]);
        let ids: Vec<i64> = keys
            .filter(|key| key.kind == kind)
            .map(|key| key.id)
            .collect();
        let key = |id| FigureKey { kind, id };
        for node in visit.call.graph.nodes_by_ids(kind_of(key(0)), &ids).await? {
            found.insert(key(node.id), node);
        }
    }
    Ok(found)
}

/// The mark of each node of the union.
fn marks(union: &LineageUnion, nodes: &HashMap<FigureKey, Node>) -> HashMap<FigureKey, DiffMark> {
    let made: BTreeSet<FigureKey> = union.lineage.edges.iter().map(|edge| edge.to).collect();
    let mark = |pair: &MatchedPair| match (pair.new, pair.old) {
        (Some(new), None) => Some((new, DiffMark::Added)),
        (None, Some(old)) => Some((old, DiffMark::Gone)),
        (Some(new), Some(old)) => {
            let pair = nodes.get(&new).zip(nodes.get(&old));
            let differs = pair.is_some_and(|(left, right)| match new.kind {
                FigureKind::Execution => is_another_run(left, right),
                FigureKind::Artifact => is_another_artifact(left, right, made.contains(&new)),
            });
            let mark = if differs {
                DiffMark::Changed
            } else {
                DiffMark::Same
            };
            Some((new, mark))
        }
        (None, None) => None,
    };
    union.pairs.iter().filter_map(mark).collect()
}

/// Whether two executions differ in their state, parameters, code or environment.
fn is_another_run(new: &Node, old: &Node) -> bool {
    mark(new) != mark(old) || causes(new) != causes(old)
}

/// Whether the content of two artifacts differs, as far as that is known. What no step of the
/// lineage made is another thing if it is another artifact.
fn is_another_artifact(new: &Node, old: &Node, is_made: bool) -> bool {
    match (value(new, "digest"), value(old, "digest")) {
        (Some(new), Some(old)) => new != old,
        _ => !is_made,
    }
}

fn value(node: &Node, name: &str) -> Option<String> {
    property(&node.content, name).map(|value| value_text(value).0)
}

/// Properties of a sort by their short names.
fn facts(node: &Node, is_asked: fn(FactSort) -> bool) -> BTreeMap<String, String> {
    let content = &node.content;
    let all = content.properties.iter().chain(&content.custom_properties);
    let asked = all.filter_map(|(name, value)| {
        let (sort, brief) = sort_of(name);
        is_asked(sort).then(|| (brief.to_owned(), value_text(value).0))
    });
    asked.collect()
}

fn causes(node: &Node) -> BTreeMap<String, String> {
    facts(node, |sort| {
        matches!(sort, FactSort::Parameter | FactSort::Environment)
    })
}

/// The metrics of an execution, or the numbers that an artifact has.
fn metrics(kind: FigureKind, node: &Node) -> BTreeMap<String, String> {
    if kind == FigureKind::Execution {
        return facts(node, |sort| sort == FactSort::Metric);
    }
    let content = &node.content;
    let all = content.properties.iter().chain(&content.custom_properties);
    let numbers = all.filter(|(_, value)| matches!(value, Value::Int(_) | Value::Double(_)));
    numbers
        .map(|(name, value)| (name.clone(), value_text(value).0))
        .collect()
}

/// What two nodes say differently.
fn differing(new: &BTreeMap<String, String>, old: &BTreeMap<String, String>) -> Vec<ValueRow> {
    let names: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| new.get(*name) != old.get(*name));
    let shown = |value: Option<&String>| match value {
        Some(value) => text::cell(value),
        None => "none".to_owned(),
    };
    differing
        .map(|name| ValueRow {
            name: text::cell(name),
            old: shown(old.get(name)),
            new: shown(new.get(name)),
        })
        .collect()
}

/// Figures with their marks.
struct DiffLinks<'l> {
    links: &'l Links,
    marks: &'l HashMap<FigureKey, DiffMark>,
}

impl SceneLinks for DiffLinks<'_> {
    fn of_figure(&self, figure: &Figure) -> Option<String> {
        let is_single = !figure.is_fold();
        is_single.then(|| self.links.node(kind_of(figure.key), figure.key.id))
    }

    fn of_more(&self, _: &Figure, _: MoreSide) -> Option<String> {
        None
    }

    fn diff_mark(&self, figure: &Figure) -> Option<DiffMark> {
        let marks = figure.members.iter().filter_map(|key| self.marks.get(key));
        marks.min().copied()
    }
}

/// A union, the nodes of its pairs, and its marks.
type Differing<'u> = (
    &'u LineageUnion,
    &'u HashMap<FigureKey, Node>,
    &'u HashMap<FigureKey, DiffMark>,
);

fn show(
    visit: &Visit,
    (subject, other): (&LineageSubject, &LineageSubject),
    (direction, hops): (WalkDirection, u32),
    (union, nodes, marks): Differing<'_>,
) -> LineageDiffPage {
    let links = visit.links();
    let [new_label, old_label] = [subject, other].map(|it| label(&it.node));
    let title = format!("Lineage of {new_label} against {old_label}");
    let mut differences = difference_rows(links, union, nodes, marks);
    let left_out = differences.len().saturating_sub(MAX_DIFFERENCES);
    differences.truncate(MAX_DIFFERENCES);
    let same = marks
        .values()
        .filter(|mark| **mark == DiffMark::Same)
        .count();
    let view = LineageView {
        direction,
        ..LineageView::default()
    };
    let against = |base: String, other: &LineageSubject| {
        format!("{base}?against={}/{}", other.kind.plural(), other.node.id)
    };
    let [new_base, old_base] = [subject, other].map(|it| links.lineage(it.kind, it.node.id));
    LineageDiffPage {
        page: visit.page(Section::Nodes(subject.kind)),
        picture: picture(links, subject, union, marks, &title),
        title,
        swap: against(old_base.clone(), subject),
        against: format!("{}/{}", other.kind.plural(), other.node.id),
        action: new_base.clone(),
        new_link: with_query(&new_base, &view),
        old_link: with_query(&old_base, &view),
        direction: view.direction_name(),
        hops,
        links: link_rows(union),
        left_out: if left_out > 0 {
            format!("{} not listed.", text::count(left_out, "more difference"))
        } else {
            String::new()
        },
        same: format!("{} the same.", text::count(same, "node")),
        values: value_lists(union, nodes, |_, node| causes(node)),
        metrics: value_lists(union, nodes, metrics),
        differences,
        cut: if union.lineage.is_cut {
            "There is more: a walk ends after 1,000 nodes. What is nearest is compared."
        } else {
            ""
        },
    }
}

fn picture(
    links: &Links,
    subject: &LineageSubject,
    union: &LineageUnion,
    marks: &HashMap<FigureKey, DiffMark>,
    title: &str,
) -> String {
    let differing = marks.iter().filter(|(_, mark)| **mark != DiffMark::Same);
    let differing: BTreeSet<FigureKey> = differing.map(|(key, _)| *key).collect();
    let rules = FoldRules {
        hops: u32::MAX,
        focus: subject.focus(),
        unfolded: differing.into_iter().take(MAX_DRAWN_DIFFERENCES).collect(),
        ..FoldRules::default()
    };
    let scene = fold(&union.lineage, &rules);
    let layout = scene.layout(None);
    svg::element(&scene, &layout, title, &DiffLinks { links, marks })
}

/// The nodes that are not the same, changed ones first.
fn difference_rows(
    links: &Links,
    union: &LineageUnion,
    nodes: &HashMap<FigureKey, Node>,
    marks: &HashMap<FigureKey, DiffMark>,
) -> Vec<DifferenceRow> {
    let old_of: HashMap<FigureKey, FigureKey> = union
        .pairs
        .iter()
        .filter_map(|pair| pair.new.zip(pair.old))
        .collect();
    let mut rows: Vec<((DiffMark, i64, i64, FigureKey), DifferenceRow)> = Vec::new();
    for traced in &union.lineage.nodes {
        let mark = marks.get(&traced.key).copied().unwrap_or(DiffMark::Same);
        if mark == DiffMark::Same {
            continue;
        }
        let pair = old_of.get(&traced.key);
        let pair = pair.and_then(|old| nodes.get(&traced.key).zip(nodes.get(old)));
        let kind = kind_of(traced.key);
        let order = (mark, traced.hop, traced.time, traced.key);
        rows.push((
            order,
            DifferenceRow {
                mark,
                class: mark.word(),
                kind: kind.noun(),
                glyph: kind_glyph(kind),
                label: traced.label.clone(),
                link: links.node(kind, traced.key.id),
                note: note(mark, traced.key.kind, pair),
            },
        ));
    }
    rows.sort_by_key(|(order, _)| *order);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What has become of a node.
fn note(mark_of_node: DiffMark, kind: FigureKind, pair: Option<(&Node, &Node)>) -> String {
    match (mark_of_node, kind, pair) {
        (DiffMark::Changed, FigureKind::Execution, Some((new, old))) => {
            let [before, after] =
                [old, new].map(|node| mark(node).map_or("no state", |it| it.word()));
            let values = differing(&causes(new), &causes(old));
            match values.first() {
                _ if before != after => format!("{before} → {after}"),
                Some(first) if values.len() == 1 => {
                    format!("{} {} → {}", first.name, first.old, first.new)
                }
                _ => text::count(values.len(), "value"),
            }
        }
        (DiffMark::Changed, FigureKind::Artifact, Some((new, old))) => {
            let [before, after] = [old, new].map(label);
            if before == after {
                format!("#{} → #{}", old.id, new.id)
            } else {
                format!("{before} → {after}")
            }
        }
        (DiffMark::Added, FigureKind::Execution, _) => "new step".to_owned(),
        (DiffMark::Added, FigureKind::Artifact, _) => "new".to_owned(),
        (DiffMark::Gone, FigureKind::Execution, _) => "no such step".to_owned(),
        (DiffMark::Gone, FigureKind::Artifact, _) => "not there".to_owned(),
        _ => String::new(),
    }
}

/// Links between nodes of both lineages that only one of them has.
fn link_rows(union: &LineageUnion) -> Vec<DifferenceRow> {
    let labels: HashMap<FigureKey, &str> = union
        .lineage
        .nodes
        .iter()
        .map(|node| (node.key, node.label.as_str()))
        .collect();
    let label = |key| labels.get(&key).copied().unwrap_or_default();
    let links = union.links.iter().take(MAX_DIFFERENCES);
    links
        .map(|(mark, edge)| DifferenceRow {
            mark: *mark,
            class: mark.word(),
            kind: "link",
            glyph: "",
            label: format!("{} → {}", label(edge.from), label(edge.to)),
            link: String::new(),
            note: edge.role.clone(),
        })
        .collect()
}

/// The values in which the nodes of pairs differ.
fn value_lists(
    union: &LineageUnion,
    nodes: &HashMap<FigureKey, Node>,
    facts: impl Fn(FigureKind, &Node) -> BTreeMap<String, String>,
) -> Vec<ValueList> {
    let mut left = MAX_VALUES;
    let mut lists = Vec::new();
    for (new, old) in union.pairs.iter().filter_map(|pair| pair.new.zip(pair.old)) {
        let kind = new.kind;
        let Some((new, old)) = nodes.get(&new).zip(nodes.get(&old)) else {
            continue;
        };
        let mut rows = differing(&facts(kind, new), &facts(kind, old));
        rows.truncate(left);
        left -= rows.len();
        if !rows.is_empty() {
            lists.push(ValueList {
                title: label(new),
                rows,
            });
        }
    }
    lists
}

/// The node whose lineage is compared with that of another one, in a form or a link.
pub(in crate::api::ui) fn link(links: &Links, kind: Kind, new: i64, old: i64) -> String {
    format!(
        "{}?against={}/{old}",
        links.lineage(kind, new),
        kind.plural()
    )
}
