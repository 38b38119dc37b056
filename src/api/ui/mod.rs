//! The web pages: search, lists, nodes, types, comparisons, and lineage as a picture or as a list.
//!
//! Pages are HTML made here; they need no script. All are read by GET, as the caller of the
//! request, and every link is made by [`page::Links`], so that they work below a prefix.
//!
//! * `home`, `search`, `lists`, `node`, `types`, `compare`, `tracked`, `activity`, `about`,
//!   `lineage`: a file or a folder per page: the query, the graph, a view, and the template in
//!   `templates/ui/`.
//! * `kept`: what a browser has already.
//! * `page`: what all pages have; `visit`: a request for one; `problems`: errors as pages.
//! * `views`: nodes, states and values as texts; `text`: times and numbers; `assets`: style sheets.

mod about;
mod activity;
mod assets;
mod choices;
mod compare;
mod home;
mod kept;
mod lineage;
mod lists;
mod node;
mod page;
mod problems;
mod search;
mod text;
mod tracked;
mod types;
mod views;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::compression::CompressionLayer;

use crate::api::call::Calls;
use crate::api::http::problem::Problem;
use crate::error::Error;

pub use problems::{show_problems, strip_prefix};

/// How pages are served. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UiSettings {
    /// What the paths of links begin with: empty, or `/PATH`.
    pub prefix: Arc<str>,
    /// The maximum time that a page may take.
    pub deadline: Duration,
}

/// What every page is made with.
#[derive(Clone, Debug)]
struct Ui {
    calls: Calls,
    settings: UiSettings,
    /// Ends streams.
    stop: CancellationToken,
}

/// The routes.
pub fn routes(calls: Calls, settings: UiSettings, stop: CancellationToken) -> Router {
    let ui = Ui {
        calls,
        settings,
        stop,
    };
    let pages = Router::new()
        .route("/", get(home::page))
        .route("/search", get(search::page))
        .route("/artifacts", get(lists::artifacts))
        .route("/artifacts/{id}", get(node::artifact))
        .route("/executions", get(lists::executions))
        .route("/executions/{id}", get(node::execution))
        .route("/contexts", get(lists::contexts))
        .route("/contexts/{id}", get(node::context))
        .route("/types", get(types::all))
        .route("/types/{kind}/{name}", get(types::one))
        .route("/lineage/{kind}/{id}", get(lineage::page))
        .route("/compare", get(compare::page))
        .route("/experiments", get(tracked::experiments))
        .route("/experiments/{experiment}", get(tracked::runs))
        .route("/experiments/{experiment}/runs/{run}", get(tracked::run))
        .route("/models", get(tracked::models))
        .route("/models/{model}", get(tracked::model))
        .route("/models/{model}/versions/{version}", get(tracked::version))
        .route("/lineage/{kind}/{id}/panel", get(lineage::panel_part))
        .route("/activity", get(activity::page))
        .route("/about", get(about::page))
        .route("/assets/{folder}/{name}", get(assets::serve))
        .layer(from_fn(kept::not_sent_again))
        .layer(CompressionLayer::new().compress_when(is_compressed));
    // The layers of pages wait for the end of a body.
    let streams = Router::new().route("/activity/stream", get(activity::stream));
    pages
        .merge(streams)
        .layer(from_fn_with_state(ui.settings.clone(), in_time))
        .with_state(ui)
}

/// Whether an answer is compressed, for a browser that takes it: a page or an asset. Errors become
/// pages further out.
fn is_compressed(status: StatusCode, _: Version, _: &HeaderMap, _: &Extensions) -> bool {
    status == StatusCode::OK
}

/// Ends a page that takes too long. What it reads from the database ends with it.
async fn in_time(State(settings): State<UiSettings>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(settings.deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::from(Error::DeadlineExceeded(
            "the page took too long; ask for less: fewer hops, a type, or a filter".into(),
        ))
        .into_response(),
    }
}

#[cfg(test)]
mod deadline_tests {
    use axum::body::Body;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_page_ends_at_its_deadline() {
        let settings = UiSettings {
            prefix: "".into(),
            deadline: Duration::from_millis(1),
        };
        let never = get(std::future::pending::<Response>);
        let pages = Router::new().route("/", never);
        let pages = pages.layer(from_fn_with_state(settings, in_time));
        let answer = pages.oneshot(Request::new(Body::empty())).await;
        assert_eq!(answer.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    }
}
