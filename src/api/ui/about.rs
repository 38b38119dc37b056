//! `/about`: which server this is.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::page::{Section, Shell, html};
use super::visit::Visit;
use crate::api::http::problem::Problem;
use crate::build_info;

#[derive(Template)]
#[template(path = "ui/about.html")]
struct AboutPage {
    page: Shell,
    version: &'static str,
    commit: &'static str,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let shown = AboutPage {
        page: visit.page(Section::Other),
        version: build_info::VERSION,
        commit: build_info::COMMIT,
    };
    Ok(html(StatusCode::OK, &shown)?)
}
