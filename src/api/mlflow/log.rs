//! What is logged to runs: metrics, parameters and tags.

use std::collections::BTreeSet;

use super::checks::{
    MAX_KEY_CHARACTERS, MAX_PARAM_CHARACTERS, MAX_PARAM_KEY_CHARACTERS, check_key, check_length,
    cut,
};
use super::fields::Fields;
use super::inputs::{MAX_DATASET_NAME_CHARACTERS, MAX_DIGEST_CHARACTERS};
use super::refusal::MlflowRefusal;
use super::runs::{required_id, tag};
use super::{Answer, Empty, TrackingRequest, done};
use crate::api::call::Call;
use crate::error::Error;
use crate::graph::tracking::{LogRun, ModelPoint, ParamConflict};
use crate::model::MetricPoint;

/// The most entries of each kind in a batch, and of all kinds together.
const MAX_BATCH_METRICS: usize = 1000;
const MAX_BATCH_PARAMS: usize = 100;
const MAX_BATCH_TAGS: usize = 100;
const MAX_BATCH_ENTRIES: usize = 1000;

async fn write(call: &Call, log: LogRun) -> Answer<Empty> {
    match call.graph.write(&call.caller, log).await {
        Err(Error::FailedPrecondition(text)) => Err(MlflowRefusal::bad_request(text)),
        other => Ok(other.map(|()| done())?),
    }
}

pub(super) async fn metric(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let id = required_id(&fields)?;
    let key = fields.required_text("key")?.to_owned();
    let point = point(&fields, key)?;
    let log = LogRun {
        id,
        model_metrics: model_point(&fields, &point)?.into_iter().collect(),
        metrics: vec![point],
        ..LogRun::default()
    };
    write(&call, log).await
}

/// The point as one of a model, if it is about one.
fn model_point(fields: &Fields, point: &MetricPoint) -> Result<Option<ModelPoint>, MlflowRefusal> {
    let text = |name, max| {
        let text = fields.text(name)?.unwrap_or_default();
        check_length(name, text, max)?;
        Ok::<_, MlflowRefusal>(text.to_owned())
    };
    let model = text("model_id", MAX_KEY_CHARACTERS)?;
    let name = text("dataset_name", MAX_DATASET_NAME_CHARACTERS)?;
    let digest = text("dataset_digest", MAX_DIGEST_CHARACTERS)?;
    Ok((!model.is_empty()).then(|| ModelPoint {
        model,
        dataset: (name, digest),
        point: point.clone(),
    }))
}

/// A point of a metric with this key.
fn point(fields: &Fields, key: String) -> Result<MetricPoint, MlflowRefusal> {
    let value = fields.required_number("value")?;
    let time = fields.required_int("timestamp")?;
    let step = fields.int("step")?.unwrap_or_default();
    check_key(&fields.name("name"), &key)?;
    check_length("Metric name", &key, MAX_KEY_CHARACTERS)?;
    if time < 0 {
        let parameter = fields.name("timestamp");
        return Err(MlflowRefusal::invalid(format!(
            "Invalid value {time} for parameter '{parameter}' supplied: metric '{key}' \
             (value={value:?}). Timestamp must be a nonnegative long (64-bit integer) "
        )));
    }
    Ok(MetricPoint {
        key,
        value,
        time,
        step,
    })
}

pub(super) async fn param(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let id = required_id(&fields)?;
    let key = fields.required_text("key")?.to_owned();
    let log = LogRun {
        id,
        params: vec![parameter(&fields, key)?],
        conflict_text: Some(one_conflict),
        ..LogRun::default()
    };
    write(&call, log).await
}

/// A parameter with this key, as it is stored.
pub(super) fn parameter(fields: &Fields, key: String) -> Result<(String, String), MlflowRefusal> {
    let value = fields.text("value")?.unwrap_or_default();
    check_key(&fields.name("key"), &key)?;
    check_length("Param key", &key, MAX_KEY_CHARACTERS)?;
    check_length("Param key", &key, MAX_PARAM_KEY_CHARACTERS)?;
    Ok((key, cut(value, MAX_PARAM_CHARACTERS)))
}

fn one_conflict(run: &str, conflicts: &[ParamConflict]) -> String {
    let text = |it: &ParamConflict| {
        format!(
            "Changing param values is not allowed. Param with key='{}' was already logged with \
             value='{}' for run ID='{run}'. Attempted logging new value '{}'.",
            it.key, it.stored, it.given
        )
    };
    conflicts.first().map(text).unwrap_or_default()
}

fn several_conflicts(run: &str, conflicts: &[ParamConflict]) -> String {
    let text = |it: &ParamConflict| {
        format!(
            "{{'key': '{}', 'old_value': '{}', 'new_value': '{}'}}",
            it.key, it.stored, it.given
        )
    };
    let texts: Vec<String> = conflicts.iter().map(text).collect();
    format!(
        "Changing param values is not allowed. Params were already logged='[{}]' for run \
         ID='{run}'.",
        texts.join(", ")
    )
}

pub(super) async fn set_tag(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let id = required_id(&fields)?;
    let key = fields.required_text("key")?.to_owned();
    let value = fields.text("value")?.unwrap_or_default();
    let log = LogRun {
        id,
        tags: vec![tag("key", key, value)?],
        ..LogRun::default()
    };
    write(&call, log).await
}

pub(super) async fn delete_tag(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let log = LogRun {
        id: required_id(&fields)?,
        deleted_tags: vec![fields.required_text("key")?.to_owned()],
        ..LogRun::default()
    };
    write(&call, log).await
}

pub(super) async fn batch(TrackingRequest(call, fields): TrackingRequest) -> Answer<Empty> {
    let id = required_id(&fields)?;
    let (metrics, params) = (fields.objects("metrics")?, fields.objects("params")?);
    let tags = fields.objects("tags")?;
    check_batch([metrics.len(), params.len(), tags.len()])?;
    let points = metrics.iter().map(|it| point(it, it.key()));
    let points: Vec<MetricPoint> = points.collect::<Result<_, _>>()?;
    let of_models = metrics.iter().zip(&points);
    let of_models = of_models.filter_map(|(it, point)| model_point(it, point).transpose());
    let params = params.iter().map(|it| parameter(it, it.key()));
    let params: Vec<(String, String)> = params.collect::<Result<_, _>>()?;
    check_distinct(&params)?;
    let tags = tags.iter().map(|it| {
        let value = it.text("value")?.unwrap_or_default();
        tag(&it.name("key"), it.key(), value)
    });
    let log = LogRun {
        id,
        model_metrics: of_models.collect::<Result<_, _>>()?,
        metrics: points,
        params,
        tags: tags.collect::<Result<_, _>>()?,
        deleted_tags: Vec::new(),
        conflict_text: Some(several_conflicts),
    };
    write(&call, log).await
}

/// Refuses a batch with too many metrics, parameters or tags.
fn check_batch([metrics, params, tags]: [usize; 3]) -> Result<(), MlflowRefusal> {
    let limits = [
        (metrics, MAX_BATCH_METRICS, "metrics"),
        (params, MAX_BATCH_PARAMS, "params"),
        (tags, MAX_BATCH_TAGS, "tags"),
        (
            metrics + params + tags,
            MAX_BATCH_ENTRIES,
            "metrics, params, and tags",
        ),
    ];
    for (given, max, what) in limits {
        if given > max {
            return Err(MlflowRefusal::invalid(format!(
                "A batch logging request can contain at most {max} {what}. Got {given} {what}. \
                 Please split up {what} across multiple requests and try again."
            )));
        }
    }
    Ok(())
}

/// Refuses parameters of which one comes twice.
pub(super) fn check_distinct(params: &[(String, String)]) -> Result<(), MlflowRefusal> {
    let mut seen = BTreeSet::new();
    let again = params.iter().filter(|(key, _)| !seen.insert(key));
    let again: BTreeSet<String> = again.map(|(key, _)| format!("'{key}'")).collect();
    if again.is_empty() {
        return Ok(());
    }
    let again: Vec<String> = again.into_iter().collect();
    Err(MlflowRefusal::invalid(format!(
        "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains \
         only one param value per param key.",
        again.join(", ")
    )))
}
