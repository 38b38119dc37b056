//! What the rows of a run say.

use std::collections::BTreeMap;

use super::rows::{AttributeRow, AttributeValue};
use crate::cli::import::facts::{self, FactList, NOTE_TAG, run_id};
use crate::cli::import::target::RunEnd;
use crate::graph::tracking::NewRun;
use crate::model::{ExecutionState, MetricPoint};
use crate::utc::utc_text;

/// What attributes of Neptune's own begin with.
const SYSTEM_PREFIX: &str = "sys/";

/// A file of a run.
#[derive(Debug)]
pub(super) struct RunFile {
    /// Its path below the files of the run here.
    pub path: String,
    /// Its path below the files of the export.
    pub source: String,
}

/// What the rows of a run say, but for its series.
#[derive(Debug, Default)]
pub(super) struct RunAttributes {
    pub project: String,
    pub run: String,
    values: BTreeMap<String, AttributeValue>,
    pub files: Vec<RunFile>,
    /// The rows of each type that is left out.
    pub left_out: BTreeMap<String, usize>,
}

/// Whether a row is a point of a metric.
pub(super) fn is_point(row: &AttributeRow) -> bool {
    row.kind == "float_series"
}

/// The point that a row is; `None` for one without a value. `start` is the time of one without any.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn point(
    row: AttributeRow,
    multiplier: i64,
    start: i64,
) -> Result<Option<MetricPoint>, String> {
    let step = row.whole_step(multiplier);
    let step = step.ok_or_else(|| format!("the step of {} is too large", row.path))?;
    facts::check_key(&row.path)?;
    let AttributeValue::Float(value) = row.value else {
        return Ok(None);
    };
    Ok(Some(MetricPoint {
        value,
        time: row.time.unwrap_or(start),
        key: row.path,
        step,
    }))
}

fn text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::None => String::new(),
        AttributeValue::Int(number) => number.to_string(),
        AttributeValue::Float(number) => number.to_string(),
        AttributeValue::Bool(flag) => flag.to_string(),
        AttributeValue::Text(text) | AttributeValue::File(text) => text.clone(),
        AttributeValue::Time(milliseconds) => utc_text(*milliseconds),
        AttributeValue::Texts(texts) => serde_json::json!(texts).to_string(),
    }
}

impl RunAttributes {
    /// Adds what a row says.
    ///
    /// # Errors
    ///
    /// If it is of another run.
    pub(super) fn add(&mut self, row: AttributeRow, multiplier: i64) -> Result<(), String> {
        if self.run.is_empty() {
            (self.project, self.run) = (row.project.clone(), row.run.clone());
        }
        if (&self.project, &self.run) != (&row.project, &row.run) {
            return Err(format!("it has rows of {} and {}", self.run, row.run));
        }
        match (row.kind.as_str(), &row.value) {
            ("float_series", _) => {}
            ("int" | "float" | "string" | "bool" | "datetime" | "string_set", _) => {
                self.values.insert(row.path, row.value);
            }
            (kind, AttributeValue::File(source)) => {
                let path = if kind == "file_series" {
                    let step = row.whole_step(multiplier).unwrap_or_default();
                    format!("{}/step_{step}", row.path)
                } else {
                    row.path
                };
                let source = source.clone();
                self.files.push(RunFile { path, source });
            }
            _ => *self.left_out.entry(row.kind).or_default() += 1,
        }
        Ok(())
    }

    /// Its path: project and id.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.project, self.run)
    }

    fn system(&self, name: &str) -> Option<&AttributeValue> {
        self.values.get(&[SYSTEM_PREFIX, name].concat())
    }

    fn system_text(&self, name: &str) -> String {
        self.system(name).map(text).unwrap_or_default()
    }

    fn time(&self, name: &str) -> Option<i64> {
        match self.system(name)? {
            AttributeValue::Time(milliseconds) => Some(*milliseconds),
            _ => None,
        }
    }

    fn is(&self, name: &str) -> bool {
        self.system(name) == Some(&AttributeValue::Bool(true))
    }

    /// How it ended. Its end is its start with the time that it ran, or else its last change.
    pub(super) fn end(&self) -> RunEnd {
        let is_active = self.system_text("state").eq_ignore_ascii_case("active");
        let state = if is_active {
            ExecutionState::Running
        } else if self.is("failed") {
            ExecutionState::Failed
        } else {
            ExecutionState::Complete
        };
        let ran = match self.system("running_time") {
            Some(AttributeValue::Float(seconds)) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a cast of a float saturates"
                )]
                let milliseconds = (seconds * 1000.0).round() as i64;
                Some(milliseconds).filter(|it| *it > 0)
            }
            _ => None,
        };
        let start = self.time("creation_time");
        let ended = start.zip(ran).map(|(start, ran)| start.saturating_add(ran));
        let end_time = ended.or_else(|| self.time("modification_time"));
        RunEnd {
            id: run_id("neptune", &self.path()),
            state,
            end_time: end_time.filter(|_| !is_active),
            is_deleted: self.is("trashed"),
        }
    }

    /// The run, with its parameters.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn begin(&self) -> Result<(NewRun, FactList), String> {
        let mut tags = FactList::new();
        let mut params = FactList::new();
        facts::add(&mut tags, NOTE_TAG, &self.system_text("description"))?;
        facts::add(&mut tags, "neptune.run", &self.path())?;
        for (path, value) in &self.values {
            if path.starts_with(SYSTEM_PREFIX) {
                facts::add(&mut tags, &["neptune.", path].concat(), &text(value))?;
            } else {
                facts::add(&mut params, path, &text(value))?;
            }
        }
        let new = NewRun {
            id: run_id("neptune", &self.path()),
            name: self.run.clone(),
            owner: self.system_text("owner"),
            start_time: self.time("creation_time").unwrap_or_default(),
            tags,
            ..NewRun::default()
        };
        Ok((new, params))
    }
}
