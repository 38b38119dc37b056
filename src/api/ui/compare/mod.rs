//! `/compare`: artifacts or executions side by side, and the curves of their metrics.
//!
//! * `query`: the URL, both ways; `table`: the rows; `curves`: the charts.

mod curves;
mod query;
mod table;

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::choices::{LinkChoice, ValueChoice};
use super::lineage::{self, event_role};
use super::page::{Links, Section, Shell, html};
use super::text;
use super::views::{NodeView, label};
use super::visit::Visit;
use crate::api::http::problem::Problem;
use crate::error::{Error, Result};
use crate::graph::{ComparedNodes, ListOptions, ListScope};
use crate::model::{Event, Node, OrderBy, Side};
use crate::picture::chart::curve_class;
use curves::CurveChart;
use query::{CompareQuery, CurveX, MAX_COMPARED_NODES};
use table::ComparedPart;
pub(super) use table::{FactSort, sort_of};

/// How many nodes are offered to be compared with.
const OFFERED_NODES: usize = 10;

/// A node of a comparison, as the head of its column.
struct ComparedColumn {
    node: NodeView,
    /// The comparison without it.
    without: String,
    /// The classes of its curves.
    curve: String,
}

/// A node that can be compared with, and the comparison with it.
struct OfferedNode {
    node: NodeView,
    with: String,
}

#[derive(Template)]
#[template(path = "ui/compare.html")]
struct ComparePage {
    page: Shell,
    noun: &'static str,
    ids_name: &'static str,
    ids: String,
    action: String,
    most: usize,
    columns: Vec<ComparedColumn>,
    /// The differences between the lineages of two nodes.
    diff: Option<String>,
    missing: String,
    offered: Vec<OfferedNode>,
    shown: Vec<LinkChoice>,
    parts: Vec<ComparedPart>,
    cut: &'static str,
    charts: Vec<CurveChart>,
    metrics: Vec<ValueChoice>,
    x: Vec<LinkChoice>,
    scales: Vec<LinkChoice>,
    /// The fields of the form of metrics beside these.
    kept: Vec<(&'static str, String)>,
}

/// The address of a comparison.
fn link(links: &Links, query: &CompareQuery) -> String {
    links.to(&match query.write().as_str() {
        "" => "/compare".to_owned(),
        query => format!("/compare?{query}"),
    })
}

/// The address of a comparison that begins with a node.
pub(super) fn link_to(links: &Links, side: Side, ids: Vec<i64>) -> String {
    let query = CompareQuery {
        side,
        ids,
        ..CompareQuery::default()
    };
    link(links, &query)
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let mut query = CompareQuery::parse(visit.query())?;
    let compared = visit
        .call
        .graph
        .comparison()
        .of(query.side, &query.ids)
        .await?;
    if compared.nodes.is_empty() && !query.ids.is_empty() {
        return Err(Error::NotFound("none of these nodes exists".into()).into());
    }
    let missing = query.ids.len() - compared.nodes.len();
    query.ids = compared.nodes.iter().map(|node| node.id).collect();
    let shown = show(&visit, &query, &compared, missing).await?;
    Ok(html(StatusCode::OK, &shown)?)
}

async fn show(
    visit: &Visit,
    query: &CompareQuery,
    compared: &ComparedNodes,
    missing: usize,
) -> Result<ComparePage> {
    let links = visit.links();
    let kind = query.side.kind();
    let nodes = &compared.nodes;
    let views: Vec<NodeView> = nodes
        .iter()
        .map(|it| NodeView::new(links, kind, it))
        .collect();
    let labels: Vec<String> = views.iter().map(|view| view.label.clone()).collect();
    // One node differs from none.
    let is_all = query.is_all || nodes.len() < 2;
    let mut parts: Vec<ComparedPart> = Vec::new();
    if !nodes.is_empty() {
        parts.extend(table::facts(nodes, &views, is_all));
        parts.extend(table::parts(compared, is_all));
        parts.extend(links_part(links, query.side, compared, is_all));
    }
    Ok(ComparePage {
        page: visit.page(Section::Compare),
        noun: kind.noun(),
        ids_name: query.ids_name(),
        ids: query.ids_text(),
        action: links.to("/compare"),
        most: MAX_COMPARED_NODES,
        offered: offered(visit, query, nodes).await?,
        columns: columns(links, query, views),
        diff: match nodes.as_slice() {
            [new, old] => Some(lineage::diff::link(links, kind, new.id, old.id)),
            _ => None,
        },
        missing: if missing > 0 {
            format!("{} not there.", text::count(missing, kind.noun()))
        } else {
            String::new()
        },
        shown: [("only what differs", false), ("all", true)]
            .map(|(word, is_all)| LinkChoice {
                word,
                link: link(
                    links,
                    &CompareQuery {
                        is_all,
                        ..query.clone()
                    },
                ),
                is_taken: query.is_all == is_all,
            })
            .into(),
        parts,
        cut: if compared.is_cut {
            "There is more: not all inputs, outputs or metrics are shown."
        } else {
            ""
        },
        charts: curves::charts(visit, query, compared, &labels).await?,
        metrics: curves::choices(query, compared),
        x: CurveX::ALL
            .map(|(word, x)| LinkChoice {
                word,
                link: link(links, &CompareQuery { x, ..query.clone() }),
                is_taken: query.x == x,
            })
            .into(),
        scales: [("linear", false), ("log", true)]
            .map(|(word, is_log)| LinkChoice {
                word,
                link: link(
                    links,
                    &CompareQuery {
                        is_log,
                        ..query.clone()
                    },
                ),
                is_taken: query.is_log == is_log,
            })
            .into(),
        kept: kept(query),
    })
}

/// The fields of a form that keep what is shown.
fn kept(query: &CompareQuery) -> Vec<(&'static str, String)> {
    let mut kept = vec![(query.ids_name(), query.ids_text())];
    if query.is_all {
        kept.push(("show", "all".to_owned()));
    }
    let x = CurveX::ALL.iter().find(|(_, x)| *x == query.x);
    kept.extend(x.map(|(word, _)| ("x", (*word).to_owned())));
    if query.is_log {
        kept.push(("scale", "log".to_owned()));
    }
    kept
}

fn columns(links: &Links, query: &CompareQuery, views: Vec<NodeView>) -> Vec<ComparedColumn> {
    let column = |(place, node): (usize, NodeView)| {
        let mut without = query.clone();
        without.ids.retain(|id| *id != node.id);
        ComparedColumn {
            node,
            without: link(links, &without),
            curve: curve_class(place),
        }
    };
    views.into_iter().enumerate().map(column).collect()
}

/// The newest nodes of the type of the first one that are not compared yet.
async fn offered(visit: &Visit, query: &CompareQuery, nodes: &[Node]) -> Result<Vec<OfferedNode>> {
    let type_name = nodes.first().and_then(|node| node.type_name.clone());
    let Some(type_name) = type_name.filter(|_| nodes.len() < MAX_COMPARED_NODES) else {
        return Ok(Vec::new());
    };
    let options = ListOptions {
        page_size: OFFERED_NODES + nodes.len(),
        order_by: OrderBy::Id,
        ascending: false,
        after: None,
        filter: None,
    };
    let kind = query.side.kind();
    let scope = ListScope::Type(type_name, None);
    let found = visit.call.graph.list(kind, &scope, Ok(options)).await?;
    let found = found.map(|page| page.nodes).unwrap_or_default().into_iter();
    let found = found
        .filter(|node| !query.ids.contains(&node.id))
        .take(OFFERED_NODES);
    let offer = |node: Node| {
        let mut with = query.clone();
        with.ids.push(node.id);
        OfferedNode {
            node: NodeView::new(visit.links(), kind, &node),
            with: link(visit.links(), &with),
        }
    };
    Ok(found.map(offer).collect())
}

/// What executions used, or what made artifacts: each of these in one row.
fn links_part(
    links: &Links,
    side: Side,
    compared: &ComparedNodes,
    is_all: bool,
) -> Option<ComparedPart> {
    let (title, word) = match side {
        Side::Execution => ("Inputs", "used"),
        Side::Artifact => ("Made by", "made"),
    };
    let ends = |event: &Event| {
        let role = Some(event_role(event)).filter(|role| !role.is_empty());
        let role = role.unwrap_or_else(|| word.to_owned());
        match side {
            Side::Execution => (event.execution_id, event.artifact_id, role),
            Side::Artifact => (event.artifact_id, event.execution_id, role),
        }
    };
    let other = side.opposite().kind();
    let name = |id: i64, node: &Node| (label(node), links.node(other, id));
    table::links(compared, (title, is_all), ends, name)
}
