//! The artifact that a user means, and its plan.

use std::path::Path;

use url::Url;

use super::presence::observe;
use crate::cli::client::{ServerArgs, found};
use crate::cli::output::printable;
use crate::cli::run::real_path;
use crate::cli::{Failure, json};
use crate::proto::ml_metadata::{
    Artifact, GetArtifactByTypeAndNameRequest, GetArtifactsByUriRequest,
};
use crate::proto::pedigree::reproduction::v1::{PlanRequest, PlanResponse};

/// What URIs of files that the server has begin with.
const SERVED_SCHEME: &str = "mlflow-artifacts:/";

/// The plan of an artifact, with what is found where sources, blobs and commits should be. The
/// executions are taken where several produced an artifact. With a time, it is the plan of the
/// lineage as it was then.
pub(in crate::cli) async fn planned(
    server: &ServerArgs,
    model: &str,
    executions: &[i64],
    as_of: Option<i64>,
) -> Result<PlanResponse, Failure> {
    let mut client = server.reproduction_client()?;
    let mut request = PlanRequest {
        artifact_id: artifact_as_of(server, model, as_of).await?,
        execution_ids: executions.to_vec(),
        observations: Vec::new(),
        as_of,
    };
    let first = client.plan(request.clone()).await?.into_inner();
    let is_step = |id: i64| first.steps.iter().any(|step| step.execution_id == id);
    if let Some(id) = executions.iter().find(|id| !is_step(**id)) {
        return Err(Failure(format!("the plan has no execution {id}")));
    }
    request.observations = observe(&first);
    let plan = client.plan(request).await?.into_inner();
    let text = json::write("pedigree.reproduction.v1.PlanResponse", &plan)?.to_string();
    if text.contains("\\u0000") {
        return Err(Failure(
            "the plan has a NUL, which no command can have".to_owned(),
        ));
    }
    Ok(plan)
}

/// The id of the artifact that is meant: by its id, TYPE/NAME, or a URI or path, which mean the
/// newest one there.
pub(in crate::cli) async fn artifact_id(server: &ServerArgs, model: &str) -> Result<i64, Failure> {
    artifact_as_of(server, model, None).await
}

/// [`artifact_id`], where the newest one at a URI was created by a time.
async fn artifact_as_of(
    server: &ServerArgs,
    model: &str,
    as_of: Option<i64>,
) -> Result<i64, Failure> {
    if let Ok(id) = model.parse() {
        return Ok(id);
    }
    let mut client = server.store_client()?;
    let is_uri = model.contains("://") || model.starts_with(SERVED_SCHEME);
    if !is_uri
        && let Some((type_name, name)) = model.split_once('/')
        && not_blank(type_name).is_ok()
        && not_blank(name).is_ok()
    {
        let request = GetArtifactByTypeAndNameRequest {
            type_name: Some(type_name.to_owned()),
            artifact_name: Some(name.to_owned()),
            ..GetArtifactByTypeAndNameRequest::default()
        };
        let answer = found(client.get_artifact_by_type_and_name(request).await)?;
        if let Some(id) = answer.artifact.and_then(|artifact| artifact.id) {
            return Ok(id);
        }
    }
    let path = Some(Path::new(model)).filter(|_| !is_uri);
    let path = path.and_then(|path| Url::from_file_path(real_path(path).ok()?).ok());
    let uri = path.map_or_else(|| model.to_owned(), Into::into);
    let request = GetArtifactsByUriRequest {
        uris: vec![uri],
        has_retired_uri: false,
    };
    let at_uri = client.get_artifacts_by_uri(request).await?.into_inner();
    let was_there =
        |artifact: &&Artifact| as_of.is_none_or(|time| artifact.create_time_since_epoch() <= time);
    let newest = at_uri
        .artifacts
        .iter()
        .filter(was_there)
        .filter_map(|artifact| artifact.id)
        .max();
    newest.ok_or_else(|| Failure(format!("there is no artifact {}", printable(model))))
}

/// Reads what must be there: an empty text would be the URI of every artifact without one.
pub(in crate::cli) fn not_blank(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text.to_owned())
}
