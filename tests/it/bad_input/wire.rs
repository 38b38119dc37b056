//! What no client library sends, and text that databases do not agree on.

use pb::{artifact, event};
use pedigree::proto::GetArtifactsByUriRequest;
use prost::Message;

use crate::support::prelude::*;

on_every_database! {
    nul_is_refused_in_every_kind_of_text,
    text_that_is_not_utf8_is_refused,
    an_undecodable_request_is_refused,
    the_retired_uri_field_is_refused,
    unknown_enum_numbers_count_as_unset,
    unknown_methods_are_unimplemented,
}

const NUL: &str = "a\0b";

async fn nul_is_refused_in_every_kind_of_text(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store
            .put_type::<N>("T", &[("s", PropertyType::String)])
            .await;
        let there = store.put(N::new(type_id, "there")).await;
        let lead = "text must not contain the character NUL";
        let new = || N::new(type_id, "new");
        for node in [
            N::new(type_id, NUL),
            new().with_external_id(NUL),
            new().with("s", text(NUL)),
            new().with_custom(NUL, int(1)),
            new().with_custom("s", text(NUL)),
            new().with_id(there).with_external_id(NUL),
            new().with_id(there).with("s", text(NUL)),
            new().with_id(there).with_custom(NUL, int(1)),
        ] {
            let put = N::put(vec![N::new(type_id, "first"), node]);
            store.refuses(put, Code::InvalidArgument, lead).await;
        }
        store
            .refuses(N::put_type(NUL, &[]), Code::InvalidArgument, lead)
            .await;
        let odd = N::put_type("U", &[(NUL, PropertyType::Int)]);
        store.refuses(odd, Code::InvalidArgument, lead).await;
        for filter in ["name = 'a\\x00b'", "name = 'a\0b'", "name = \0"] {
            let list = N::list(Some(matching(filter)));
            store
                .refuses(list, Code::InvalidArgument, "Invalid `filter_query`: ")
                .await;
        }
        // Nothing has such a name or id; whether that is an error or an empty answer is not pinned.
        let odd_name = matching("properties.`\0`.int_value = 1");
        for found in [
            store
                .send(N::list(Some(odd_name)))
                .await
                .map(|page| page.nodes.len()),
            store
                .send(N::by_external_ids(&[NUL]))
                .await
                .map(|found| found.len()),
            store
                .send(N::by_type(NUL, None))
                .await
                .map(|page| page.nodes.len()),
            store
                .send(N::by_name("T", NUL))
                .await
                .map(|found| found.map_or(0, |_| 1)),
        ] {
            match found {
                Ok(count) => assert_eq!(count, 0),
                Err(status) => assert!(
                    matches!(status.code(), Code::InvalidArgument | Code::NotFound),
                    "{status:?}"
                ),
            }
        }
    }
    for_every_kind!(check(&store));
    let [artifacts, executions, _] = store.put_two_of_each().await;
    let lead = "text must not contain the character NUL";
    let uri = Artifact {
        uri: Some(NUL.to_owned()),
        ..Artifact::default().with_id(artifacts[0])
    };
    store
        .refuses(Artifact::put(vec![uri]), Code::InvalidArgument, lead)
        .await;
    let step = event::path::Step {
        value: Some(event::path::step::Value::Key(NUL.to_owned())),
    };
    let event = pb::Event {
        path: Some(event::Path { steps: vec![step] }),
        ..event(artifacts[0], executions[0], event::Type::Input)
    };
    store
        .refuses(put_events(vec![event]), Code::InvalidArgument, lead)
        .await;
}

/// A request with one artifact whose name is not UTF-8.
fn not_utf8() -> Vec<u8> {
    // artifacts { type_id: 10, name: "\xff" }
    vec![0x0a, 0x05, 0x10, 0x0a, 0x3a, 0x01, 0xff]
}

async fn text_that_is_not_utf8_is_refused(store: Store) {
    assert_eq!(store.put_type::<Artifact>("T", &[]).await, 10);
    let status = store
        .send_bytes("PutArtifacts", not_utf8())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(status.message().contains("Artifact.name"), "{status:?}");
    assert!(store.ask(Artifact::list(None)).await.nodes.is_empty());
    // The name of a type, and a filter in the options of a list.
    for (method, request) in [
        ("GetArtifactType", vec![0x0a, 0x01, 0xff]),
        ("GetArtifacts", vec![0x0a, 0x03, 0x22, 0x01, 0xff]),
    ] {
        let status = store.send_bytes(method, request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{method}: {status:?}");
    }
    // The same request with a letter is fine.
    let mut utf8 = not_utf8();
    utf8[6] = b'x';
    store.send_bytes("PutArtifacts", utf8).await.unwrap();
    assert_eq!(store.find::<Artifact>("name = 'x'").await.len(), 1);
}

async fn an_undecodable_request_is_refused(store: Store) {
    let truncated = vec![0x0a, 0x7f, 0x10];
    for method in [
        "PutArtifacts",
        "PutTypes",
        "GetArtifactsByID",
        "GetArtifactsByURI",
    ] {
        for noise in [
            truncated.clone(),
            vec![0xff; 32],
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ] {
            let status = store.send_bytes(method, noise).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{method}: {status:?}");
        }
    }
    store.put_two_of_each().await;
}

async fn the_retired_uri_field_is_refused(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let there = Artifact {
        uri: Some("u".to_owned()),
        ..Artifact::new(type_id, "n")
    };
    store.put(there).await;
    // Field 1 as text, number, fixed 64 and fixed 32.
    for retired in [
        vec![0x0a, 0x01, b'u'],
        vec![0x0a, 0x00],
        vec![0x08, 0x01],
        vec![0x09, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![0x0d, 0, 0, 0, 0],
    ] {
        let status = store
            .send_bytes("GetArtifactsByURI", retired)
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let lead = "The request contains deprecated field `uri`";
        assert!(status.message().starts_with(lead), "{status:?}");
    }
    // Other fields that are not known do not matter.
    let unknown = [&[0x12, 0x01, b'u'][..], &[0x98, 0x06, 0x01]].concat();
    let answer = store
        .send_bytes("GetArtifactsByURI", unknown)
        .await
        .unwrap();
    let answer = pb::GetArtifactsByUriResponse::decode(answer.as_slice()).unwrap();
    assert_eq!(answer.artifacts.len(), 1);
    let none = GetArtifactsByUriRequest::default();
    assert!(store.ask(none).await.artifacts.is_empty());
}

async fn unknown_enum_numbers_count_as_unset(store: Store) {
    let put_type = pb::PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some("T".to_owned()),
            properties: [("known".to_owned(), 1), ("unknown".to_owned(), 99)].into(),
            base_type: Some(99),
            ..Default::default()
        }),
        ..Default::default()
    };
    let type_id = store.ask(put_type).await.type_id();
    let stored = store
        .ask(pb::GetArtifactTypesRequest::default())
        .await
        .artifact_types;
    assert_eq!(
        stored[0].properties,
        declared(&[("known", PropertyType::Int)])
    );
    assert_eq!(stored[0].base_type, None);

    let odd = Artifact {
        state: Some(99),
        ..Artifact::new(type_id, "n")
    };
    let id = store.put(odd.clone()).await;
    assert_eq!(store.get::<Artifact>(id).await.state, None);
    let live = Artifact {
        state: Some(artifact::State::Live.into()),
        ..Artifact::default().with_id(id)
    };
    store.put(live).await;
    store.put(odd.with_id(id)).await;
    assert_eq!(store.get::<Artifact>(id).await.state, None);

    let by_nine = pb::ListOperationOptions {
        order_by_field: Some(pb::list_operation_options::OrderByField {
            field: Some(9),
            is_asc: Some(false),
        }),
        ..Default::default()
    };
    assert_eq!(store.ask(Artifact::list(Some(by_nine))).await.ids(), [id]);
    let any_way = pb::LineageSubgraphQueryOptions {
        direction: Some(9),
        ..from_artifacts("TRUE")
    };
    assert_eq!(store.ask(lineage(any_way, &[])).await.artifacts.len(), 1);
}

async fn unknown_methods_are_unimplemented(store: Store) {
    for method in ["GetNothing", "putArtifacts", ""] {
        let status = store.send_bytes(method, Vec::new()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{method}: {status:?}");
    }
}
