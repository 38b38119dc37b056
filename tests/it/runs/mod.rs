//! Events about runs: what each stores, in whatever order and company they come.

use pedigree::graph::{
    ArtifactIdentity, ArtifactRef, ContextRef, EventTime, RunEvent, RunEventType, TypeName,
    TypePolicy,
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

/// The time from which the events of these cases count theirs, in milliseconds since epoch.
pub const START_OF_TIME: i64 = 1_700_000_000_000;

/// A property with a time after [`START_OF_TIME`].
pub fn at(milliseconds: i64) -> Value {
    Value::Int(START_OF_TIME + milliseconds)
}

/// The time of an event, in milliseconds since epoch.
pub fn milliseconds(time: i64) -> EventTime {
    EventTime::from_milliseconds(time)
}

/// An event about the run of that name, of the type `Train`, at a time after [`START_OF_TIME`] in
/// milliseconds, which may do all about types.
pub fn run(event_type: RunEventType, name: &str, time: i64) -> RunEvent {
    RunEvent {
        event_type: Some(event_type),
        time: Some(milliseconds(START_OF_TIME + time)),
        type_policy: Some(TypePolicy::Extend),
        run_type: type_name("Train"),
        name: Some(name.to_owned()),
        ..RunEvent::default()
    }
}

pub fn context(name: &str) -> ContextRef {
    ContextRef {
        context_type: type_name("Pipeline"),
        name: name.to_owned(),
        ..ContextRef::default()
    }
}

/// An artifact of the type `Data`.
pub fn artifact(identity: ArtifactIdentity) -> ArtifactRef {
    ArtifactRef {
        artifact_type: type_name("Data"),
        identity: Some(identity),
        ..ArtifactRef::default()
    }
}

pub fn named(name: &str) -> ArtifactRef {
    artifact(ArtifactIdentity::Name(name.to_owned()))
}

pub fn with_content(uri: &str, digest: &str) -> ArtifactRef {
    artifact(ArtifactIdentity::Content {
        uri: uri.to_owned(),
        digest: digest.to_owned(),
    })
}

pub fn properties(given: &[(&str, Value)]) -> Properties {
    let own = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    given.iter().map(own).collect()
}
