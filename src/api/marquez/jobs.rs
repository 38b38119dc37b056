//! Jobs.

use std::collections::{BTreeSet, HashMap};

use axum::Json;
use serde::{Deserialize, Serialize};

use super::node_id::{NamePair, NodeSort};
use super::page::{PageQuery, integer};
use super::runs::{self, RunView, UsedVersion};
use super::{Answer, Asked, RawFacets, ReadCall, ReadRefusal, text};
use crate::api::call::Call;
use crate::api::openlineage::report::JOB_TYPE;
use crate::error::Result;
use crate::graph::{CatalogQuery, CountedNodes};
use crate::model::{ExecutionState, Kind, Node};
use crate::utc::utc_text;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Jobs {
    jobs: Vec<JobView>,
    total_count: i64,
}

/// A job with its latest run.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobView {
    pub id: NamePair,
    #[serde(rename = "type")]
    sort: &'static str,
    name: String,
    simple_name: String,
    parent_job_name: Option<String>,
    created_at: String,
    updated_at: String,
    namespace: String,
    inputs: BTreeSet<NamePair>,
    outputs: BTreeSet<NamePair>,
    location: Option<String>,
    description: Option<String>,
    latest_run: Option<RunView>,
    latest_runs: Vec<RunView>,
    facets: RawFacets,
    tags: [(); 0],
}

/// The part of the list of jobs that a request asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobsQuery {
    #[serde(default, deserialize_with = "integer")]
    limit: Option<i64>,
    #[serde(default, deserialize_with = "integer")]
    offset: Option<i64>,
    run_state: Option<RunState>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum RunState {
    New,
    Running,
    Completed,
    Failed,
    Aborted,
}

impl From<RunState> for ExecutionState {
    fn from(state: RunState) -> Self {
        match state {
            RunState::New => Self::New,
            RunState::Running => Self::Running,
            RunState::Completed => Self::Complete,
            RunState::Failed => Self::Failed,
            RunState::Aborted => Self::Canceled,
        }
    }
}

impl JobsQuery {
    /// The page of all jobs, or of those of a namespace.
    async fn find(&self, call: &Call, namespace: Option<&str>) -> Result<CountedNodes> {
        let page = PageQuery {
            limit: self.limit,
            offset: self.offset,
        };
        let query = CatalogQuery {
            type_name: JOB_TYPE,
            property: namespace.map(|namespace| ("namespace", namespace)),
            latest_state: self.run_state.map(Into::into),
            page: page.page()?,
        };
        call.graph.catalog().contexts(&query).await
    }
}

/// `GET /jobs`.
pub(super) async fn all(
    ReadCall(call, ()): ReadCall<()>,
    Asked(query): Asked<JobsQuery>,
) -> Answer<Jobs> {
    let found = query.find(&call, None).await?;
    Ok(Json(Jobs {
        jobs: views(&call, &found.nodes).await?,
        total_count: found.total,
    }))
}

/// `GET /namespaces/{namespace}/jobs`.
pub(super) async fn of_namespace(
    ReadCall(call, namespace): ReadCall<String>,
    Asked(query): Asked<JobsQuery>,
) -> Answer<Jobs> {
    let found = query.find(&call, Some(&namespace)).await?;
    Ok(Json(Jobs {
        jobs: views(&call, &found.nodes).await?,
        total_count: found.total,
    }))
}

/// `GET /namespaces/{namespace}/jobs/{job}`.
pub(super) async fn one(
    ReadCall(call, (namespace, name)): ReadCall<(String, String)>,
) -> Answer<JobView> {
    let job = NodeSort::Job.find(&call, &namespace, &name).await?;
    let view = views(&call, &[job]).await?.pop();
    Ok(Json(view.ok_or_else(|| ReadRefusal::not_found("job"))?))
}

/// What is shown of jobs, in their order.
pub(super) async fn views(call: &Call, jobs: &[Node]) -> Result<Vec<JobView>> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
    let latest = call.graph.catalog().latest_executions(&ids).await?;
    let (ids, latest): (Vec<i64>, Vec<Node>) = latest.into_iter().unzip();
    let views = runs::views(call, &latest).await?;
    let parents = parents(call, &views).await?;
    let mut views: HashMap<i64, RunView> = ids.into_iter().zip(views).collect();
    let facets = call
        .graph
        .catalog()
        .facets_of_all(&jobs.iter().collect::<Vec<_>>())
        .await?;
    let view = |job: &Node| {
        let id = NamePair::of(job);
        let latest_run = views.remove(&job.id);
        let parent = latest_run.as_ref().and_then(|run| run.parent.as_ref());
        let datasets = |of: fn(&RunView) -> &[UsedVersion]| {
            let versions = latest_run.as_ref().map(of).unwrap_or_default().iter();
            versions
                .map(|it| it.dataset_version_id.dataset.clone())
                .collect()
        };
        JobView {
            sort: sort(job),
            name: id.name.clone(),
            simple_name: id.name.clone(),
            parent_job_name: parent.and_then(|parent| parents.get(parent).cloned()),
            created_at: utc_text(job.create_time),
            updated_at: utc_text(job.update_time),
            namespace: id.namespace.clone(),
            id,
            inputs: datasets(|run| &run.input_dataset_versions),
            outputs: datasets(|run| &run.output_dataset_versions),
            location: text(job, "code.repository").map(str::to_owned),
            description: text(job, "description").map(str::to_owned),
            latest_runs: latest_run.iter().cloned().collect(),
            latest_run,
            facets: RawFacets::new(facets.get(&job.id)),
            tags: [],
        }
    };
    Ok(jobs.iter().map(view).collect())
}

/// The names of the jobs of the runs above these, by the ids of the runs above.
async fn parents(call: &Call, runs: &[RunView]) -> Result<HashMap<String, String>> {
    let ids: BTreeSet<&str> = runs
        .iter()
        .filter_map(|run| run.parent.as_deref())
        .collect();
    let found = runs::find_all(call, &ids.into_iter().collect::<Vec<_>>()).await?;
    let ids: Vec<i64> = found.iter().map(|run| run.id).collect();
    let jobs = call
        .graph
        .catalog()
        .contexts_of_all(Kind::Execution, &ids, JOB_TYPE)
        .await?;
    let named = found.iter().filter_map(|run| {
        let job = jobs.get(&run.id)?.first()?;
        Some((runs::id_of(run), NamePair::of(job).name))
    });
    Ok(named.collect())
}

fn sort(job: &Node) -> &'static str {
    match text(job, "processing_type") {
        Some("STREAMING") => "STREAM",
        Some("SERVICE") => "SERVICE",
        _ => "BATCH",
    }
}
