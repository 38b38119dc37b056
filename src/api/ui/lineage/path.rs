//! `?path=`: the shortest way of data from one node to another.

use askama::Template;

use super::query::{AskedPath, LineageView};
use super::walk::traced;
use super::{LineageSubject, NodeLinks, changed, with_query};
use crate::api::ui::node;
use crate::api::ui::page::{Section, Shell, kind_of};
use crate::api::ui::text;
use crate::api::ui::views::{NodeView, label};
use crate::api::ui::visit::Visit;
use crate::error::Result;
use crate::graph::{FoundPaths, PathEnd, PathQuery};
use crate::model::{Node, Side};
use crate::picture::{FigureKey, FigureKind, TracedNode, path};

/// The most nodes that a search for a path looks at.
const MAX_SEARCHED_NODES: usize = 20_000;

#[derive(Template)]
#[template(path = "ui/path.html")]
pub(super) struct PathPage {
    page: Shell,
    subject: NodeView,
    title: String,
    /// Empty where there is none.
    nodes: Vec<NodeView>,
    /// An `svg` element, made of escaped texts only.
    picture: String,
    summary: String,
    next: Option<String>,
    clear: String,
}

fn end(key: FigureKey) -> PathEnd {
    let side = match key.kind {
        FigureKind::Artifact => Side::Artifact,
        FigureKind::Execution => Side::Execution,
    };
    (side, key.id)
}

fn key((side, id): PathEnd) -> FigureKey {
    match side {
        Side::Artifact => FigureKey::artifact(id),
        Side::Execution => FigureKey::execution(id),
    }
}

/// Searches in the direction that is asked for, and then in the other one.
async fn find(visit: &Visit, asked: AskedPath) -> Result<FoundPaths> {
    let query = |from, to| PathQuery {
        from: end(from),
        to: end(to),
        max_nodes: MAX_SEARCHED_NODES,
    };
    let browse = visit.call.graph.browse();
    let found = browse.paths(query(asked.from, asked.to)).await?;
    if found.paths.is_empty() && !found.is_cut {
        return browse.paths(query(asked.to, asked.from)).await;
    }
    Ok(found)
}

impl PathPage {
    pub async fn new(
        visit: &Visit,
        subject: &LineageSubject,
        (base, view): (&str, &LineageView),
        asked: AskedPath,
    ) -> Result<Self> {
        let links = visit.links();
        let from = node::find(visit, kind_of(asked.from), asked.from.id).await?;
        let to = node::find(visit, kind_of(asked.to), asked.to.id).await?;
        let found = find(visit, asked).await?;
        let chosen = asked.number.clamp(1, found.paths.len().max(1));
        let path = found.paths.get(chosen - 1);
        let node = |end: &PathEnd| {
            let nodes = found.nodes.get(end.0);
            let place = nodes.binary_search_by_key(&end.1, |node| node.id);
            Some((key(*end), nodes.get(place.ok()?)?))
        };
        let nodes: Vec<(FigureKey, &Node)> = path.into_iter().flatten().filter_map(node).collect();
        let drawn = nodes.iter().map(|(key, node)| traced(*key, node, 0));
        let drawn: Vec<TracedNode> = drawn.collect();
        let (from_label, to_label) = (label(&from), label(&to));
        let title = format!("Path from {from_label} to {to_label}");
        let of_path = |path| {
            let view = changed(view, |view| {
                view.path = path;
                view.selected = None;
            });
            with_query(base, &view)
        };
        let next = AskedPath {
            number: chosen + 1,
            ..asked
        };
        Ok(Self {
            page: visit.page(Section::Nodes(subject.kind)),
            subject: NodeView::new(links, subject.kind, &subject.node),
            picture: path::element(&drawn, &title, &NodeLinks(links)),
            summary: summary(&found, chosen),
            next: (chosen < found.paths.len()).then(|| of_path(Some(next))),
            clear: of_path(None),
            title,
            nodes: nodes
                .into_iter()
                .map(|(key, node)| NodeView::new(links, kind_of(key), node))
                .collect(),
        })
    }
}

/// What the search has found, as a sentence.
fn summary(found: &FoundPaths, chosen: usize) -> String {
    let Some(path) = found.paths.get(chosen - 1) else {
        let most = i64::try_from(MAX_SEARCHED_NODES).unwrap_or(i64::MAX);
        return if found.is_cut {
            format!(
                "No path was found among the nearest {} nodes.",
                text::number(most)
            )
        } else {
            "No data went from one to the other.".to_owned()
        };
    };
    let events = text::count(path.len() - 1, "event");
    match found.paths.len() {
        1 => format!("{events}, the only path of this length"),
        count => format!("{events}, {chosen} of {count} paths of this length"),
    }
}
