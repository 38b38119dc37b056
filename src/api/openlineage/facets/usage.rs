//! The facet `pedigree_use` of an input or an output: the role of the dataset in the command of the
//! run, and where it was.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Facts, facets, is_deleted, kept, read};
use crate::api::openlineage::event::FacetMap;
use crate::graph::Facet;
use crate::model::{EventPath, Step};

const USE_FACET: &str = "pedigree_use";

/// What the facet says.
#[derive(Debug, Default, Deserialize)]
struct DatasetRole {
    role: String,
    /// From the working directory of the command.
    #[serde(default)]
    path: Option<String>,
}

impl DatasetRole {
    fn read(text: &RawValue) -> Option<Self> {
        let given = read::<Self>(text).filter(|_| !is_deleted(text))?;
        let is_name = !given.role.is_empty() && !given.role.contains('\0');
        is_name.then_some(given)
    }

    fn add(&self, side: &str, facts: &mut Facts) {
        facts.text(&format!("{side}.{}", self.role), self.path.as_deref());
    }
}

/// The facets of a use of a dataset, which belong to the run.
pub(in crate::api::openlineage) fn input(map: Option<&FacetMap<'_>>, uri: &str) -> Vec<Facet> {
    facets(map, &format!("input:{uri}:"), |key, text, facts| {
        if key == USE_FACET
            && let Some(given) = DatasetRole::read(text)
        {
            given.add("input", facts);
        }
    })
}

/// Where a run wrote a dataset, as a facet of the run.
pub(in crate::api::openlineage) fn output_use(
    map: Option<&FacetMap<'_>>,
    uri: &str,
) -> Option<Facet> {
    let text = map?.get(USE_FACET)?.as_ref()?;
    let mut facts = Facts::default();
    DatasetRole::read(text)?.add("output", &mut facts);
    Some(Facet {
        properties: facts.0,
        ..kept(format!("output:{uri}:{USE_FACET}"), text)
    })
}

/// The path of the event between a run and a dataset, which has its role.
pub(in crate::api::openlineage) fn path(map: Option<&FacetMap<'_>>) -> EventPath {
    let text = map.and_then(|map| map.get(USE_FACET)?.as_ref());
    let given = text.and_then(|text| DatasetRole::read(text));
    let role = given.map(|it| Step::Key(it.role));
    role.into_iter().collect()
}
