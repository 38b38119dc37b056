//! Experiments.

use axum::Json;
use serde::Serialize;

use super::checks::{MAX_EXPERIMENT_TAG_CHARACTERS, MAX_KEY_CHARACTERS, check_length};
use super::fields::Fields;
use super::refusal::MlflowRefusal;
use super::views::ExperimentView;
use super::{Answer, Empty, TrackingRequest, done};
use crate::api::call::Call;
use crate::error::Error;
use crate::graph::MAX_NAME_CHARACTERS;
use crate::graph::tracking::{EditExperiment, Experiment, ExperimentChange, NewExperiment};

/// The most characters that `MLflow`'s own server allows in a name.
const MAX_MLFLOW_NAME_CHARACTERS: usize = 500;

/// The most experiments in which a search looks.
const MAX_SEARCHED_EXPERIMENTS: usize = 10_000;

#[derive(Serialize)]
pub(super) struct CreatedExperiment {
    experiment_id: String,
}

#[derive(Serialize)]
pub(super) struct FoundExperiment {
    experiment: ExperimentView,
}

/// A number of an experiment, which is a text in requests.
///
/// # Errors
///
/// A refusal of what is no integer.
pub(super) fn number(text: &str) -> Result<i64, MlflowRefusal> {
    let wrong = |_| {
        MlflowRefusal::invalid(format!(
            "Invalid experiment ID '{text}'. Experiment ID must be a valid integer."
        ))
    };
    text.parse().map_err(wrong)
}

fn required_number(fields: &Fields) -> Result<i64, MlflowRefusal> {
    number(fields.required_text("experiment_id")?)
}

/// The numbers of the experiments in which a search looks.
pub(super) fn searched_experiments(fields: &Fields) -> Result<Vec<i64>, MlflowRefusal> {
    let numbers = fields.texts("experiment_ids")?;
    if numbers.len() > MAX_SEARCHED_EXPERIMENTS {
        return Err(MlflowRefusal::invalid(format!(
            "a search looks into at most {MAX_SEARCHED_EXPERIMENTS} experiments"
        )));
    }
    numbers.iter().map(|text| number(text)).collect()
}

/// A name of an experiment, from the field with this name.
fn required_name<'f>(fields: &'f Fields, field: &str) -> Result<&'f str, MlflowRefusal> {
    let name = fields.required_text(field)?;
    check_length("name", name, MAX_MLFLOW_NAME_CHARACTERS)?;
    check_length("name", name, MAX_NAME_CHARACTERS)?;
    Ok(name)
}

/// The keys and values of a list of tags.
pub(super) fn tags(fields: &Fields) -> Result<Vec<(String, String)>, MlflowRefusal> {
    let tags = fields.objects("tags")?;
    let tag = |tag: &Fields| -> Result<(String, String), MlflowRefusal> {
        let value = tag.text("value")?;
        Ok((tag.key(), value.unwrap_or_default().to_owned()))
    };
    tags.iter().map(tag).collect()
}

fn check_tag(key: &str, value: &str) -> Result<(), MlflowRefusal> {
    check_length("key", key, MAX_KEY_CHARACTERS)?;
    check_length("value", value, MAX_EXPERIMENT_TAG_CHARACTERS)
}

pub(super) async fn create(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<CreatedExperiment> {
    let name = required_name(&fields, "name")?;
    let tags = tags(&fields)?;
    for (key, value) in &tags {
        check_tag(key, value)?;
    }
    let location = fields.text("artifact_location")?;
    let location = location.filter(|location| !location.is_empty());
    if location.is_some_and(|location| location.contains(['#', '?'])) {
        return Err(MlflowRefusal::invalid(
            "'artifact_location' URL can't include fragments or params.",
        ));
    }
    let new = NewExperiment {
        name: name.to_owned(),
        artifact_location: location.map(|it| it.trim_end_matches('/').to_owned()),
        tags,
    };
    let number = call.graph.write(&call.caller, new).await?;
    Ok(Json(CreatedExperiment {
        experiment_id: number.to_string(),
    }))
}

pub(super) async fn by_id(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundExperiment> {
    let number = required_number(&fields)?;
    let found = call.graph.tracking().experiment(number).await?;
    answer(&call, found, || {
        format!("No Experiment with id={number} exists")
    })
}

pub(super) async fn by_name(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundExperiment> {
    let name = fields.required_text("experiment_name")?;
    let found = call.graph.tracking().experiment_by_name(name).await?;
    answer(&call, found, || {
        format!("Could not find experiment with name '{name}'")
    })
}

fn answer(
    call: &Call,
    found: Option<Experiment>,
    missing: impl FnOnce() -> String,
) -> Answer<FoundExperiment> {
    let found = found.ok_or_else(|| MlflowRefusal::missing(missing()))?;
    Ok(Json(FoundExperiment {
        experiment: ExperimentView::of(found, &call.tenant),
    }))
}

async fn change(call: &Call, number: i64, change: ExperimentChange) -> Answer<Empty> {
    let edit = EditExperiment { number, change };
    call.graph.write(&call.caller, edit).await?;
    Ok(done())
}

pub(super) async fn rename(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let number = required_number(&fields)?;
    let name = required_name(&fields, "new_name")?.to_owned();
    let change = ExperimentChange::Rename(name);
    let edit = EditExperiment { number, change };
    match call.graph.write(&call.caller, edit).await {
        Err(Error::AlreadyExists(taken)) => Err(MlflowRefusal::bad_request(taken)),
        other => Ok(other.map(|()| done())?),
    }
}

pub(super) async fn delete(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    change(&call, required_number(&fields)?, ExperimentChange::Delete).await
}

pub(super) async fn restore(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    change(&call, required_number(&fields)?, ExperimentChange::Restore).await
}

pub(super) async fn set_tag(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let number = required_number(&fields)?;
    let key = fields.required_text("key")?.to_owned();
    let value = fields
        .text("value")?
        .ok_or_else(|| fields.missing("value"))?;
    check_tag(&key, value)?;
    let value = value.to_owned();
    change(&call, number, ExperimentChange::SetTag { key, value }).await
}

pub(super) async fn delete_tag(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let number = required_number(&fields)?;
    let key = fields.required_text("key")?.to_owned();
    change(&call, number, ExperimentChange::DeleteTag { key }).await
}
