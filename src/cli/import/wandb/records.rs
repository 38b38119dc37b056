//! What the lines of an export of Weights & Biases have.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::import::facts::{
    self, COMMIT_TAG, FactList, Leaf, MAX_TEXT_BYTES, NOTE_TAG, check_key, leaves, run_id,
};
use crate::cli::import::target::RunEnd;
use crate::graph::tracking::{NewRun, RunArtifact};
use crate::loose_json::quote_numbers;
use crate::model::{ExecutionState, MetricPoint, Value};

/// What a line is about. All but `run` name the run, whose line comes before them.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum ExportLine {
    /// A run begins.
    Run(Box<ExportedRun>),
    /// A row of its history.
    History { run: String, row: Map<String, Json> },
    /// An artifact that it made.
    Logged(Box<ExportedArtifact>),
    /// An artifact that it used.
    Used(Box<ExportedArtifact>),
    /// All of it has been exported.
    End { run: String },
}

impl ExportLine {
    /// # Errors
    ///
    /// What is wrong with the line.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(&quote_numbers(line)).map_err(|error| error.to_string())
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ExportedRun {
    entity: String,
    project: String,
    pub id: String,
    name: Option<String>,
    state: String,
    created_at: String,
    heartbeat_at: Option<String>,
    user: Option<String>,
    group: Option<String>,
    job_type: Option<String>,
    sweep: Option<String>,
    tags: Option<Vec<String>>,
    notes: Option<String>,
    commit: Option<String>,
    url: Option<String>,
    config: Option<Map<String, Json>>,
    summary: Option<Map<String, Json>>,
}

/// A run as it is to be stored.
#[derive(Debug)]
pub(super) struct BegunRun {
    /// Its path: entity, project and id.
    pub path: String,
    pub new: NewRun,
    pub params: FactList,
    pub end: RunEnd,
    /// The numbers of its summary.
    pub summary: Vec<(String, f64)>,
}

/// A time in milliseconds since epoch. One without an offset is in UTC.
fn milliseconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text} is no time");
    let time = OffsetDateTime::parse(text, &Rfc3339);
    let time = time.or_else(|_| OffsetDateTime::parse(&[text, "Z"].concat(), &Rfc3339));
    let time = time.map_err(|_| wrong())?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).map_err(|_| wrong())
}

impl ExportedRun {
    /// The name of its experiment.
    pub(super) fn experiment(&self) -> String {
        format!("{}/{}", self.entity, self.project)
    }

    /// The run, in no experiment yet.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn begin(self) -> Result<BegunRun, String> {
        if [&self.entity, &self.project, &self.id]
            .iter()
            .any(|it| it.is_empty())
        {
            return Err("a run has an entity, a project and an id".to_owned());
        }
        let path = format!("{}/{}", self.experiment(), self.id);
        let id = run_id("wandb", &path);
        let state = match self.state.as_str() {
            "pending" => ExecutionState::New,
            "finished" => ExecutionState::Complete,
            "failed" | "crashed" => ExecutionState::Failed,
            "killed" | "preempted" => ExecutionState::Canceled,
            _ => ExecutionState::Running,
        };
        let has_ended = !matches!(state, ExecutionState::New | ExecutionState::Running);
        let summary = self.summary.unwrap_or_default();
        let last_seen = match self.heartbeat_at.as_deref() {
            Some(text) => Some(milliseconds(text)?),
            None => summary.get("_timestamp").and_then(in_milliseconds),
        };
        let labels = self.tags.filter(|labels| !labels.is_empty());
        let labels = labels.map(|labels| serde_json::json!(labels).to_string());
        let mut tags = FactList::new();
        for (key, text) in [
            (NOTE_TAG, &self.notes),
            (COMMIT_TAG, &self.commit),
            ("wandb.run", &Some(path.clone())),
            ("wandb.state", &Some(self.state)),
            ("wandb.url", &self.url),
            ("wandb.group", &self.group),
            ("wandb.job_type", &self.job_type),
            ("wandb.sweep", &self.sweep),
            ("wandb.tags", &labels),
        ] {
            facts::add(&mut tags, key, text.as_deref().unwrap_or_default())?;
        }
        let mut params = FactList::new();
        for (key, value) in leaves(&self.config.unwrap_or_default()) {
            facts::add(&mut params, &key, &facts::text(value))?;
        }
        let mut numbers = Vec::new();
        for (key, value) in leaves(&summary) {
            match Leaf::of(value) {
                _ if key.starts_with('_') => {}
                Leaf::Number(number) => {
                    check_key(&key)?;
                    numbers.push((key, number));
                }
                Leaf::Text(text) => {
                    facts::add(&mut tags, &["wandb.summary.", &key].concat(), &text)?;
                }
                Leaf::Media | Leaf::Object(_) | Leaf::Null => {}
            }
        }
        Ok(BegunRun {
            path,
            new: NewRun {
                id: id.clone(),
                name: self.name.filter(|it| !it.is_empty()).unwrap_or(self.id),
                owner: self.user.unwrap_or_default(),
                start_time: milliseconds(&self.created_at)?,
                tags,
                ..NewRun::default()
            },
            params,
            end: RunEnd {
                id,
                state,
                end_time: last_seen.filter(|_| has_ended),
                is_deleted: false,
            },
            summary: numbers,
        })
    }
}

/// Later times are none.
const MAX_SECONDS: f64 = 1e12;

/// A time in seconds since epoch in milliseconds.
fn in_milliseconds(seconds: &Json) -> Option<i64> {
    let seconds = seconds.as_f64().filter(|it| it.abs() < MAX_SECONDS)?;
    #[expect(clippy::cast_possible_truncation, reason = "it has been compared")]
    let milliseconds = (seconds * 1000.0).round() as i64;
    Some(milliseconds)
}

/// The points of a row. `start` is the time of a row without one.
///
/// # Errors
///
/// What is wrong with the row.
pub(super) fn points(row: &Map<String, Json>, start: i64) -> Result<Vec<MetricPoint>, String> {
    let step = match row.get("_step") {
        None | Some(Json::Null) => 0,
        Some(step) => step.as_i64().ok_or("_step is no integer")?,
    };
    let time = match row.get("_timestamp") {
        None | Some(Json::Null) => start,
        Some(seconds) => in_milliseconds(seconds).ok_or("_timestamp is no time in seconds")?,
    };
    let mut points = Vec::new();
    for (key, value) in leaves(row) {
        if let (false, Leaf::Number(value)) = (key.starts_with('_'), Leaf::of(value)) {
            check_key(&key)?;
            points.push(MetricPoint {
                key,
                value,
                time,
                step,
            });
        }
    }
    Ok(points)
}

#[derive(Debug, Deserialize)]
pub(super) struct ExportedArtifact {
    pub run: String,
    /// `ENTITY/PROJECT/NAME:VERSION`.
    name: String,
    r#type: Option<String>,
    aliases: Option<Vec<String>>,
    digest: Option<String>,
    size: Option<i64>,
    file_count: Option<i64>,
    description: Option<String>,
    metadata: Option<Map<String, Json>>,
    created_at: Option<String>,
    entries: Option<Vec<ManifestEntry>>,
}

/// A file of an artifact.
#[derive(Debug, Deserialize, serde::Serialize)]
struct ManifestEntry {
    path: String,
    digest: Option<String>,
    size: Option<i64>,
    /// Where it is, if it is not at Weights & Biases.
    r#ref: Option<String>,
}

impl ExportedArtifact {
    /// The artifact as it is to be stored.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn artifact(self) -> Result<RunArtifact, String> {
        let wrong = || format!("{} is no ENTITY/PROJECT/NAME:VERSION", self.name);
        let (collection, version) = self.name.rsplit_once(':').ok_or_else(wrong)?;
        let parts: Vec<&str> = collection.split('/').collect();
        if parts.len() != 3 || parts.iter().any(|it| it.is_empty()) || version.is_empty() {
            return Err(wrong());
        }
        let entries = self.entries.unwrap_or_default();
        // One place of other data is that of the artifact.
        let uri = match &entries[..] {
            [
                ManifestEntry {
                    r#ref: Some(uri), ..
                },
            ] if !uri.starts_with(SCHEME) => uri.clone(),
            _ => [SCHEME, collection].concat(),
        };
        let list = |list: serde_json::Result<String>| list.map_err(|error| error.to_string());
        let aliases = list(serde_json::to_string(&self.aliases.unwrap_or_default()))?;
        let manifest = list(serde_json::to_string(&entries))?;
        let manifest = Some(manifest).filter(|_| !entries.is_empty());
        let metadata = self.metadata.filter(|it| !it.is_empty());
        let metadata = metadata.map(|it| Json::Object(it).to_string());
        let texts = [
            ("version", Some(version.to_owned())),
            ("wandb.type", self.r#type),
            ("wandb.aliases", Some(aliases)),
            ("wandb.description", self.description),
            ("wandb.metadata", metadata),
            ("wandb.created_at", self.created_at),
            // Longer lists are left out: the digest says what they are.
            ("wandb.entries", manifest),
        ];
        let texts = texts.into_iter().filter_map(|(key, text)| {
            let text = text.filter(|it| (1..=MAX_TEXT_BYTES).contains(&it.len()))?;
            Some((key.to_owned(), Value::String(text)))
        });
        let numbers = [("bytes", self.size), ("files", self.file_count)];
        let numbers = numbers.into_iter();
        let numbers = numbers.filter_map(|(key, it)| Some((key.to_owned(), Value::Int(it?))));
        let digest = self.digest.filter(|it| !it.is_empty());
        Ok(RunArtifact {
            external_id: ["wandb:artifact:", &self.name].concat(),
            uri,
            digest: digest.map_or_else(String::new, |it| ["wandb:", &it].concat()),
            facts: texts.chain(numbers).collect(),
            name: self.name,
            ..RunArtifact::default()
        })
    }
}

/// What URIs of artifacts of Weights & Biases begin with.
const SCHEME: &str = "wandb-artifact://";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_may_lack_an_offset() {
        for (text, expected) in [
            ("1970-01-01T00:00:01", 1000),
            ("1970-01-01T00:00:01.5Z", 1500),
            ("1970-01-01T01:00:00+01:00", 0),
        ] {
            assert_eq!(milliseconds(text).unwrap(), expected, "{text}");
        }
        milliseconds("yesterday").unwrap_err();
    }

    #[test]
    fn numbers_of_a_row_are_points() {
        let row = json!({
            "_step": 3, "_timestamp": 1.5, "_runtime": 9, "loss": 0.5, "none": "NaN",
            "val": {"acc": 1}, "image": {"_type": "image-file", "size": 3}, "text": "x",
            "flag": true, "empty": null,
        });
        let found = points(row.as_object().unwrap(), 0).unwrap();
        let keys: Vec<&str> = found.iter().map(|point| point.key.as_str()).collect();
        assert_eq!(keys, ["loss", "none", "val.acc"]);
        assert!(found.iter().all(|it| (it.step, it.time) == (3, 1500)));
        for wrong in [json!({"_step": "x"}), json!({"_timestamp": "x"})] {
            points(wrong.as_object().unwrap(), 0).unwrap_err();
        }
    }

    #[test]
    fn an_artifact_is_where_its_only_reference_is() {
        let uri = |entries: Json| {
            let json = json!({
                "run": "r", "name": "e/p/data:v1", "type": "dataset", "entries": entries,
            });
            let artifact: ExportedArtifact = serde_json::from_value(json).unwrap();
            artifact.artifact().unwrap().uri
        };
        let other = json!({"path": "a", "digest": "x", "ref": "s3://b/a"});
        assert_eq!(uri(json!([other])), "s3://b/a");
        assert_eq!(uri(json!([other, other])), "wandb-artifact://e/p/data");
        assert_eq!(uri(json!([])), "wandb-artifact://e/p/data");
        for name in ["e/p/data", "p/data:v1", "e/p/:v1", "e/p/data:"] {
            let json = json!({"run": "r", "name": name});
            let artifact: ExportedArtifact = serde_json::from_value(json).unwrap();
            artifact.artifact().unwrap_err();
        }
    }
}
