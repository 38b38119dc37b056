//! Lineage of the columns of datasets.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use serde::{Deserialize, Serialize};

use super::lineage::GraphEdge;
use super::node_id::{NamePair, NodeSort};
use super::page::integer;
use super::{Answer, Asked, ReadCall, ReadRefusal};
use crate::api::call::Call;
use crate::error::{Error, Result};
use crate::graph::{ColumnEdge, ColumnQuery, ColumnStart, DATASET_TYPE, Direction};
use crate::model::Node;

/// How far a walk goes, in hops, unless the request says it.
const DEFAULT_DEPTH: i64 = 20;

/// The most edges of a walk in one direction. More are left out.
const MAX_EDGES: i64 = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColumnsQuery {
    node_id: String,
    #[serde(default, deserialize_with = "integer")]
    depth: Option<i64>,
    /// `true` in any case.
    #[serde(default)]
    with_downstream: String,
}

#[derive(Serialize)]
pub(super) struct ColumnGraphView {
    graph: Vec<FieldNode>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldNode {
    id: String,
    #[serde(rename = "type")]
    sort: &'static str,
    data: FieldData,
    in_edges: Vec<GraphEdge>,
    out_edges: Vec<GraphEdge>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldData {
    #[serde(flatten)]
    field: FieldKey,
    dataset_version: Option<String>,
    field_type: Option<String>,
    transformation_description: Option<String>,
    transformation_type: Option<String>,
    input_fields: Vec<FieldKey>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct FieldKey {
    namespace: String,
    dataset: String,
    field: String,
}

impl FieldKey {
    fn id(&self) -> String {
        format!(
            "datasetField:{}:{}:{}",
            self.namespace, self.dataset, self.field
        )
    }
}

/// `GET /column-lineage`.
pub(super) async fn column_lineage(
    ReadCall(call, ()): ReadCall<()>,
    Asked(query): Asked<ColumnsQuery>,
) -> Answer<ColumnGraphView> {
    let start = query.start(&call).await?;
    let (dataset, column) = start.ok_or_else(|| ReadRefusal::not_found("node"))?;
    let walk = async |direction| {
        let uri = dataset.content.name.clone().unwrap_or_default();
        let query = ColumnQuery {
            direction,
            start: ColumnStart::Dataset(uri),
            column: column.clone(),
            max_hops: Some(query.depth.unwrap_or(DEFAULT_DEPTH)),
            max_edges: MAX_EDGES,
        };
        call.graph.column_lineage(&query).await
    };
    let mut edges = walk(Direction::Upstream).await?.edges;
    if query.with_downstream.eq_ignore_ascii_case("true") {
        edges.extend(walk(Direction::Downstream).await?.edges);
    }
    Ok(Json(view(&call, edges).await?))
}

impl ColumnsQuery {
    /// The dataset, and the column if it is one.
    async fn start(&self, call: &Call) -> Result<Option<(Node, Option<String>)>> {
        let sort = NodeSort::Dataset;
        match self.node_id.split_once(':') {
            Some(("dataset", joined)) => {
                let found = sort.find_joined(call, joined).await?;
                Ok(found.map(|dataset| (dataset, None)))
            }
            Some(("datasetField", joined)) => {
                let Some((joined, column)) = joined.rsplit_once(':') else {
                    return Ok(None);
                };
                let found = sort.find_joined(call, joined).await?;
                Ok(found.map(|dataset| (dataset, Some(column.to_owned()))))
            }
            _ => Err(Error::invalid(
                "nodeId must be dataset:NAMESPACE:NAME or datasetField:NAMESPACE:NAME:FIELD",
            )),
        }
    }
}

async fn view(call: &Call, mut edges: Vec<ColumnEdge>) -> Result<ColumnGraphView> {
    expand(&mut edges);
    let names = edges
        .iter()
        .flat_map(|it| [&it.output.dataset, &it.input.dataset]);
    let names: BTreeSet<String> = names.cloned().collect();
    let names: Vec<String> = names.into_iter().collect();
    let found = call
        .graph
        .catalog()
        .contexts_by_names(DATASET_TYPE, &names)
        .await?;
    let pair = |node: Node| {
        let pair = NamePair::of(&node);
        Some((node.content.name?, pair))
    };
    let pairs: BTreeMap<String, NamePair> = found.into_iter().filter_map(pair).collect();
    let key = |dataset: &str, field: &str| {
        let known = pairs.get(dataset).cloned();
        let pair = known.unwrap_or_else(|| NamePair::of_uri(dataset));
        FieldKey {
            namespace: pair.namespace,
            dataset: pair.name,
            field: field.to_owned(),
        }
    };
    let mut fields: BTreeMap<FieldKey, Vec<&ColumnEdge>> = BTreeMap::new();
    let mut links = BTreeSet::new();
    for edge in &edges {
        let output = key(&edge.output.dataset, &edge.output.column);
        let input = key(&edge.input.dataset, &edge.input.column);
        links.insert(GraphEdge {
            origin: input.id(),
            destination: output.id(),
        });
        fields.entry(input).or_default();
        fields.entry(output).or_default().push(edge);
    }
    let node = |(field, made): (FieldKey, Vec<&ColumnEdge>)| {
        let inputs = made
            .iter()
            .map(|it| key(&it.input.dataset, &it.input.column));
        let inputs: BTreeSet<FieldKey> = inputs.collect();
        let how = made.first().map(|edge| &edge.transformation);
        let told = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let id = field.id();
        let of = |end: fn(&GraphEdge) -> &String| {
            let at_node = links.iter().filter(|link| *end(link) == id);
            at_node.cloned().collect()
        };
        FieldNode {
            sort: "DATASET_FIELD",
            in_edges: of(|link| &link.destination),
            out_edges: of(|link| &link.origin),
            data: FieldData {
                field,
                dataset_version: None,
                field_type: None,
                transformation_description: how.and_then(|how| told(&how.description)),
                transformation_type: how.and_then(|how| told(&how.kind)),
                input_fields: inputs.into_iter().collect(),
            },
            id,
        }
    };
    let graph = fields.into_iter().map(node).collect();
    Ok(ColumnGraphView { graph })
}

/// Replaces edges to all columns of an output by one to each of its columns that have edges. An
/// edge from a dataset as a whole has no column, and is left out.
fn expand(edges: &mut Vec<ColumnEdge>) {
    edges.retain(|edge| !edge.input.column.is_empty());
    let (whole, mut own): (Vec<ColumnEdge>, Vec<ColumnEdge>) = std::mem::take(edges)
        .into_iter()
        .partition(|edge| edge.output.column.is_empty());
    let columns: BTreeSet<(String, String)> = own
        .iter()
        .map(|edge| (edge.output.dataset.clone(), edge.output.column.clone()))
        .collect();
    let of = |dataset: &str| {
        let first = (dataset.to_owned(), String::new());
        let named = columns.range(first..);
        let named = named.take_while(move |(found, _)| found == dataset);
        named.map(|(_, column)| column.clone()).collect::<Vec<_>>()
    };
    for edge in whole {
        for column in of(&edge.output.dataset) {
            let mut edge = edge.clone();
            edge.output.column = column;
            own.push(edge);
        }
    }
    *edges = own;
}
