//! `/`: what is new, what is wrong, and where to search.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::page::{Section, Shell, html};
use super::types::{TypeView, with_bars};
use super::views::NodeView;
use super::visit::Visit;
use crate::api::http::problem::Problem;
use crate::error::Result;
use crate::graph::{ListOptions, ListScope};
use crate::model::{ExecutionState, Kind, OrderBy};

/// How many nodes each card shows.
const LATEST_NODES: usize = 10;
const FAILED_NODES: i64 = 5;
const SHOWN_TYPES: usize = 8;

/// For how long a failure needs a look, in milliseconds.
const LOOK_BACK_MILLISECONDS: i64 = 24 * 3600 * 1000;

#[derive(Template)]
#[template(path = "ui/home.html")]
struct HomePage {
    page: Shell,
    is_empty: bool,
    failed: Vec<NodeView>,
    executions: Vec<NodeView>,
    artifacts: Vec<NodeView>,
    types: Vec<TypeView>,
    type_count: usize,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let browse = visit.call.graph.browse();
    let mut types = Vec::new();
    for kind in Kind::ALL {
        let found = browse.types(kind).await?.into_iter();
        let found = found.filter(|(_, count)| count.nodes > 0);
        types.extend(found.map(|(known, count)| TypeView::new(visit.links(), kind, &known, count)));
    }
    types.sort_by(|one, other| other.nodes.cmp(&one.nodes).then(one.name.cmp(&other.name)));
    let type_count = types.len();
    types.truncate(SHOWN_TYPES);
    let failed = [ExecutionState::Failed.number()];
    let failed = browse.latest_in_states(&failed, LOOK_BACK_MILLISECONDS, FAILED_NODES);
    let failed = failed.await?;
    let view = |node| NodeView::new(visit.links(), Kind::Execution, node);
    let shown = HomePage {
        is_empty: type_count == 0,
        failed: failed.iter().map(view).collect(),
        executions: latest(&visit, Kind::Execution).await?,
        artifacts: latest(&visit, Kind::Artifact).await?,
        types: with_bars(types),
        type_count,
        page: visit.page(Section::Home),
    };
    Ok(html(StatusCode::OK, &shown)?)
}

/// The nodes of a kind that changed last.
async fn latest(visit: &Visit, kind: Kind) -> Result<Vec<NodeView>> {
    let options = ListOptions {
        page_size: LATEST_NODES,
        order_by: OrderBy::UpdateTime,
        ascending: false,
        after: None,
        filter: None,
    };
    let found = visit
        .call
        .graph
        .list(kind, &ListScope::All, Ok(options))
        .await?;
    let found = found.map(|page| page.nodes).unwrap_or_default();
    let view = |node| NodeView::new(visit.links(), kind, node);
    Ok(found.iter().map(view).collect())
}
