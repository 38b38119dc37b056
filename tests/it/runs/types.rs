//! What events may do about types.

use pedigree::api::grpc::status::code;
use pedigree::graph::RunEventType::Start;
use pedigree::graph::TypePolicy::{self, Create, Extend, MustExist};
use pedigree::graph::{RunEvent, TypeName};
use pedigree::model::{Kind, PropertyType, Value};
use tonic::Code;

use super::{context, named, properties, run};
use crate::support::TestGraph;

on_every_database! {
    types_are_made_as_the_policy_says,
    versions_are_types_of_their_own,
}

/// An event with a property of that name in each of its parts.
fn with(policy: TypePolicy, property: &str) -> RunEvent {
    let given = properties(&[(property, Value::Int(1))]);
    let mut event = RunEvent {
        type_policy: Some(policy),
        contexts: vec![context("p")],
        inputs: vec![named("a")],
        properties: given.clone(),
        ..run(Start, "r", 1)
    };
    event.contexts[0].properties = given.clone();
    event.inputs[0].properties = given;
    event
}

async fn types_are_made_as_the_policy_says(store: TestGraph) {
    let refused = async |event: RunEvent| code(&store.record(&[event]).await.unwrap_err());
    assert_eq!(refused(with(MustExist, "p")).await, Code::NotFound);
    store.record_one(with(Create, "p")).await;
    store.record_one(with(MustExist, "p")).await;
    assert_eq!(refused(with(MustExist, "q")).await, Code::InvalidArgument);
    assert_eq!(refused(with(Create, "q")).await, Code::InvalidArgument);
    let twice = [with(Extend, "q"), with(MustExist, "q"), with(Extend, "r")];
    store.record(&twice).await.unwrap();
    for kind in Kind::ALL {
        let types = store.graph.types(kind).await.unwrap();
        let declared: Vec<_> = types[0]
            .value
            .properties
            .iter()
            .map(|(name, of)| (&**name, *of))
            .collect();
        let int = PropertyType::Int;
        assert_eq!(
            (types.len(), declared),
            (1, vec![("p", int), ("q", int), ("r", int)])
        );
    }
}

async fn versions_are_types_of_their_own(store: TestGraph) {
    let of = |version: Option<&str>| RunEvent {
        run_type: TypeName {
            name: "Train".into(),
            version: version.map(Into::into),
        },
        ..run(Start, "r", 1)
    };
    let events = [of(None), of(Some("1")), of(Some("2")), of(Some("1"))];
    let stored = store.record(&events).await.unwrap();
    assert_eq!(stored[1], stored[3]);
    assert_eq!(store.all(Kind::Execution).await.len(), 3);
    assert_eq!(store.graph.types(Kind::Execution).await.unwrap().len(), 3);
}
