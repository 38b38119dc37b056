//! The differences of two lineages as a picture and as a list.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;

use super::facts::{ValueDifference, causes, differing, metrics};
use super::{LineageDiff, NodeDifference};
use crate::api::ui::choices::LinkChoice;
use crate::api::ui::lineage::query::LineageView;
use crate::api::ui::lineage::{LineageSubject, with_query};
use crate::api::ui::page::{Links, Section, Shell, kind_of};
use crate::api::ui::text;
use crate::api::ui::views::{kind_glyph, label, mark};
use crate::api::ui::visit::Visit;
use crate::model::Node;
use crate::picture::diff::DiffMark;
use crate::picture::svg::{MoreSide, SceneLinks};
use crate::picture::{Figure, FigureKey, FigureKind, FoldRules, fold, svg};

/// The most differences, and the most values that differ, that are listed.
const MAX_DIFFERENCES: usize = 200;
const MAX_VALUES: usize = 100;

/// The most differing nodes that are drawn one by one. Others may be in folds.
const MAX_DRAWN_DIFFERENCES: usize = 60;

/// A node, or a link, in which two lineages differ.
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

impl From<ValueDifference> for ValueRow {
    fn from(value: ValueDifference) -> Self {
        let shown = |value: Option<String>| match value {
            Some(value) => text::cell(&value),
            None => "none".to_owned(),
        };
        Self {
            name: text::cell(&value.name),
            old: shown(value.old),
            new: shown(value.new),
        }
    }
}

/// Values of a pair of nodes that differ.
struct ValueList {
    title: String,
    rows: Vec<ValueRow>,
}

#[derive(Template)]
#[template(path = "ui/lineage_diff.html")]
pub(super) struct LineageDiffPage {
    page: Shell,
    title: String,
    new_link: String,
    old_link: String,
    swap: String,
    exports: Vec<LinkChoice>,
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

impl LineageDiffPage {
    pub fn new(visit: &Visit, diff: &LineageDiff<'_>) -> Self {
        let links = visit.links();
        let [new_label, old_label] = [diff.new, &diff.old].map(|it| label(&it.node));
        let title = format!("Lineage of {new_label} against {old_label}");
        let mut differences: Vec<_> = diff.differences();
        let left_out = differences.len().saturating_sub(MAX_DIFFERENCES);
        differences.truncate(MAX_DIFFERENCES);
        let differences = differences.iter().map(|it| row(links, it));
        let marks = diff.marks.values();
        let same = marks.filter(|mark| **mark == DiffMark::Same).count();
        let view = LineageView {
            direction: diff.direction,
            ..LineageView::default()
        };
        let base = |it: &LineageSubject| links.lineage(it.kind, it.node.id);
        let name = |it: &LineageSubject| format!("{}/{}", it.kind.plural(), it.node.id);
        let asked = format!(
            "against={}&direction={}&hops={}",
            name(&diff.old),
            view.direction_name(),
            diff.hops
        );
        let export = |(word, ending)| LinkChoice {
            word,
            link: format!("{}.{ending}?{asked}", base(diff.new)),
            is_taken: false,
        };
        let files = [("JSON", "json"), ("CSV", "csv")];
        Self {
            page: visit.page(Section::Nodes(diff.new.kind)),
            picture: picture(links, diff, &title),
            title,
            swap: format!("{}?against={}", base(&diff.old), name(diff.new)),
            exports: files.map(export).into(),
            against: name(&diff.old),
            action: base(diff.new),
            new_link: with_query(&base(diff.new), &view),
            old_link: with_query(&base(&diff.old), &view),
            direction: view.direction_name(),
            hops: diff.hops,
            links: link_rows(diff),
            left_out: if left_out > 0 {
                format!("{} not listed.", text::count(left_out, "more difference"))
            } else {
                String::new()
            },
            same: format!("{} the same.", text::count(same, "node")),
            values: value_lists(diff, |_, node| causes(node)),
            metrics: value_lists(diff, metrics),
            differences: differences.collect(),
            cut: if diff.union.lineage.is_cut {
                "There is more: a walk ends after 1,000 nodes. What is nearest is compared."
            } else {
                ""
            },
        }
    }
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

fn picture(links: &Links, diff: &LineageDiff<'_>, title: &str) -> String {
    let marks = &diff.marks;
    let differing = marks.iter().filter(|(_, mark)| **mark != DiffMark::Same);
    let differing: BTreeSet<FigureKey> = differing.map(|(key, _)| *key).collect();
    let rules = FoldRules {
        hops: u32::MAX,
        focus: diff.new.focus(),
        unfolded: differing.into_iter().take(MAX_DRAWN_DIFFERENCES).collect(),
        ..FoldRules::default()
    };
    let scene = fold(&diff.union.lineage, &rules);
    let layout = scene.layout(None);
    svg::element(&scene, &layout, title, &DiffLinks { links, marks })
}

fn row(links: &Links, difference: &NodeDifference<'_>) -> DifferenceRow {
    let NodeDifference { mark, traced, .. } = difference;
    let kind = kind_of(traced.key);
    DifferenceRow {
        mark: *mark,
        class: mark.word(),
        kind: kind.noun(),
        glyph: kind_glyph(kind),
        label: traced.label.clone(),
        link: links.node(kind, traced.key.id),
        note: note(difference),
    }
}

/// What has become of a node.
fn note(difference: &NodeDifference<'_>) -> String {
    let kind = difference.traced.key.kind;
    match (difference.mark, kind, difference.pair) {
        (DiffMark::Changed, FigureKind::Execution, Some((new, old))) => {
            let [before, after] =
                [old, new].map(|node| mark(node).map_or("no state", |it| it.word()));
            let values = differing(&causes(new), &causes(old));
            let mut rows: Vec<ValueRow> = values.into_iter().map(ValueRow::from).collect();
            match (rows.len(), rows.pop()) {
                _ if before != after => format!("{before} → {after}"),
                (1, Some(only)) => format!("{} {} → {}", only.name, only.old, only.new),
                (count, _) => text::count(count, "value"),
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
fn link_rows(diff: &LineageDiff<'_>) -> Vec<DifferenceRow> {
    let labels = diff.labels();
    let label = |key| labels.get(&key).copied().unwrap_or_default();
    let links = diff.union.links.iter().take(MAX_DIFFERENCES);
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
    diff: &LineageDiff<'_>,
    facts: impl Fn(FigureKind, &Node) -> BTreeMap<String, String>,
) -> Vec<ValueList> {
    let mut left = MAX_VALUES;
    let mut lists = Vec::new();
    for (kind, new, old) in diff.pairs() {
        let values = differing(&facts(kind, new), &facts(kind, old)).into_iter();
        let rows: Vec<ValueRow> = values.take(left).map(ValueRow::from).collect();
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
