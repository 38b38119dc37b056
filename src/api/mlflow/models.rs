//! Logged models.

use axum::Json;
use axum::extract::Path;
use serde::Serialize;

use super::checks::check_length;
use super::experiments::{number, searched_experiments, tags};
use super::fields::Fields;
use super::log::{check_distinct, parameter};
use super::model_views::{LoggedModelView, MODEL_STATES};
use super::page::AskedPage;
use super::refusal::MlflowRefusal;
use super::run_names::new_id_and_name;
use super::runs::tag;
use super::{Answer, Empty, TrackingRequest, done, filter};
use crate::api::call::Call;
use crate::graph::tracking::{EditModel, LoggedModel, ModelChange, NewModel};
use crate::model::{MetricDataset, TrackingQuery};

/// Characters that a name of a model does not have.
const FORBIDDEN_CHARACTERS: [char; 6] = ['/', ':', '.', '%', '"', '\''];

/// The most datasets that a search names.
const MAX_SEARCHED_DATASETS: usize = 16;

/// The most characters of what identifies a model.
const MAX_MODEL_TEXT_CHARACTERS: usize = 500;

#[derive(Serialize)]
pub(super) struct FoundModel {
    model: LoggedModelView,
}

#[derive(Serialize)]
pub(super) struct ModelPage {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<LoggedModelView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn answer(model: LoggedModel) -> Json<FoundModel> {
    Json(FoundModel {
        model: model.into(),
    })
}

pub(super) async fn create(TrackingRequest(call, fields): TrackingRequest) -> Answer<FoundModel> {
    let experiment = number(fields.required_text("experiment_id")?)?;
    let (id, made_up) = new_id_and_name();
    let text = |name| {
        let text = fields.text(name)?.unwrap_or_default();
        check_length(name, text, MAX_MODEL_TEXT_CHARACTERS)?;
        Ok::<_, MlflowRefusal>(text.to_owned())
    };
    let name = match fields.text("name")? {
        None => made_up,
        Some(_) => checked_name(text("name")?)?,
    };
    let new = NewModel {
        id: ["m-", &id].concat(),
        experiment,
        name,
        model_type: text("model_type")?,
        source_run: text("source_run_id")?,
        params: params(&fields)?,
        tags: checked_tags(&fields)?,
        artifact_uri: None,
    };
    Ok(answer(call.graph.write(&call.caller, new).await?))
}

fn checked_name(name: String) -> Result<String, MlflowRefusal> {
    if name.is_empty() || name.contains(FORBIDDEN_CHARACTERS) {
        return Err(MlflowRefusal::invalid(format!(
            "Invalid model name ('{name}') provided. Model name must be a non-empty string and \
             cannot contain the following characters: ('/', ':', '.', '%', '\"', \"'\")"
        )));
    }
    Ok(name)
}

fn params(fields: &Fields) -> Result<Vec<(String, String)>, MlflowRefusal> {
    let params = fields.objects("params")?;
    let params = params.iter().map(|it| parameter(it, it.key()));
    let params: Vec<(String, String)> = params.collect::<Result<_, _>>()?;
    check_distinct(&params)?;
    Ok(params)
}

fn checked_tags(fields: &Fields) -> Result<Vec<(String, String)>, MlflowRefusal> {
    let tags = tags(fields)?.into_iter();
    tags.map(|(key, value)| tag("key", key, &value)).collect()
}

pub(super) async fn by_id(
    Path(id): Path<String>,
    TrackingRequest(call, _): TrackingRequest,
) -> Answer<FoundModel> {
    let found = call.graph.tracking().model(&id).await?;
    let missing = || MlflowRefusal::missing(format!("Logged model with ID '{id}' not found."));
    Ok(answer(found.ok_or_else(missing)?))
}

async fn change(
    call: &Call,
    id: String,
    change: ModelChange,
) -> Result<LoggedModel, MlflowRefusal> {
    let edit = EditModel { id, change };
    Ok(call.graph.write(&call.caller, edit).await?)
}

pub(super) async fn finalize(
    Path(id): Path<String>,
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<FoundModel> {
    fields.required_text("model_id")?;
    if !fields.has("status") {
        return Err(fields.missing("status"));
    }
    let state = fields.choice("status", &MODEL_STATES);
    let model = change(&call, id, ModelChange::SetState(state)).await?;
    Ok(answer(model))
}

pub(super) async fn delete(
    Path(id): Path<String>,
    TrackingRequest(call, _): TrackingRequest,
) -> Answer<Empty> {
    change(&call, id, ModelChange::Delete).await?;
    Ok(done())
}

pub(super) async fn add_params(
    Path(id): Path<String>,
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<Empty> {
    fields.required_text("model_id")?;
    change(&call, id, ModelChange::AddParams(params(&fields)?)).await?;
    Ok(done())
}

pub(super) async fn set_tags(
    Path(id): Path<String>,
    TrackingRequest(call, fields): TrackingRequest,
) -> Answer<Empty> {
    change(&call, id, ModelChange::SetTags(checked_tags(&fields)?)).await?;
    Ok(done())
}

pub(super) async fn delete_tag(
    Path((id, key)): Path<(String, String)>,
    TrackingRequest(call, _): TrackingRequest,
) -> Answer<Empty> {
    change(&call, id, ModelChange::DeleteTag(key)).await?;
    Ok(done())
}

pub(super) async fn search(TrackingRequest(call, fields): TrackingRequest) -> Answer<ModelPage> {
    let page = AskedPage::of_models(&fields)?;
    let datasets = fields.objects("datasets")?;
    if datasets.len() > MAX_SEARCHED_DATASETS {
        return Err(MlflowRefusal::invalid(format!(
            "a search names at most {MAX_SEARCHED_DATASETS} datasets"
        )));
    }
    let named = |it: &Fields| dataset(it)?.ok_or_else(|| it.missing("dataset_name"));
    let datasets = datasets.iter().map(named);
    let datasets: Vec<MetricDataset> = datasets.collect::<Result<_, MlflowRefusal>>()?;
    let filter_text = fields.text("filter")?.unwrap_or_default();
    let orders = fields.objects("order_by")?;
    let orders = orders.iter().map(|order| {
        let name = order.required_text("field_name")?;
        let is_ascending = order.flag("ascending", true)?;
        Ok((name, !is_ascending, dataset(order)?))
    });
    let orders: Vec<_> = orders.collect::<Result<_, MlflowRefusal>>()?;
    let query = TrackingQuery {
        conditions: filter::model_conditions(filter_text, &datasets)?,
        order: filter::model_orders(orders)?,
        page: page.with_next(),
    };
    let numbers = searched_experiments(&fields)?;
    let mut found = call.graph.tracking().models(&numbers, &query).await?;
    let next_page_token = page.next(&mut found);
    Ok(Json(ModelPage {
        models: found.into_iter().map(Into::into).collect(),
        next_page_token,
    }))
}

/// The dataset that an object names, if it names one.
fn dataset(fields: &Fields) -> Result<Option<MetricDataset>, MlflowRefusal> {
    let text = |name| Ok::<_, MlflowRefusal>(fields.text(name)?.filter(|text| !text.is_empty()));
    let digest = text("dataset_digest")?;
    match text("dataset_name")? {
        Some(name) => Ok(Some(MetricDataset {
            name: name.to_owned(),
            digest: digest.map(str::to_owned),
        })),
        None if digest.is_some() => Err(fields.missing("dataset_name")),
        None => Ok(None),
    }
}
