//! `pedigree.reproduction.v1.ReproductionService`.

use std::collections::HashSet;

use tonic::{Request, Response, Status};

use crate::api::call::Calls;
use crate::error::{Error, Result};
use crate::graph::{AsOf, Direction, Graph, TraceQuery};
use crate::model::{Door, Event, PerSide, Side};
use crate::proto::pedigree::reproduction::v1::gap::Subject as WireSubject;
use crate::proto::pedigree::reproduction::v1::observation::{Finding as WireFinding, Subject};
use crate::proto::pedigree::reproduction::v1::reproduction_service_server::ReproductionService;
use crate::proto::pedigree::reproduction::v1::{
    Blob, Gap as WireGap, Level, Observation, PlanRequest, PlanResponse,
    PlannedArtifact as WireArtifact, PlannedCode as WireCode,
    PlannedEnvironment as WireEnvironment, PlannedStep as WireStep, RoleUse as WireRole,
};
use crate::reproduce::{
    ArtifactLineage, Finding, Gap, GapSubject, PlanOptions, PlannedArtifact, PlannedBlob,
    PlannedStep, REPRODUCED_ROLE, ReproductionLevel, ReproductionPlan, RoleUse, plan,
};

/// The most nodes of the lineage that a plan is made of.
const MAX_LINEAGE_NODES: i64 = 10_000;

/// How many nodes are read at once.
const PART_NODES: usize = 500;

/// The handler of the service.
#[derive(Clone, Debug)]
pub struct ReproductionHandler {
    calls: Calls,
}

impl ReproductionHandler {
    #[must_use]
    pub const fn new(calls: Calls) -> Self {
        Self { calls }
    }
}

#[tonic::async_trait]
impl ReproductionService for ReproductionHandler {
    async fn plan(&self, request: Request<PlanRequest>) -> Result<Response<PlanResponse>, Status> {
        let call = self
            .calls
            .call(Door::Pedigree, request.extensions())
            .await?;
        let request = request.into_inner();
        let artifact = request.artifact_id;
        let as_of = request.as_of.map(AsOf::at);
        let options = PlanOptions::try_from(request)?;
        let (lineage, present) = lineage_of(&call.graph, artifact, as_of).await?;
        let plan = plan(&lineage, artifact, &options);
        let plan =
            plan.ok_or_else(|| Error::NotFound(format!("there is no artifact {artifact}")))?;
        Ok(Response::new(PlanResponse {
            present_artifact_ids: present.artifacts,
            present_execution_ids: present.executions,
            ..plan.into()
        }))
    }
}

/// Everything upstream of an artifact, the outputs of these executions, and their reproductions, as
/// it is or as it was at a time. With the ids of the nodes whose states are today's nevertheless.
async fn lineage_of(
    graph: &Graph,
    artifact: i64,
    as_of: Option<AsOf>,
) -> Result<(ArtifactLineage, PerSide<Vec<i64>>)> {
    let mut found = (ArtifactLineage::default(), PerSide::default());
    let upstream = TraceQuery {
        direction: Direction::Upstream,
        artifact_ids: vec![artifact],
        as_of,
        ..TraceQuery::default()
    };
    add(graph, &mut found, upstream).await?;
    let outputs = TraceQuery {
        direction: Direction::Downstream,
        execution_ids: found.0.executions.keys().copied().collect(),
        max_hops: Some(1),
        as_of,
        ..TraceQuery::default()
    };
    if !outputs.execution_ids.is_empty() {
        add(graph, &mut found, outputs).await?;
    }
    let reproductions = TraceQuery {
        direction: Direction::Downstream,
        artifact_ids: found.0.artifacts.keys().copied().collect(),
        max_hops: Some(1),
        path_key: Some(REPRODUCED_ROLE.to_owned()),
        as_of,
        ..TraceQuery::default()
    };
    add(graph, &mut found, reproductions).await?;
    Ok(found)
}

/// Adds what a trace finds, but for what an earlier trace found.
async fn add(
    graph: &Graph,
    (lineage, present): &mut (ArtifactLineage, PerSide<Vec<i64>>),
    query: TraceQuery,
) -> Result<()> {
    let identity = |event: &Event| (event.artifact_id, event.execution_id, event.event_type);
    let known: HashSet<_> = lineage.events.iter().map(identity).collect();
    let query = TraceQuery {
        max_nodes: MAX_LINEAGE_NODES + 1,
        ..query
    };
    let mut trace = graph.trace(query).await?;
    trace.finish().await?;
    trace.leave_out(Side::Artifact, |id| lineage.artifacts.contains_key(&id));
    trace.leave_out(Side::Execution, |id| lineage.executions.contains_key(&id));
    while let Some(part) = trace.next(PART_NODES).await? {
        present.artifacts.extend(part.present.artifacts);
        present.executions.extend(part.present.executions);
        let nodes = part.artifacts.into_iter().map(|node| (node.id, node));
        lineage.artifacts.extend(nodes);
        let nodes = part.executions.into_iter().map(|node| (node.id, node));
        lineage.executions.extend(nodes);
        let events = part.events.into_iter();
        let is_new = |event: &Event| !known.contains(&identity(event));
        lineage.events.extend(events.filter(is_new));
        let nodes = lineage.artifacts.len() + lineage.executions.len();
        if i64::try_from(nodes).is_ok_and(|nodes| nodes > MAX_LINEAGE_NODES) {
            return Err(Error::invalid(format!(
                "the lineage has more than {MAX_LINEAGE_NODES} nodes"
            )));
        }
    }
    Ok(())
}

impl TryFrom<PlanRequest> for PlanOptions {
    type Error = Error;

    fn try_from(request: PlanRequest) -> Result<Self> {
        let mut options = Self {
            executions: request.execution_ids.into_iter().collect(),
            ..Self::default()
        };
        for Observation { subject, finding } in request.observations {
            let finding = match WireFinding::try_from(finding) {
                Ok(WireFinding::Present) => Finding::Present,
                Ok(WireFinding::Missing) => Finding::Missing,
                Ok(WireFinding::Changed) => Finding::Changed,
                Ok(WireFinding::Unspecified) | Err(_) => {
                    return Err(Error::invalid(format!("finding cannot be {finding}")));
                }
            };
            match subject {
                Some(Subject::ArtifactId(id)) => {
                    options.artifacts.insert(id, finding);
                }
                Some(Subject::Commit(commit)) => {
                    options.commits.insert(commit, finding);
                }
                None => return Err(Error::invalid("an observation has no subject")),
            }
        }
        Ok(options)
    }
}

impl From<ReproductionPlan> for PlanResponse {
    fn from(plan: ReproductionPlan) -> Self {
        let artifacts = plan.artifacts.into_iter().map(artifact);
        Self {
            artifact_id: plan.artifact,
            steps: plan.steps.into_iter().map(WireStep::from).collect(),
            artifacts: artifacts.collect(),
            gaps: plan.gaps.into_iter().map(WireGap::from).collect(),
            level: Level::from(plan.level).into(),
            score: u32::try_from(plan.score.percent()).unwrap_or(u32::MAX),
            ..Self::default()
        }
    }
}

impl From<ReproductionLevel> for Level {
    fn from(level: ReproductionLevel) -> Self {
        match level {
            ReproductionLevel::Traced => Self::Traced,
            ReproductionLevel::Pinned => Self::Pinned,
            ReproductionLevel::Runnable => Self::Runnable,
            ReproductionLevel::Present => Self::Present,
            ReproductionLevel::Reproduced => Self::Reproduced,
        }
    }
}

impl From<PlannedStep> for WireStep {
    fn from(step: PlannedStep) -> Self {
        let roles = |roles: Vec<RoleUse>| roles.into_iter().map(WireRole::from).collect();
        Self {
            execution_id: step.execution,
            r#type: step.type_name,
            name: step.name,
            command: step.command,
            check: step.check,
            parameters: step.parameters,
            code: Some(WireCode {
                repository: step.code.repository,
                commit: step.code.commit,
                path: step.code.path,
                diff: step.code.diff.map(Blob::from),
                spec: step.code.spec.map(Blob::from),
            }),
            environment: Some(WireEnvironment {
                python: step.environment.python,
                lock: step.environment.lock.map(Blob::from),
                image: step.environment.image,
                variables: step.environment.variables,
            }),
            inputs: roles(step.inputs),
            outputs: roles(step.outputs),
            level: Level::from(step.level).into(),
        }
    }
}

impl From<PlannedBlob> for Blob {
    fn from(blob: PlannedBlob) -> Self {
        Self {
            artifact_id: blob.artifact,
            uri: blob.uri,
            digest: blob.digest,
        }
    }
}

impl From<RoleUse> for WireRole {
    fn from(file: RoleUse) -> Self {
        Self {
            role: file.role,
            artifact_id: file.artifact,
            path: file.path,
        }
    }
}

impl From<Gap> for WireGap {
    fn from(gap: Gap) -> Self {
        Self {
            id: gap.id.name().to_owned(),
            subject: Some(match gap.subject {
                GapSubject::Artifact(id) => WireSubject::ArtifactId(id),
                GapSubject::Execution(id) => WireSubject::ExecutionId(id),
            }),
            text: gap.text,
        }
    }
}

fn artifact((id, artifact): (i64, PlannedArtifact)) -> WireArtifact {
    WireArtifact {
        id,
        r#type: artifact.type_name,
        name: artifact.name,
        uri: artifact.uri,
        digest: artifact.digest,
        folder: artifact.is_folder,
        source: artifact.is_source,
        verdict: artifact.verdict,
    }
}
