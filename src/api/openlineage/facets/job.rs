//! Facets of jobs.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Facts, MAX_TEXT_BYTES, documentation, facets, ownership, read, tags};
use crate::api::openlineage::event::FacetMap;
use crate::api::openlineage::names::sha256;
use crate::graph::Facet;

/// The facets of a job with their facts.
pub(in crate::api::openlineage) fn job(map: Option<&FacetMap<'_>>) -> Vec<Facet> {
    facets(map, "", facts)
}

/// The datasets that a job is declared to use or to write, as facts of the job.
pub(in crate::api::openlineage) fn declared<'u>(
    name: &str,
    uris: impl ExactSizeIterator<Item = &'u str>,
) -> Facet {
    let count = i64::try_from(uris.len()).ok();
    let mut fitting = Vec::new();
    let mut bytes = 0;
    let mut all = Vec::new();
    for uri in uris {
        all.extend(uri.as_bytes());
        all.push(0);
        // With the quotes and the comma of JSON.
        bytes += uri.len() + 3;
        if bytes < MAX_TEXT_BYTES {
            fitting.push(uri);
        }
    }
    let mut facts = Facts::default();
    facts.json(name, &fitting.into());
    facts.int(&format!("{name}_count"), count);
    Facet {
        key: format!("event.{name}"),
        digest: Some(sha256(&all)),
        properties: facts.0,
        ..Facet::default()
    }
}

fn facts(key: &str, text: &RawValue, facts: &mut Facts) {
    match key {
        "jobType" => job_type(text, facts),
        "sourceCodeLocation" => code(text, facts),
        "sourceCode" => digest("code_digest", text, facts),
        "sql" => digest("sql_digest", text, facts),
        "documentation" => documentation(text, facts),
        "ownership" => ownership(text, facts),
        "tags" => tags(text, facts),
        _ => {}
    }
}

fn job_type(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct JobType {
        #[serde(default)]
        integration: Option<String>,
        #[serde(rename = "jobType", default)]
        name: Option<String>,
        #[serde(rename = "processingType", default)]
        processing: Option<String>,
    }
    if let Some(given) = read::<JobType>(text) {
        facts.text("integration", given.integration.as_deref());
        facts.text("job_type", given.name.as_deref());
        facts.text("processing_type", given.processing.as_deref());
    }
}

fn code(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct Location {
        #[serde(default)]
        url: Option<String>,
        #[serde(rename = "repoUrl", default)]
        repository: Option<String>,
        #[serde(default)]
        path: Option<String>,
        #[serde(default)]
        version: Option<String>,
        #[serde(default)]
        branch: Option<String>,
    }
    if let Some(given) = read::<Location>(text) {
        let repository = given.repository.or(given.url);
        facts.text("code.repository", repository.as_deref());
        facts.text("code.commit", given.version.as_deref());
        facts.text("code.branch", given.branch.as_deref());
        facts.text("code.path", given.path.as_deref());
    }
}

/// The digest of a facet that holds code.
fn digest(name: &str, text: &RawValue, facts: &mut Facts) {
    let digest = format!("sha256:{}", sha256(text.get().as_bytes()));
    facts.text(name, Some(&digest));
}
