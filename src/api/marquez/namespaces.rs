//! Namespaces of jobs and datasets.

use axum::Json;
use serde::Serialize;

use super::node_id::NodeSort;
use super::page::PageQuery;
use super::{Answer, Asked, ReadCall, ReadRefusal};
use crate::api::call::Call;
use crate::error::Result;
use crate::graph::{CatalogQuery, PropertyText};
use crate::model::OffsetPage;
use crate::utc::utc_text;

/// The namespace that is always there.
const DEFAULT_NAMESPACE: &str = "default";

#[derive(Serialize)]
pub(super) struct Namespaces {
    namespaces: Vec<Namespace>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Namespace {
    name: String,
    created_at: String,
    updated_at: String,
    owner_name: &'static str,
    description: Option<String>,
    is_hidden: bool,
}

impl Namespace {
    fn new(found: PropertyText) -> Self {
        Self {
            name: found.text,
            created_at: utc_text(found.first_time),
            updated_at: utc_text(found.last_time),
            owner_name: "anonymous",
            description: None,
            is_hidden: false,
        }
    }

    fn without_content(name: &str) -> Self {
        Self::new(PropertyText {
            text: name.to_owned(),
            first_time: 0,
            last_time: 0,
        })
    }
}

/// `GET /namespaces`.
pub(super) async fn list(
    ReadCall(call, ()): ReadCall<()>,
    Asked(query): Asked<PageQuery>,
) -> Answer<Namespaces> {
    let page = query.page()?;
    let types = [NodeSort::Job, NodeSort::Dataset].map(NodeSort::type_name);
    let found = call
        .graph
        .catalog()
        .property_texts(&types, "namespace", page)
        .await?;
    let mut namespaces: Vec<Namespace> = found.into_iter().map(Namespace::new).collect();
    let has_default = namespaces.iter().any(|it| it.name == DEFAULT_NAMESPACE);
    if page.offset == 0 && !has_default {
        namespaces.insert(0, Namespace::without_content(DEFAULT_NAMESPACE));
    }
    Ok(Json(Namespaces { namespaces }))
}

/// `GET /namespaces/{namespace}`.
pub(super) async fn one(ReadCall(call, name): ReadCall<String>) -> Answer<Namespace> {
    let jobs = times(&call, NodeSort::Job, &name).await?;
    let datasets = times(&call, NodeSort::Dataset, &name).await?;
    let times: Vec<(i64, i64)> = jobs.into_iter().chain(datasets).collect();
    let first = times.iter().map(|(first, _)| *first).min();
    let last = times.iter().map(|(_, last)| *last).max();
    match first.zip(last) {
        Some((first_time, last_time)) => Ok(Json(Namespace::new(PropertyText {
            text: name,
            first_time,
            last_time,
        }))),
        None if name == DEFAULT_NAMESPACE => Ok(Json(Namespace::without_content(&name))),
        None => Err(ReadRefusal::not_found("namespace")),
    }
}

/// When the first and the last job or dataset of a namespace were created.
async fn times(call: &Call, sort: NodeSort, namespace: &str) -> Result<Option<(i64, i64)>> {
    let at = async |offset| {
        let query = CatalogQuery {
            type_name: sort.type_name(),
            property: Some(("namespace", namespace)),
            latest_state: None,
            page: OffsetPage { limit: 1, offset },
        };
        call.graph.catalog().contexts(&query).await
    };
    let newest = at(0).await?;
    let Some(last) = newest.nodes.first() else {
        return Ok(None);
    };
    let oldest = at(newest.total - 1).await?;
    let first = oldest.nodes.first().unwrap_or(last);
    Ok(Some((first.create_time, last.create_time)))
}
