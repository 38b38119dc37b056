//! How an event finds its artifacts, and what it makes of them.

use pedigree::api::grpc::status::code;
use pedigree::graph::ArtifactIdentity::{ExternalId, Id};
use pedigree::graph::RunEventType::{Complete, Start};
use pedigree::graph::{ArtifactRef, RunEvent};
use pedigree::model::{Kind, Value};
use tonic::Code;

use super::{artifact, named, properties, run, type_name, with_content};
use crate::support::TestGraph;

on_every_database! {
    content_is_an_identity,
    each_identity_finds_its_artifact,
    one_output_is_the_input_of_the_next_run,
    a_digest_is_never_replaced,
    names_that_look_alike_are_apart,
}

fn using(inputs: Vec<ArtifactRef>) -> RunEvent {
    RunEvent {
        inputs,
        ..run(Start, "r", 1)
    }
}

async fn content_is_an_identity(store: TestGraph) {
    let mut of_another_type = with_content("s3://d", "sha256:1");
    of_another_type.artifact_type = type_name("Other");
    let stored = store
        .record_one(using(vec![
            with_content("s3://d", "sha256:1"),
            with_content("s3://d", "sha256:2"),
            with_content("s3://e", "sha256:1"),
            of_another_type,
            with_content("s3://d", "sha256:1"),
        ]))
        .await;
    let again = store
        .record_one(using(vec![with_content("s3://e", "sha256:1")]))
        .await;
    assert_eq!(again.input_ids, [stored.input_ids[2]]);
    let artifacts = store.all(Kind::Artifact).await;
    assert_eq!(
        (artifacts.len(), stored.input_ids[0]),
        (4, stored.input_ids[4])
    );
    let first = store.node(Kind::Artifact, stored.input_ids[0]).await;
    let first = first.content;
    assert_eq!(first.uri.as_deref(), Some("s3://d"));
    let digest = properties(&[("digest", Value::String("sha256:1".into()))]);
    assert_eq!(first.custom_properties, digest);
    assert!(first.external_id.unwrap().starts_with("content:"));
}

async fn each_identity_finds_its_artifact(store: TestGraph) {
    let mut tagged = artifact(ExternalId("x".into()));
    tagged.uri = Some("u".into());
    tagged.properties = properties(&[("rows", Value::Int(1)), ("cols", Value::Int(2))]);
    let first = store.record_one(using(vec![tagged, named("n")])).await;
    let mut by_id = ArtifactRef {
        identity: Some(Id(first.input_ids[0])),
        ..ArtifactRef::default()
    };
    by_id.properties = properties(&[("rows", Value::Int(5)), ("new", Value::Bool(true))]);
    let mut again = artifact(ExternalId("x".into()));
    again.uri = Some("v".into());
    let second = store
        .record_one(using(vec![by_id, again, named("n")]))
        .await;
    let [tagged, named] = first.input_ids[..] else {
        panic!("two")
    };
    assert_eq!(second.input_ids, [tagged, tagged, named]);
    let stored = store.node(Kind::Artifact, tagged).await.content;
    assert_eq!(stored.uri.as_deref(), Some("v"));
    let expected = [
        ("rows", Value::Int(5)),
        ("cols", Value::Int(2)),
        ("new", Value::Bool(true)),
    ];
    assert_eq!(stored.properties, properties(&expected));
    let mut mistaken = artifact(Id(named));
    mistaken.artifact_type = type_name("Other");
    let refused = store.record(&[using(vec![mistaken])]).await.unwrap_err();
    assert_eq!(code(&refused), Code::InvalidArgument);
}

async fn one_output_is_the_input_of_the_next_run(store: TestGraph) {
    let uses = [
        named("m"),
        artifact(ExternalId("x".into())),
        with_content("u", "d"),
    ];
    let first = RunEvent {
        outputs: uses.to_vec(),
        ..run(Complete, "first", 1)
    };
    let second = RunEvent {
        inputs: uses.to_vec(),
        ..run(Start, "second", 2)
    };
    let stored = store.record(&[first, second]).await.unwrap();
    assert_eq!(stored[0].output_ids, stored[1].input_ids);
    assert_eq!(store.all(Kind::Artifact).await.len(), 3);
}

async fn a_digest_is_never_replaced(store: TestGraph) {
    let with_digest = |digest: &str| ArtifactRef {
        digest: Some(digest.to_owned()),
        ..named("n")
    };
    let both = [
        using(vec![named("n")]),
        using(vec![with_digest("1"), with_digest("2")]),
    ];
    let refused = store.record(&both).await.unwrap_err();
    assert_eq!(code(&refused), Code::FailedPrecondition);
    store.record_one(using(vec![named("n")])).await;
    let first = store.record_one(using(vec![with_digest("1")])).await;
    store
        .record_one(using(vec![with_digest("1"), named("n")]))
        .await;
    let stored = store.node(Kind::Artifact, first.input_ids[0]).await;
    assert_eq!(
        stored.content.custom_properties,
        properties(&[("digest", Value::String("1".into()))])
    );
    let refused = store
        .record(&[using(vec![with_digest("2")])])
        .await
        .unwrap_err();
    assert_eq!(code(&refused), Code::FailedPrecondition);
}

async fn names_that_look_alike_are_apart(store: TestGraph) {
    let of = |name: &str| RunEvent {
        inputs: vec![named(name), artifact(ExternalId(name.to_owned()))],
        ..run(Start, name, 1)
    };
    let lower = store.record_one(of("run")).await;
    let upper = store.record(&[of("Run"), of("run ")]).await.unwrap();
    for upper in upper {
        assert_ne!(lower.execution_id, upper.execution_id);
        assert_ne!(lower.input_ids, upper.input_ids);
    }
    assert_eq!(store.record_one(of("run")).await, lower);
}
