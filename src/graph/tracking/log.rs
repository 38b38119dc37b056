//! Metrics, parameters and tags of runs.

use super::names::{RUN_NAME_TAG, metric_property, param_property, tag_property};
use super::runs::{check_active, lock, rename};
use crate::error::{Error, Result};
use crate::graph::nodes::locked::LockedNode;
use crate::graph::write::Write;
use crate::model::{Kind, MetricPoint, NodeContent, Origin, Value};
use crate::storage::Tx;
use crate::storage::tables::tracking::metrics;

/// Adds to a run, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct LogRun {
    pub id: String,
    /// Equal points are one.
    pub metrics: Vec<MetricPoint>,
    /// Parameters never change. None comes twice.
    pub params: Vec<(String, String)>,
    /// The last one of a key counts.
    pub tags: Vec<(String, String)>,
    /// Tags to delete.
    pub deleted_tags: Vec<String>,
    /// Makes the text of the refusal to change parameters.
    pub conflict_text: Option<fn(&str, &[ParamConflict]) -> String>,
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
    /// deleted run and for another value of a parameter.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let mut edit = lock(tx, &self.id, origin).await?;
        let execution_id = edit.stored().id;
        let content = &mut edit.content;
        check_active(&self.id, content)?;
        self.set_params(content)?;
        self.change_tags(content)?;
        if !self.metrics.is_empty() {
            let latest = metrics::put(tx, execution_id, &self.metrics).await?;
            for point in latest {
                set_metric(content, &point);
            }
        }
        LockedNode::store(tx, Kind::Execution, vec![edit], origin.time).await?;
        Ok(())
    }
}

impl LogRun {
    fn set_params(&self, content: &mut NodeContent) -> Result<()> {
        let custom = &mut content.custom_properties;
        let mut conflicts = Vec::new();
        for (key, given) in &self.params {
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
        for (key, value) in &self.tags {
            if key == RUN_NAME_TAG {
                rename(content, value);
            }
            let value = Value::String(value.clone());
            content
                .custom_properties
                .insert(tag_property(key).name, value);
        }
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
