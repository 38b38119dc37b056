//! What comes back of what was put.

use pb::{execution, value};
use pedigree::proto::GetArtifactsByUriRequest;
use prost_types::value::Kind;
use prost_types::{Any, ListValue, Struct, Value as StructValue};

use crate::support::prelude::*;

on_every_database! {
    a_new_node_comes_back_as_it_was_put,
    values_of_every_case_come_back,
    texts_of_every_script_come_back,
    properties_of_every_script_are_removed,
    what_only_the_server_sets_is_ignored,
    nodes_are_read_by_id,
    nodes_are_read_by_type_and_name,
    artifacts_are_read_by_uri,
    artifacts_are_read_with_their_types,
}

async fn a_new_node_comes_back_as_it_was_put(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let put = N::put(vec![]);
        assert_eq!(store.ask(put).await, [0; 0]);
        let type_id = store.put_type::<N>("T", &[("i", PropertyType::Int)]).await;
        let new = N::new(type_id, "n").with_external_id("x").with("i", int(1));
        let id = store
            .put(new.clone().with_custom("i", text("custom")))
            .await;
        let stored: N = store.get(id).await;
        // The request, and what the server adds.
        assert!(stored.update_time() > 1_600_000_000_000);
        let again = new.with_id(id).with_custom("i", text("custom"));
        store.put(again).await;
        store.tick();
        let stored: N = store.get(id).await;
        store.put(stored.clone()).await;
        assert_eq!(store.get::<N>(id).await, stored);
    }
    for_every_kind!(check(&store));
    let type_id = store
        .put_type::<Execution>("T", &[("i", PropertyType::Int)])
        .await;
    let given = Execution {
        last_known_state: Some(execution::State::Cached.into()),
        ..Execution::default().with_type(type_id)
    };
    let id = store.put(given.clone()).await;
    let stored: Execution = store.get(id).await;
    assert_eq!(
        stored.create_time_since_epoch,
        stored.last_update_time_since_epoch
    );
    let expected = Execution {
        id: Some(id),
        r#type: Some("T".to_owned()),
        create_time_since_epoch: stored.create_time_since_epoch,
        last_update_time_since_epoch: stored.last_update_time_since_epoch,
        ..given
    };
    assert_eq!(stored, expected);
    // Only an artifact has a URI, always.
    let type_id = store
        .put_type::<Artifact>("T", &[("i", PropertyType::Int)])
        .await;
    let id = store.put(Artifact::default().with_type(type_id)).await;
    let stored: Artifact = store.get(id).await;
    assert_eq!(
        (stored.uri.as_deref(), stored.state, stored.name),
        (Some(""), None, None)
    );
}

async fn values_of_every_case_come_back(store: Store) {
    let number = StructValue {
        kind: Some(Kind::NumberValue(1e300)),
    };
    let list = StructValue {
        kind: Some(Kind::ListValue(ListValue {
            values: vec![
                number,
                StructValue {
                    kind: Some(Kind::NullValue(0)),
                },
            ],
        })),
    };
    let fields = [
        ("k".to_owned(), list),
        (String::new(), StructValue::default()),
    ]
    .into();
    let any = Any {
        type_url: "type.googleapis.com/x.Y".to_owned(),
        value: (0..=255).collect(),
    };
    let values = [
        (PropertyType::Int, int(i64::MAX)),
        (PropertyType::Int, int(i64::MIN)),
        (PropertyType::Int, int(0)),
        (PropertyType::Double, double(0.1)),
        (PropertyType::Double, double(0.0)),
        (PropertyType::String, text("")),
        (PropertyType::String, text("it's \"x\" \\ `%_` ;--")),
        (
            PropertyType::Struct,
            of(value::Value::StructValue(Struct { fields })),
        ),
        (
            PropertyType::Struct,
            of(value::Value::StructValue(Struct::default())),
        ),
        (PropertyType::Proto, of(value::Value::ProtoValue(any))),
        (PropertyType::Boolean, boolean(true)),
        (PropertyType::Boolean, boolean(false)),
    ];
    let names: Vec<String> = (0..values.len())
        .map(|number| format!("p{number}"))
        .collect();
    let types = names
        .iter()
        .zip(&values)
        .map(|(name, (data_type, _))| (name.as_str(), *data_type));
    let type_id = store
        .put_type::<Context>("T", &types.collect::<Vec<_>>())
        .await;
    let mut node = Context::new(type_id, "n");
    for (name, (_, value)) in names.iter().zip(&values) {
        node = node
            .with(name, value.clone())
            .with_custom(name, value.clone());
    }
    let id = store.put(node.clone()).await;
    let stored: Context = store.get(id).await;
    assert_eq!(stored.properties, node.properties);
    assert_eq!(stored.custom_properties, node.custom_properties);
}

async fn texts_of_every_script_come_back(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("类型 \u{1f600}", &[]).await;
        for name in [
            "\u{e9}",
            "e\u{301}",
            "E\u{301}",
            "日本語",
            "\u{1f600}",
            "a",
            "A",
            "a ",
            "ß",
            "ss",
            "\u{feff}",
            "%",
            "'",
        ] {
            let new = N::new(type_id, name)
                .with_external_id(name)
                .with_custom(name, text(name));
            let id = store.put(new).await;
            let found = store.ask(N::by_name("类型 \u{1f600}", name)).await.unwrap();
            assert_eq!(found.node_id(), Some(id), "{name}");
            assert_eq!(
                ids(&store.ask(N::by_external_ids(&[name])).await),
                [id],
                "{name}"
            );
            let filter = format!("custom_properties.`{name}`.string_value = \"{name}\"");
            assert_eq!(store.find::<N>(&filter).await, [id], "{name}");
        }
    }
    for_every_kind!(check(&store));
}

async fn properties_of_every_script_are_removed(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let names = ["a", "größe", "ключ", "日本語", "\u{1f600}"];
        let kept = || N::new(type_id, "n").with_custom("kept", int(1));
        let with_all = |node: N, name| node.with_custom(name, int(1));
        let id = store.put(names.into_iter().fold(kept(), with_all)).await;
        store.put(kept().with_id(id)).await;
        let filter = |name| format!("custom_properties.`{name}`.int_value = 1");
        for name in names {
            assert_eq!(store.find::<N>(&filter(name)).await, [0; 0], "{name}");
        }
        assert_eq!(store.find::<N>(&filter("kept")).await, [id]);
    }
    for_every_kind!(check(&store));
}

async fn what_only_the_server_sets_is_ignored(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let given = Artifact {
        r#type: Some("other".to_owned()),
        create_time_since_epoch: Some(1),
        last_update_time_since_epoch: Some(2),
        system_metadata: Some(Any::default()),
        ..Artifact::new(type_id, "n")
    };
    let id = store.put(given.clone()).await;
    for _ in 0..2 {
        let stored: Artifact = store.get(id).await;
        assert_eq!(stored.r#type(), "T");
        assert!(stored.create_time_since_epoch() > 2 && stored.update_time() > 2);
        assert_eq!(stored.system_metadata, None);
        store.put(given.clone().with_id(id)).await;
    }
}

async fn nodes_are_read_by_id(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let put = store.put_named::<N>(type_id, &["a", "b", "c"]).await;
        for (given, expected) in [
            (vec![], vec![]),
            (
                vec![put[2], 77, put[0], put[2], -1, 0],
                vec![put[0], put[2]],
            ),
        ] {
            assert_eq!(ids(&store.ask(N::by_ids(&given)).await), expected);
        }
    }
    for_every_kind!(check(&store));
}

async fn nodes_are_read_by_type_and_name(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let id = store.put(N::new(type_id, "n")).await;
        let found = store.ask(N::by_name("T", "n")).await;
        assert_eq!(found, Some(store.get::<N>(id).await));
        for (type_name, name) in [("T", "m"), ("t", "n"), ("T", "N"), ("T", ""), ("", "")] {
            assert_eq!(store.ask(N::by_name(type_name, name)).await, None);
        }
    }
    for_every_kind!(check(&store));
}

async fn artifacts_are_read_by_uri(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let with = |uri: &str| Artifact {
        uri: Some(uri.to_owned()),
        ..Artifact::default().with_type(type_id)
    };
    let put = store
        .ask(Artifact::put(vec![
            with("a"),
            with("b"),
            with("a"),
            with(""),
        ]))
        .await;
    for (uris, expected) in [
        (&["a"][..], vec![put[0], put[2]]),
        (&["b", "nowhere", "a", "b"], vec![put[1], put[0], put[2]]),
        (&["A", "a "], vec![]),
        (&[""], vec![put[3]]),
        (&[], vec![]),
    ] {
        let request = GetArtifactsByUriRequest {
            uris: uris.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        assert_eq!(
            ids(&store.ask(request).await.artifacts),
            expected,
            "{uris:?}"
        );
    }
}

async fn artifacts_are_read_with_their_types(store: Store) {
    let declared_by_u = [("i", PropertyType::Int)];
    let first = store.put_type::<Artifact>("T", &[]).await;
    let second = store.put_type::<Artifact>("U", &declared_by_u).await;
    store.put_type::<Artifact>("V", &[]).await;
    let new = |type_id| Artifact::default().with_type(type_id);
    let put = store
        .ask(Artifact::put(vec![new(second), new(first), new(second)]))
        .await;
    let request = |populate| pb::GetArtifactsByIdRequest {
        artifact_ids: put.clone(),
        populate_artifact_types: populate,
        ..Default::default()
    };
    let types = store.ask(request(Some(true))).await.artifact_types;
    let found: Vec<i64> = types.iter().map(pb::ArtifactType::id).collect();
    assert_eq!(found, [first, second]);
    assert_eq!(types[1].properties, declared(&declared_by_u));
    assert!(store.ask(request(None)).await.artifact_types.is_empty());
}
