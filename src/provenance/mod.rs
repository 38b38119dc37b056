//! Provenance for other tools: pure functions of the plan of an artifact and of its nodes. The same
//! graph gives the same bytes.
//!
//! * `slsa`: a statement of in-toto for each step, with SLSA provenance; `dsse`: signatures.
//! * `cyclonedx`: an ML-BOM; `prov_json`: PROV-JSON; `ro_crate`: a Process Run Crate.

mod cyclonedx;
mod dsse;
mod prov_json;
mod ro_crate;
mod slsa;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::{Position, Url};

pub use cyclonedx::{BomVersion, bom};
pub use dsse::SigningKey;
pub use prov_json::prov_document;
pub use ro_crate::crate_metadata;
pub use slsa::{Statements, statements};

use crate::proto::ml_metadata::{Artifact, Execution, Value, value};
use crate::proto::pedigree::reproduction::v1::{PlanResponse, PlannedArtifact, PlannedStep};
use crate::reproduce::sha256_hex;

/// What an export is made of.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    pub plan: PlanResponse,
    /// The nodes that the plan names, by their ids.
    pub artifacts: BTreeMap<i64, Artifact>,
    pub executions: BTreeMap<i64, Execution>,
    /// The packages of lists that could be read, by the digests of the lists.
    pub packages: BTreeMap<String, Vec<Package>>,
}

/// A package of Python in a list of packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    pub name: String,
    pub version: String,
}

impl Package {
    /// The packages of a list, whose lines are `NAME==VERSION`. Other lines are no packages.
    #[must_use]
    pub fn list(text: &str) -> Vec<Self> {
        let pairs = text.lines().filter_map(|line| line.split_once("=="));
        let pairs = pairs.filter(|(name, _)| !name.starts_with('#'));
        let packages = pairs.map(|(name, version)| Self {
            name: name.trim().to_owned(),
            version: version.trim().to_owned(),
        });
        packages.collect()
    }
}

impl Provenance {
    /// The artifact that is exported. `None` if the plan does not have it.
    pub(crate) fn subject(&self) -> Option<&PlannedArtifact> {
        self.planned(self.plan.artifact_id)
    }

    /// What the artifact is called that is exported. `None` if the plan does not have it.
    pub(crate) fn subject_name(&self) -> Option<String> {
        self.subject().map(display_name)
    }

    /// An artifact of the plan, which has them ascending by id.
    fn planned(&self, id: i64) -> Option<&PlannedArtifact> {
        let artifacts = &self.plan.artifacts;
        let place = artifacts.binary_search_by_key(&id, |artifact| artifact.id);
        place.ok().and_then(|place| artifacts.get(place))
    }

    /// A property of the execution of a step.
    fn step_fact(&self, step: &PlannedStep, name: &str) -> Option<String> {
        let execution = self.executions.get(&step.execution_id)?;
        text(&execution.custom_properties, name).or_else(|| text(&execution.properties, name))
    }

    /// A time of a step in milliseconds since epoch: `started_at` or `ended_at`.
    fn step_time(&self, step: &PlannedStep, name: &str) -> Option<i64> {
        int(
            &self.executions.get(&step.execution_id)?.custom_properties,
            name,
        )
    }
}

/// A property that is an integer.
pub(crate) fn int(properties: &BTreeMap<String, Value>, name: &str) -> Option<i64> {
    match properties.get(name)?.value.as_ref()? {
        value::Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

/// A property as a text.
pub(crate) fn text(properties: &BTreeMap<String, Value>, name: &str) -> Option<String> {
    match properties.get(name)?.value.as_ref()? {
        value::Value::StringValue(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        value::Value::IntValue(number) => Some(number.to_string()),
        value::Value::DoubleValue(number) => Some(number.to_string()),
        value::Value::BoolValue(is) => Some(is.to_string()),
        value::Value::StructValue(_) | value::Value::ProtoValue(_) => None,
    }
}

/// What RFC 3987 does not allow in a path, a query or a fragment, although URLs of users have it.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The same for a host, which may be an address of IPv6.
const NOT_IN_HOST: &AsciiSet = &NOT_IN_PATH.remove(b'[').remove(b']');

/// A URI as other tools read it: without a user and a password. `None` if it is no absolute one.
fn public_uri(uri: &str) -> Option<String> {
    let mut url = match uri.strip_prefix('/') {
        Some(_) => Url::from_file_path(uri).ok()?,
        None => Url::parse(uri).ok()?,
    };
    // A URL without a host has no user, which these say.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let rest = &url[Position::BeforePath..];
    // Only the first `#` begins a fragment.
    let (path, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let fragment = fragment.replace('#', "%23");
    let mark = if rest.contains('#') { "#" } else { "" };
    let rest = format!("{path}{mark}{fragment}");
    let rest = utf8_percent_encode(&rest, NOT_IN_PATH);
    let host = utf8_percent_encode(&url[..Position::BeforePath], NOT_IN_HOST);
    Some(format!("{host}{rest}"))
}

/// The last part of the path of an artifact's URI, its name, or its type and id.
fn display_name(artifact: &PlannedArtifact) -> String {
    if !artifact.name.is_empty() {
        return artifact.name.clone();
    }
    let path = artifact.uri.split(['?', '#']).next().unwrap_or_default();
    match path.trim_end_matches('/').rsplit('/').next() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => format!("{} {}", artifact.r#type, artifact.id),
    }
}

/// The name of a step, or its type.
fn step_name(step: &PlannedStep) -> &str {
    if step.name.is_empty() {
        &step.r#type
    } else {
        &step.name
    }
}

/// The name of a node of the graph in other tools. Ids are those of one database.
fn node_urn(kind: &str, id: i64) -> String {
    format!("urn:pedigree:{kind}:{id}")
}

/// The words of a command in one line. A word that a shell would split or change is quoted.
pub(crate) fn command_line(words: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:{},@%+".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
