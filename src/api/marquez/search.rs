//! Jobs and datasets by a part of their names.

use axum::Json;
use serde::{Deserialize, Serialize};

use super::node_id::{NamePair, NodeSort};
use super::page::{PageQuery, integer};
use super::{Answer, Asked, ReadCall};
use crate::graph::DATASET_TYPE;
use crate::model::Node;
use crate::utc::utc_text;

#[derive(Deserialize)]
pub(super) struct SearchQuery {
    q: String,
    filter: Option<SearchFilter>,
    #[serde(default, deserialize_with = "integer")]
    limit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum SearchFilter {
    Job,
    Dataset,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchAnswer {
    total_count: usize,
    results: Vec<SearchResult>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchResult {
    #[serde(rename = "type")]
    sort: NodeSort,
    name: String,
    updated_at: String,
    namespace: String,
    node_id: String,
}

impl SearchResult {
    fn new(node: &Node) -> Self {
        let is_dataset = node.type_name.as_deref() == Some(DATASET_TYPE);
        let sort = if is_dataset {
            NodeSort::Dataset
        } else {
            NodeSort::Job
        };
        let pair = NamePair::of(node);
        Self {
            sort,
            name: pair.name,
            updated_at: utc_text(node.update_time),
            namespace: pair.namespace,
            node_id: sort.id(node),
        }
    }
}

/// `GET /search`.
pub(super) async fn search(
    ReadCall(call, ()): ReadCall<()>,
    Asked(query): Asked<SearchQuery>,
) -> Answer<SearchAnswer> {
    let sorts: &[NodeSort] = match query.filter {
        Some(SearchFilter::Job) => &[NodeSort::Job],
        Some(SearchFilter::Dataset) => &[NodeSort::Dataset],
        None => &[NodeSort::Job, NodeSort::Dataset],
    };
    let types: Vec<&str> = sorts.iter().map(|sort| sort.type_name()).collect();
    let page = PageQuery {
        limit: query.limit,
        offset: None,
    };
    let limit = page.page()?.limit;
    let found = call.graph.catalog().search(&types, &query.q, limit).await?;
    let results: Vec<SearchResult> = found.iter().map(SearchResult::new).collect();
    Ok(Json(SearchAnswer {
        total_count: results.len(),
        results,
    }))
}
