//! Lineage of jobs and datasets: what runs did with versions, without the runs and the versions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::Json;
use serde::{Deserialize, Serialize};

use super::datasets::{self, DatasetView};
use super::jobs::{self, JobView};
use super::node_id::{self, NodeSort};
use super::page::integer;
use super::{Answer, Asked, ReadCall, ReadRefusal, runs};
use crate::api::call::Call;
use crate::api::openlineage::report::JOB_TYPE;
use crate::api::openlineage::time;
use crate::error::{Error, Result};
use crate::graph::{DATASET_TYPE, Direction, TraceQuery};
use crate::model::{ArtifactState, Event, Kind, Node, NodeState, OffsetPage};

/// How far a walk goes, in edges, unless the request says it.
const DEFAULT_DEPTH: i64 = 20;

/// The most runs and versions of a walk. More are left out.
const MAX_NODES: i64 = 2000;

/// The most runs and versions of a part of a walk.
const MAX_PART_NODES: usize = 500;

/// A walk from a job or a dataset begins at this many of its latest runs or versions.
const STARTS: OffsetPage = OffsetPage {
    limit: 20,
    offset: 0,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LineageQuery {
    node_id: Option<String>,
    /// An addition to Marquez: start at this run.
    run_id: Option<String>,
    /// An addition to Marquez: start at the version of the dataset that was present at a time.
    at: Option<String>,
    #[serde(default, deserialize_with = "integer")]
    depth: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct LineageGraphView {
    graph: Vec<GraphNode>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GraphNode {
    id: String,
    #[serde(rename = "type")]
    sort: NodeSort,
    data: NodeData,
    in_edges: Vec<GraphEdge>,
    out_edges: Vec<GraphEdge>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum NodeData {
    Job(Box<JobView>),
    Dataset(Box<DatasetView>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct GraphEdge {
    pub origin: String,
    pub destination: String,
}

/// Where a walk begins.
#[derive(Default)]
struct Start {
    /// The job or the dataset, which belongs to the answer.
    context: Option<(NodeSort, Node)>,
    artifacts: Vec<i64>,
    executions: Vec<i64>,
}

/// What a walk has found.
#[derive(Default)]
struct Found {
    artifacts: Vec<Node>,
    executions: Vec<Node>,
    events: Vec<Event>,
}

/// `GET /lineage`.
pub(super) async fn lineage(
    ReadCall(call, ()): ReadCall<()>,
    Asked(query): Asked<LineageQuery>,
) -> Answer<LineageGraphView> {
    let start = query.start(&call).await?;
    let start = start.ok_or_else(|| ReadRefusal::not_found("node"))?;
    let depth = query.depth.unwrap_or(DEFAULT_DEPTH);
    let found = walk(&call, &start, depth).await?;
    let projection = Projection::of(&call, start, found).await?;
    Ok(Json(projection.view(&call).await?))
}

impl LineageQuery {
    /// Where the walk begins; `None` for what is unknown.
    async fn start(&self, call: &Call) -> Result<Option<Start>> {
        if let Some(id) = &self.run_id {
            let run = runs::find(call, id).await?;
            return Ok(run.map(|run| Start {
                executions: vec![run.id],
                ..Start::default()
            }));
        }
        let id = self.node_id.as_deref();
        let id = id.ok_or_else(|| Error::invalid("nodeId or runId is missing"))?;
        match node_id::parse(id)? {
            (NodeSort::Job, _) if self.at.is_some() => {
                Err(Error::invalid("`at` needs the nodeId of a dataset"))
            }
            (NodeSort::Job, joined) => start_of_job(call, joined).await,
            (NodeSort::Dataset, joined) => self.start_of_dataset(call, joined).await,
        }
    }

    async fn start_of_dataset(&self, call: &Call, joined: &str) -> Result<Option<Start>> {
        let sort = NodeSort::Dataset;
        if let Some(dataset) = sort.find_joined(call, joined).await? {
            let artifacts = match &self.at {
                Some(at) => present_at(call, &dataset, at).await?,
                None => latest(call, Kind::Artifact, &dataset).await?,
            };
            return Ok(Some(Start {
                context: Some((sort, dataset)),
                artifacts,
                ..Start::default()
            }));
        }
        // A name may have this sign too, so what is known as a whole comes first.
        let Some((joined, version)) = joined.rsplit_once('#') else {
            return Ok(None);
        };
        let Some(dataset) = sort.find_joined(call, joined).await? else {
            return Ok(None);
        };
        let Some(id) = datasets::find_version(call, &dataset, version).await? else {
            return Ok(None);
        };
        Ok(Some(Start {
            context: Some((sort, dataset)),
            artifacts: vec![id],
            ..Start::default()
        }))
    }
}

async fn start_of_job(call: &Call, joined: &str) -> Result<Option<Start>> {
    let Some(job) = NodeSort::Job.find_joined(call, joined).await? else {
        return Ok(None);
    };
    let executions = latest(call, Kind::Execution, &job).await?;
    Ok(Some(Start {
        context: Some((NodeSort::Job, job)),
        executions,
        ..Start::default()
    }))
}

/// The latest nodes of a kind in a context.
async fn latest(call: &Call, kind: Kind, context: &Node) -> Result<Vec<i64>> {
    let found = call
        .graph
        .catalog()
        .members(kind, context.id, STARTS)
        .await?;
    Ok(found.nodes.iter().map(|node| node.id).collect())
}

/// The version of a dataset that was present at a time.
async fn present_at(call: &Call, dataset: &Node, at: &str) -> Result<Vec<i64>> {
    let time = time::parse(at).ok_or_else(|| Error::invalid("`at` is no time"))?;
    let microseconds = time.in_microseconds();
    let present = call
        .graph
        .catalog()
        .present_versions(&[dataset.id], microseconds)
        .await?;
    Ok(present.values().map(|version| version.id).collect())
}

async fn walk(call: &Call, start: &Start, depth: i64) -> Result<Found> {
    let mut found = Found::default();
    if start.artifacts.is_empty() && start.executions.is_empty() {
        return Ok(found);
    }
    let query = TraceQuery {
        direction: Direction::Both,
        artifact_ids: start.artifacts.clone(),
        execution_ids: start.executions.clone(),
        max_hops: Some(depth),
        max_nodes: MAX_NODES,
        ..TraceQuery::default()
    };
    let mut trace = call.graph.trace(query).await?;
    while let Some(part) = trace.next(MAX_PART_NODES).await? {
        found.artifacts.extend(part.artifacts);
        found.executions.extend(part.executions);
        found.events.extend(part.events);
    }
    Ok(found)
}

/// Jobs and datasets, with the edges between them.
#[derive(Default)]
struct Projection {
    nodes: BTreeMap<String, (NodeSort, Node)>,
    edges: BTreeSet<GraphEdge>,
}

impl Projection {
    /// What a run that failed would have written is left out.
    async fn of(call: &Call, start: Start, found: Found) -> Result<Self> {
        let abandoned = Some(NodeState::Artifact(ArtifactState::Abandoned));
        let is_kept = |node: &&Node| node.content.state != abandoned;
        let kept = found.artifacts.iter().filter(is_kept);
        let artifacts: Vec<i64> = kept.clone().map(|node| node.id).collect();
        let executions: Vec<i64> = found.executions.iter().map(|node| node.id).collect();
        let catalog = call.graph.catalog();
        let datasets = catalog.contexts_of_all(Kind::Artifact, &artifacts, DATASET_TYPE);
        let datasets = datasets.await?;
        let jobs = catalog.contexts_of_all(Kind::Execution, &executions, JOB_TYPE);
        let jobs = jobs.await?;
        let mut projection = Self::default();
        if let Some((sort, node)) = start.context {
            projection.add(sort, &node);
        }
        let mut ids: HashMap<(NodeSort, i64), String> = HashMap::new();
        for artifact in kept {
            let names = datasets
                .get(&artifact.id)
                .map(Vec::as_slice)
                .unwrap_or_default();
            if let Some(dataset) = datasets::own_name(artifact, names) {
                let id = projection.add(NodeSort::Dataset, dataset);
                ids.insert((NodeSort::Dataset, artifact.id), id);
            }
        }
        for execution in &executions {
            if let Some(job) = jobs.get(execution).and_then(|jobs| jobs.first()) {
                let id = projection.add(NodeSort::Job, job);
                ids.insert((NodeSort::Job, *execution), id);
            }
        }
        for event in found.events {
            let job = ids.get(&(NodeSort::Job, event.execution_id));
            let dataset = ids.get(&(NodeSort::Dataset, event.artifact_id));
            let (Some(job), Some(dataset)) = (job.cloned(), dataset.cloned()) else {
                continue;
            };
            let (origin, destination) = if event.event_type.is_input() {
                (dataset, job)
            } else {
                (job, dataset)
            };
            projection.edges.insert(GraphEdge {
                origin,
                destination,
            });
        }
        Ok(projection)
    }

    fn add(&mut self, sort: NodeSort, node: &Node) -> String {
        let id = sort.id(node);
        let entry = self.nodes.entry(id.clone());
        entry.or_insert_with(|| (sort, node.clone()));
        id
    }

    async fn view(self, call: &Call) -> Result<LineageGraphView> {
        let of = |wanted: NodeSort| -> Vec<Node> {
            let nodes = self.nodes.values().filter(|(sort, _)| *sort == wanted);
            nodes.map(|(_, node)| node.clone()).collect()
        };
        let jobs = jobs::views(call, &of(NodeSort::Job)).await?;
        let datasets = datasets::views(call, &of(NodeSort::Dataset)).await?;
        let (mut jobs, mut datasets) = (jobs.into_iter(), datasets.into_iter());
        let mut graph = Vec::new();
        // Both lists are in the order of the nodes.
        for (id, (sort, _)) in &self.nodes {
            let data = match sort {
                NodeSort::Job => jobs.next().map(|job| NodeData::Job(job.into())),
                NodeSort::Dataset => datasets.next().map(|it| NodeData::Dataset(it.into())),
            };
            let edges = |of: fn(&GraphEdge) -> &String| {
                let at_node = self.edges.iter().filter(|edge| of(edge) == id);
                at_node.cloned().collect()
            };
            graph.extend(data.map(|data| GraphNode {
                id: id.clone(),
                sort: *sort,
                data,
                in_edges: edges(|edge| &edge.destination),
                out_edges: edges(|edge| &edge.origin),
            }));
        }
        Ok(LineageGraphView { graph })
    }
}
