//! Metrics, parameters and tags of runs.

use serde_json::Value as Json;

use super::above::{self, last_tag};
use super::fields::{set_texts, text};
use super::models::{artifact_ids, is_deleted};
use super::names::{RUN_NAME_TAG, metric_property, param_property, tag_property};
use super::runs::{check_active, lock, rename};
use super::schema::TrackingTypes;
use crate::error::{Error, Result};
use crate::graph::nodes::locked::LockedNode;
use crate::graph::write::Write;
use crate::model::{Kind, MetricPoint, NodeContent, Origin, Value, distinct_ids};
use crate::storage::Tx;
use crate::storage::tables::tracking::metrics;
use crate::storage::tables::tracking::model_metrics::{self, ModelMetricRow};

/// Adds to a run, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct LogRun {
    pub id: String,
    /// Equal points are one.
    pub metrics: Vec<MetricPoint>,
    /// Those of the metrics that are about models too.
    pub model_metrics: Vec<ModelPoint>,
    /// Parameters never change. None comes twice.
    pub params: Vec<(String, String)>,
    /// The last one of a key counts.
    pub tags: Vec<(String, String)>,
    /// Tags to delete.
    pub deleted_tags: Vec<String>,
    /// Makes the text of the refusal to change parameters.
    pub conflict_text: Option<fn(&str, &[ParamConflict]) -> String>,
}

/// Appends to a list of JSON that a tag of a run has.
#[derive(Clone, Debug)]
pub struct ExtendTag {
    pub id: String,
    pub key: &'static str,
    pub entry: Json,
}

/// The most bytes of such a list, which is what MySQL stores in a property.
const MAX_TAG_LIST_BYTES: usize = 65_535;

impl Write for ExtendTag {
    type Answer = ();

    /// # Errors
    ///
    /// `NotFound` for an unknown run; `InvalidArgument` for a deleted one, for a tag that has
    /// something else, and for a list that gets too long.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let mut edit = lock(tx, &self.id, origin).await?;
        let content = &mut edit.content;
        check_active(&self.id, content)?;
        let tag = tag_property(self.key).name;
        let known = text(&content.custom_properties, &tag);
        let known = if known.is_empty() { "[]" } else { &known };
        let list: Option<Vec<Json>> = serde_json::from_str(known).ok();
        let mut list =
            list.ok_or_else(|| Error::invalid(format!("the tag {} has no list", self.key)))?;
        list.push(self.entry.clone());
        let list = Json::Array(list).to_string();
        if list.len() > MAX_TAG_LIST_BYTES {
            return Err(Error::invalid(format!(
                "the list in the tag {} would have more than {MAX_TAG_LIST_BYTES} bytes",
                self.key
            )));
        }
        content.custom_properties.insert(tag, Value::String(list));
        LockedNode::store(tx, Kind::Execution, vec![edit], origin.time).await?;
        Ok(())
    }
}

/// A value of a metric of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPoint {
    /// The id of the model.
    pub model: String,
    /// The name and the digest of the dataset on which it was measured; both empty without one.
    pub dataset: (String, String),
    pub point: MetricPoint,
}

/// A parameter that would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamConflict {
    pub key: String,
    pub stored: String,
    pub given: String,
}

impl Write for LogRun {
    type Answer = ();

    /// # Errors
    ///
    /// `NotFound` for an unknown run and for a tag to delete that it lacks; `InvalidArgument` for a
    /// deleted run and for another value of a parameter; `FailedPrecondition` for an unknown model.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        // Locks are taken in one order by all writes: contexts, executions, artifacts.
        above::join(tx, &self.id, &self.tags, origin).await?;
        let mut edit = lock(tx, &self.id, origin).await?;
        let execution_id = edit.stored().id;
        let content = &mut edit.content;
        check_active(&self.id, content)?;
        self.set_params(content)?;
        self.change_tags(content)?;
        if !self.metrics.is_empty() {
            let latest = metrics::put(tx, execution_id, &self.metrics).await?;
            for point in &latest {
                set_metric(content, point);
            }
            if !latest.is_empty() {
                // The property may be as it was, but the step of its point is another one.
                edit.touch();
            }
        }
        LockedNode::store(tx, Kind::Execution, vec![edit], origin.time).await?;
        self.log_to_models(tx, execution_id, origin).await
    }
}

/// Adds parameters, which never change, and returns those that would.
pub(super) fn set_params(
    content: &mut NodeContent,
    params: &[(String, String)],
) -> Vec<ParamConflict> {
    let custom = &mut content.custom_properties;
    let mut conflicts = Vec::new();
    for (key, given) in params {
        let given = Value::String(given.clone());
        let stored = custom.entry(param_property(key).name);
        let stored = stored.or_insert_with(|| given.clone());
        if *stored != given {
            conflicts.push(ParamConflict {
                key: key.clone(),
                stored: shown(stored),
                given: shown(&given),
            });
        }
    }
    conflicts
}

impl LogRun {
    async fn log_to_models(&self, tx: &mut Tx, execution_id: i64, origin: &Origin) -> Result<()> {
        if self.model_metrics.is_empty() {
            return Ok(());
        }
        let types = TrackingTypes::ensure(tx, origin).await?;
        let ids = self.model_metrics.iter().map(|it| it.model.as_str());
        let ids: Vec<&str> = ids.collect();
        let ids = artifact_ids(tx, types, &ids).await?;
        let artifacts = distinct_ids(ids.values().copied());
        let mut edits = LockedNode::lock_all(tx, Kind::Artifact, &artifacts).await?;
        edits.retain(|edit| !is_deleted(&edit.content));
        let live: Vec<i64> = edits.iter().map(|edit| edit.stored().id).collect();
        let row = |it: &ModelPoint| {
            let artifact_id = ids.get(&it.model).filter(|id| live.contains(id));
            let artifact_id = artifact_id.ok_or_else(|| {
                let model = &it.model;
                Error::FailedPrecondition(format!("there is no logged model with ID '{model}'"))
            })?;
            let (dataset_name, dataset_digest) = it.dataset.clone();
            Ok(ModelMetricRow {
                artifact_id: *artifact_id,
                dataset_name,
                dataset_digest,
                execution_id,
                point: it.point.clone(),
            })
        };
        let rows: Vec<ModelMetricRow> =
            self.model_metrics.iter().map(row).collect::<Result<_>>()?;
        for (artifact_id, point) in model_metrics::put(tx, &rows).await? {
            let edit = edits.iter_mut().find(|it| it.stored().id == artifact_id);
            if let Some(edit) = edit {
                set_metric(&mut edit.content, &point);
            }
        }
        LockedNode::store(tx, Kind::Artifact, edits, origin.time).await?;
        Ok(())
    }

    fn set_params(&self, content: &mut NodeContent) -> Result<()> {
        let conflicts = set_params(content, &self.params);
        if conflicts.is_empty() {
            return Ok(());
        }
        let text = self.conflict_text.map(|text| text(&self.id, &conflicts));
        let text = text.unwrap_or_else(|| "a parameter cannot be changed".to_owned());
        Err(Error::invalid(text))
    }

    fn change_tags(&self, content: &mut NodeContent) -> Result<()> {
        for key in &self.deleted_tags {
            let tag = tag_property(key).name;
            if content.custom_properties.remove(&tag).is_none() {
                return Err(Error::NotFound(format!(
                    "No tag with name: {key} in run with id {}",
                    self.id
                )));
            }
        }
        if let Some(name) = last_tag(&self.tags, RUN_NAME_TAG) {
            rename(content, name);
        }
        set_texts(content, tag_property, &self.tags);
        Ok(())
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Sets the property of a metric to its latest value. Not every database stores NaN and infinities
/// there: of these, only the series knows.
fn set_metric(content: &mut NodeContent, latest: &MetricPoint) {
    let name = metric_property(&latest.key);
    let value = Value::double(latest.value);
    if value.is_non_finite() {
        content.custom_properties.remove(&name);
    } else {
        content.custom_properties.insert(name, value);
    }
}
