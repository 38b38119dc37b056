//! Defects of filters, pages and other reads.

use pb::list_operation_options::order_by_field::Field;
use pb::{artifact, event};

use crate::support::prelude::*;

on_every_database! {
    f5_filter_literals_are_values,
    f6_names_in_filters_keep_their_case,
    f7_pages_by_update_time_have_every_row_once,
    f8_pages_over_the_cap_are_cut_and_go_on,
    f9_lineage_starts_from_101_nodes,
    f15_every_enum_predicate_is_understood,
    f16_every_column_of_a_neighbour_can_be_filtered,
    f18_numbers_of_all_kinds_compare,
    f19_type_reads_have_all_fields,
    f28_parents_and_children_of_many_contexts,
}

async fn f5_filter_literals_are_values(store: Store) {
    let odd_property = r#"it's "a" name"#;
    let type_id = store
        .put_type::<Artifact>("T", &[(odd_property, PropertyType::Int)])
        .await;
    let name = store.put(Artifact::new(type_id, "name")).await;
    let odd = Artifact::new(type_id, r#"it's "quoted" \ and 100%"#).with(odd_property, int(1));
    let odd = store.put(odd).await;
    for (filter, expected) in [
        ("name = 'name'", vec![name]),
        ("uri = 'name'", vec![]),
        (r#"name = 'it\'s "quoted" \\ and 100%'"#, vec![odd]),
        (r#"name LIKE "it's%100_""#, vec![odd]),
        (r#"properties.`it's "a" name`.int_value = 1"#, vec![odd]),
        ("name = 'state = FOO'", vec![]),
        ("name = 'x\\' OR TRUE OR \\'x\\' = \\''", vec![]),
    ] {
        assert_eq!(store.find::<Artifact>(filter).await, expected, "{filter}");
    }
}

async fn f6_names_in_filters_keep_their_case(store: Store) {
    let type_id = store
        .put_type::<Artifact>("T", &[("MyProp", PropertyType::Int)])
        .await;
    let id = store
        .put(Artifact::new(type_id, "n").with("MyProp", int(1)))
        .await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let contexts = store
        .put_named::<Context>(context_type, &["one", "two"])
        .await;
    store
        .ask(put_members(&[(id, contexts[0]), (id, contexts[1])], &[]))
        .await;
    for (filter, expected) in [
        ("properties.MyProp.int_value = 1", vec![id]),
        ("properties.myprop.int_value = 1", vec![]),
        (
            "contexts_A.name = 'one' AND contexts_a.name = 'two'",
            vec![id],
        ),
    ] {
        assert_eq!(store.find::<Artifact>(filter).await, expected, "{filter}");
    }
}

async fn f7_pages_by_update_time_have_every_row_once(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let nodes = vec![Artifact::default().with_type(type_id); 10];
    let mut ids = store.ask(Artifact::put(nodes)).await;
    for ascending in [true, false] {
        let pages = store
            .walk::<Artifact>(pages_of(3).by(Field::LastUpdateTime, ascending))
            .await;
        assert_eq!(pages.concat(), ids, "ascending: {ascending}");
        ids.reverse();
    }
}

async fn f8_pages_over_the_cap_are_cut_and_go_on(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let ids = store
        .ask(Artifact::put(vec![
            Artifact::default().with_type(type_id);
            205
        ]))
        .await;
    for size in [101, 150, i32::MAX] {
        let pages = store.walk::<Artifact>(pages_of(size)).await;
        assert_eq!(
            pages.iter().map(Vec::len).collect::<Vec<_>>(),
            [100, 100, 5]
        );
        assert_eq!(pages.concat(), ids);
    }
}

async fn f9_lineage_starts_from_101_nodes(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let ids = store
        .ask(Artifact::put(vec![
            Artifact::default().with_type(type_id);
            105
        ]))
        .await;
    let found = store
        .ask(lineage(from_artifacts("TRUE"), &["artifacts"]))
        .await;
    let found: Vec<i64> = found.artifacts.iter().map(Artifact::id).collect();
    assert_eq!(found, ids[..101]);
}

async fn f15_every_enum_predicate_is_understood(store: Store) {
    let [_, executions, contexts] = store.put_two_of_each().await;
    let type_id = store.put_type::<Artifact>("A", &[]).await;
    let node = |state: Option<artifact::State>| Artifact {
        state: state.map(Into::into),
        ..Artifact::default().with_type(type_id)
    };
    let states = [
        artifact::State::Live,
        artifact::State::Abandoned,
        artifact::State::Reference,
    ];
    let nodes = states
        .into_iter()
        .map(|state| node(Some(state)))
        .chain([node(None)]);
    let ids = store.ask(Artifact::put(nodes.collect())).await;
    let [live, abandoned, reference, unset] = ids[..] else {
        panic!("{ids:?}");
    };
    let pending = event(live, executions[0], event::Type::PendingOutput);
    store
        .ask(put_events(vec![
            pending,
            event(abandoned, executions[0], event::Type::Input),
        ]))
        .await;
    for (filter, expected) in [
        ("state = ABANDONED", vec![abandoned]),
        (
            "state IN (ABANDONED, REFERENCE)",
            vec![abandoned, reference],
        ),
        ("state IN(LIVE)", vec![live]),
        ("state <> LIVE", vec![abandoned, reference, unset]),
        ("state != ABANDONED", vec![live, reference, unset]),
        ("events_0.type = PENDING_OUTPUT", vec![live]),
        ("events_0.type != PENDING_OUTPUT", vec![abandoned]),
    ] {
        let filter = format!("name IS NULL AND {filter}");
        assert_eq!(store.find::<Artifact>(&filter).await, expected, "{filter}");
    }
    store
        .ask(put_members(
            &[(abandoned, contexts[0]), (live, contexts[1])],
            &[],
        ))
        .await;
    assert_eq!(
        store.find::<Context>("artifacts_a.state != LIVE").await,
        [contexts[0]]
    );
}

async fn f16_every_column_of_a_neighbour_can_be_filtered(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    let (parent, child) = (contexts[0], contexts[1]);
    store
        .put(
            Artifact::default()
                .with_id(artifacts[0])
                .with_external_id("xa"),
        )
        .await;
    store
        .put(
            Execution::default()
                .with_id(executions[0])
                .with_external_id("xe"),
        )
        .await;
    store
        .ask(put_members(
            &[(artifacts[0], parent)],
            &[(executions[0], child)],
        ))
        .await;
    store.ask(put_parents(&[(parent, child)])).await;
    for (filter, expected) in [
        ("artifacts_a.external_id = 'xa'", parent),
        ("executions_a.external_id = 'xe'", child),
        ("parent_contexts_a.create_time_since_epoch > 0", child),
        ("child_contexts_a.last_update_time_since_epoch > 0", parent),
    ] {
        assert_eq!(store.find::<Context>(filter).await, [expected], "{filter}");
    }
}

async fn f18_numbers_of_all_kinds_compare(store: Store) {
    let declared = [("n", PropertyType::Int), ("d", PropertyType::Double)];
    let type_id = store.put_type::<Artifact>("T", &declared).await;
    let node = Artifact::new(type_id, "n")
        .with("n", int(1))
        .with("d", double(1.5));
    let id = store.put(node).await;
    for filter in [
        "properties.n.int_value = 1.0",
        "properties.d.double_value > 1",
        "properties.n.int_value IN (1, NULL)",
        "properties.n.int_value / 2 = 0.5",
        "properties.d.double_value > properties.n.int_value",
    ] {
        assert_eq!(store.find::<Artifact>(filter).await, [id], "{filter}");
    }
}

async fn f19_type_reads_have_all_fields(store: Store) {
    let put = pb::PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some("T".to_owned()),
            external_id: Some("x".to_owned()),
            base_type: Some(pb::artifact_type::SystemDefinedBaseType::Model.into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let type_id = store.ask(put.clone()).await.type_id();
    let expected = pb::ArtifactType {
        id: Some(type_id),
        ..put.artifact_type.unwrap_or_default()
    };
    let all = store
        .ask(pb::GetArtifactTypesRequest::default())
        .await
        .artifact_types;
    let expected = [expected];
    assert_eq!(all, expected);
    let id = store.put(Artifact::new(type_id, "n")).await;
    let with_types = pb::GetArtifactsByIdRequest {
        artifact_ids: vec![id],
        populate_artifact_types: Some(true),
        ..Default::default()
    };
    assert_eq!(store.ask(with_types).await.artifact_types, expected);
    let found = store
        .ask(lineage(from_artifacts("TRUE"), &["artifact_types"]))
        .await;
    assert!(found.artifact_types.ends_with(&expected));
}

async fn f28_parents_and_children_of_many_contexts(store: Store) {
    let type_id = store.put_type::<Context>("C", &[]).await;
    let ids = store
        .put_named::<Context>(type_id, &["p", "q", "child", "alone"])
        .await;
    let [p, q, child, alone] = ids[..] else {
        panic!("{ids:?}");
    };
    store.ask(put_parents(&[(q, child), (p, child)])).await;
    let request = pb::GetParentContextsByContextsRequest {
        context_ids: ids.clone(),
        ..Default::default()
    };
    let parents = store.ask(request).await.contexts;
    assert_eq!(parents.keys().collect::<Vec<_>>(), [&child]);
    let expected: Vec<Context> = store.ask(Context::by_ids(&[p, q])).await;
    assert_eq!(parents[&child].parent_contexts, expected);
    let request = pb::GetChildrenContextsByContextsRequest {
        context_ids: vec![q, alone, p, q, 77],
        ..Default::default()
    };
    let children = store.ask(request).await.contexts;
    assert_eq!(children.keys().collect::<Vec<_>>(), [&p, &q]);
    for found in children.values() {
        assert_eq!(found.children_contexts, [store.get::<Context>(child).await]);
    }
    let text = "Given context_ids is empty.";
    let none = pb::GetParentContextsByContextsRequest::default();
    store.refuses(none, Code::InvalidArgument, text).await;
    let none = pb::GetChildrenContextsByContextsRequest::default();
    store.refuses(none, Code::InvalidArgument, text).await;
}
