//! Facets of datasets, and of the versions that a run used or wrote.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Facts, documentation, facets, kept, ownership, read, tags};
use crate::api::openlineage::event::{FacetMap, Name};
use crate::api::openlineage::names::sha256;
use crate::graph::Facet;

/// A facet that says what an event means, beside facts.
#[derive(Debug, Default)]
pub(in crate::api::openlineage) struct DatasetFact {
    /// The name of the version that a run used or wrote.
    pub version: Option<String>,
    pub lifecycle: Lifecycle,
}

/// What a run did to a dataset.
#[derive(Debug, Default)]
pub(in crate::api::openlineage) enum Lifecycle {
    /// It wrote data.
    #[default]
    Write,
    /// It changed what is known of the dataset, and no data.
    Alter,
    /// It removed the data.
    Removal,
    /// It gave the dataset another name than this one.
    Rename(DatasetKey),
}

/// A namespace and a name in it.
#[derive(Debug, Deserialize)]
pub(in crate::api::openlineage) struct DatasetKey {
    #[serde(default)]
    pub namespace: Name,
    #[serde(default)]
    pub name: Name,
}

impl DatasetKey {
    pub(in crate::api::openlineage) fn is_complete(&self) -> bool {
        self.namespace.is_valid() && self.name.is_valid()
    }
}

/// The maximum number of other names of a dataset in one event. More are left out.
const MAX_OTHER_NAMES: usize = 100;

/// The other names of a dataset.
pub(in crate::api::openlineage) fn other_names(map: Option<&FacetMap<'_>>) -> Vec<DatasetKey> {
    #[derive(Deserialize)]
    struct Symlinks {
        identifiers: Vec<DatasetKey>,
    }
    let text = map.and_then(|map| map.get("symlinks")?.as_ref());
    let names = text.and_then(|text| read::<Symlinks>(text));
    let names = names.map(|it| it.identifiers).unwrap_or_default();
    let complete = names.into_iter().filter(DatasetKey::is_complete);
    complete.take(MAX_OTHER_NAMES).collect()
}

impl DatasetFact {
    pub(in crate::api::openlineage) fn of(map: Option<&FacetMap<'_>>) -> Self {
        #[derive(Deserialize)]
        struct VersionFacet {
            #[serde(rename = "datasetVersion")]
            version: String,
        }
        let text = map.and_then(|map| map.get(VERSION_FACET)?.as_ref());
        let version = text.and_then(|text| read::<VersionFacet>(text));
        let version = version.map(|it| it.version);
        let is_name = |name: &String| !name.is_empty() && !name.contains('\0');
        Self {
            version: version.filter(is_name),
            lifecycle: Lifecycle::of(map),
        }
    }
}

impl Lifecycle {
    fn of(map: Option<&FacetMap<'_>>) -> Self {
        let Some((_, change)) = lifecycle_facet(map) else {
            return Self::Write;
        };
        match (change.state.to_ascii_uppercase().as_str(), change.previous) {
            ("DROP" | "TRUNCATE", _) => Self::Removal,
            ("RENAME", Some(previous)) if previous.is_complete() => Self::Rename(previous),
            ("ALTER" | "RENAME", _) => Self::Alter,
            _ => Self::Write,
        }
    }
}

const VERSION_FACET: &str = "version";

const LIFECYCLE_FACET: &str = "lifecycleStateChange";

#[derive(Deserialize)]
struct LifecycleFacet {
    #[serde(rename = "lifecycleStateChange")]
    state: String,
    #[serde(rename = "previousIdentifier", default)]
    previous: Option<DatasetKey>,
}

/// The facet of the life of a dataset: its text, and what it says.
fn lifecycle_facet<'m>(map: Option<&'m FacetMap<'_>>) -> Option<(&'m RawValue, LifecycleFacet)> {
    let text = map?.get(LIFECYCLE_FACET)?.as_ref()?;
    Some((text, read(text)?))
}

/// What a run did to the life of a dataset, as a facet of the run.
pub(in crate::api::openlineage) fn lifecycle(
    map: Option<&FacetMap<'_>>,
    uri: &str,
) -> Option<Facet> {
    let (text, change) = lifecycle_facet(map)?;
    let mut facts = Facts::default();
    facts.text(&format!("lifecycle.{uri}"), Some(&change.state));
    Some(Facet {
        properties: facts.0,
        ..kept(format!("output:{uri}:{LIFECYCLE_FACET}"), text)
    })
}

/// The facets of a dataset with their facts, without those of one version.
pub(in crate::api::openlineage) fn dataset(map: Option<&FacetMap<'_>>) -> Vec<Facet> {
    let mut facets = facets(map, "", dataset_facts);
    facets.retain(|facet| facet.key != VERSION_FACET);
    facets
}

/// The facet that names a version, which is that version's.
pub(in crate::api::openlineage) fn version(map: Option<&FacetMap<'_>>) -> Option<Facet> {
    let text = map?.get(VERSION_FACET)?.as_ref()?;
    Some(kept(VERSION_FACET.into(), text))
}

/// The facets of the version that a run wrote, with their facts.
pub(in crate::api::openlineage) fn output(map: Option<&FacetMap<'_>>) -> Vec<Facet> {
    facets(map, "", output_facts)
}

fn dataset_facts(key: &str, text: &RawValue, facts: &mut Facts) {
    match key {
        "schema" => schema(text, facts),
        "storage" => storage(text, facts),
        "catalog" => catalog(text, facts),
        "datasetType" => dataset_type(text, facts),
        LIFECYCLE_FACET => {
            let change = read::<LifecycleFacet>(text);
            facts.text("lifecycle", change.as_ref().map(|it| &*it.state));
        }
        "documentation" => documentation(text, facts),
        "ownership" => ownership(text, facts),
        "tags" => tags(text, facts),
        _ => {}
    }
}

fn output_facts(key: &str, text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statistics {
        #[serde(default)]
        row_count: Option<i64>,
        #[serde(default)]
        size: Option<i64>,
        #[serde(default)]
        file_count: Option<i64>,
    }
    if key == "outputStatistics"
        && let Some(given) = read::<Statistics>(text)
    {
        facts.int("rows", given.row_count);
        facts.int("bytes", given.size);
        facts.int("files", given.file_count);
    }
}

fn schema(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct Schema<'e> {
        #[serde(borrow)]
        fields: Option<&'e RawValue>,
    }
    let fields = read::<Schema<'_>>(text).and_then(|it| it.fields);
    if let Some(fields) = fields {
        let digest = format!("sha256:{}", sha256(fields.get().as_bytes()));
        facts.text("schema_digest", Some(&digest));
        let count = read::<Vec<serde::de::IgnoredAny>>(fields).map(|it| it.len());
        facts.int("field_count", count.and_then(|it| it.try_into().ok()));
    }
}

fn storage(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Storage {
        #[serde(default)]
        file_format: Option<String>,
        #[serde(default)]
        storage_layer: Option<String>,
    }
    if let Some(given) = read::<Storage>(text) {
        facts.text("format", given.file_format.as_deref());
        facts.text("storage_layer", given.storage_layer.as_deref());
    }
}

fn catalog(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    struct Catalog {
        name: String,
    }
    let given = read::<Catalog>(text);
    facts.text("catalog", given.as_ref().map(|it| &*it.name));
}

fn dataset_type(text: &RawValue, facts: &mut Facts) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct DatasetType {
        dataset_type: String,
    }
    let given = read::<DatasetType>(text);
    facts.text("dataset_type", given.as_ref().map(|it| &*it.dataset_type));
}
