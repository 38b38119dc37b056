//! The names of what events identify, as the graph has them.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};

use crate::graph::short_name;

/// What the external ids of runs begin with, before the id.
pub(in crate::api) const RUN_PREFIX: &str = "openlineage:run:";

/// What the external ids of versions of datasets begin with.
pub(super) const VERSION_PREFIX: &str = "openlineage:data:";

/// The external id of a run.
pub(in crate::api) fn run_id(run: &str) -> String {
    short_name(Cow::Owned(format!("{RUN_PREFIX}{run}"))).into_owned()
}

/// The name of a run: that of its job and its id.
pub(super) fn run(job: &str, run: &str) -> String {
    short_name(Cow::Owned(format!("{job}/{run}"))).into_owned()
}

/// The full name of a job: its namespace, in which slashes are encoded, and its name.
pub(in crate::api) fn job(namespace: &str, name: &str) -> String {
    let namespace = namespace.replace('%', "%25").replace('/', "%2F");
    format!("{namespace}/{name}")
}

/// The external id of a version of the data at a canonical URI. `version` is its name, or the id of
/// the run that wrote it.
pub(in crate::api) fn version_id(uri: &str, version: &DatasetVersion<'_>) -> String {
    let (kind, name) = match version {
        DatasetVersion::Named(name) => ("version", *name),
        DatasetVersion::WrittenBy(run) => ("run", *run),
        DatasetVersion::Unknown => ("", ""),
    };
    let mut bytes = Vec::new();
    for text in [kind, name, uri] {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    format!("{VERSION_PREFIX}{}", sha256(&bytes))
}

/// The version of a dataset that a run read or wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum DatasetVersion<'e> {
    Named(&'e str),
    WrittenBy(&'e str),
    /// The version of which neither a name nor a producer is known.
    Unknown,
}

/// The SHA-256 as hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_jobs_are_unambiguous() {
        let names = [job("a", "b/c"), job("a/b", "c"), job("a%2Fb", "c")];
        assert_eq!(names, ["a/b/c", "a%2Fb/c", "a%252Fb/c"]);
    }

    #[test]
    fn ids_of_versions_never_change() {
        let id = version_id("s3://b/k", &DatasetVersion::Named("7"));
        assert_eq!(id.len(), 17 + 64);
        let others = [
            DatasetVersion::WrittenBy("7"),
            DatasetVersion::Unknown,
            DatasetVersion::Named("8"),
        ];
        assert!(
            others
                .iter()
                .all(|other| version_id("s3://b/k", other) != id)
        );
    }
}
