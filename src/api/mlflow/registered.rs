//! Registered models and their aliases.

use axum::Json;
use serde::Serialize;

use super::checks::{MAX_KEY_CHARACTERS, check_length};
use super::experiments::tags;
use super::fields::Fields;
use super::page::AskedPage;
use super::refusal::MlflowRefusal;
use super::registry_views::{ModelVersionView, NO_STAGE, RegisteredModelView};
use super::versions::{FoundVersion, required_version};
use super::{Answer, Empty, TrackingRequest, done, filter};
use crate::api::call::Call;
use crate::graph::registered::{
    AliasTarget, EditRegisteredModel, ModelVersion, MoveAlias, NewRegisteredModel,
    RegisteredModelChange, RegisteredModelData,
};
use crate::model::TrackingQuery;

/// The most characters of a tag of a model or a version, and of a description.
pub(super) const MAX_REGISTRY_TEXT_CHARACTERS: usize = 100_000;

#[derive(Serialize)]
pub(super) struct FoundRegisteredModel {
    registered_model: RegisteredModelView,
}

#[derive(Serialize)]
pub(super) struct RegisteredModelPage {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    registered_models: Vec<RegisteredModelView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
pub(super) struct LatestVersions {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_versions: Vec<ModelVersionView>,
}

/// The name of a model.
pub(super) fn required_name(fields: &Fields) -> Result<String, MlflowRefusal> {
    fields.required_text("name").map(str::to_owned)
}

/// A description, if there is one.
pub(super) fn description(fields: &Fields) -> Result<Option<String>, MlflowRefusal> {
    let text = fields.text("description")?;
    check_length(
        "description",
        text.unwrap_or_default(),
        MAX_REGISTRY_TEXT_CHARACTERS,
    )?;
    Ok(text.map(str::to_owned))
}

/// The key of a tag.
pub(super) fn tag_key(fields: &Fields) -> Result<String, MlflowRefusal> {
    let key = fields.required_text("key")?;
    check_length("key", key, MAX_KEY_CHARACTERS)?;
    Ok(key.to_owned())
}

/// The value of a tag.
pub(super) fn tag_value(fields: &Fields) -> Result<String, MlflowRefusal> {
    let value = fields.text("value")?.unwrap_or_default();
    check_length("value", value, MAX_REGISTRY_TEXT_CHARACTERS)?;
    Ok(value.to_owned())
}

/// The tags of a new model or version.
pub(super) fn new_tags(fields: &Fields) -> Result<Vec<(String, String)>, MlflowRefusal> {
    let tags = tags(fields)?;
    for (key, value) in &tags {
        if key.is_empty() {
            return Err(fields.missing("key"));
        }
        check_length("key", key, MAX_KEY_CHARACTERS)?;
        check_length("value", value, MAX_REGISTRY_TEXT_CHARACTERS)?;
    }
    Ok(tags)
}

/// The name of an alias.
fn alias(fields: &Fields) -> Result<String, MlflowRefusal> {
    fields.required_text("alias").map(str::to_owned)
}

async fn read(call: &Call, name: &str) -> Answer<FoundRegisteredModel> {
    let found = call.graph.registry().model(name).await?;
    Ok(answer(found))
}

fn answer(found: RegisteredModelData) -> Json<FoundRegisteredModel> {
    Json(FoundRegisteredModel {
        registered_model: found.into(),
    })
}

async fn change(
    call: &Call,
    name: String,
    change: RegisteredModelChange,
) -> Result<(), MlflowRefusal> {
    let edit = EditRegisteredModel { name, change };
    call.graph.write(&call.caller, edit).await?;
    Ok(())
}

pub(super) async fn create(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundRegisteredModel> {
    let new = NewRegisteredModel {
        name: required_name(&fields)?,
        description: description(&fields)?,
        tags: new_tags(&fields)?,
    };
    let model = call.graph.write(&call.caller, new).await?;
    Ok(answer(RegisteredModelData {
        model,
        latest: Vec::new(),
    }))
}

pub(super) async fn by_name(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundRegisteredModel> {
    read(&call, &required_name(&fields)?).await
}

pub(super) async fn update(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundRegisteredModel> {
    let name = required_name(&fields)?;
    let described = RegisteredModelChange::Describe(description(&fields)?);
    change(&call, name.clone(), described).await?;
    read(&call, &name).await
}

pub(super) async fn rename(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundRegisteredModel> {
    let name = required_name(&fields)?;
    let new = fields.required_text("new_name")?.to_owned();
    let renamed = RegisteredModelChange::Rename(new.clone());
    change(&call, name, renamed).await?;
    read(&call, &new).await
}

pub(super) async fn delete(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let name = required_name(&fields)?;
    change(&call, name, RegisteredModelChange::Delete).await?;
    Ok(done())
}

pub(super) async fn set_tag(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let name = required_name(&fields)?;
    let (key, value) = (tag_key(&fields)?, tag_value(&fields)?);
    change(&call, name, RegisteredModelChange::SetTag { key, value }).await?;
    Ok(done())
}

pub(super) async fn delete_tag(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let name = required_name(&fields)?;
    let key = tag_key(&fields)?;
    change(&call, name, RegisteredModelChange::DeleteTag { key }).await?;
    Ok(done())
}

pub(super) async fn search(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<RegisteredModelPage> {
    let page = AskedPage::of_registered_models(&fields)?;
    let query = TrackingQuery {
        conditions: filter::registered_conditions(fields.text("filter")?.unwrap_or_default())?,
        order: filter::registered_orders(&fields.texts("order_by")?)?,
        page: page.with_next(),
    };
    let mut found = call.graph.registry().models(&query).await?;
    let next_page_token = page.next(&mut found);
    Ok(Json(RegisteredModelPage {
        registered_models: found.into_iter().map(Into::into).collect(),
        next_page_token,
    }))
}

pub(super) async fn latest_versions(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<LatestVersions> {
    let found = call
        .graph
        .registry()
        .model(&required_name(&fields)?)
        .await?;
    let stages = fields.texts("stages")?;
    let is_asked = |version: &ModelVersion| {
        let stage = match version.stage.as_str() {
            "" => NO_STAGE,
            stage => stage,
        };
        stages.is_empty() || stages.iter().any(|it| it.eq_ignore_ascii_case(stage))
    };
    let latest = found.latest.into_iter().filter(is_asked);
    Ok(Json(LatestVersions {
        model_versions: latest.map(Into::into).collect(),
    }))
}

async fn move_alias(call: &Call, fields: &Fields, alias: String, to: AliasTarget) -> Answer<Empty> {
    let moved = MoveAlias {
        model: required_name(fields)?,
        alias,
        to,
        expected: None,
    };
    call.graph.write(&call.caller, moved).await?;
    Ok(done())
}

pub(super) async fn set_alias(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    required_name(&fields)?;
    let alias = alias(&fields)?;
    let to = AliasTarget::Version(required_version(&fields)?);
    move_alias(&call, &fields, alias, to).await
}

pub(super) async fn delete_alias(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    required_name(&fields)?;
    let alias = alias(&fields)?;
    move_alias(&call, &fields, alias, AliasTarget::Nothing).await
}

pub(super) async fn by_alias(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundVersion> {
    let name = required_name(&fields)?;
    let alias = alias(&fields)?;
    let found = call.graph.registry().aliased(&name, &alias).await?;
    let missing = || MlflowRefusal::invalid(format!("Registered model alias {alias} not found."));
    Ok(FoundVersion::answer(found.ok_or_else(missing)?.version))
}
