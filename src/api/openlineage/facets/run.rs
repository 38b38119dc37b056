//! Facets of runs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Facts, facets, read, tags};
use crate::api::openlineage::event::{FacetMap, Name};
use crate::api::openlineage::time;
use crate::graph::Facet;
use crate::reproduce::RECORDED_VARIABLES;

/// The facets of a run with their facts.
pub(in crate::api::openlineage) fn run(map: Option<&FacetMap<'_>>) -> Vec<Facet> {
    facets(map, "", facts)
}

fn facts(key: &str, text: &RawValue, facts: &mut Facts) {
    match key {
        "nominalTime" => nominal_time(text, facts),
        "parent" => parents(text, facts),
        "errorMessage" => error_message(text, facts),
        "processing_engine" => processing_engine(text, facts),
        "executionParameters" => parameters(text, facts),
        "environmentVariables" => variables(text, facts),
        "externalQuery" => external_query(text, facts),
        "extractionError" => extraction_error(text, facts),
        "airflow_mappedTask" => mapped_task(text, facts),
        "tags" => tags(text, facts),
        "pedigree_properties" => reported(text, facts),
        HOPS_FACET => facts.json(HOPS_FACT, &stores(text).into()),
        _ => {}
    }
}

/// The facet with the databases through which a run came.
pub(in crate::api::openlineage) const HOPS_FACET: &str = "pedigree_hops";

/// The fact with these, as JSON.
pub(in crate::api::openlineage) const HOPS_FACT: &str = "pedigree.hops";

/// The databases through which the run with these facets came; none if it came from its producer.
pub(in crate::api::openlineage) fn hops(map: Option<&FacetMap<'_>>) -> Vec<String> {
    let text = map.and_then(|map| map.get(HOPS_FACET)?.as_ref());
    text.map(|text| stores(text)).unwrap_or_default()
}

fn stores(text: &RawValue) -> Vec<String> {
    #[derive(Deserialize)]
    struct Hops {
        stores: Vec<String>,
    }
    read::<Hops>(text).map(|it| it.stores).unwrap_or_default()
}

/// What the names begin with of properties that other facets and the life of a run have.
const OTHER_PREFIXES: [&str; 6] = [
    "pedigree.",
    "param.",
    "tag.",
    "code.",
    "lifecycle.",
    "nominal_",
];

/// The names of other ones.
const OTHER_NAMES: [&str; 8] = [
    "started_at",
    "ended_at",
    "error",
    "engine",
    "engine_version",
    "parent_run",
    "root_run",
    "producer",
];

/// Whether servers report a property of a run to each other as it is.
pub(in crate::api::openlineage) fn is_reported(name: &str) -> bool {
    let begins = |prefix: &&str| name.starts_with(*prefix);
    !OTHER_PREFIXES.iter().any(begins) && !OTHER_NAMES.contains(&name)
}

/// The properties that another server reports of a run.
fn reported(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct Reported {
        properties: BTreeMap<String, serde_json::Value>,
    }
    let given = read::<Reported>(text).map(|it| it.properties);
    for (name, value) in given.unwrap_or_default() {
        if is_reported(&name) {
            facts.json(&name, &value);
        }
    }
}

fn nominal_time(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct NominalTime {
        #[serde(default)]
        nominal_start_time: Option<String>,
        #[serde(default)]
        nominal_end_time: Option<String>,
    }
    if let Some(given) = read::<NominalTime>(text) {
        let time = |text: Option<String>| Some(time::parse(&text?)?.milliseconds);
        facts.int("nominal_start", time(given.nominal_start_time));
        facts.int("nominal_end", time(given.nominal_end_time));
    }
}

fn error_message(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct ErrorMessage {
        message: String,
    }
    let given = read::<ErrorMessage>(text);
    facts.text("error", given.as_ref().map(|it| &*it.message));
}

fn processing_engine(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct ProcessingEngine {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        version: Option<String>,
    }
    if let Some(given) = read::<ProcessingEngine>(text) {
        facts.text("engine", given.name.as_deref());
        facts.text("engine_version", given.version.as_deref());
    }
}

fn parameters(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct ExecutionParameters {
        parameters: Vec<Parameter>,
    }
    #[derive(Deserialize)]
    struct Parameter {
        key: String,
        #[serde(default)]
        value: serde_json::Value,
    }
    let given = read::<ExecutionParameters>(text).map(|it| it.parameters);
    for parameter in given.unwrap_or_default() {
        facts.json(&format!("param.{}", parameter.key), &parameter.value);
    }
}

/// The variables that change results, as a JSON object. The others could be secrets.
fn variables(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct EnvironmentVariables {
        #[serde(rename = "environmentVariables")]
        variables: Vec<Variable>,
    }
    #[derive(Deserialize)]
    struct Variable {
        name: String,
        value: String,
    }
    let given = read::<EnvironmentVariables>(text).map(|it| it.variables);
    let given = given.unwrap_or_default().into_iter();
    let recorded = given.filter(|it| RECORDED_VARIABLES.contains(&it.name.as_str()));
    let recorded: BTreeMap<String, String> = recorded.map(|it| (it.name, it.value)).collect();
    if !recorded.is_empty() {
        let text = serde_json::json!(recorded).to_string();
        facts.text("environment.variables", Some(&text));
    }
}

fn external_query(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct ExternalQuery {
        #[serde(rename = "externalQueryId", default)]
        id: Option<String>,
        #[serde(default)]
        source: Option<String>,
    }
    if let Some(given) = read::<ExternalQuery>(text) {
        facts.text("query_id", given.id.as_deref());
        facts.text("query_source", given.source.as_deref());
    }
}

fn extraction_error(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct ExtractionError {
        errors: Vec<serde::de::IgnoredAny>,
    }
    let count = read::<ExtractionError>(text).map(|it| it.errors.len());
    facts.int("extraction_errors", count.and_then(|it| it.try_into().ok()));
}

fn mapped_task(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct MappedTask {
        #[serde(rename = "mapIndex", default)]
        map_index: Option<i64>,
    }
    let given = read::<MappedTask>(text);
    facts.int("map_index", given.and_then(|it| it.map_index));
}

fn parents(text: &RawValue, facts: &mut Facts) {
    if let Some(parent) = read::<Parent>(text) {
        facts.text("parent_run", Some(&parent.key.run.id.0));
        let root = parent.root.as_ref();
        facts.text("root_run", root.map(|root| &*root.run.id.0));
    }
}

/// The parent of the run with these facets, if it has one.
pub(in crate::api::openlineage) fn parent(map: Option<&FacetMap<'_>>) -> Option<Parent> {
    let text = map?.get("parent")?.as_ref()?;
    let parent = read::<Parent>(text)?;
    parent.key.is_complete().then_some(parent)
}

/// The run that began a run, and the first one of these.
#[derive(Debug, Deserialize)]
pub(in crate::api::openlineage) struct Parent {
    #[serde(flatten)]
    pub key: RunKey,
    #[serde(default)]
    pub root: Option<RunKey>,
}

/// A run and its job.
#[derive(Debug, Deserialize)]
pub(in crate::api::openlineage) struct RunKey {
    pub run: RunId,
    pub job: JobKey,
}

#[derive(Debug, Deserialize)]
pub(in crate::api::openlineage) struct RunId {
    #[serde(rename = "runId", default)]
    pub id: Name,
}

#[derive(Debug, Deserialize)]
pub(in crate::api::openlineage) struct JobKey {
    #[serde(default)]
    pub namespace: Name,
    #[serde(default)]
    pub name: Name,
}

impl RunKey {
    /// Whether it names a run and a job.
    pub(in crate::api::openlineage) fn is_complete(&self) -> bool {
        let names = [&self.run.id, &self.job.namespace, &self.job.name];
        names.iter().all(|name| name.is_valid())
    }
}
