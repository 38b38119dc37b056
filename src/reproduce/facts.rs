//! What an execution says about itself, by the names that all doors give its facts.

use std::collections::BTreeMap;
use std::path::Path;

use super::{ArtifactLineage, BLOB_TYPE, CODE_DIFF, CODE_SPEC, ENVIRONMENT_LOCK};
use crate::model::{ENVIRONMENT_PYTHON, Node, Value};

/// The lengths of the names of git's commits, in hexadecimal digits.
const COMMIT_LENGTHS: [usize; 2] = [40, 64];

/// Variables of the environment that change results. None of them holds a secret, or says which
/// program runs. Others are neither recorded nor set.
pub const RECORDED_VARIABLES: [&str; 16] = [
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "LANG",
    "LC_ALL",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTHONUTF8",
    "SOURCE_DATE_EPOCH",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TOKENIZERS_PARALLELISM",
    "TZ",
];

/// A blob that a step needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedBlob {
    /// The id of its artifact. `None` if it has none: only its digest is known.
    pub artifact: Option<i64>,
    pub uri: String,
    pub digest: String,
}

/// The code of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedCode {
    pub repository: String,
    /// Hexadecimal digits; empty if it is not known, or is no commit.
    pub commit: String,
    /// The working directory in the repository; empty for its root.
    pub path: String,
    /// What differs from the commit.
    pub diff: Option<PlannedBlob>,
    /// Whether the work tree is known to have differed from the commit.
    pub is_dirty: bool,
    /// The specification of the pipeline, which has the code.
    pub spec: Option<PlannedBlob>,
}

impl PlannedCode {
    /// Whether the command has the code, as the specification of a pipeline says: it needs no work
    /// tree.
    pub(super) const fn is_in_spec(&self) -> bool {
        self.commit.is_empty() && self.spec.is_some()
    }
}

/// The environment of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedEnvironment {
    /// The version of Python, or empty.
    pub python: String,
    /// The list of packages.
    pub lock: Option<PlannedBlob>,
    /// A container image with its digest, or empty.
    pub image: String,
    pub variables: BTreeMap<String, String>,
}

impl PlannedEnvironment {
    /// Whether a recipe can make the environment, or run a container of it.
    pub(super) const fn has_recipe(&self) -> bool {
        (self.lock.is_some() && !self.python.is_empty()) || !self.image.is_empty()
    }
}

/// Facts for which clients have names of their own: the tags of `MLflow`'s client, and the image of
/// KFP's launcher.
const OTHER_NAMES: [(&str, &str); 3] = [
    ("code.repository", "tag.mlflow.source.git.repoURL"),
    ("code.commit", "tag.mlflow.source.git.commit"),
    ("environment.image", "image"),
];

/// What the names of tags begin with that say a fact: doors without a place for it have tags.
const FACT_TAG_PREFIX: &str = "tag.pedigree.";

/// The tag of `MLflow`'s client that has the file of a script, and the one that says whether the
/// work tree differs from its commit.
const SCRIPT_TAG: &str = "tag.mlflow.source.name";
const DIRTY_TAG: &str = "tag.mlflow.source.git.dirty";

/// The property of KFP's launcher that has the parameters of a step, among its inputs.
const STRUCT_INPUTS: &str = "inputs";

/// What the digest of an artifact begins with of which only a version is known, such as that of a
/// snapshot of a table.
const VERSION_PREFIX: &str = "version:";

/// A fact as a text, by its name, by the tag that says it, or by the name of a client.
pub(super) fn text(node: &Node, name: &str) -> Option<String> {
    let tag = [FACT_TAG_PREFIX, name].concat();
    let other = OTHER_NAMES.iter().find(|(known, _)| *known == name);
    let known = property_text(node, name).or_else(|| property_text(node, &tag));
    known.or_else(|| property_text(node, other?.1))
}

/// A property as a text. A custom property comes before one that the type declares.
fn property_text(node: &Node, name: &str) -> Option<String> {
    let content = &node.content;
    let value = content.custom_properties.get(name);
    match value.or_else(|| content.properties.get(name))? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Struct(_) | Value::Proto(_) | Value::Empty => None,
    }
}

/// The parameters of an execution.
pub(super) fn parameters(node: &Node) -> BTreeMap<String, String> {
    let given = node.content.custom_properties.get(STRUCT_INPUTS);
    let mut parameters = given.map(Value::struct_texts).unwrap_or_default();
    parameters.extend(texts_below(node, "param."));
    parameters
}

/// The digest of an artifact. If it has no SHA-256, its version after `version:`, or else a weaker
/// digest. Empty if it has nothing of that.
pub(super) fn digest(node: &Node) -> String {
    let known = text(node, "digest").unwrap_or_default();
    match text(node, "version") {
        Some(version) if !is_strong(&known) => [VERSION_PREFIX, &version].concat(),
        _ => known,
    }
}

fn is_python(script: &str) -> bool {
    Path::new(script).extension().is_some_and(|end| end == "py")
}

/// The facts whose names begin with a prefix, by the rest of their names.
pub(super) fn texts_below(node: &Node, prefix: &str) -> BTreeMap<String, String> {
    let content = &node.content;
    let names = content
        .properties
        .keys()
        .chain(content.custom_properties.keys());
    let facts = names.map(|name| name.strip_prefix(FACT_TAG_PREFIX).unwrap_or(name));
    let pairs = facts.filter_map(|name| Some((name, name.strip_prefix(prefix)?)));
    let found = pairs.filter_map(|(name, rest)| Some((rest.to_owned(), text(node, name)?)));
    found.collect()
}

/// The words of a command: a JSON list.
pub(super) fn words(node: &Node, name: &str) -> Vec<String> {
    let text = text(node, name).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The command of a step. Of a script that `MLflow`'s client names, only the file is known.
pub(super) fn command(node: &Node) -> Vec<String> {
    let words = words(node, "command");
    match property_text(node, SCRIPT_TAG) {
        Some(script) if words.is_empty() && is_python(&script) => {
            vec!["python".to_owned(), script]
        }
        _ => words,
    }
}

pub(super) fn code(node: &Node, blobs: &[PlannedBlob]) -> PlannedCode {
    let fact = |name| text(node, name).unwrap_or_default();
    PlannedCode {
        repository: fact("code.repository"),
        commit: Some(fact("code.commit"))
            .filter(|it| is_commit(it))
            .unwrap_or_default(),
        path: fact("code.path"),
        diff: blob(node, CODE_DIFF, blobs),
        is_dirty: property_text(node, DIRTY_TAG).is_some_and(|it| it == "true"),
        spec: blob(node, CODE_SPEC, blobs),
    }
}

pub(super) fn environment(node: &Node, blobs: &[PlannedBlob]) -> PlannedEnvironment {
    let fact = |name| text(node, name).unwrap_or_default();
    let variables = serde_json::from_str(&fact("environment.variables"));
    let mut variables: BTreeMap<String, String> = variables.unwrap_or_default();
    variables.retain(|name, _| RECORDED_VARIABLES.contains(&name.as_str()));
    PlannedEnvironment {
        python: Some(fact(ENVIRONMENT_PYTHON))
            .filter(|it| is_version(it))
            .unwrap_or_default(),
        lock: blob(node, ENVIRONMENT_LOCK, blobs),
        image: Some(fact("environment.image"))
            .filter(|it| is_image(it))
            .unwrap_or_default(),
        variables,
    }
}

/// The blobs among the inputs of an execution.
pub(super) fn blobs<'a>(
    lineage: &ArtifactLineage,
    inputs: impl Iterator<Item = &'a i64>,
) -> Vec<PlannedBlob> {
    let nodes = inputs.filter_map(|id| lineage.artifacts.get(id));
    let nodes = nodes.filter(|node| node.type_name.as_deref() == Some(BLOB_TYPE));
    nodes
        .map(|node| PlannedBlob {
            artifact: Some(node.id),
            uri: node.content.uri.clone().unwrap_or_default(),
            digest: text(node, "digest").unwrap_or_default(),
        })
        .collect()
}

/// The blob whose digest a fact names.
fn blob(node: &Node, name: &str, blobs: &[PlannedBlob]) -> Option<PlannedBlob> {
    let digest = text(node, name)?;
    let found = blobs.iter().find(|blob| blob.digest == digest);
    Some(found.cloned().unwrap_or(PlannedBlob {
        digest,
        ..PlannedBlob::default()
    }))
}

/// Whether a text is a version, such as `3.12.1` or `3.14.0rc1+`. It becomes a part of the name of
/// a program.
fn is_version(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".+".contains(c);
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(is_allowed)
}

/// Whether a text is the name of an image with a digest. It becomes a word of a command.
pub(crate) fn is_image(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins && text.contains("@sha256:") && text.chars().all(is_allowed)
}

fn is_commit(text: &str) -> bool {
    COMMIT_LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a digest says which content is meant: it is strong, or the version of a source that
/// keeps versions.
pub(super) fn is_pinned(digest: &str) -> bool {
    is_strong(digest) || is_version_only(digest)
}

/// Whether only a version is known.
pub(super) fn is_version_only(digest: &str) -> bool {
    digest.starts_with(VERSION_PREFIX)
}

/// The hexadecimal digits of a SHA-256, `sha256:HEX`. `None` for a weaker digest, which can be that
/// of two contents.
pub(crate) fn sha256_hex(digest: &str) -> Option<&str> {
    let hex = digest.strip_prefix("sha256:")?;
    let is_hex = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then_some(hex)
}

/// Whether a digest is a SHA-256, `sha256:HEX`.
pub(super) fn is_strong(digest: &str) -> bool {
    sha256_hex(digest).is_some()
}
