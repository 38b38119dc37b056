//! Runs of jobs.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use serde::{Deserialize, Serialize};

use super::datasets::{own_name, version_id};
use super::node_id::{NamePair, NodeSort};
use super::page::PageQuery;
use super::{Answer, Asked, RawFacets, ReadCall, ReadRefusal, number, text};
use crate::api::call::Call;
use crate::api::openlineage::names::{
    DatasetVersion, RUN_PREFIX, run_id, version_id as external_id,
};
use crate::api::openlineage::report::JOB_TYPE;
use crate::error::{Error, Result};
use crate::graph::DATASET_TYPE;
use crate::model::{ExecutionState, Kind, Node, NodeState, Side, Value, dataset_uri, distinct_ids};
use crate::utc::utc_text;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Runs {
    runs: Vec<RunView>,
    total_count: i64,
}

/// A run, with the versions of datasets that it read and wrote.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunView {
    pub id: String,
    created_at: String,
    updated_at: String,
    nominal_start_time: Option<String>,
    nominal_end_time: Option<String>,
    state: &'static str,
    started_at: Option<String>,
    ended_at: Option<String>,
    duration_ms: Option<i64>,
    args: BTreeMap<String, String>,
    job_version: Option<JobVersion>,
    pub input_dataset_versions: Vec<UsedVersion>,
    pub output_dataset_versions: Vec<UsedVersion>,
    facets: RawFacets,
    /// The id of the run above it.
    #[serde(skip)]
    pub parent: Option<String>,
}

/// The job of a run. Jobs have no versions of their own: it is that of the run.
#[derive(Clone, Serialize)]
struct JobVersion {
    #[serde(flatten)]
    job: NamePair,
    version: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsedVersion {
    pub dataset_version_id: VersionKey,
    facets: RawFacets,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct VersionKey {
    #[serde(flatten)]
    pub dataset: NamePair,
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FacetsOf {
    run_id: String,
    facets: RawFacets,
}

#[derive(Deserialize)]
pub(super) struct FacetsQuery {
    #[serde(rename = "type")]
    sort: Option<FacetSort>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum FacetSort {
    Run,
    Job,
}

/// `GET /namespaces/{namespace}/jobs/{job}/runs`.
pub(super) async fn of_job(
    ReadCall(call, (namespace, name)): ReadCall<(String, String)>,
    Asked(query): Asked<PageQuery>,
) -> Answer<Runs> {
    let job = NodeSort::Job.find(&call, &namespace, &name).await?;
    let page = query.page()?;
    let found = call
        .graph
        .catalog()
        .members(Kind::Execution, job.id, page)
        .await?;
    Ok(Json(Runs {
        runs: views(&call, &found.nodes).await?,
        total_count: found.total,
    }))
}

/// `GET /jobs/runs/{run}`.
pub(super) async fn one(ReadCall(call, id): ReadCall<String>) -> Answer<RunView> {
    let run = find(&call, &id).await?;
    let run = run.ok_or_else(|| ReadRefusal::not_found("run"))?;
    let view = views(&call, &[run]).await?.pop();
    Ok(Json(view.ok_or_else(|| ReadRefusal::not_found("run"))?))
}

/// `GET /jobs/runs/{run}/facets`.
pub(super) async fn facets(
    ReadCall(call, id): ReadCall<String>,
    Asked(query): Asked<FacetsQuery>,
) -> Answer<FacetsOf> {
    let run = find(&call, &id).await?;
    let run = run.ok_or_else(|| ReadRefusal::not_found("run"))?;
    let of = match query.sort {
        Some(FacetSort::Job) => {
            let catalog = call.graph.catalog();
            let ids = [run.id];
            let jobs = catalog.contexts_of_all(Kind::Execution, &ids, JOB_TYPE);
            let job = jobs.await?.remove(&run.id).and_then(|mut jobs| jobs.pop());
            job.ok_or_else(|| ReadRefusal::not_found("job"))?
        }
        Some(FacetSort::Run) | None => run,
    };
    let texts = call.graph.catalog().facets_of_all(&[&of]).await?;
    Ok(Json(FacetsOf {
        run_id: id,
        facets: RawFacets::new(texts.get(&of.id)),
    }))
}

/// The run that a producer knows by this id.
pub(super) async fn find(call: &Call, id: &str) -> Result<Option<Node>> {
    Ok(find_all(call, &[id]).await?.pop())
}

/// The runs that producers know by these ids.
pub(super) async fn find_all(call: &Call, ids: &[&str]) -> Result<Vec<Node>> {
    let ids: Vec<String> = ids.iter().map(|id| run_id(id)).collect();
    by_external_ids(call, Kind::Execution, &ids).await
}

/// The version of this name of the dataset at a URI.
pub(super) async fn find_named_version(
    call: &Call,
    uri: &str,
    version: &str,
) -> Result<Option<i64>> {
    let id = external_id(uri, &DatasetVersion::Named(version));
    let found = by_external_ids(call, Kind::Artifact, &[id]).await?;
    Ok(found.first().map(|artifact| artifact.id))
}

async fn by_external_ids(call: &Call, kind: Kind, ids: &[String]) -> Result<Vec<Node>> {
    match call.graph.nodes_by_external_ids(kind, ids).await {
        Err(Error::NotFound(_)) => Ok(Vec::new()),
        found => found,
    }
}

/// The id by which a producer knows a run.
pub(super) fn id_of(run: &Node) -> String {
    let id = run.content.external_id.as_deref().unwrap_or_default();
    id.strip_prefix(RUN_PREFIX).unwrap_or(id).to_owned()
}

/// What is shown of runs, in their order.
pub(super) async fn views(call: &Call, runs: &[Node]) -> Result<Vec<RunView>> {
    let graph = &call.graph;
    let ids: Vec<i64> = runs.iter().map(|run| run.id).collect();
    let events = graph.events_of(Side::Execution, &ids).await?;
    let artifact_ids = distinct_ids(events.iter().map(|event| event.artifact_id));
    let artifacts = graph.nodes_by_ids(Kind::Artifact, &artifact_ids).await?;
    let catalog = graph.catalog();
    let datasets = catalog.contexts_of_all(Kind::Artifact, &artifact_ids, DATASET_TYPE);
    let datasets = datasets.await?;
    let jobs = graph
        .catalog()
        .contexts_of_all(Kind::Execution, &ids, JOB_TYPE)
        .await?;
    let facets = graph
        .catalog()
        .facets_of_all(&runs.iter().collect::<Vec<_>>())
        .await?;
    let output_facets = graph
        .catalog()
        .facets_of_all(&artifacts.iter().collect::<Vec<_>>())
        .await?;
    let keys: HashMap<i64, VersionKey> = artifacts
        .iter()
        .map(|artifact| (artifact.id, key_of(artifact, datasets.get(&artifact.id))))
        .collect();
    let mut used: HashMap<(i64, bool), Vec<UsedVersion>> = HashMap::new();
    for event in events {
        let Some(key) = keys.get(&event.artifact_id) else {
            continue;
        };
        let is_input = event.event_type.is_input();
        let facets = if is_input {
            input_facets(facets.get(&event.execution_id), &key.dataset)
        } else {
            RawFacets::new(output_facets.get(&event.artifact_id))
        };
        let of_run = used.entry((event.execution_id, is_input)).or_default();
        of_run.push(UsedVersion {
            dataset_version_id: key.clone(),
            facets,
        });
    }
    let mut take = |key| {
        let mut versions = used.remove(&key).unwrap_or_default();
        versions.sort_by(|one, other| one.dataset_version_id.cmp(&other.dataset_version_id));
        versions
    };
    let view = |run: &Node| {
        let job = jobs.get(&run.id).and_then(|jobs| jobs.first());
        let started = number(run, "started_at");
        let ended = number(run, "ended_at");
        let time = |milliseconds: Option<i64>| milliseconds.map(utc_text);
        RunView {
            id: id_of(run),
            created_at: utc_text(run.create_time),
            updated_at: utc_text(run.update_time),
            nominal_start_time: time(number(run, "nominal_start")),
            nominal_end_time: time(number(run, "nominal_end")),
            state: state(run),
            started_at: time(started),
            ended_at: time(ended),
            duration_ms: started.zip(ended).map(|(start, end)| (end - start).max(0)),
            args: args(run),
            job_version: job.map(|job| JobVersion {
                job: NamePair::of(job),
                version: version_id(run.id),
            }),
            input_dataset_versions: take((run.id, true)),
            output_dataset_versions: take((run.id, false)),
            facets: RawFacets::new(facets.get(&run.id)),
            parent: text(run, "parent_run").map(str::to_owned),
        }
    };
    Ok(runs.iter().map(view).collect())
}

/// The dataset of an artifact, by the name that its URI has among those of the dataset.
fn key_of(artifact: &Node, datasets: Option<&Vec<Node>>) -> VersionKey {
    let uri = artifact.content.uri.as_deref().unwrap_or_default();
    let names = datasets.map(Vec::as_slice).unwrap_or_default();
    let dataset = own_name(artifact, names);
    VersionKey {
        dataset: dataset.map_or_else(|| NamePair::of_uri(uri), NamePair::of),
        version: version_id(artifact.id),
    }
}

/// The facets of an input, which are among those of its run.
fn input_facets(of_run: Option<&BTreeMap<String, String>>, dataset: &NamePair) -> RawFacets {
    let uri = dataset_uri(&dataset.namespace, &dataset.name);
    let prefix = format!("input:{uri}:");
    let own = of_run.into_iter().flatten();
    let own =
        own.filter_map(|(key, text)| Some((key.strip_prefix(&prefix)?.to_owned(), text.clone())));
    RawFacets::new(Some(&own.collect()))
}

/// The parameters of a run.
fn args(run: &Node) -> BTreeMap<String, String> {
    let properties = run.content.custom_properties.iter();
    let parameters = properties.filter_map(|(name, value)| {
        let name = name.strip_prefix("param.")?.to_owned();
        Some((
            name,
            match value {
                Value::String(text) => text.clone(),
                Value::Int(number) => number.to_string(),
                Value::Double(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                _ => return None,
            },
        ))
    });
    parameters.collect()
}

fn state(run: &Node) -> &'static str {
    match run.content.state {
        Some(NodeState::Execution(state)) => match state {
            ExecutionState::Running => "RUNNING",
            ExecutionState::Complete | ExecutionState::Cached => "COMPLETED",
            ExecutionState::Failed => "FAILED",
            ExecutionState::Canceled => "ABORTED",
            ExecutionState::New | ExecutionState::Unknown(_) => "NEW",
        },
        Some(NodeState::Artifact(_)) | None => "NEW",
    }
}
