//! `/artifacts/{id}`, `/executions/{id}`, `/contexts/{id}`: what a node is, and what is around it.

use std::collections::BTreeSet;

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::compare;
use super::lineage::walk::{self, WalkPlan};
use super::lineage::{NodeLinks, event_role};
use super::page::{Section, Shell, html};
use super::text;
use super::views::{NodeView, PropertyView, properties, value_text, web_link};
use super::visit::{Visit, parse_id};
use crate::api::http::problem::Problem;
use crate::api::openlineage::out::value::property;
use crate::error::{Error, Result};
use crate::graph::{LinkedContexts, NodeEvents};
use crate::model::{Event, Kind, Node, OffsetPage, Side};
use crate::picture::{FigureKey, FoldRules, fold, svg};

/// The most events, contexts and members that a page shows.
const MAX_EVENTS: usize = 100;
const MAX_CONTEXTS: usize = 20;
const MAX_MEMBERS: i64 = 50;

/// The most nodes that the picture of a node is made of.
const MAX_PICTURE_NODES: i64 = 400;

/// An event, as a row.
struct EventView {
    time: String,
    word: &'static str,
    role: String,
    other: Option<NodeView>,
}

/// A list of nodes that belong to a node.
struct Members {
    title: &'static str,
    nodes: Vec<NodeView>,
    /// How many more there are, as a sentence; empty for none.
    more: String,
    lineage: String,
    compare: String,
}

#[derive(Template)]
#[template(path = "ui/node.html")]
struct NodeDetailPage {
    page: Shell,
    node: NodeView,
    list_link: String,
    of_type_link: String,
    list_word: &'static str,
    lineage: String,
    impact: String,
    /// Empty for what is not compared.
    compare: String,
    /// An `svg` element, made of escaped texts only.
    picture: String,
    facts: Vec<Fact>,
    properties: Vec<PropertyView>,
    own_count: usize,
    custom_count: usize,
    contexts: Vec<NodeView>,
    contexts_title: &'static str,
    has_more_contexts: bool,
    children: Vec<NodeView>,
    has_more_children: bool,
    members: Vec<Members>,
    events: Vec<EventView>,
    other_word: &'static str,
    has_more_events: bool,
}

/// A fact of a node: a word, a text, and the page of the web that the text names.
struct Fact {
    word: &'static str,
    text: String,
    link: Option<String>,
}

pub(super) async fn artifact(visit: Visit) -> Result<Response, Problem> {
    node(&visit, Kind::Artifact).await
}

pub(super) async fn execution(visit: Visit) -> Result<Response, Problem> {
    node(&visit, Kind::Execution).await
}

pub(super) async fn context(visit: Visit) -> Result<Response, Problem> {
    node(&visit, Kind::Context).await
}

/// The node with an id.
///
/// # Errors
///
/// `NotFound` when there is none.
pub(super) async fn find(visit: &Visit, kind: Kind, id: i64) -> Result<Node> {
    let found = visit.call.graph.nodes_by_ids(kind, &[id]).await?.pop();
    found.ok_or_else(|| Error::NotFound(format!("no {} has the id {id}", kind.noun())))
}

async fn node(visit: &Visit, kind: Kind) -> Result<Response, Problem> {
    let id = parse_id(visit.segment(0))?;
    let found = find(visit, kind, id).await?;
    let browse = visit.call.graph.browse();
    let links = visit.links();
    let contexts = browse.contexts_of(kind, id, MAX_CONTEXTS).await?;
    let side = side(kind);
    let events = match side {
        Some(side) => browse.events(side, id, MAX_EVENTS).await?,
        None => NodeEvents::default(),
    };
    let (children, members) = if kind == Kind::Context {
        let children = browse.children(id, MAX_CONTEXTS).await?;
        (children, members(visit, id).await?)
    } else {
        (LinkedContexts::default(), Vec::new())
    };
    let view = |kind| move |node: &Node| NodeView::new(links, kind, node);
    let properties = properties(&found);
    let custom_count = properties.iter().filter(|it| it.is_custom).count();
    let lineage = links.lineage(kind, id);
    let section = Section::Nodes(kind);
    let node = NodeView::new(links, kind, &found);
    let shown = NodeDetailPage {
        page: visit.page(section),
        list_link: links.to(section.path()),
        of_type_link: links.list_of_type(kind, found.type_name.as_deref().unwrap_or_default()),
        list_word: match kind {
            Kind::Artifact => "Artifacts",
            Kind::Execution => "Executions",
            Kind::Context => "Contexts",
        },
        impact: format!("{lineage}?direction=impact&view=list"),
        compare: side
            .map(|side| compare::link_to(links, side, vec![id]))
            .unwrap_or_default(),
        lineage,
        picture: match side {
            Some(side) => picture(visit, side, id, &node.label).await?,
            None => String::new(),
        },
        node,
        facts: facts(&found),
        own_count: properties.len() - custom_count,
        custom_count,
        properties,
        contexts: contexts.contexts.iter().map(view(Kind::Context)).collect(),
        contexts_title: match kind {
            Kind::Context => "Parents",
            Kind::Artifact | Kind::Execution => "In contexts",
        },
        has_more_contexts: contexts.is_cut,
        children: children.contexts.iter().map(view(Kind::Context)).collect(),
        has_more_children: children.is_cut,
        members,
        other_word: match side {
            Some(Side::Execution) => "Artifact",
            Some(Side::Artifact) | None => "Execution",
        },
        has_more_events: events.is_cut,
        events: event_views(visit, side, &events),
    };
    Ok(html(StatusCode::OK, &shown)?)
}

const fn side(kind: Kind) -> Option<Side> {
    match kind {
        Kind::Artifact => Some(Side::Artifact),
        Kind::Execution => Some(Side::Execution),
        Kind::Context => None,
    }
}

/// What is one step away, as a picture. For an artifact a step is an execution and what that used.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn picture(visit: &Visit, side: Side, id: i64, label: &str) -> Result<String> {
    let (key, hops) = match side {
        Side::Artifact => (FigureKey::artifact(id), 2),
        Side::Execution => (FigureKey::execution(id), 1),
    };
    let walk = WalkPlan {
        max_nodes: MAX_PICTURE_NODES,
        ..WalkPlan::around(key, hops + 1)
    };
    let lineage = walk::trace(&visit.call, &walk).await?;
    let rules = FoldRules {
        hops,
        hops_after: Some(1),
        focus: BTreeSet::from([key]),
        ..FoldRules::default()
    };
    let scene = fold(&lineage, &rules);
    let layout = scene.layout(None);
    let links = NodeLinks(visit.links());
    Ok(svg::element(&scene, &layout, label, &links))
}

fn facts(node: &Node) -> Vec<Fact> {
    let content = &node.content;
    let shown = |text: Option<&str>| text.map(text::visible).unwrap_or_default();
    let digest = property(content, "digest").map(|value| value_text(value).0);
    let all = [
        ("Name", shown(content.name.as_deref())),
        ("URI", shown(content.uri.as_deref())),
        ("Digest", digest.unwrap_or_default()),
        ("External id", shown(content.external_id.as_deref())),
        ("Id", node.id.to_string()),
        ("Created", text::time(node.create_time)),
        ("Last change", text::time(node.update_time)),
    ];
    let filled = all.into_iter().filter(|(_, text)| !text.is_empty());
    let fact = |(word, text): (&'static str, String)| Fact {
        word,
        link: web_link(&text),
        text,
    };
    filled.map(fact).collect()
}

fn event_views(visit: &Visit, side: Option<Side>, found: &NodeEvents) -> Vec<EventView> {
    let Some(side) = side else {
        return Vec::new();
    };
    let other = side.opposite();
    let view = |event: &Event| {
        let id = match other {
            Side::Artifact => event.artifact_id,
            Side::Execution => event.execution_id,
        };
        let node = found.others.get(&id);
        EventView {
            time: text::time(event.milliseconds.unwrap_or_default()),
            word: if event.event_type.is_input() {
                "input"
            } else {
                "output"
            },
            role: event_role(event),
            other: node.map(|node| NodeView::new(visit.links(), other.kind(), node)),
        }
    };
    found.events.iter().map(view).collect()
}

/// The executions and the artifacts in a context, newest first.
async fn members(visit: &Visit, context: i64) -> Result<Vec<Members>> {
    let page = OffsetPage {
        limit: MAX_MEMBERS,
        offset: 0,
    };
    let catalog = visit.call.graph.catalog();
    let mut lists = Vec::new();
    for (side, title) in [
        (Side::Execution, "Executions"),
        (Side::Artifact, "Artifacts"),
    ] {
        let kind = side.kind();
        let found = catalog.members(kind, context, page).await?;
        let more = found.total - MAX_MEMBERS;
        lists.push(Members {
            title,
            nodes: found
                .nodes
                .iter()
                .map(|node| NodeView::new(visit.links(), kind, node))
                .collect(),
            more: if more > 0 {
                format!("{} more are older.", text::number(more))
            } else {
                String::new()
            },
            compare: {
                let ids = found.nodes.iter().map(|node| node.id).collect();
                compare::link_to(visit.links(), side, ids)
            },
            lineage: visit.links().lineage(Kind::Context, context),
        });
    }
    Ok(lists)
}
