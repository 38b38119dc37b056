//! The names of types and properties of registered models: those of Kubeflow's Model Registry, and
//! what clients of `MLflow` need beside them.

use crate::graph::nodes::immutable::DELETED_AT;
pub use crate::graph::nodes::immutable::MODEL_VERSION_TYPE;
use crate::model::PropertyName;
use crate::storage::tables::versions::VersionProperties;

/// The type of contexts that are registered models.
pub const REGISTERED_MODEL_TYPE: &str = "kf.RegisteredModel";

/// The type of artifacts that stand for models of which nothing but the URI is known.
pub const MODEL_ARTIFACT_TYPE: &str = "kf.ModelArtifact";

/// Declared for models and versions.
pub(super) const DESCRIPTION: &str = "description";

/// Whether a model or a version is in use: [`LIVE`] or [`ARCHIVED`]. Declared.
pub(super) const STATE: &str = "state";

pub(super) const LIVE: &str = "LIVE";
pub(super) const ARCHIVED: &str = "ARCHIVED";

/// Who created a model. Declared.
pub(super) const OWNER: &str = "owner";

/// Who created a version; its text; the name that its model had then. Declared.
pub(super) const AUTHOR: &str = "author";
pub(super) const VERSION: &str = "version";
pub(super) const MODEL_NAME: &str = "model_name";

/// The number of a version. Other clients may create versions without one.
const VERSION_NUMBER: &str = "version_number";

/// When a model or a version changed, but for its tags and aliases, in milliseconds since epoch.
pub(super) const UPDATED_AT: &str = "updated_at";

/// Where a version comes from, as its client says it; the run that it names, and its link.
pub(super) const SOURCE: &str = "source";
pub(super) const RUN_ID: &str = "run_id";
pub(super) const RUN_LINK: &str = "run_link";

/// Where the files of a version are, if its source names another version.
pub(super) const DOWNLOAD_URI: &str = "download_uri";

/// The stage of a version, if it is in one.
pub(super) const STAGE: &str = "stage";

/// What names of properties of aliases begin with. The value is the version.
pub(super) const ALIAS_PREFIX: &str = "alias.";

/// What the names of deleted models begin with, which no other model has.
pub(super) const DELETED_PREFIX: &str = "deleted:";

/// What statements need to know.
pub(super) const VERSION_PROPERTIES: VersionProperties = VersionProperties {
    number: VERSION_NUMBER,
    stage: STAGE,
    deleted: DELETED_AT,
};

fn custom(name: &str) -> PropertyName {
    PropertyName {
        name: name.to_owned(),
        is_custom: true,
    }
}

/// The number of a version.
#[must_use]
pub fn version_number_property() -> PropertyName {
    custom(VERSION_NUMBER)
}

/// When a model or a version changed.
#[must_use]
pub fn update_time_property() -> PropertyName {
    custom(UPDATED_AT)
}

/// The run that a version names.
#[must_use]
pub fn version_run_property() -> PropertyName {
    custom(RUN_ID)
}

/// Where a version comes from.
#[must_use]
pub fn version_source_property() -> PropertyName {
    custom(SOURCE)
}

/// The property of an alias.
pub(super) fn alias_property(alias: &str) -> String {
    [ALIAS_PREFIX, alias].concat()
}

/// The name of the context of a version.
pub(super) fn version_name(model: i64, version: &str) -> String {
    format!("{model}:{version}")
}

/// The text of a version, from the name of its context.
pub(super) fn version_text(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, version)| version)
}

/// The tag of registered models and versions that are prompts: texts without files. Clients ask for
/// other models by a comparison with it, which models without it pass.
pub const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

/// Whether a version with these tags is a prompt. The last tag of a key counts.
#[must_use]
pub fn is_prompt(tags: &[(String, String)]) -> bool {
    let tag = tags.iter().rfind(|(key, _)| key == PROMPT_TAG);
    tag.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
}
