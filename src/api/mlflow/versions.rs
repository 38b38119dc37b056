//! Versions of registered models.

use axum::Json;
use serde::Serialize;

use super::checks::{MAX_KEY_CHARACTERS, check_length};
use super::fields::Fields;
use super::page::AskedPage;
use super::refusal::MlflowRefusal;
use super::registered::{
    MAX_REGISTRY_TEXT_CHARACTERS, description, new_tags, required_name, tag_key, tag_value,
};
use super::registry_views::{ModelVersionView, NO_STAGE};
use super::{Answer, Empty, TrackingRequest, done, filter};
use crate::api::call::Call;
use crate::graph::registered::names::is_prompt;
use crate::graph::registered::{
    EditVersion, ModelVersion, NewVersion, VersionChange, VersionSource,
};
use crate::model::TrackingQuery;

/// The stages that a version may be in.
const STAGES: [&str; 4] = [NO_STAGE, "Staging", "Production", "Archived"];

/// The stages of versions that are in use.
const ACTIVE_STAGES: [&str; 2] = ["Staging", "Production"];

#[derive(Serialize)]
pub(super) struct FoundVersion {
    model_version: ModelVersionView,
}

impl FoundVersion {
    pub(super) fn answer(version: ModelVersion) -> Json<Self> {
        Json(Self {
            model_version: version.into(),
        })
    }
}

#[derive(Serialize)]
pub(super) struct VersionPage {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_versions: Vec<ModelVersionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
pub(super) struct DownloadUri {
    artifact_uri: String,
}

/// A version, which is a text that is an integer.
pub(super) fn required_version(fields: &Fields) -> Result<String, MlflowRefusal> {
    let version = fields.required_text("version")?;
    match version.trim().parse::<i64>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(MlflowRefusal::invalid(format!(
            "Parameter 'version' must be an integer, got '{version}'."
        ))),
    }
}

fn invalid_source(source: &str, why: &str) -> MlflowRefusal {
    MlflowRefusal::invalid(format!("Invalid model version source: '{source}'. {why}"))
}

/// What a source of a version means.
///
/// # Errors
///
/// A refusal of a local path, of which the server knows nothing, and of one with `..`.
pub(super) fn version_source(source: &str, run: &str) -> Result<VersionSource, MlflowRefusal> {
    let Some((scheme, rest)) = source.split_once(":/") else {
        return Err(if run.is_empty() {
            invalid_source(
                source,
                "To use a local path as a model version source, the run_id request parameter has \
                 to be specified and the local path has to be contained within the artifact \
                 directory of the run specified by the run_id.",
            )
        } else {
            invalid_source(
                source,
                "The run_id request parameter must identify the resource that contains the source.",
            )
        });
    };
    let decoded = percent_encoding::percent_decode_str(rest).decode_utf8_lossy();
    if decoded.split(['/', '\\']).any(|part| part == "..") {
        return Err(invalid_source(
            source,
            "If supplying a source as an http, https, local file path, ftp, objectstore, or \
             mlflow-artifacts uri, an absolute path must be provided without relative path \
             references present. Please provide an absolute path.",
        ));
    }
    let unknown = || invalid_source(source, "It names no model.");
    Ok(match scheme {
        "models" => match (rest.split_once('/'), rest.split_once('@')) {
            (Some((name, version)), _) if !name.is_empty() => {
                VersionSource::Version(name.to_owned(), version.to_owned())
            }
            (None, Some((name, alias))) => VersionSource::Alias(name.to_owned(), alias.to_owned()),
            (None, None) if !rest.is_empty() => VersionSource::LoggedModel(rest.to_owned()),
            _ => return Err(unknown()),
        },
        "runs" => {
            let (id, path) = rest.split_once('/').ok_or_else(unknown)?;
            VersionSource::RunFile(id.to_owned(), path.to_owned())
        }
        "mlflow-artifacts" | "file" => VersionSource::FileOfRun(source.to_owned()),
        _ => VersionSource::Uri(source.to_owned()),
    })
}

/// What clients send as the source of a prompt, which has none.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];

fn prompt_source(source: &str) -> Result<VersionSource, MlflowRefusal> {
    if PROMPT_SOURCES.contains(&source) {
        return Ok(VersionSource::Nothing);
    }
    Err(MlflowRefusal::invalid(format!(
        "Invalid prompt source: '{source}'. Prompt sources must use an MLflow placeholder."
    )))
}

pub(super) async fn create(TrackingRequest(call, fields): TrackingRequest) -> Answer<FoundVersion> {
    let model = required_name(&fields)?;
    let given_source = fields.required_text("source")?.to_owned();
    let text = |name, max| {
        let text = fields.text(name)?.unwrap_or_default();
        check_length(name, text, max)?;
        Ok::<_, MlflowRefusal>(text.to_owned())
    };
    check_length("source", &given_source, MAX_REGISTRY_TEXT_CHARACTERS)?;
    let run = text("run_id", MAX_KEY_CHARACTERS)?;
    let model_id = text("model_id", MAX_KEY_CHARACTERS)?;
    let tags = new_tags(&fields)?;
    let source = match model_id.as_str() {
        _ if is_prompt(&tags) => prompt_source(&given_source)?,
        "" => version_source(&given_source, &run)?,
        _ => VersionSource::LoggedModel(model_id),
    };
    let new = NewVersion {
        model,
        given_source,
        source,
        run,
        run_link: text("run_link", MAX_REGISTRY_TEXT_CHARACTERS)?,
        description: description(&fields)?.unwrap_or_default(),
        tags,
        creates_model: false,
        number: None,
    };
    let version = call.graph.write(&call.caller, new).await?;
    Ok(FoundVersion::answer(version))
}

/// The version that a request names.
pub(super) async fn read(call: &Call, fields: &Fields) -> Result<ModelVersion, MlflowRefusal> {
    let (model, version) = (required_name(fields)?, required_version(fields)?);
    Ok(call.graph.registry().version(&model, &version).await?)
}

async fn change(
    call: &Call,
    fields: &Fields,
    change: VersionChange,
) -> Result<ModelVersion, MlflowRefusal> {
    let edit = EditVersion {
        model: required_name(fields)?,
        version: required_version(fields)?,
        change,
    };
    Ok(call.graph.write(&call.caller, edit).await?)
}

pub(super) async fn by_version(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundVersion> {
    Ok(FoundVersion::answer(read(&call, &fields).await?))
}

pub(super) async fn download_uri(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<DownloadUri> {
    let version = read(&call, &fields).await?;
    Ok(Json(DownloadUri {
        artifact_uri: version.download_uri,
    }))
}

pub(super) async fn update(TrackingRequest(call, fields): TrackingRequest) -> Answer<FoundVersion> {
    let described = VersionChange::Describe(description(&fields)?);
    let version = change(&call, &fields, described).await?;
    Ok(FoundVersion::answer(version))
}

pub(super) async fn delete(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    change(&call, &fields, VersionChange::Delete).await?;
    Ok(done())
}

pub(super) async fn set_tag(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let (key, value) = (tag_key(&fields)?, tag_value(&fields)?);
    change(&call, &fields, VersionChange::SetTag { key, value }).await?;
    Ok(done())
}

pub(super) async fn delete_tag(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let key = tag_key(&fields)?;
    change(&call, &fields, VersionChange::DeleteTag { key }).await?;
    Ok(done())
}

pub(super) async fn transition(
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundVersion> {
    let given = fields.required_text("stage")?;
    let stage = STAGES.into_iter().find(|it| it.eq_ignore_ascii_case(given));
    let stage = stage.ok_or_else(|| {
        MlflowRefusal::invalid(format!(
            "Invalid Model Version stage: {given}. Value must be one of {}.",
            STAGES.join(", ")
        ))
    })?;
    let archives_others = fields.flag("archive_existing_versions", false)?;
    if archives_others && !ACTIVE_STAGES.contains(&stage) {
        return Err(MlflowRefusal::invalid(format!(
            "Model version transition cannot archive existing model versions because '{stage}' is \
             not an Active stage. Valid stages are ['Staging', 'Production']"
        )));
    }
    let stage = if stage == NO_STAGE { "" } else { stage };
    let moved = VersionChange::SetStage {
        stage: stage.to_owned(),
        archives_others,
    };
    let version = change(&call, &fields, moved).await?;
    Ok(FoundVersion::answer(version))
}

pub(super) async fn search(TrackingRequest(call, fields): TrackingRequest) -> Answer<VersionPage> {
    let page = AskedPage::of_versions(&fields)?;
    let query = TrackingQuery {
        conditions: filter::version_conditions(fields.text("filter")?.unwrap_or_default())?,
        order: filter::version_orders(&fields.texts("order_by")?)?,
        page: page.with_next(),
    };
    let mut found = call.graph.registry().versions(&query).await?;
    let next_page_token = page.next(&mut found);
    Ok(Json(VersionPage {
        model_versions: found.into_iter().map(Into::into).collect(),
        next_page_token,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_models_runs_or_uris() {
        let text = str::to_owned;
        for (source, expected) in [
            ("models:/m-1", VersionSource::LoggedModel(text("m-1"))),
            ("models:/A/3", VersionSource::Version(text("A"), text("3"))),
            ("models:/A@b", VersionSource::Alias(text("A"), text("b"))),
            (
                "runs:/r/m/x",
                VersionSource::RunFile(text("r"), text("m/x")),
            ),
            ("s3://b/x", VersionSource::Uri(text("s3://b/x"))),
        ] {
            assert_eq!(version_source(source, "").unwrap(), expected, "{source}");
        }
        for source in [
            "/tmp/x",
            "x",
            "s3://b/../x",
            "s3://b/%2e%2e/x",
            "models:/",
            "runs:/r",
        ] {
            assert!(version_source(source, "r").is_err(), "{source}");
        }
    }
}
