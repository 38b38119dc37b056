//! What is refused, with its code and text, and leaves nothing behind.

use pedigree::api::grpc::status::code;
use pedigree::graph::RunEventType::{Complete, Start};
use pedigree::graph::{ArtifactIdentity, RunEvent, TypePolicy};
use pedigree::model::{EventType, Value};
use tonic::Code::{self, FailedPrecondition, InvalidArgument, NotFound};

use super::{
    START_OF_TIME, artifact, context, milliseconds, named, properties, run, type_name, with_content,
};
use crate::support::TestGraph;

on_every_database! {
    malformed_events_are_refused,
    events_that_contradict_the_graph_are_refused,
}

/// What is wrong with an event, the code, and how the text starts.
type Case = (fn(&mut RunEvent), Code, &'static str);

const MALFORMED: &[Case] = &[
    (
        |event| event.event_type = None,
        InvalidArgument,
        "The event type of the run event is missing",
    ),
    (
        |event| event.type_policy = None,
        InvalidArgument,
        "The type policy of the run event",
    ),
    (
        |event| event.time = Some(milliseconds(-1)),
        InvalidArgument,
        "The event time -1 is not plausible",
    ),
    (
        |event| event.time = Some(milliseconds(START_OF_TIME / 1000)),
        InvalidArgument,
        "The event time 1700000000 is not plausible: it must be in milliseconds",
    ),
    (
        |event| event.time = Some(milliseconds(START_OF_TIME * 1000)),
        InvalidArgument,
        "The event time 1700000000000000 is not plausible",
    ),
    (
        |event| event.time = Some(milliseconds(START_OF_TIME * 1_000_000)),
        InvalidArgument,
        "The event time 1700000000000000000 is not plausible",
    ),
    (
        |event| event.time = Some(milliseconds(i64::MAX)),
        InvalidArgument,
        "The event time 9223372036854775807 is not plausible",
    ),
    (
        |event| event.time = Some(milliseconds(i64::MIN)),
        InvalidArgument,
        "The event time -9223372036854775808 is not plausible",
    ),
    (
        |event| {
            event.custom_properties = properties(&[("pedigree.lifecycle", Value::Int(1))]);
        },
        InvalidArgument,
        "The custom property pedigree.lifecycle of the run is set by the server",
    ),
    (
        |event| event.run_type.name.clear(),
        InvalidArgument,
        "The type of the run is missing",
    ),
    (
        |event| (event.name, event.external_id) = (None, None),
        InvalidArgument,
        "The run has neither a name nor an external id",
    ),
    (
        |event| event.name = Some("ä".repeat(256)),
        InvalidArgument,
        "A name or id of the run has more than 255 characters: ää",
    ),
    (
        |event| event.external_id = Some("x".repeat(256)),
        InvalidArgument,
        "A name or id of the run has more",
    ),
    (
        |event| event.run_type.version = Some("x".repeat(256)),
        InvalidArgument,
        "A name or id of the run has more",
    ),
    (
        |event| event.properties = properties(&[("p", Value::Empty)]),
        InvalidArgument,
        "The property p of the run has no value",
    ),
    (
        |event| event.custom_properties = properties(&[("c", Value::Empty)]),
        InvalidArgument,
        "The property c of the run has no value",
    ),
    (
        |event| event.custom_properties = properties(&[("ended_at", Value::Int(1))]),
        InvalidArgument,
        "The custom property ended_at of the run is set by the server",
    ),
    (
        |event| event.contexts[0].name.clear(),
        InvalidArgument,
        "The name of the context is missing",
    ),
    (
        |event| event.contexts[0].parents = vec![context("")],
        InvalidArgument,
        "The name of the context is missing",
    ),
    (
        |event| event.contexts[0].context_type.name.clear(),
        InvalidArgument,
        "The type of the context is missing",
    ),
    (
        |event| event.inputs[0].identity = None,
        InvalidArgument,
        "An artifact has no id, external id, name or content",
    ),
    (
        |event| event.inputs[0] = named(""),
        InvalidArgument,
        "The name of the artifact is missing",
    ),
    (
        |event| event.inputs[0] = artifact(ArtifactIdentity::ExternalId(String::new())),
        InvalidArgument,
        "The external id of the artifact is missing",
    ),
    (
        |event| event.inputs[0] = with_content("", "d"),
        InvalidArgument,
        "The URI of the artifact is missing",
    ),
    (
        |event| event.inputs[0] = with_content("u", ""),
        InvalidArgument,
        "The digest of the artifact is missing",
    ),
    (
        |event| event.inputs[0].digest = Some(String::new()),
        InvalidArgument,
        "The digest of the artifact is missing",
    ),
    (
        |event| event.inputs[0].artifact_type.name.clear(),
        InvalidArgument,
        "The type of the artifact is missing",
    ),
    (
        |event| event.inputs[0] = named(&"x".repeat(256)),
        InvalidArgument,
        "A name or id of the artifact has more",
    ),
    (
        |event| event.inputs[0].event_type = Some(EventType::Output),
        InvalidArgument,
        "The event type 4 is not that of an input",
    ),
    (
        |event| event.outputs[0].event_type = Some(EventType::DeclaredInput),
        InvalidArgument,
        "The event type 2 is not that of an output",
    ),
    (
        |event| event.outputs[0].event_type = Some(EventType::Unknown(99)),
        InvalidArgument,
        "The event type 99 is not that of an output",
    ),
    (
        |event| {
            event.inputs[0] = with_content("u", "d");
            event.inputs[0].digest = Some("e".to_owned());
        },
        InvalidArgument,
        "The URI or the digest of an artifact is not that of its content",
    ),
    (
        |event| event.outputs[0].custom_properties = properties(&[("digest", Value::Int(1))]),
        InvalidArgument,
        "The custom property digest of the artifact is set by the server",
    ),
];

const CONTRADICTING: &[Case] = &[
    (
        |event| event.inputs[0] = artifact(ArtifactIdentity::Id(9999)),
        NotFound,
        "No artifact with the given id 9999",
    ),
    (
        |event| {
            event.type_policy = Some(TypePolicy::MustExist);
            event.run_type = type_name("Unknown");
        },
        NotFound,
        "No execution type `Unknown` exists",
    ),
    (
        |event| event.inputs[0].digest = Some("other".to_owned()),
        FailedPrecondition,
        "The digest `other` contradicts the stored one, `d`",
    ),
    (
        |event| event.properties = properties(&[("epochs", Value::Bool(true))]),
        InvalidArgument,
        "Cannot validate properties",
    ),
    (
        |event| {
            event.type_policy = Some(TypePolicy::Create);
            event.properties = properties(&[("more", Value::Int(1))]);
        },
        InvalidArgument,
        "Cannot validate properties",
    ),
    (
        |event| event.contexts[0].parents = vec![context("p")],
        InvalidArgument,
        "There is a cycle",
    ),
    (
        |event| {
            let mut parent = context("new");
            parent.parents = vec![context("p")];
            event.contexts[0].parents = vec![parent];
        },
        InvalidArgument,
        "There is a cycle",
    ),
    (
        |event| {
            event.name = None;
            event.external_id = Some("x".to_owned());
            event.run_type = type_name("Other");
        },
        InvalidArgument,
        "The execution with the external id \"x\" is of another type",
    ),
];

fn good() -> RunEvent {
    let mut input = named("in");
    input.digest = Some("d".to_owned());
    RunEvent {
        contexts: vec![context("p")],
        inputs: vec![input],
        outputs: vec![named("out")],
        properties: properties(&[("epochs", Value::Int(1))]),
        external_id: Some("x".to_owned()),
        ..run(Start, "r", 1)
    }
}

async fn refuses(store: &TestGraph, cases: &[Case]) {
    let before = store.lines().await;
    for &(spoil, expected, lead) in cases {
        let mut event = good();
        event.event_type = Some(Complete);
        spoil(&mut event);
        let alone = store
            .record(std::slice::from_ref(&event))
            .await
            .unwrap_err();
        assert_eq!(code(&alone), expected, "{lead}: {alone:?}");
        assert!(alone.to_string().starts_with(lead), "{lead}: {alone}");
        assert!(store.record(&[good(), event]).await.is_err(), "{lead}");
    }
    assert_eq!(store.lines().await, before);
}

async fn malformed_events_are_refused(store: TestGraph) {
    refuses(&store, MALFORMED).await;
}

async fn events_that_contradict_the_graph_are_refused(store: TestGraph) {
    store.record_one(good()).await;
    refuses(&store, CONTRADICTING).await;
}
