//! Runs.

use std::collections::BTreeSet;

use axum::Json;
use serde::Serialize;

use super::checks::{MAX_KEY_CHARACTERS, MAX_RUN_TAG_CHARACTERS, check_key, check_length, cut};
use super::fields::Fields;
use super::refusal::MlflowRefusal;
use super::run_names::new_id_and_name;
use super::views::{RUN_STATES, RunInfo, TrackedRunAnswer};
use super::{Answer, Empty, TrackingRequest, done, experiments};
use crate::api::call::Call;
use crate::graph::tracking::names::{DEFAULT_EXPERIMENT, RUN_NAME_TAG};
use crate::graph::tracking::{EditRun, NewRun, SetRunDeleted};

#[derive(Serialize)]
pub(super) struct FoundRun {
    run: TrackedRunAnswer,
}

#[derive(Serialize)]
pub(super) struct UpdatedRun {
    run_info: RunInfo,
}

/// The id of a run, which clients send under two names.
pub(super) fn required_id(fields: &Fields) -> Result<String, MlflowRefusal> {
    let ids = [fields.text("run_id")?, fields.text("run_uuid")?];
    let id = ids.into_iter().flatten().find(|id| !id.is_empty());
    let id = id.ok_or_else(|| fields.missing("run_id"))?;
    Ok(id.to_owned())
}

/// A tag as it is stored.
///
/// # Errors
///
/// A refusal of a key that is no name. `parameter` names it.
pub(super) fn tag(
    parameter: &str,
    key: String,
    value: &str,
) -> Result<(String, String), MlflowRefusal> {
    check_key(parameter, &key)?;
    check_length(parameter, &key, MAX_KEY_CHARACTERS)?;
    Ok((key, cut(value, MAX_RUN_TAG_CHARACTERS)))
}

pub(super) async fn create(TrackingRequest(call, fields): TrackingRequest) -> Answer<FoundRun> {
    let experiment = match fields.text("experiment_id")? {
        Some(text) if !text.is_empty() => experiments::number(text)?,
        _ => DEFAULT_EXPERIMENT,
    };
    let tags = experiments::tags(&fields)?.into_iter();
    let tags = tags.map(|(key, value)| tag("key", key, &value));
    let tags: Vec<(String, String)> = tags.collect::<Result<_, _>>()?;
    let keys: BTreeSet<&String> = tags.iter().map(|(key, _)| key).collect();
    if keys.len() < tags.len() {
        return Err(MlflowRefusal::bad_request("a key of the tags comes twice"));
    }
    let (id, made_up) = new_id_and_name();
    let new = NewRun {
        id,
        experiment,
        name: name(&fields, &tags)?.unwrap_or(made_up),
        owner: fields.text("user_id")?.unwrap_or_default().to_owned(),
        start_time: fields.int("start_time")?.unwrap_or_default(),
        tags,
        artifact_uri: None,
    };
    let run = call.graph.write(&call.caller, new).await?;
    Ok(Json(FoundRun {
        run: TrackedRunAnswer::Created(run),
    }))
}

/// The name of a new run, which a tag may say too.
fn name(fields: &Fields, tags: &[(String, String)]) -> Result<Option<String>, MlflowRefusal> {
    let given = fields.text("run_name")?.filter(|name| !name.is_empty());
    let tag = tags.iter().find(|(key, _)| key == RUN_NAME_TAG);
    let tag = tag.map(|(_, value)| value.as_str());
    match (given, tag) {
        (Some(given), Some(tag)) if given != tag => Err(MlflowRefusal::invalid(format!(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different \
             values (run_name='{given}', mlflow.runName='{tag}')."
        ))),
        (given, tag) => Ok(given.or(tag).map(str::to_owned)),
    }
}

pub(super) async fn by_id(TrackingRequest(call, fields): TrackingRequest) -> Answer<FoundRun> {
    let id = required_id(&fields)?;
    let found = call.graph.tracking().run(&id).await?;
    let missing = || MlflowRefusal::missing(format!("Run with id={id} not found"));
    Ok(Json(FoundRun {
        run: TrackedRunAnswer::Found(found.ok_or_else(missing)?),
    }))
}

pub(super) async fn update(TrackingRequest(call, fields): TrackingRequest) -> Answer<UpdatedRun> {
    let name = fields.text("run_name")?.filter(|name| !name.is_empty());
    let edit = EditRun {
        id: required_id(&fields)?,
        state: fields.choice("status", &RUN_STATES),
        end_time: fields.int("end_time")?,
        name: name.map(str::to_owned),
        artifact_uri: None,
    };
    let run = call.graph.write(&call.caller, edit).await?;
    Ok(Json(UpdatedRun {
        run_info: RunInfo(run),
    }))
}

async fn set_deleted(call: &Call, id: String, is_deleted: bool) -> Answer<Empty> {
    let edit = SetRunDeleted { id, is_deleted };
    call.graph.write(&call.caller, edit).await?;
    Ok(done())
}

pub(super) async fn delete(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    set_deleted(&call, required_id(&fields)?, true).await
}

pub(super) async fn restore(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    set_deleted(&call, required_id(&fields)?, false).await
}
