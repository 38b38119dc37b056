//! The names of types, external ids and properties.

use crate::graph::names::{MAX_NAME_CHARACTERS, hex_digest};
use crate::model::PropertyName;

/// The type of contexts that are experiments.
pub const EXPERIMENT_TYPE: &str = "mlflow.Experiment";

/// The type of executions that are runs of experiments.
pub const TRACKED_RUN_TYPE: &str = "mlflow.Run";

/// The type of contexts of a run and the runs below it.
pub const RUN_FAMILY_TYPE: &str = "mlflow.ParentRun";

/// The type of artifacts that are datasets, as runs name them.
pub const RUN_INPUT_TYPE: &str = "mlflow.Dataset";

/// The type of artifacts that are models which runs logged.
pub const LOGGED_MODEL_TYPE: &str = "mlflow.LoggedModel";

/// The number of the experiment of runs that name none.
pub const DEFAULT_EXPERIMENT: i64 = 0;

/// Whether an experiment or a run is deleted: [`ACTIVE`] or [`DELETED`]. Declared.
pub(super) const LIFECYCLE_STAGE: &str = "lifecycle_stage";

pub(super) const ACTIVE: &str = "active";
pub(super) const DELETED: &str = "deleted";

/// Where files of runs of an experiment are. Declared.
pub(super) const ARTIFACT_LOCATION: &str = "artifact_location";

/// Where files of a run are. Declared. Those of a model are at the URI of the artifact.
pub(super) const ARTIFACT_URI: &str = "artifact_uri";

/// The number of the experiment of a run or a model. Declared.
pub(super) const EXPERIMENT_ID: &str = "experiment_id";

/// The name of a run, which others may have. Declared.
pub(super) const RUN_NAME: &str = "run_name";

/// The type of artifacts that are files which runs made.
pub const RUN_FILE_TYPE: &str = "mlflow.Artifact";

/// What keys of tags begin with that say where a script wrote a file, before its role.
pub(super) const OUTPUT_TAG_PREFIX: &str = "pedigree.output.";

/// The scheme of URIs of files that this server has.
const SERVED_SCHEME: &str = "mlflow-artifacts:";

/// The size and the number of the files of a model.
pub(super) const BYTES: &str = "bytes";
pub(super) const FILES: &str = "files";

/// Who runs a run.
pub(super) const OWNER: &str = "owner";

/// When a run started and ended, in milliseconds since epoch.
pub(super) const STARTED_AT: &str = "started_at";
pub(super) const ENDED_AT: &str = "ended_at";

/// What names of properties of parameters, metrics and tags begin with.
pub(super) const PARAM_PREFIX: &str = "param.";
pub(in crate::graph) const TAG_PREFIX: &str = "tag.";
const METRIC_PREFIX: &str = "metric.";

/// The tag with the name of a run.
pub const RUN_NAME_TAG: &str = "mlflow.runName";

/// The tag with the id of the run above a run.
pub const PARENT_RUN_TAG: &str = "mlflow.parentRunId";

/// The tag with the id of the run of Kubeflow Pipelines that a run is about. Its plugin sets it.
pub(super) const PIPELINE_RUN_TAG: &str = "kfp.pipeline_run_id";

/// The type of the context that Kubeflow Pipelines has for each of its runs, with that id as name.
pub(super) const PIPELINE_RUN_TYPE: &str = "system.PipelineRun";

/// The tag of an input that says what the run used it for.
pub const INPUT_CONTEXT_TAG: &str = "mlflow.data.context";

/// The name of a model, which others may have; its type; the id of the run that logged it, as the
/// client says it. Declared.
pub(super) const MODEL_NAME: &str = "name";
pub(super) const MODEL_TYPE: &str = "model_type";
pub(in crate::graph) const SOURCE_RUN_ID: &str = "source_run_id";

/// The name of a dataset. Declared.
pub(super) const INPUT_NAME: &str = "name";

/// The digest of a dataset as its client says it, which is short.
pub(super) const CLIENT_DIGEST: &str = "mlflow.digest";

/// The digest of content: `sha256:` and its digits. That of a client begins with
/// [`CLIENT_DIGEST_PREFIX`], where no other is known.
pub(super) const DIGEST: &str = "digest";
const CLIENT_DIGEST_PREFIX: &str = "mlflow:";

/// The version of a dataset, as its system names it.
pub(super) const VERSION: &str = "version";

/// The tag of an input that has the SHA-256 of the dataset, as `sha256:` and its digits.
pub const INPUT_DIGEST_TAG: &str = "pedigree.digest";

/// Where a dataset comes from, as its client says it. Declared.
pub(super) const SOURCE_TYPE: &str = "source_type";
pub(super) const SOURCE: &str = "source";

/// The digests of texts about a dataset.
pub(super) const SCHEMA_DIGEST: &str = "schema_digest";
pub(super) const PROFILE_DIGEST: &str = "profile_digest";

/// The property of a parameter.
#[must_use]
pub fn param_property(key: &str) -> PropertyName {
    custom([PARAM_PREFIX, key].concat())
}

/// The property of a tag of an experiment, a run or a model.
#[must_use]
pub fn tag_property(key: &str) -> PropertyName {
    custom([TAG_PREFIX, key].concat())
}

/// The path of what a URI names, if it is one of files that this server has. One with a host is of
/// another server: an import leaves such.
#[must_use]
pub fn served_path(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix(SERVED_SCHEME)?;
    let has_host = rest
        .strip_prefix("//")
        .is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
    (!has_host).then(|| rest.trim_start_matches('/'))
}

/// Where files of runs of an experiment are that this server has.
#[must_use]
pub fn served_location(experiment: i64) -> String {
    format!("{SERVED_SCHEME}/{experiment}")
}

/// Where files of a run are that are in the location of its experiment.
#[must_use]
pub fn run_files(location: &str, run: &str) -> String {
    [location, "/", run, "/artifacts"].concat()
}

/// Where files of a model are that are in the location of its experiment.
#[must_use]
pub fn model_files(location: &str, model: &str) -> String {
    [location, "/models/", model, "/artifacts"].concat()
}

/// The URI of the file at a path of this server.
pub(super) fn served_uri(path: &str) -> String {
    [SERVED_SCHEME, "/", path].concat()
}

/// The name of a run.
#[must_use]
pub fn run_name_property() -> PropertyName {
    declared(RUN_NAME)
}

/// Where files of a run are.
#[must_use]
pub fn artifact_uri_property() -> PropertyName {
    declared(ARTIFACT_URI)
}

/// Who runs a run.
#[must_use]
pub fn owner_property() -> PropertyName {
    custom(OWNER.to_owned())
}

/// When a run ended.
#[must_use]
pub fn end_property() -> PropertyName {
    custom(ENDED_AT.to_owned())
}

/// The name of a model.
#[must_use]
pub fn model_name_property() -> PropertyName {
    declared(MODEL_NAME)
}

/// The type of a model.
#[must_use]
pub fn model_type_property() -> PropertyName {
    declared(MODEL_TYPE)
}

/// The id of the run that logged a model.
#[must_use]
pub fn source_run_property() -> PropertyName {
    declared(SOURCE_RUN_ID)
}

/// The name of a dataset.
#[must_use]
pub fn input_name_property() -> PropertyName {
    declared(INPUT_NAME)
}

/// The digest of a dataset as its client says it.
#[must_use]
pub fn input_digest_property() -> PropertyName {
    custom(CLIENT_DIGEST.to_owned())
}

/// The digest of a client where no other is known.
pub(super) fn weak_digest(digest: &str) -> String {
    [CLIENT_DIGEST_PREFIX, digest].concat()
}

fn custom(name: String) -> PropertyName {
    PropertyName {
        name,
        is_custom: true,
    }
}

fn declared(name: &str) -> PropertyName {
    PropertyName {
        name: name.to_owned(),
        is_custom: false,
    }
}

/// The most bytes of the name of a property that has the key of a metric, and how many of a longer
/// one stand before its digest. The column has as many characters, which are bytes on MySQL.
const MAX_METRIC_PROPERTY_BYTES: usize = MAX_NAME_CHARACTERS;
const KEPT_METRIC_BYTES: usize = MAX_METRIC_PROPERTY_BYTES - 65;

/// The property of the latest value of a metric. The series has the key.
pub(super) fn metric_property(key: &str) -> String {
    let name = [METRIC_PREFIX, key].concat();
    if name.len() <= MAX_METRIC_PROPERTY_BYTES {
        return name;
    }
    let mut end = KEPT_METRIC_BYTES;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    [&name[..end], "~", &hex_digest(name.as_bytes())].concat()
}

/// What external ids of experiments begin with.
const EXPERIMENT_PREFIX: &str = "mlflow:experiment:";

/// The external id of an experiment.
pub(super) fn experiment_id(number: i64) -> String {
    experiment_external_id(&number.to_string())
}

/// The external id of an experiment whose number is a text.
#[must_use]
pub fn experiment_external_id(number: &str) -> String {
    [EXPERIMENT_PREFIX, number].concat()
}

/// The number of the experiment with an external id.
pub(super) fn experiment_number(external_id: &str) -> Option<i64> {
    external_id.strip_prefix(EXPERIMENT_PREFIX)?.parse().ok()
}

/// The external id of a run.
pub(super) fn run_id(id: &str) -> String {
    ["mlflow:run:", id].concat()
}

/// The external id of a model.
pub(super) fn model_id(id: &str) -> String {
    ["mlflow:model:", id].concat()
}

/// The external id of a file with some content that a run made in a role.
pub(super) fn run_file_id(run: &str, role: &str, digest: &str) -> String {
    let pair = hex_digest([role, digest].join("\0").as_bytes());
    ["mlflow:file:", run, ":", &pair].concat()
}

/// The external id of the blob with a digest.
pub(super) fn blob_id(digest: &str) -> String {
    ["pedigree:blob:", digest].concat()
}

/// The external id of the context of a run and the runs below it.
pub(super) fn family_id(run: &str) -> String {
    ["mlflow:children:", run].concat()
}

/// The external id of a dataset of an experiment.
pub(super) fn input_id(experiment: i64, name: &str, digest: &str) -> String {
    let pair = [name, digest].join("\0");
    let pair = hex_digest(pair.as_bytes());
    ["mlflow:dataset:", &experiment.to_string(), ":", &pair].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_long_metrics_fit_and_differ() {
        assert_eq!(metric_property("acc"), "metric.acc");
        let long = |end: &str| metric_property(&("é".repeat(125) + end));
        assert!(long("1").len() <= MAX_METRIC_PROPERTY_BYTES);
        assert_ne!(long("1"), long("2"));
    }

    #[test]
    fn numbers_of_experiments_are_in_their_external_ids() {
        assert_eq!(experiment_number(&experiment_id(7)), Some(7));
        assert_eq!(experiment_number("mlflow:run:7"), None);
    }
}
