//! Run events: conversion between the wire's messages and the graph's structs.
//!
//! A number that no enum declares becomes `None`, which the graph refuses.

use super::text;
use crate::api::grpc::mlmd::convert::{all, path_in, properties_in};
use crate::graph::{
    ArtifactIdentity, ArtifactRef, ContextRef, DatasetUse, EventScope, EventTime, RunEvent,
    RunEventType, RunResult, TypeName, TypePolicy,
};
use crate::model::EventType;
use crate::proto::pedigree::lineage::v1::artifact_ref::Identity;
use crate::proto::pedigree::lineage::v1::{self as wire, run_event};

/// The event of a request that has this time, in milliseconds since epoch.
pub(super) fn run_event(given: wire::RunEvent, event_time: Option<i64>) -> RunEvent {
    RunEvent {
        scope: EventScope::Run,
        event_type: event_type(given.event_type),
        time: event_time.map(EventTime::from_milliseconds),
        type_policy: type_policy(given.type_policy),
        run_type: type_name(given.r#type, given.type_version),
        name: text(given.name),
        external_id: text(given.external_id),
        contexts: all(given.contexts),
        inputs: all(given.inputs),
        outputs: all(given.outputs),
        properties: properties_in(given.properties),
        custom_properties: properties_in(given.custom_properties),
        facets: Vec::new(),
    }
}

fn type_name(name: String, version: String) -> TypeName {
    TypeName {
        name,
        version: text(version),
    }
}

fn event_type(number: i32) -> Option<RunEventType> {
    use run_event::Type as Wire;
    match Wire::try_from(number).ok()? {
        Wire::Unspecified => None,
        Wire::Start => Some(RunEventType::Start),
        Wire::Running => Some(RunEventType::Running),
        Wire::Complete => Some(RunEventType::Complete),
        Wire::Fail => Some(RunEventType::Fail),
        Wire::Abort => Some(RunEventType::Abort),
        Wire::Cached => Some(RunEventType::Cached),
        Wire::Other => Some(RunEventType::Other),
    }
}

fn type_policy(number: i32) -> Option<TypePolicy> {
    Some(match wire::TypePolicy::try_from(number).ok()? {
        wire::TypePolicy::MustExist => TypePolicy::MustExist,
        wire::TypePolicy::Create => TypePolicy::Create,
        wire::TypePolicy::Extend => TypePolicy::Extend,
    })
}

impl From<wire::ContextRef> for ContextRef {
    fn from(given: wire::ContextRef) -> Self {
        Self {
            context_type: type_name(given.r#type, given.type_version),
            name: given.name,
            properties: properties_in(given.properties),
            custom_properties: properties_in(given.custom_properties),
            parents: all(given.parents),
            other_names: Vec::new(),
            facets: Vec::new(),
        }
    }
}

impl From<wire::ArtifactRef> for ArtifactRef {
    fn from(given: wire::ArtifactRef) -> Self {
        let event_type = i64::from(given.event_type);
        let event_type = (event_type != 0).then(|| EventType::from_number(event_type));
        Self {
            artifact_type: type_name(given.r#type, given.type_version),
            identity: given.identity.map(Into::into),
            uri: given.uri,
            digest: given.digest,
            properties: properties_in(given.properties),
            custom_properties: properties_in(given.custom_properties),
            path: path_in(given.path),
            event_type,
            contexts: Vec::new(),
            dataset_use: DatasetUse::Version,
            facets: Vec::new(),
        }
    }
}

impl From<Identity> for ArtifactIdentity {
    fn from(given: Identity) -> Self {
        match given {
            Identity::Id(id) => Self::Id(id),
            Identity::ExternalId(id) => Self::ExternalId(id),
            Identity::Name(name) => Self::Name(name),
            Identity::Content(content) => Self::Content {
                uri: content.uri,
                digest: content.digest,
            },
        }
    }
}

impl From<RunResult> for wire::RunResult {
    fn from(stored: RunResult) -> Self {
        Self {
            execution_id: stored.execution_id,
            context_ids: stored.context_ids,
            input_ids: stored.input_ids,
            output_ids: stored.output_ids,
            state: stored
                .state
                .and_then(|state| i32::try_from(state.number()).ok())
                .unwrap_or_default(),
            discarded_properties: stored.discarded_properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unset_or_unknown_on_the_wire_is_none() {
        let given = wire::RunEvent {
            event_type: 99,
            type_policy: 99,
            ..Default::default()
        };
        let event = run_event(given, Some(7));
        assert_eq!((event.event_type, event.type_policy), (None, None));
        assert_eq!(
            (event.name, event.external_id, event.time),
            (None, None, Some(EventTime::from_milliseconds(7)))
        );
        assert_eq!(event.run_type, TypeName::default());
        let start = run_event(
            wire::RunEvent {
                event_type: run_event::Type::Start.into(),
                ..Default::default()
            },
            None,
        );
        let expected = (Some(RunEventType::Start), Some(TypePolicy::MustExist));
        assert_eq!((start.event_type, start.type_policy), expected);
    }

    #[test]
    fn every_event_type_keeps_its_number() {
        let given = wire::ArtifactRef {
            event_type: wire::EventType::PendingOutput.into(),
            ..Default::default()
        };
        assert_eq!(
            ArtifactRef::from(given).event_type,
            Some(EventType::PendingOutput)
        );
        assert_eq!(
            ArtifactRef::from(wire::ArtifactRef::default()).event_type,
            None
        );
    }
}
