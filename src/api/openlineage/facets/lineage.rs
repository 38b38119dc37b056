//! Lineage that facets say. The facet `lineage` says from which datasets and columns each output
//! was made, `columnLineage` of a dataset from which columns.
//!
//! A run, a job and a dataset can have the first. That of a run or of a job has an entry for each
//! output. What the facets of a run, its job and its outputs say is about the run: the newest facet
//! of each of these places counts. Facets of events without a run are about no run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::columns::{COLUMN_LINEAGE, add_columns, add_input};
use super::dataset::DatasetKey;
use super::{is_deleted, kept, read};
use crate::api::openlineage::event::{Dataset, FacetMap};
use crate::api::openlineage::report::{context, uri_of};
use crate::graph::{ColumnSource, DATASET_TYPE, Facet, FacetLineage};
use crate::model::{Transformation, dataset_uri};

/// The key of the facet.
const LINEAGE: &str = "lineage";

/// The most edges between datasets that are read of a facet, and the most between columns. More are
/// left out.
const MAX_EDGES: usize = 10_000;

/// The facets of an event about a run that say lineage.
pub(in crate::api::openlineage) struct RunFacetMaps<'m, 'e> {
    pub run: Option<&'m FacetMap<'e>>,
    pub job: Option<&'m FacetMap<'e>>,
    pub outputs: &'m [Dataset<'e>],
}

/// What is read of a facet.
#[derive(Default)]
pub(super) struct Lineage {
    stated: FacetLineage,
    /// The index of each dataset, by its URI.
    numbers: BTreeMap<String, usize>,
}

impl Lineage {
    /// The index of the dataset at a URI.
    pub(super) fn dataset(&mut self, uri: &str) -> usize {
        if let Some(&number) = self.numbers.get(uri) {
            return number;
        }
        let number = self.stated.datasets.len();
        self.stated.datasets.push(context(DATASET_TYPE, uri));
        self.numbers.insert(uri.to_owned(), number);
        number
    }

    /// Whether no more edges between columns are read.
    pub(super) const fn has_all_columns(&self) -> bool {
        self.stated.columns.len() >= MAX_EDGES
    }

    pub(super) fn add_column(&mut self, source: ColumnSource) {
        self.stated.columns.push(source);
    }

    /// Adds what a facet `lineage`, or one of its entries, says of an output.
    fn add_output(&mut self, uri: &str, text: &RawValue) {
        let mut sources = BTreeSet::new();
        let fields = read::<OutputFields<'_>>(text).and_then(|it| it.fields);
        let fields = fields.unwrap_or_default();
        let whole = std::iter::once(("", text));
        let parts = whole.chain(fields.iter().map(|(field, text)| (field.as_str(), *text)));
        for (column, text) in parts {
            let inputs = read::<OutputInputs<'_>>(text).and_then(|it| it.inputs);
            for input in inputs.into_iter().flatten() {
                sources.extend(dataset_of(input));
                add_input(self, (uri, column), input, &Transformation::default());
            }
        }
        if self.stated.edges.len() + sources.len() >= MAX_EDGES {
            return;
        }
        let output = self.dataset(uri);
        if sources.is_empty() {
            self.stated.edges.push((output, None));
        }
        for source in sources {
            let source = self.dataset(&source);
            self.stated.edges.push((output, Some(source)));
        }
    }

    /// Adds what the entries of a facet `lineage` say.
    fn add_entries(&mut self, text: &RawValue) {
        let entries = read::<Entries<'_>>(text).map(|it| it.entries);
        for entry in entries.into_iter().flatten() {
            if let Some(output) = dataset_of(entry) {
                self.add_output(&output, entry);
            }
        }
    }
}

/// The lineage in the facets of an event about a run, as facets of the run.
pub(in crate::api::openlineage) fn run_lineage(maps: &RunFacetMaps<'_, '_>) -> Vec<Facet> {
    let mut facets = Vec::new();
    for (place, map) in [("run", maps.run), ("job", maps.job)] {
        if let Some(text) = text_of(map, LINEAGE) {
            let lineage = read_lineage(text, |lineage| lineage.add_entries(text));
            facets.push(of_run(format!("{place}:{LINEAGE}"), text, lineage));
        }
    }
    for output in maps.outputs {
        let uri = uri_of(output);
        for key in [LINEAGE, COLUMN_LINEAGE] {
            if let Some(text) = text_of(output.facets.as_ref(), key)
                && let Some(lineage) = lineage_of_dataset(key, &uri, text)
            {
                facets.push(of_run(format!("output:{uri}:{key}"), text, lineage));
            }
        }
    }
    facets
}

/// Adds to the facets of a dataset, of an event without a run, the lineage that they say.
pub(in crate::api::openlineage) fn attach_to_dataset(facets: &mut [Facet], given: &Dataset<'_>) {
    let uri = uri_of(given);
    for facet in facets {
        let text = text_of(given.facets.as_ref(), &facet.key);
        facet.lineage = text.and_then(|text| lineage_of_dataset(&facet.key, &uri, text));
    }
}

/// [`attach_to_dataset`] for a job.
pub(in crate::api::openlineage) fn attach_to_job(facets: &mut [Facet], map: Option<&FacetMap<'_>>) {
    for facet in facets {
        if let Some(text) = text_of(map, LINEAGE).filter(|_| facet.key == LINEAGE) {
            facet.lineage = Some(read_lineage(text, |lineage| lineage.add_entries(text)));
        }
    }
}

fn text_of<'e>(map: Option<&FacetMap<'e>>, key: &str) -> Option<&'e RawValue> {
    *map?.get(key)?
}

/// The lineage in a facet of a dataset with this key; `None` for facets without lineage.
fn lineage_of_dataset(key: &str, uri: &str, text: &RawValue) -> Option<FacetLineage> {
    match key {
        LINEAGE => Some(read_lineage(text, |lineage| lineage.add_output(uri, text))),
        COLUMN_LINEAGE => Some(read_lineage(text, |lineage| {
            add_columns(lineage, uri, text);
        })),
        _ => None,
    }
}

/// The lineage in a facet; none in one that is deleted.
fn read_lineage(text: &RawValue, read_facet: impl FnOnce(&mut Lineage)) -> FacetLineage {
    let mut lineage = Lineage::default();
    if !is_deleted(text) {
        read_facet(&mut lineage);
    }
    lineage.stated
}

fn of_run(key: String, text: &RawValue, lineage: FacetLineage) -> Facet {
    Facet {
        lineage: Some(lineage),
        ..kept(key, text)
    }
}

#[derive(Deserialize)]
struct Entries<'e> {
    #[serde(borrow)]
    entries: Vec<&'e RawValue>,
}

#[derive(Deserialize)]
struct OutputInputs<'e> {
    #[serde(borrow, default)]
    inputs: Option<Vec<&'e RawValue>>,
}

#[derive(Deserialize)]
struct OutputFields<'e> {
    #[serde(borrow, default)]
    fields: Option<BTreeMap<String, &'e RawValue>>,
}

/// The URI of the dataset at one end of an edge. `None` for a job, and for what is malformed.
pub(super) fn dataset_of(text: &RawValue) -> Option<String> {
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
