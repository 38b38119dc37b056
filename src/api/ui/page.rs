//! What all pages have: links, the caller, and the headers of the answer.

use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::assets;
use crate::error::{Error, Result};
use crate::model::Kind;
use crate::picture::{FigureKey, FigureKind};

/// What a page may load: its own style sheets, scripts and images, and nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types pedigree";

static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The letters of a segment of a path that stand for themselves.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Makes every link of the pages. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Links {
    prefix: Arc<str>,
}

impl Links {
    pub fn new(prefix: Arc<str>) -> Self {
        Self { prefix }
    }

    /// The link to a path of the server, which begins with a slash.
    pub fn to(&self, path: &str) -> String {
        [&*self.prefix, path].concat()
    }

    pub fn asset(&self, name: &str) -> String {
        self.to(&assets::path(name))
    }

    pub fn node(&self, kind: Kind, id: i64) -> String {
        self.to(&format!("/{}/{id}", kind.plural()))
    }

    pub fn lineage(&self, kind: Kind, id: i64) -> String {
        self.to(&format!("/lineage/{}/{id}", kind.plural()))
    }

    pub fn node_type(&self, kind: Kind, name: &str) -> String {
        let name = utf8_percent_encode(name, SEGMENT);
        self.to(&format!("/types/{}/{name}", kind.noun()))
    }

    /// A registered model.
    pub fn model(&self, name: &str) -> String {
        let name = utf8_percent_encode(name, SEGMENT);
        self.to(&format!("/models/{name}"))
    }

    /// A registered model, with the moves of an alias.
    pub fn alias_history(&self, model: &str, alias: &str) -> String {
        let alias = utf8_percent_encode(alias, SEGMENT);
        format!("{}?alias={alias}", self.model(model))
    }

    /// A version of a registered model.
    pub fn model_version(&self, model: &str, version: &str) -> String {
        let version = utf8_percent_encode(version, SEGMENT);
        format!("{}/versions/{version}", self.model(model))
    }

    /// The nodes of a type.
    pub fn list_of_type(&self, kind: Kind, name: &str) -> String {
        let name = utf8_percent_encode(name, SEGMENT);
        self.to(&format!("/{}?type={name}", kind.plural()))
    }
}

/// The kind of the nodes that a figure stands for.
pub(super) const fn kind_of(key: FigureKey) -> Kind {
    match key.kind {
        FigureKind::Artifact => Kind::Artifact,
        FigureKind::Execution => Kind::Execution,
    }
}

/// The part of the navigation that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Home,
    Nodes(Kind),
    Types,
    Compare,
    Experiments,
    Models,
    Activity,
    Other,
}

impl Section {
    /// The part of a node's pages.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Nodes(Kind::Artifact) => "/artifacts",
            Self::Nodes(Kind::Execution) => "/executions",
            Self::Nodes(Kind::Context) => "/contexts",
            Self::Types => "/types",
            Self::Compare => "/compare",
            Self::Experiments => "/experiments",
            Self::Models => "/models",
            Self::Activity => "/activity",
            Self::Other => "",
        }
    }
}

/// An entry of the navigation.
pub(super) struct NavEntry {
    pub word: &'static str,
    pub link: String,
    pub is_current: bool,
}

/// What the shell around every page shows.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    pub links: Links,
    /// The caller; empty where it is not known.
    pub caller: String,
    pub section: Section,
    /// What was searched for.
    pub search: String,
}

impl Shell {
    pub fn navigation(&self) -> Vec<NavEntry> {
        let entries = [
            ("Home", Section::Home),
            ("Artifacts", Section::Nodes(Kind::Artifact)),
            ("Executions", Section::Nodes(Kind::Execution)),
            ("Contexts", Section::Nodes(Kind::Context)),
            ("Types", Section::Types),
            ("Experiments", Section::Experiments),
            ("Models", Section::Models),
            ("Compare", Section::Compare),
            ("Activity", Section::Activity),
        ];
        let entry = |(word, section): (&'static str, Section)| NavEntry {
            word,
            link: self.links.to(section.path()),
            is_current: section == self.section,
        };
        entries.map(entry).into()
    }
}

/// A page as the answer to a request.
///
/// # Errors
///
/// `Internal` when its template fails.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Result<Response> {
    let text = template.render().map_err(|error| Error::Internal {
        context: "a page cannot be written".into(),
        source: Some(error.into()),
    })?;
    let mut response = (status, text).into_response();
    set_headers(response.headers_mut());
    Ok(response)
}

/// The headers of every page.
pub(super) fn set_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (CACHE_CONTROL, "private, no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    set_safety_headers(headers);
}

/// The headers of everything that a browser shows.
pub(super) fn set_safety_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (OPENER_POLICY.clone(), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
