//! Explicit lineage: the facet `lineage` says from which datasets a run made each of its outputs.
//!
//! A run, a job and an output can have it. That of a run or of a job has an entry for each output,
//! that of an output says the same about this one. What such a facet says of a run belongs to the
//! run: the newest facet of each of these places counts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::dataset::DatasetKey;
use super::{Deletion, read};
use crate::api::openlineage::event::{Dataset, FacetMap};
use crate::api::openlineage::names::sha256;
use crate::api::openlineage::report::{context, uri_of};
use crate::graph::{DATASET_TYPE, Facet, FacetLineage};
use crate::model::dataset_uri;

/// The key of the facet.
const LINEAGE: &str = "lineage";

/// The most edges between datasets that are read of a facet. More are left out.
const MAX_EDGES: usize = 10_000;

/// The facets of an event about a run that can have explicit lineage.
pub(in crate::api::openlineage) struct RunFacetMaps<'m, 'e> {
    pub run: Option<&'m FacetMap<'e>>,
    pub job: Option<&'m FacetMap<'e>>,
    pub outputs: &'m [Dataset<'e>],
}

/// The explicit lineage in the facets of an event, as facets of its run.
pub(in crate::api::openlineage) fn run_lineage(maps: &RunFacetMaps<'_, '_>) -> Vec<Facet> {
    let mut facets = Vec::new();
    for (place, map) in [("run", maps.run), ("job", maps.job)] {
        if let Some(text) = text_of(map) {
            let entries = read::<Entries<'_>>(text).map(|it| it.entries);
            let entries = entries.into_iter().flatten();
            let told = entries.filter_map(|entry| Some((dataset_of(entry)?, entry)));
            facets.push(facet(format!("{place}:{LINEAGE}"), text, told));
        }
    }
    for output in maps.outputs {
        if let Some(text) = text_of(output.facets.as_ref()) {
            let uri = uri_of(output);
            let key = format!("output:{uri}:{LINEAGE}");
            facets.push(facet(key, text, std::iter::once((uri, text))));
        }
    }
    facets
}

fn text_of<'e>(map: Option<&FacetMap<'e>>) -> Option<&'e RawValue> {
    *map?.get(LINEAGE)?
}

#[derive(Deserialize)]
struct Entries<'e> {
    #[serde(borrow)]
    entries: Vec<&'e RawValue>,
}

/// The URI of the dataset at one end of an edge. `None` for a job, and for what is malformed.
fn dataset_of(text: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct LineageEnd {
        #[serde(rename = "type", default)]
        kind: Option<String>,
    }
    let kind = read::<LineageEnd>(text)?.kind;
    let is_dataset = kind.is_none_or(|kind| kind.eq_ignore_ascii_case("DATASET"));
    let key = read::<DatasetKey>(text).filter(|key| is_dataset && key.is_complete())?;
    Some(dataset_uri(&key.namespace.0, &key.name.0))
}

/// The URIs of the datasets from which an output was made, as a whole or field by field.
fn sources_of(text: &RawValue) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Inputs<'e> {
        #[serde(borrow, default)]
        inputs: Option<Vec<&'e RawValue>>,
    }
    #[derive(Deserialize)]
    struct Fields<'e> {
        #[serde(borrow, default)]
        fields: Option<BTreeMap<String, &'e RawValue>>,
    }
    let fields = read::<Fields<'_>>(text).and_then(|it| it.fields);
    let fields = fields.unwrap_or_default().into_values();
    let texts = std::iter::once(text).chain(fields);
    let inputs = texts.filter_map(|text| read::<Inputs<'_>>(text)?.inputs);
    inputs.flatten().filter_map(dataset_of).collect()
}

/// A facet of the run: its text, and the URIs of outputs with the texts that name their inputs.
fn facet<'t>(
    key: String,
    text: &RawValue,
    told: impl Iterator<Item = (String, &'t RawValue)>,
) -> Facet {
    let is_deleted = read::<Deletion>(text).is_some_and(|it| it.is_deleted);
    let mut lineage = FacetLineage::default();
    if !is_deleted {
        let mut numbers = BTreeMap::new();
        let mut number_of = |uri: String, lineage: &mut FacetLineage| {
            *numbers.entry(uri).or_insert_with_key(|uri| {
                lineage.datasets.push(context(DATASET_TYPE, uri));
                lineage.datasets.len() - 1
            })
        };
        for (output, text) in told {
            let output = number_of(output, &mut lineage);
            let sources = sources_of(text);
            if sources.is_empty() {
                lineage.edges.push((output, None));
            }
            for input in sources {
                let input = number_of(input, &mut lineage);
                lineage.edges.push((output, Some(input)));
            }
            if lineage.edges.len() > MAX_EDGES {
                lineage.edges.truncate(MAX_EDGES);
                break;
            }
        }
    }
    Facet {
        key,
        digest: (!is_deleted).then(|| sha256(text.get().as_bytes())),
        lineage: Some(lineage),
        ..Facet::default()
    }
}
