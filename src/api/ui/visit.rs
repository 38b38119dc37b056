//! A request for a page.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use url::form_urlencoded;

use super::Ui;
use super::page::{Links, Section, Shell};
use crate::api::call::Call;
use crate::api::http::problem::Problem;
use crate::error::{Error, Result};
use crate::model::Door;

/// The largest query of a URL, in bytes.
const MAX_QUERY_BYTES: usize = 8192;

/// A request for a page: the call, and what the URL says.
pub(super) struct Visit {
    pub call: Call,
    links: Links,
    /// The names and texts of the query; what is empty was left out in a form.
    query: Vec<(String, String)>,
    /// The segments of the path that the route names, decoded.
    segments: Vec<String>,
}

impl FromRequestParts<Ui> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, ui: &Ui) -> Result<Self, Problem> {
        let segments = Path::<Vec<(String, String)>>::from_request_parts(parts, ui).await;
        let malformed = |_| Error::invalid("a name in the path is no text");
        let Path(segments) = segments.map_err(malformed)?;
        let query = parts.uri.query().unwrap_or_default();
        if query.len() > MAX_QUERY_BYTES {
            return Err(Error::invalid("the query of the URL is too long").into());
        }
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        Ok(Self {
            call: ui.calls.call(Door::Web, &parts.extensions).await?,
            links: Links::new(ui.settings.prefix.clone()),
            query: pairs.filter(|(_, text)| !text.trim().is_empty()).collect(),
            segments: segments.into_iter().map(|(_, segment)| segment).collect(),
        })
    }
}

impl Visit {
    /// The page that answers it.
    pub fn page(&self, section: Section) -> Shell {
        Shell {
            links: self.links.clone(),
            caller: self.call.caller.principal.to_string(),
            section,
            search: String::new(),
        }
    }

    pub const fn links(&self) -> &Links {
        &self.links
    }

    /// The text of a name in the query, without spaces around it. Of several texts the last counts.
    pub fn asked(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter();
        let found = pairs.rfind(|(given, _)| given == name);
        found.map(|(_, text)| text.trim())
    }

    /// All of the query.
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// A segment of the path.
    pub fn segment(&self, place: usize) -> &str {
        self.segments.get(place).map_or("", String::as_str)
    }
}

/// An id in a URL.
///
/// # Errors
///
/// `InvalidArgument` for what is none.
pub(super) fn parse_id(text: &str) -> Result<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = if is_number { text.parse().ok() } else { None };
    id.ok_or_else(|| Error::invalid("the id in the path must be a whole number"))
}
