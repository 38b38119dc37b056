//! `/artifacts`, `/executions`, `/contexts`: pages of nodes, filtered.

use std::time::Duration;

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use url::form_urlencoded;

use super::page::{Section, Shell, html};
use super::text;
use super::views::{NodeView, kind_glyph};
use super::visit::Visit;
use crate::api::http::problem::Problem;
use crate::error::{Error, Result};
use crate::graph::{ListOptions, ListScope};
use crate::model::{Kind, OrderBy, PagePosition};

/// Nodes per page.
const PAGE_NODES: usize = 50;

/// Nodes are counted up to this number.
const MAX_COUNT_NODES: i64 = 1000;

/// How long counting may take. A page without a count is better than none.
const COUNT_TIME: Duration = Duration::from_millis(500);

/// What a list is asked for by its URL.
struct ListQuery {
    type_name: String,
    filter: String,
    ascending: bool,
    /// The id of the last node of the page before.
    after: Option<i64>,
}

impl ListQuery {
    fn new(visit: &Visit) -> Result<Self> {
        let ascending = match visit.asked("order") {
            None | Some("newest") => false,
            Some("oldest") => true,
            Some(_) => return Err(Error::invalid("order: must be newest or oldest")),
        };
        let after = visit.asked("after").map(str::parse::<i64>).transpose();
        let asked = |name| visit.asked(name).unwrap_or_default().to_owned();
        Ok(Self {
            type_name: asked("type"),
            filter: asked("filter"),
            ascending,
            after: after.map_err(|_| Error::invalid("after: must be the id of a node"))?,
        })
    }

    fn scope(&self) -> ListScope {
        if self.type_name.is_empty() {
            ListScope::All
        } else {
            ListScope::Type(self.type_name.clone(), None)
        }
    }

    fn filter(&self) -> Option<String> {
        (!self.filter.is_empty()).then(|| self.filter.clone())
    }

    /// The query of the page behind a node.
    fn page_after(&self, after: Option<i64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let order = if self.ascending { "oldest" } else { "" };
        for (name, text) in [
            ("type", self.type_name.as_str()),
            ("filter", &self.filter),
            ("order", order),
        ] {
            if !text.is_empty() {
                query.append_pair(name, text);
            }
        }
        if let Some(after) = after {
            query.append_pair("after", &after.to_string());
        }
        query.finish()
    }
}

#[derive(Template)]
#[template(path = "ui/list.html")]
struct ListPage {
    page: Shell,
    title: &'static str,
    glyph: &'static str,
    kind: &'static str,
    has_states: bool,
    type_name: String,
    filter: String,
    ascending: bool,
    error: String,
    count: String,
    nodes: Vec<NodeView>,
    next: Option<String>,
    first: Option<String>,
    clear: String,
}

pub(super) async fn artifacts(visit: Visit) -> Result<Response, Problem> {
    list(&visit, Kind::Artifact).await
}

pub(super) async fn executions(visit: Visit) -> Result<Response, Problem> {
    list(&visit, Kind::Execution).await
}

pub(super) async fn contexts(visit: Visit) -> Result<Response, Problem> {
    list(&visit, Kind::Context).await
}

async fn list(visit: &Visit, kind: Kind) -> Result<Response, Problem> {
    let query = ListQuery::new(visit)?;
    let section = Section::Nodes(kind);
    let path = visit.links().to(section.path());
    let mut shown = ListPage {
        page: visit.page(section),
        title: match kind {
            Kind::Artifact => "Artifacts",
            Kind::Execution => "Executions",
            Kind::Context => "Contexts",
        },
        glyph: kind_glyph(kind),
        kind: kind.noun(),
        has_states: kind != Kind::Context,
        type_name: text::visible(&query.type_name),
        filter: text::visible(&query.filter),
        ascending: query.ascending,
        error: String::new(),
        count: String::new(),
        nodes: Vec::new(),
        next: None,
        first: None,
        clear: path.clone(),
    };
    let link = |query: String| match query.as_str() {
        "" => path.clone(),
        query => format!("{path}?{query}"),
    };
    let options = ListOptions {
        page_size: PAGE_NODES,
        order_by: OrderBy::Id,
        ascending: query.ascending,
        after: query.after.map(PagePosition::Id),
        filter: query.filter(),
    };
    match visit
        .call
        .graph
        .list(kind, &query.scope(), Ok(options))
        .await
    {
        Ok(found) => {
            let found = found.unwrap_or(crate::graph::NodePage {
                nodes: Vec::new(),
                end: None,
            });
            let view = |node| NodeView::new(visit.links(), kind, node);
            shown.nodes = found.nodes.iter().map(view).collect();
            let last = found.nodes.last().map(|node| node.id);
            shown.next = found.end.map(|_| link(query.page_after(last)));
            shown.first = query.after.map(|_| link(query.page_after(None)));
            shown.count = count(visit, kind, &query).await;
        }
        // The form stays as it was filled in.
        Err(Error::InvalidArgument(error)) if !query.filter.is_empty() => {
            shown.error = text::visible(&error);
        }
        Err(error) => return Err(error.into()),
    }
    let status = if shown.error.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    Ok(html(status, &shown)?)
}

/// How many nodes there are on all pages, as far as that is found out soon.
async fn count(visit: &Visit, kind: Kind, query: &ListQuery) -> String {
    let browse = visit.call.graph.browse();
    let (scope, filter) = (query.scope(), query.filter());
    let counting = browse.count_up_to(kind, &scope, filter.as_deref(), MAX_COUNT_NODES + 1);
    match tokio::time::timeout(COUNT_TIME, counting).await {
        Ok(Ok(found)) if found > MAX_COUNT_NODES => {
            format!("{}+", text::number(MAX_COUNT_NODES))
        }
        Ok(Ok(found)) => text::number(found),
        _ => String::new(),
    }
}
