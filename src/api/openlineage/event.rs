//! The JSON of an event. Its kind follows from which of `run`, `job` and `dataset` it has;
//! `schemaURL` is not read.
//!
//! Producers write `null` for what is absent, and a key of a facet twice, of which the last counts.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::refusal::Refusal;
use super::time;
use crate::graph::{EventTime, RunEventType};

/// The most bytes of a namespace, a name or a run's id.
const MAX_NAME_BYTES: usize = 4096;

/// The most inputs, and the most outputs, of an event.
const MAX_DATASETS: usize = 10_000;

/// Facets by their keys, as they were sent. The keys are as the producer wrote them.
pub(super) type FacetMap<'e> = BTreeMap<String, Option<&'e RawValue>>;

/// An event of any kind.
#[derive(Debug)]
pub(super) struct LineageEvent<'e> {
    pub time: EventTime,
    pub kind: RunEventType,
    pub producer: Option<String>,
    pub subject: EventSubject<'e>,
    pub inputs: Vec<Dataset<'e>>,
    pub outputs: Vec<Dataset<'e>>,
}

/// What an event is about.
#[derive(Debug)]
pub(super) enum EventSubject<'e> {
    Run(Run<'e>, Job<'e>),
    Job(Job<'e>),
    Dataset(Dataset<'e>),
}

#[derive(Debug, Deserialize)]
pub(super) struct Run<'e> {
    #[serde(rename = "runId", default)]
    pub id: Name,
    #[serde(borrow, default)]
    pub facets: Option<FacetMap<'e>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Job<'e> {
    #[serde(default)]
    pub namespace: Name,
    #[serde(default)]
    pub name: Name,
    #[serde(borrow, default)]
    pub facets: Option<FacetMap<'e>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dataset<'e> {
    #[serde(default)]
    pub namespace: Name,
    #[serde(default)]
    pub name: Name,
    #[serde(borrow, default)]
    pub facets: Option<FacetMap<'e>>,
    #[serde(rename = "inputFacets", borrow, default)]
    pub input_facets: Option<FacetMap<'e>>,
    #[serde(rename = "outputFacets", borrow, default)]
    pub output_facets: Option<FacetMap<'e>>,
}

/// A required text; empty if it is absent.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Option<String>")]
pub(super) struct Name(pub String);

impl Name {
    /// Whether it is there, and the graph can hold it.
    pub(super) fn is_valid(&self) -> bool {
        self.problem().is_none()
    }

    fn problem(&self) -> Option<String> {
        if self.0.is_empty() {
            Some("missing or empty".into())
        } else if self.0.len() > MAX_NAME_BYTES {
            Some(format!("longer than {MAX_NAME_BYTES} bytes"))
        } else if self.0.contains('\0') {
            Some("it contains the character NUL".into())
        } else {
            None
        }
    }
}

impl From<Option<String>> for Name {
    fn from(text: Option<String>) -> Self {
        Self(text.unwrap_or_default())
    }
}

/// An event as it is sent.
#[derive(Deserialize)]
#[serde(expecting = "an event")]
struct SentEvent<'e> {
    #[serde(rename = "eventTime", default)]
    event_time: Name,
    #[serde(rename = "eventType", default)]
    event_type: Option<String>,
    #[serde(default)]
    producer: Option<String>,
    #[serde(borrow, default)]
    run: Option<Run<'e>>,
    #[serde(borrow, default)]
    job: Option<Job<'e>>,
    #[serde(borrow, default)]
    dataset: Option<Dataset<'e>>,
    #[serde(borrow, default)]
    inputs: Option<Vec<Dataset<'e>>>,
    #[serde(borrow, default)]
    outputs: Option<Vec<Dataset<'e>>>,
}

impl<'e> LineageEvent<'e> {
    /// The event of a JSON text.
    ///
    /// # Errors
    ///
    /// A refusal with the path of what is wrong.
    pub(super) fn parse(text: &'e [u8]) -> Result<Self, Refusal> {
        if text.trim_ascii_start().starts_with(b"[") {
            let text = "an event is an object; /api/v1/lineage/batch takes arrays of events";
            return Err(Refusal::malformed(text));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let sent: SentEvent<'e> = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| Refusal::malformed(error.to_string()))?;
        deserializer
            .end()
            .map_err(|error| Refusal::malformed(error.to_string()))?;
        sent.check()
    }
}

impl<'e> SentEvent<'e> {
    fn check(self) -> Result<LineageEvent<'e>, Refusal> {
        check_name("eventTime", &self.event_time)?;
        let time = time::parse(&self.event_time.0)
            .ok_or_else(|| Refusal::malformed("eventTime: not a time in the format of RFC 3339"))?;
        let kind = kind(self.event_type.as_deref())?;
        let subject = match (self.run, self.job, self.dataset) {
            (Some(run), Some(job), _) => {
                check_name("run.runId", &run.id)?;
                check_pair("job", &job.namespace, &job.name)?;
                EventSubject::Run(run, job)
            }
            (Some(_), None, _) => return Err(Refusal::malformed("job: missing")),
            (None, Some(job), _) => {
                check_pair("job", &job.namespace, &job.name)?;
                EventSubject::Job(job)
            }
            (None, None, Some(dataset)) => {
                check_pair("dataset", &dataset.namespace, &dataset.name)?;
                EventSubject::Dataset(dataset)
            }
            (None, None, None) => {
                let text = "the event has none of `run`, `job` and `dataset`";
                return Err(Refusal::malformed(text));
            }
        };
        Ok(LineageEvent {
            time,
            kind,
            producer: self.producer,
            subject,
            inputs: check_datasets("inputs", self.inputs)?,
            outputs: check_datasets("outputs", self.outputs)?,
        })
    }
}

fn kind(name: Option<&str>) -> Result<RunEventType, Refusal> {
    Ok(match name.map(str::to_ascii_uppercase).as_deref() {
        Some("START") => RunEventType::Start,
        Some("RUNNING") => RunEventType::Running,
        Some("COMPLETE") => RunEventType::Complete,
        Some("FAIL") => RunEventType::Fail,
        Some("ABORT") => RunEventType::Abort,
        Some("OTHER") | None => RunEventType::Other,
        Some(_) => return Err(Refusal::malformed("eventType: unknown")),
    })
}

fn check_datasets<'e>(
    path: &str,
    given: Option<Vec<Dataset<'e>>>,
) -> Result<Vec<Dataset<'e>>, Refusal> {
    let given = given.unwrap_or_default();
    if given.len() > MAX_DATASETS {
        let text = format!("{path}: more than {MAX_DATASETS} datasets");
        return Err(Refusal::malformed(text));
    }
    for (index, dataset) in given.iter().enumerate() {
        let path = format!("{path}[{index}]");
        check_pair(&path, &dataset.namespace, &dataset.name)?;
    }
    Ok(given)
}

fn check_pair(path: &str, namespace: &Name, name: &Name) -> Result<(), Refusal> {
    check_name(&format!("{path}.namespace"), namespace)?;
    check_name(&format!("{path}.name"), name)
}

fn check_name(path: &str, name: &Name) -> Result<(), Refusal> {
    let refused = |problem| Err(Refusal::malformed(format!("{path}: {problem}")));
    name.problem().map_or(Ok(()), refused)
}
