//! Which articles of laws and standards each section is evidence for.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ReportReference;
use super::sections::SECTION_IDS;

/// The largest file of a mapping.
pub const MAX_MAPPING_BYTES: u64 = 1 << 20;

/// The mapping that is used without another one.
const DEFAULT_MAPPING: &str = include_str!("mapping.toml");

/// A mapping, as a file of TOML has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportMapping {
    /// A sentence at the top of the report.
    pub notice: String,
    #[serde(default, rename = "framework")]
    frameworks: Vec<MappedFramework>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappedFramework {
    name: String,
    /// Clauses by the ids of sections.
    sections: BTreeMap<String, String>,
}

impl ReportMapping {
    /// Reads a mapping.
    ///
    /// # Errors
    ///
    /// If it is no TOML, or names a key or a section that there is not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mapping: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let named = mapping.frameworks.iter().flat_map(|it| it.sections.keys());
        let unknown = named.filter(|id| !SECTION_IDS.contains(&id.as_str()));
        match unknown.collect::<Vec<_>>().first() {
            Some(id) => Err(format!(
                "there is no section `{id}`: there are {}",
                SECTION_IDS.join(", ")
            )),
            None => Ok(mapping),
        }
    }

    /// The mapping of this version.
    ///
    /// # Errors
    ///
    /// As [`ReportMapping::parse`]; a unit test reads it.
    pub fn built_in() -> Result<Self, String> {
        Self::parse(DEFAULT_MAPPING)
    }

    /// What a section is evidence for.
    pub(super) fn references(&self, section: &str) -> Vec<ReportReference> {
        let frameworks = self.frameworks.iter();
        let references = frameworks.filter_map(|framework| {
            Some(ReportReference {
                framework: framework.name.clone(),
                clause: framework.sections.get(section)?.clone(),
            })
        });
        references.collect()
    }
}
