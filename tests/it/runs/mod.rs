//! Events about runs: what each stores, in whatever order and company they come.

use pedigree::graph::{
    ArtifactIdentity, ArtifactUse, ContextUse, Moment, RunEvent, TypeName, TypePolicy,
};
use pedigree::model::{Properties, Value};

mod artifacts;
mod bad_input;
mod batches;
mod contexts;
mod lifecycle;
mod races;
mod types;

pub fn type_name(name: &str) -> TypeName {
    TypeName {
        name: name.to_owned(),
        version: None,
    }
}

/// An event about the run of that name, of the type `Train`, at a time, which may do all about
/// types.
pub fn run(moment: Moment, name: &str, time: i64) -> RunEvent {
    RunEvent {
        moment: Some(moment),
        time: Some(time),
        type_policy: Some(TypePolicy::Extend),
        run_type: type_name("Train"),
        name: Some(name.to_owned()),
        ..RunEvent::default()
    }
}

pub fn context(name: &str) -> ContextUse {
    ContextUse {
        context_type: type_name("Pipeline"),
        name: name.to_owned(),
        ..ContextUse::default()
    }
}

/// An artifact of the type `Data`.
pub fn artifact(identity: ArtifactIdentity) -> ArtifactUse {
    ArtifactUse {
        artifact_type: type_name("Data"),
        identity: Some(identity),
        ..ArtifactUse::default()
    }
}

pub fn named(name: &str) -> ArtifactUse {
    artifact(ArtifactIdentity::Name(name.to_owned()))
}

pub fn with_content(uri: &str, digest: &str) -> ArtifactUse {
    artifact(ArtifactIdentity::Content {
        uri: uri.to_owned(),
        digest: digest.to_owned(),
    })
}

pub fn properties(given: &[(&str, Value)]) -> Properties {
    let own = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    given.iter().map(own).collect()
}
