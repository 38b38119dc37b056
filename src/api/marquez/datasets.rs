//! Datasets and their versions.

use std::collections::HashMap;

use axum::Json;
use serde::{Deserialize, Serialize};

use super::node_id::{NamePair, NodeSort};
use super::page::PageQuery;
use super::runs::{self, RunView};
use super::{Answer, Asked, RawFacets, ReadCall, ReadRefusal, text};
use crate::api::call::Call;
use crate::error::Result;
use crate::graph::{CatalogQuery, DATASET_TYPE};
use crate::model::{Kind, Node, Side, canonical_uri, distinct_ids};
use crate::utc::utc_text;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Datasets {
    datasets: Vec<DatasetView>,
    total_count: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions {
    versions: Vec<VersionView>,
    total_count: i64,
}

/// A dataset.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatasetView {
    pub id: NamePair,
    #[serde(rename = "type")]
    sort: &'static str,
    name: String,
    physical_name: String,
    created_at: String,
    updated_at: String,
    namespace: String,
    source_name: String,
    fields: Vec<DatasetField>,
    tags: [(); 0],
    last_modified_at: Option<String>,
    last_lifecycle_state: Option<String>,
    description: Option<String>,
    current_version: Option<String>,
    column_lineage: Option<()>,
    facets: RawFacets,
    deleted: bool,
}

/// A version of a dataset, with the run that wrote it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionView {
    #[serde(flatten)]
    dataset: DatasetView,
    version: String,
    lifecycle_state: Option<String>,
    created_by_run: Option<RunView>,
}

#[derive(Clone, Deserialize, Serialize)]
struct DatasetField {
    name: String,
    #[serde(rename = "type", default)]
    sort: Option<String>,
    #[serde(skip_deserializing)]
    tags: [(); 0],
    #[serde(default)]
    description: Option<String>,
}

/// What is written as the version of a node: its id, in the form of a UUID of version 8.
pub(super) fn version_id(id: i64) -> String {
    format!("00000000-0000-8000-8000-{:012x}", id & 0xffff_ffff_ffff)
}

/// The id of a node of which this is the version.
pub(super) fn id_of_version(version: &str) -> Option<i64> {
    let digits = version.strip_prefix("00000000-0000-8000-8000-")?;
    i64::from_str_radix(digits, 16).ok()
}

/// The name that the URI of an artifact has among those of its dataset.
pub(super) fn own_name<'n>(artifact: &Node, names: &'n [Node]) -> Option<&'n Node> {
    let uri = artifact.content.uri.as_deref().map(canonical_uri);
    let is_own = |name: &&Node| name.content.name.as_deref() == uri.as_deref();
    names.iter().find(is_own).or(names.first())
}

/// `GET /namespaces/{namespace}/datasets`.
pub(super) async fn of_namespace(
    ReadCall(call, namespace): ReadCall<String>,
    Asked(query): Asked<PageQuery>,
) -> Answer<Datasets> {
    let query = CatalogQuery {
        type_name: DATASET_TYPE,
        property: Some(("namespace", &namespace)),
        latest_state: None,
        page: query.page()?,
    };
    let found = call.graph.catalog().contexts(&query).await?;
    Ok(Json(Datasets {
        datasets: views(&call, &found.nodes).await?,
        total_count: found.total,
    }))
}

/// `GET /namespaces/{namespace}/datasets/{dataset}`.
pub(super) async fn one(
    ReadCall(call, (namespace, name)): ReadCall<(String, String)>,
) -> Answer<DatasetView> {
    let dataset = NodeSort::Dataset.find(&call, &namespace, &name).await?;
    let view = views(&call, &[dataset]).await?.pop();
    Ok(Json(view.ok_or_else(|| ReadRefusal::not_found("dataset"))?))
}

/// `GET /namespaces/{namespace}/datasets/{dataset}/versions`.
pub(super) async fn versions(
    ReadCall(call, (namespace, name)): ReadCall<(String, String)>,
    Asked(query): Asked<PageQuery>,
) -> Answer<Versions> {
    let dataset = NodeSort::Dataset.find(&call, &namespace, &name).await?;
    let page = query.page()?;
    let found = call
        .graph
        .catalog()
        .members(Kind::Artifact, dataset.id, page)
        .await?;
    Ok(Json(Versions {
        versions: version_views(&call, dataset, &found.nodes).await?,
        total_count: found.total,
    }))
}

/// `GET /namespaces/{namespace}/datasets/{dataset}/versions/{version}`.
pub(super) async fn version(
    ReadCall(call, (namespace, name, version)): ReadCall<(String, String, String)>,
) -> Answer<VersionView> {
    let dataset = NodeSort::Dataset.find(&call, &namespace, &name).await?;
    let id = find_version(&call, &dataset, &version).await?;
    let id = id.ok_or_else(|| ReadRefusal::not_found("version"))?;
    let found = call.graph.nodes_by_ids(Kind::Artifact, &[id]).await?;
    let view = version_views(&call, dataset, &found).await?.pop();
    Ok(Json(view.ok_or_else(|| ReadRefusal::not_found("version"))?))
}

/// The version of a dataset with this id of ours, or with the name that its producer gave.
pub(super) async fn find_version(
    call: &Call,
    dataset: &Node,
    version: &str,
) -> Result<Option<i64>> {
    let id = if let Some(id) = id_of_version(version) {
        Some(id)
    } else {
        let uri = dataset.content.name.as_deref().unwrap_or_default();
        runs::find_named_version(call, uri, version).await?
    };
    let Some(id) = id else {
        return Ok(None);
    };
    let catalog = call.graph.catalog();
    let ids = [id];
    let of = catalog.contexts_of_all(Kind::Artifact, &ids, DATASET_TYPE);
    let of = of.await?.remove(&id).unwrap_or_default();
    Ok(of.iter().any(|name| name.id == dataset.id).then_some(id))
}

/// What is shown of versions of a dataset, in their order.
async fn version_views(call: &Call, dataset: Node, artifacts: &[Node]) -> Result<Vec<VersionView>> {
    let mut writers = writers(call, artifacts).await?;
    let Some(view) = views(call, &[dataset]).await?.pop() else {
        return Ok(Vec::new());
    };
    let version = |artifact: &Node| VersionView {
        dataset: DatasetView {
            created_at: utc_text(artifact.create_time),
            ..view.clone()
        },
        version: version_id(artifact.id),
        lifecycle_state: view.last_lifecycle_state.clone(),
        created_by_run: writers.remove(&artifact.id),
    };
    Ok(artifacts.iter().map(version).collect())
}

/// The latest run that wrote each of these artifacts.
async fn writers(call: &Call, artifacts: &[Node]) -> Result<HashMap<i64, RunView>> {
    let ids: Vec<i64> = artifacts.iter().map(|artifact| artifact.id).collect();
    let events = call.graph.events_of(Side::Artifact, &ids).await?;
    let outputs = events.iter().filter(|event| !event.event_type.is_input());
    let writer_of: HashMap<i64, i64> = outputs
        .map(|event| (event.artifact_id, event.execution_id))
        .collect();
    let ids = distinct_ids(writer_of.values().copied());
    let nodes = call.graph.nodes_by_ids(Kind::Execution, &ids).await?;
    let views = runs::views(call, &nodes).await?;
    let views: HashMap<i64, RunView> = nodes.iter().map(|run| run.id).zip(views).collect();
    let view = |(artifact, run): (i64, i64)| Some((artifact, views.get(&run)?.clone()));
    Ok(writer_of.into_iter().filter_map(view).collect())
}

/// What is shown of datasets, in their order.
pub(super) async fn views(call: &Call, datasets: &[Node]) -> Result<Vec<DatasetView>> {
    let ids: Vec<i64> = datasets.iter().map(|dataset| dataset.id).collect();
    let present = call
        .graph
        .catalog()
        .present_versions(&ids, i64::MAX)
        .await?;
    let facets = call
        .graph
        .catalog()
        .facets_of_all(&datasets.iter().collect::<Vec<_>>())
        .await?;
    let view = |dataset: &Node| {
        let id = NamePair::of(dataset);
        let texts = facets.get(&dataset.id);
        let present = present.get(&dataset.id);
        let lifecycle = text(dataset, "lifecycle").map(str::to_owned);
        DatasetView {
            sort: sort(dataset),
            name: id.name.clone(),
            physical_name: id.name.clone(),
            created_at: utc_text(dataset.create_time),
            updated_at: utc_text(dataset.update_time),
            namespace: id.namespace.clone(),
            source_name: id.namespace.clone(),
            id,
            fields: texts
                .and_then(|it| fields(it.get("schema")?))
                .unwrap_or_default(),
            tags: [],
            last_modified_at: present.map(|version| utc_text(version.update_time)),
            deleted: lifecycle.as_deref() == Some("DROP"),
            last_lifecycle_state: lifecycle,
            description: text(dataset, "description").map(str::to_owned),
            current_version: present.map(|version| version_id(version.id)),
            column_lineage: None,
            facets: RawFacets::new(texts),
        }
    };
    Ok(datasets.iter().map(view).collect())
}

fn sort(dataset: &Node) -> &'static str {
    match text(dataset, "dataset_type")
        .map(str::to_ascii_uppercase)
        .as_deref()
    {
        Some("STREAM" | "TOPIC") => "STREAM",
        _ => "DB_TABLE",
    }
}

/// The fields in the text of a facet `schema`.
fn fields(schema: &str) -> Option<Vec<DatasetField>> {
    #[derive(Deserialize)]
    struct SchemaFields {
        fields: Vec<DatasetField>,
    }
    serde_json::from_str::<SchemaFields>(schema)
        .ok()
        .map(|schema| schema.fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ids() {
        for id in [1, 7, 1 << 40] {
            assert_eq!(id_of_version(&version_id(id)), Some(id));
        }
        assert_eq!(version_id(255), "00000000-0000-8000-8000-0000000000ff");
        assert_eq!(id_of_version("7"), None);
    }
}
