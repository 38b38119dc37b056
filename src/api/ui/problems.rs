//! Errors as pages, for browsers; and paths below the prefix.

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_LENGTH};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::page::{Links, Section, Shell, set_headers};
use super::{UiSettings, text};
use crate::api::http::problem::Problem;

#[derive(Template)]
#[template(path = "ui/problem.html")]
struct ProblemPage {
    page: Shell,
    status: u16,
    title: &'static str,
    detail: String,
    advice: &'static str,
    request_id: String,
}

/// Answers a browser's request for a page that has failed, wherever it was refused, with a page.
pub async fn show_problems(
    State(settings): State<UiSettings>,
    request: Request,
    next: Next,
) -> Response {
    let is_for_page = request.method() == Method::GET && wants_html(request.headers());
    let mut response = next.run(request).await;
    let problem = response.extensions().get::<Problem>().cloned();
    let Some(problem) = problem.filter(|_| is_for_page) else {
        return response;
    };
    let request = response.headers().get("x-request-id");
    let request = request.and_then(|id| id.to_str().ok());
    let shown = ProblemPage {
        page: Shell {
            links: Links::new(settings.prefix),
            caller: String::new(),
            section: Section::Other,
            search: String::new(),
        },
        status: problem.status().as_u16(),
        title: problem.status().canonical_reason().unwrap_or("Error"),
        detail: text::visible(problem.detail()),
        advice: advice(problem.status()),
        request_id: request.unwrap_or("").to_owned(),
    };
    if let Ok(text) = shown.render() {
        *response.body_mut() = Body::from(text);
        response.headers_mut().remove(CONTENT_LENGTH);
        set_headers(response.headers_mut());
    }
    response
}

/// Whether a request is that of a browser for a page.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/html"))
}

/// What to do about a problem.
const fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Sign in at the proxy before this server, then open the page.",
        StatusCode::FORBIDDEN => "Ask who runs the server for a role that may read.",
        StatusCode::NOT_FOUND => "It may have another id, or be in another store. Try the search.",
        StatusCode::BAD_REQUEST => "Go back and change what the address asks for.",
        StatusCode::GATEWAY_TIMEOUT => "Ask for less: fewer hops, a type, or a narrower filter.",
        StatusCode::TOO_MANY_REQUESTS => "Wait a little, then load the page again.",
        StatusCode::SERVICE_UNAVAILABLE => "The database is not there now. Try again in a moment.",
        _ => "Give the request id to who runs the server.",
    }
}

/// Takes the prefix away from the path of a request, if it has it.
pub fn strip_prefix(prefix: &str, request: &mut Request) {
    let rest = request.uri().path().strip_prefix(prefix);
    let Some(rest) = rest.filter(|_| !prefix.is_empty()) else {
        return;
    };
    let path = match rest {
        "" => "/",
        rest if rest.starts_with('/') => rest,
        _ => return,
    };
    let query = request.uri().query();
    let stripped = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(stripped).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}
