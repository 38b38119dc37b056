//! Defects of what is stored.

use pb::{event, put_execution_request};

use crate::support::prelude::*;

on_every_database! {
    f1_what_is_put_is_there_in_the_next_call,
    f2_an_empty_custom_value_is_refused,
    f3_doubles_are_exact,
    f10_same_name_typed_and_custom_live_apart,
    f12_a_unique_key_violated_by_an_update_already_exists,
    f12_external_ids_of_types_are_unique_across_kinds,
    f13_the_text_of_a_request_does_not_choose_the_code,
    f14_an_event_without_artifact_is_refused_and_minus_one_is_not_attributed,
    f22_the_null_marker_is_a_text_like_others,
    f26_types_whose_names_differ_in_case_are_two,
}

async fn f1_what_is_put_is_there_in_the_next_call(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let id = store.put(Artifact::new(type_id, "n")).await;
    // Also when many connections of the database read at once.
    let reads = (0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.get::<Artifact>(id).await.id })
    });
    for read in reads.collect::<Vec<_>>() {
        assert_eq!(read.await.unwrap(), Some(id));
    }
}

async fn f2_an_empty_custom_value_is_refused(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let text = "Found unmatched property type: k";
        let type_id = store.put_type::<N>("T", &[]).await;
        let new = N::new(type_id, "n").with_custom("k", Value::default());
        let status = store
            .refuses(N::put(vec![new]), Code::InvalidArgument, "")
            .await;
        assert!(status.message().contains(text), "{status:?}");
        let id = store.put(N::new(type_id, "n")).await;
        let update = N::new(type_id, "n")
            .with_id(id)
            .with_custom("k", Value::default());
        store
            .refuses(N::put(vec![update.clone()]), Code::InvalidArgument, text)
            .await;
        let masked = N::put_masked(vec![update], &["custom_properties.k"]);
        store.refuses(masked, Code::InvalidArgument, text).await;
    }
    for_every_kind!(check(&store));
}

async fn f3_doubles_are_exact(store: Store) {
    let type_id = store
        .put_type::<Artifact>("T", &[("d", PropertyType::Double)])
        .await;
    let node = |number| {
        Artifact::default()
            .with_type(type_id)
            .with("d", double(number))
    };
    for number in [
        0.123_456_789_012_3,
        1e-7,
        f64::MIN_POSITIVE,
        f64::MAX,
        -2.5e-300,
        5e-324,
    ] {
        let id = store
            .put(node(number).with_custom("d", double(number)))
            .await;
        let stored: Artifact = store.get(id).await;
        for value in [&stored.properties["d"], &stored.custom_properties["d"]] {
            let Some(pb::value::Value::DoubleValue(stored)) = value.value else {
                panic!("{value:?}");
            };
            assert_eq!(stored.to_bits(), number.to_bits(), "{number}");
        }
    }
    for number in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        let put = Artifact::put(vec![node(number)]);
        store.refuses(put, Code::InvalidArgument, "").await;
    }
}

async fn f10_same_name_typed_and_custom_live_apart(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[("n", PropertyType::Int)]).await;
        let node = N::new(type_id, "n").with("n", int(1));
        let id = store.put(node.clone().with_custom("n", int(1))).await;
        let node = node.with_id(id);
        for (typed, custom) in [(2, Some(1)), (2, Some(3)), (4, None), (4, Some(5))] {
            let mut update = node.clone().with("n", int(typed));
            if let Some(custom) = custom {
                update = update.with_custom("n", int(custom));
            }
            store.put(update).await;
            let filter = format!("properties.n.int_value = {typed}");
            assert_eq!(store.find::<N>(&filter).await, [id]);
            let custom = custom.map(|custom| format!("custom_properties.n.int_value = {custom}"));
            let filter = custom
                .as_deref()
                .unwrap_or("custom_properties.n.int_value IS NULL");
            let expected: &[i64] = if custom.is_some() { &[id] } else { &[] };
            assert_eq!(store.find::<N>(filter).await, expected, "{filter}");
        }
    }
    for_every_kind!(check(&store));
}

async fn f12_a_unique_key_violated_by_an_update_already_exists(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let taken = store.put(N::new(type_id, "a").with_external_id("x")).await;
        let id = store.put(N::new(type_id, "b")).await;
        let update = N::new(type_id, "b").with_id(id).with_external_id("x");
        let lead = "Given node already exists: ";
        store
            .refuses(N::put(vec![update]), Code::AlreadyExists, lead)
            .await;
        // Nodes of one request may change places with each other only one after the other.
        let away = N::new(type_id, "a").with_id(taken).with_external_id("y");
        let update = N::new(type_id, "b").with_id(id).with_external_id("x");
        store.ask(N::put(vec![away, update])).await;
        assert_eq!(ids(&store.ask(N::by_external_ids(&["x"])).await), [id]);
    }
    for_every_kind!(check(&store));
    let type_id = store.put_type::<Context>("T", &[]).await;
    let id = store.put(Context::new(type_id, "c")).await;
    let rename = Context::new(type_id, "a").with_id(id);
    let lead = "Given node already exists: ";
    store
        .refuses(Context::put(vec![rename]), Code::AlreadyExists, lead)
        .await;
}

async fn f12_external_ids_of_types_are_unique_across_kinds(store: Store) {
    let artifact_type = |name: &str, external_id: &str| pb::PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some(name.to_owned()),
            external_id: Some(external_id.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let execution_type = |name: &str| pb::PutExecutionTypeRequest {
        execution_type: Some(pb::ExecutionType {
            name: Some(name.to_owned()),
            external_id: Some("x".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    store.ask(artifact_type("A", "x")).await;
    store.put_type::<Execution>("there", &[]).await;
    let lead = "Conflict of external_id: x ";
    store
        .refuses(artifact_type("B", "x"), Code::AlreadyExists, lead)
        .await;
    store
        .refuses(execution_type("new"), Code::AlreadyExists, lead)
        .await;
    store
        .refuses(execution_type("there"), Code::AlreadyExists, lead)
        .await;
    store.ask(artifact_type("A", "y")).await;
    store.ask(execution_type("there")).await;
}

async fn f13_the_text_of_a_request_does_not_choose_the_code(store: Store) {
    let name = "duplicate UNIQUE constraint failed: Duplicate entry";
    let type_id = store.put_type::<Artifact>(name, &[]).await;
    let wrong = Artifact::new(type_id, name).with(name, int(1));
    store
        .refuses(Artifact::put(vec![wrong]), Code::InvalidArgument, "")
        .await;
    let without_type = Artifact::new(77, name).with_external_id(name);
    store
        .refuses(Artifact::put(vec![without_type]), Code::NotFound, "")
        .await;
}

async fn f14_an_event_without_artifact_is_refused_and_minus_one_is_not_attributed(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    let execution: Execution = store.get(executions[0]).await;
    let context: Context = store.get(contexts[0]).await;
    let with = |event| pb::PutExecutionRequest {
        execution: Some(execution.clone()),
        artifact_event_pairs: vec![pair(None, event)],
        contexts: vec![context.clone()],
        options: Some(put_execution_request::Options::default()),
        ..Default::default()
    };
    let dangling = event(77, executions[0], event::Type::Input);
    let text = "No artifact with the given id 77";
    store
        .refuses(with(Some(dangling.clone())), Code::InvalidArgument, text)
        .await;
    let edge = pb::put_lineage_subgraph_request::EventEdge {
        event: Some(dangling),
        ..Default::default()
    };
    let request = pb::PutLineageSubgraphRequest {
        event_edges: vec![edge],
        ..Default::default()
    };
    store.refuses(request, Code::InvalidArgument, text).await;

    assert_eq!(store.ask(with(None)).await.artifact_ids, [-1]);
    store
        .ask(put_members(&[(artifacts[1], contexts[0])], &[]))
        .await;
    let request = pb::GetArtifactsByContextRequest {
        context_id: Some(contexts[0]),
        ..Default::default()
    };
    assert_eq!(ids(&store.ask(request).await.artifacts), [artifacts[1]]);
}

async fn f22_the_null_marker_is_a_text_like_others(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let marker = "__MLMD_NULL__";
    let node = Artifact::new(type_id, marker).with_external_id(marker);
    let node = Artifact {
        uri: Some(marker.to_owned()),
        ..node.with_custom("s", text(marker))
    };
    let id = store.put(node.clone()).await;
    let stored: Artifact = store.get(id).await;
    assert_eq!(stored.custom_properties, node.custom_properties);
    assert_eq!(
        [stored.name(), stored.uri(), stored.external_id()],
        [marker; 3]
    );
}

async fn f26_types_whose_names_differ_in_case_are_two(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let mut ids = Vec::new();
        for name in ["name", "Name", "name ", "nam\u{e9}"] {
            ids.push(store.put_type::<N>(name, &[]).await);
        }
        let (first, last) = (ids[0], ids[3]);
        assert!(ids.is_sorted() && last > first, "{ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), 4);
        assert_eq!(store.put_type::<N>("Name", &[]).await, ids[1]);
    }
    for_every_kind!(check(&store));
}
