//! `/lineage/{kind}/{id}?against={kind}/{id}`: in what two lineages differ.
//!
//! * `facts`: what two nodes say differently.
//! * `page`: the differences as a picture and as a list; `files`: as JSON and as CSV.

mod facts;
mod files;
mod page;

use std::collections::{BTreeSet, HashMap};

use axum::response::Response;
use http::StatusCode;

use super::LineageSubject;
use super::export::Format;
use super::query::LineageView;
use super::walk::{self, WalkDirection, WalkPlan};
use crate::api::ui::page::{Links, html, kind_of};
use crate::api::ui::visit::{Visit, parse_id};
use crate::error::{Error, Result};
use crate::model::{Kind, Node};
use crate::picture::diff::{DiffMark, LineageUnion, MatchedPair, unite};
use crate::picture::{FigureKey, FigureKind, TracedLineage, TracedNode};
use facts::{is_another_artifact, is_another_run};
use page::LineageDiffPage;

/// The most nodes that a walk of each lineage finds.
const MAX_DIFF_NODES: i64 = 1000;

/// Hops of a lineage unless they are asked for: of a context, whose members are where walks begin,
/// and of a node.
const CONTEXT_HOPS: u32 = 1;
const NODE_HOPS: u32 = 8;

/// Two lineages side by side.
struct LineageDiff<'s> {
    new: &'s LineageSubject,
    old: LineageSubject,
    direction: WalkDirection,
    hops: u32,
    union: LineageUnion,
    /// The nodes of pairs of two nodes that are not the same one.
    nodes: HashMap<FigureKey, Node>,
    /// The mark of each node of the union.
    marks: HashMap<FigureKey, DiffMark>,
}

/// A node in which the lineages differ.
struct NodeDifference<'d> {
    mark: DiffMark,
    traced: &'d TracedNode,
    /// The new node and the old one in its place.
    pair: Option<(&'d Node, &'d Node)>,
}

impl<'s> LineageDiff<'s> {
    async fn read(
        visit: &Visit,
        new: &'s LineageSubject,
        view: &LineageView,
        against: &str,
    ) -> Result<Self> {
        let old = find_other(visit, new.kind, against).await?;
        let direction = match visit.asked("direction") {
            Some(_) => view.direction,
            None => WalkDirection::Provenance,
        };
        let unasked = if new.kind == Kind::Context {
            CONTEXT_HOPS
        } else {
            NODE_HOPS
        };
        let hops = view.hops.unwrap_or(unasked);
        let of_new = lineage_of(visit, new, direction, hops).await?;
        let of_old = lineage_of(visit, &old, direction, hops).await?;
        let union = unite(&of_new, &of_old);
        let nodes = nodes_of(visit, &union).await?;
        let marks = marks(&union, &nodes);
        Ok(Self {
            new,
            old,
            direction,
            hops,
            union,
            nodes,
            marks,
        })
    }

    /// The nodes that are not the same, changed ones first.
    fn differences(&self) -> Vec<NodeDifference<'_>> {
        let pairs = self.union.pairs.iter();
        let old_of: HashMap<FigureKey, FigureKey> =
            pairs.filter_map(|pair| pair.new.zip(pair.old)).collect();
        let difference = |traced| {
            let mark = self.mark(traced);
            let old = old_of.get(&traced.key);
            NodeDifference {
                mark,
                traced,
                pair: old.and_then(|old| self.nodes.get(&traced.key).zip(self.nodes.get(old))),
            }
        };
        let differing = self.union.lineage.nodes.iter();
        let differing = differing.filter(|traced| self.mark(traced) != DiffMark::Same);
        let mut found: Vec<_> = differing.map(difference).collect();
        found.sort_by_key(|it| (it.mark, it.traced.hop, it.traced.time, it.traced.key));
        found
    }

    fn mark(&self, traced: &TracedNode) -> DiffMark {
        let mark = self.marks.get(&traced.key);
        mark.copied().unwrap_or(DiffMark::Same)
    }

    /// The nodes of each pair of two nodes.
    fn pairs(&self) -> impl Iterator<Item = (FigureKind, &Node, &Node)> {
        let pairs = self.union.pairs.iter();
        let pairs = pairs.filter_map(|pair| pair.new.zip(pair.old));
        pairs.filter_map(|(new, old)| {
            let (left, right) = self.nodes.get(&new).zip(self.nodes.get(&old))?;
            Some((new.kind, left, right))
        })
    }

    /// The labels of the nodes of the union.
    fn labels(&self) -> HashMap<FigureKey, &str> {
        let nodes = self.union.lineage.nodes.iter();
        nodes.map(|node| (node.key, node.label.as_str())).collect()
    }
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
    LineageSubject::of(visit, kind, id?, None).await
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
        as_of: None,
    };
    walk::trace(&visit.call, &walk).await
}

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

/// The differences as a page, or as a file.
pub(super) async fn answer(
    visit: &Visit,
    subject: &LineageSubject,
    view: &LineageView,
    (against, format): (&str, Option<Format>),
) -> Result<Response> {
    let Some(format) = format else {
        let diff = LineageDiff::read(visit, subject, view, against).await?;
        return html(StatusCode::OK, &LineageDiffPage::new(visit, &diff));
    };
    let write = match format {
        Format::Json => files::json_text,
        Format::Csv => files::csv_text,
        Format::Svg | Format::Dot => {
            let rule = "against: differences are files of JSON or CSV";
            return Err(Error::invalid(rule));
        }
    };
    let diff = LineageDiff::read(visit, subject, view, against).await?;
    Ok(format.response(write(&diff)))
}

/// The node whose lineage is compared with that of another one, in a form or a link.
pub(in crate::api::ui) fn link(links: &Links, kind: Kind, new: i64, old: i64) -> String {
    format!(
        "{}?against={}/{old}",
        links.lineage(kind, new),
        kind.plural()
    )
}
