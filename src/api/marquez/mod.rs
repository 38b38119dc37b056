//! The read part of Marquez's API, by which its web interface and its clients show the graph:
//! `GET` of paths below `/api/v1`.
//!
//! * `namespaces`, `jobs`, `runs`, `datasets`, `lineage`, `columns`, `search`: a file per resource.
//! * `node_id`: names of jobs and datasets; `page`: parts of lists; `time`: times as texts.

mod columns;
mod datasets;
mod jobs;
mod lineage;
mod namespaces;
mod node_id;
mod page;
mod runs;
mod search;

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::api::call::{Call, Calls};
use crate::api::openlineage::refusal::Refusal;
use crate::error::Error;
use crate::model::{Door, Node, Value as PropertyValue};

/// The routes.
pub fn routes(calls: Calls) -> Router {
    Router::new()
        .route("/api/v1/namespaces", get(namespaces::list))
        .route("/api/v1/namespaces/{namespace}", get(namespaces::one))
        .route(
            "/api/v1/namespaces/{namespace}/jobs",
            get(jobs::of_namespace),
        )
        .route("/api/v1/namespaces/{namespace}/jobs/{job}", get(jobs::one))
        .route(
            "/api/v1/namespaces/{namespace}/jobs/{job}/runs",
            get(runs::of_job),
        )
        .route(
            "/api/v1/namespaces/{namespace}/datasets",
            get(datasets::of_namespace),
        )
        .route(
            "/api/v1/namespaces/{namespace}/datasets/{dataset}",
            get(datasets::one),
        )
        .route(
            "/api/v1/namespaces/{namespace}/datasets/{dataset}/versions",
            get(datasets::versions),
        )
        .route(
            "/api/v1/namespaces/{namespace}/datasets/{dataset}/versions/{version}",
            get(datasets::version),
        )
        .route("/api/v1/jobs", get(jobs::all))
        .route("/api/v1/jobs/runs/{run}", get(runs::one))
        .route("/api/v1/jobs/runs/{run}/facets", get(runs::facets))
        .route("/api/v1/lineage", get(lineage::lineage))
        .route("/api/v1/column-lineage", get(columns::column_lineage))
        .route("/api/v1/events/lineage", get(no_events))
        .route("/api/v1/search", get(search::search))
        .route("/api/v1/tags", get(no_tags))
        .with_state(calls)
}

/// The answer to a request.
type Answer<T> = Result<Json<T>, ReadRefusal>;

/// A request that is not served.
struct ReadRefusal(Refusal);

impl ReadRefusal {
    fn not_found(what: &str) -> Self {
        Self(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("{what} not found"),
        ))
    }
}

impl From<Error> for ReadRefusal {
    fn from(error: Error) -> Self {
        Self(Refusal::of_read(error))
    }
}

impl axum::response::IntoResponse for ReadRefusal {
    fn into_response(self) -> axum::response::Response {
        self.0.into_response()
    }
}

/// The call of a request, and the names in its path, decoded.
struct ReadCall<P>(Call, P);

impl<P: DeserializeOwned + Send> FromRequestParts<Calls> for ReadCall<P> {
    type Rejection = ReadRefusal;

    async fn from_request_parts(parts: &mut Parts, calls: &Calls) -> Result<Self, ReadRefusal> {
        let names = Path::<P>::from_request_parts(parts, calls).await;
        let malformed = |_| Error::invalid("a name in the path is no text");
        let Path(names) = names.map_err(malformed)?;
        let call = calls.call(Door::OpenLineage, &parts.extensions).await?;
        Ok(Self(call, names))
    }
}

/// What a request asks for in the query of its URL.
struct Asked<Q>(Q);

impl<Q: DeserializeOwned> FromRequestParts<Calls> for Asked<Q> {
    type Rejection = ReadRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Calls) -> Result<Self, ReadRefusal> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        // What is empty was left out in a form.
        let given = pairs.filter(|(_, text)| !text.is_empty());
        let members = given.map(|(name, text)| (name.into_owned(), text.into_owned().into()));
        let malformed = |error| Error::invalid(format!("the query of the URL: {error}"));
        let query = serde_json::from_value(Value::Object(members.collect()));
        Ok(Self(query.map_err(malformed)?))
    }
}

/// No events: they are not kept.
async fn no_events() -> Json<Value> {
    Json(json!({"totalCount": 0, "events": []}))
}

/// No tags: those of facets are in facets.
async fn no_tags() -> Json<Value> {
    Json(json!({"tags": []}))
}

/// Facets by their keys, as they were sent.
#[derive(Clone, Debug, Default, Serialize)]
struct RawFacets(BTreeMap<String, Box<RawValue>>);

impl RawFacets {
    /// Those of a node. Facets whose keys have a colon are those of its inputs and outputs.
    fn new(texts: Option<&BTreeMap<String, String>>) -> Self {
        let own = texts.into_iter().flatten();
        let own = own.filter(|(key, _)| !key.starts_with("input:") && !key.starts_with("output:"));
        let raw = |(key, text): (&String, &String)| {
            Some((key.clone(), RawValue::from_string(text.clone()).ok()?))
        };
        Self(own.filter_map(raw).collect())
    }
}

/// A custom property of a node that is a text.
fn text<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    match node.content.custom_properties.get(name) {
        Some(PropertyValue::String(text)) => Some(text),
        _ => None,
    }
}

/// A property, or a custom property, of a node that is an integer.
fn number(node: &Node, name: &str) -> Option<i64> {
    let content = &node.content;
    let value = content.custom_properties.get(name);
    match value.or_else(|| content.properties.get(name)) {
        Some(PropertyValue::Int(number)) => Some(*number),
        _ => None,
    }
}
