//! `/search`: nodes by id, name, URI, external id or digest.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;

use super::page::{Section, Shell, html};
use super::text;
use super::views::{NAMING_PROPERTIES, NodeView};
use super::visit::Visit;
use crate::api::http::problem::Problem;
use crate::graph::GraphBrowse;
use crate::model::{Kind, Node};

/// The most nodes of a kind, exact ones and similar ones.
const MAX_FOUND_NODES: i64 = 50;

/// The most bytes of a text that is searched for.
const MAX_TEXT_BYTES: usize = 2048;

#[derive(Template)]
#[template(path = "ui/search.html")]
struct SearchPage {
    page: Shell,
    exact: Vec<NodeView>,
    similar: Vec<NodeView>,
    newest: String,
    is_too_long: bool,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let asked = visit.asked("q").unwrap_or_default();
    let is_too_long = asked.len() > MAX_TEXT_BYTES;
    let found = if asked.is_empty() || is_too_long {
        crate::graph::FoundNodes::default()
    } else {
        visit
            .call
            .graph
            .browse()
            .find(asked, &NAMING_PROPERTIES, MAX_FOUND_NODES)
            .await?
    };
    if let ([(kind, node)], []) = (found.exact.as_slice(), found.similar.as_slice()) {
        return Ok(Redirect::to(&visit.links().node(*kind, node.id)).into_response());
    }
    let view = |(kind, node): &(Kind, Node)| NodeView::new(visit.links(), *kind, node);
    let mut page = visit.page(Section::Other);
    page.search = text::visible(asked);
    let shown = SearchPage {
        page,
        exact: found.exact.iter().map(view).collect(),
        similar: found.similar.iter().map(view).collect(),
        newest: text::number(GraphBrowse::MAX_NEWEST_NODES),
        is_too_long,
    };
    let status = if is_too_long {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    Ok(html(status, &shown)?)
}
