//! Oddities of what is stored and of how it is read.

use pb::list_operation_options::order_by_field::Field;
use pb::{artifact, event, value};
use pedigree::model::SIMPLE_TYPES;
use prost_types::value::Kind as StructKind;
use prost_types::{Struct, Value as StructValue};

use crate::support::prelude::*;

on_every_database! {
    k7_lineage_has_ids_only_and_all_types,
    k8_a_filter_joins_what_it_mentions,
    k8_enum_differences_match_unset,
    k9_simple_types_have_ids_1_to_9_and_are_hidden_by_name,
    k10_a_struct_is_stored_as_encoded_text,
    k12_golden_tokens,
    k12_size_and_filter_may_change_between_pages,
    k13_without_options_everything_with_options_pages,
}

async fn k7_lineage_has_ids_only_and_all_types(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    store
        .ask(put_events(vec![event(
            artifacts[0],
            executions[0],
            event::Type::Input,
        )]))
        .await;
    store
        .ask(put_members(&[(artifacts[0], contexts[1])], &[]))
        .await;
    let found = store.ask(lineage(from_artifacts("name = 'a1'"), &[])).await;
    assert_eq!(found.artifacts, [Artifact::default().with_id(artifacts[0])]);
    assert_eq!(
        found.executions,
        [Execution::default().with_id(executions[0])]
    );
    assert_eq!(found.contexts, [Context::default().with_id(contexts[1])]);
    let names: Vec<&str> = found
        .artifact_types
        .iter()
        .map(pb::ArtifactType::name)
        .collect();
    assert_eq!(
        names,
        [
            "mlmd.Dataset",
            "mlmd.Model",
            "mlmd.Metrics",
            "mlmd.Statistics",
            "A"
        ]
    );
    assert_eq!(
        (found.execution_types.len(), found.context_types.len()),
        (6, 1)
    );
}

async fn k8_a_filter_joins_what_it_mentions(store: Store) {
    let type_id = store
        .put_type::<Artifact>("T", &[("i", PropertyType::Int)])
        .await;
    let with = store
        .put(Artifact::new(type_id, "with").with("i", int(1)))
        .await;
    let without = store.put(Artifact::new(type_id, "without")).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let contexts = store
        .put_named::<Context>(context_type, &["c1", "c2"])
        .await;
    store
        .ask(put_members(
            &[(with, contexts[0]), (with, contexts[1])],
            &[],
        ))
        .await;
    for (filter, expected) in [
        ("name = 'without' OR properties.i.int_value = 1", vec![with]),
        ("NOT properties.i.int_value = 2", vec![with]),
        ("properties.i.string_value IS NULL", vec![with]),
        ("properties.nowhere.int_value IS NULL", vec![]),
        ("NOT contexts_a.name = 'c1'", vec![with]),
        ("contexts_a.name = 'c1' AND contexts_a.name = 'c2'", vec![]),
        (
            "contexts_a.name = 'c1' AND contexts_b.name = 'c2'",
            vec![with],
        ),
        ("name LIKE 'with%'", vec![with, without]),
    ] {
        assert_eq!(store.find::<Artifact>(filter).await, expected, "{filter}");
    }
}

async fn k8_enum_differences_match_unset(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let live = Artifact {
        state: Some(artifact::State::Live.into()),
        ..Artifact::new(type_id, "live")
    };
    store.put(live).await;
    let unset = store.put(Artifact::new(type_id, "unset")).await;
    assert_eq!(store.find::<Artifact>("state != LIVE").await, [unset]);
    assert_eq!(
        store.find::<Artifact>("state NOT IN (LIVE, PENDING)").await,
        [unset]
    );
    assert!(store.find::<Artifact>("NOT state = LIVE").await.is_empty());
}

async fn k9_simple_types_have_ids_1_to_9_and_are_hidden_by_name(store: Store) {
    let by_id = pb::GetArtifactTypesByIdRequest {
        type_ids: (1..=9).collect(),
        ..Default::default()
    };
    let found = store.ask(by_id).await.artifact_types;
    let by_id = pb::GetExecutionTypesByIdRequest {
        type_ids: (1..=9).collect(),
        ..Default::default()
    };
    let more = store.ask(by_id).await.execution_types;
    let named = found.iter().map(|found| (found.id(), found.name()));
    let named: Vec<_> = named
        .chain(more.iter().map(|found| (found.id(), found.name())))
        .collect();
    let expected: Vec<_> = (1..)
        .zip(SIMPLE_TYPES.iter().map(|(_, name)| *name))
        .collect();
    assert_eq!(named, expected);

    assert_eq!(store.put_type::<Artifact>("first", &[]).await, 10);
    let versioned = pb::PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some("mlmd.Model".to_owned()),
            version: Some("2".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    store.ask(versioned).await;
    let listed = store
        .ask(pb::GetArtifactTypesRequest::default())
        .await
        .artifact_types;
    assert_eq!(
        listed
            .iter()
            .map(pb::ArtifactType::name)
            .collect::<Vec<_>>(),
        ["first"]
    );
    let listed = store.ask(pb::GetExecutionTypesRequest::default()).await;
    assert!(listed.execution_types.is_empty());
    assert_eq!(store.put_type::<Artifact>("mlmd.Model", &[]).await, 2);
}

async fn k10_a_struct_is_stored_as_encoded_text(store: Store) {
    let type_id = store
        .put_type::<Artifact>("T", &[("s", PropertyType::Struct)])
        .await;
    let number = StructValue {
        kind: Some(StructKind::NumberValue(1.0)),
    };
    let fields = [("n".to_owned(), number)].into();
    let given = of(value::Value::StructValue(Struct { fields }));
    let id = store
        .put(Artifact::new(type_id, "n").with("s", given.clone()))
        .await;
    assert_eq!(store.get::<Artifact>(id).await.properties["s"], given);
    let filter = "properties.s.string_value = 'mlmd-struct::Cg4KAW4SCREAAAAAAADwPw=='";
    assert_eq!(store.find::<Artifact>(filter).await, [id]);
}

async fn k12_golden_tokens(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let put = |count| Artifact::put(vec![Artifact::default().with_type(type_id); count]);
    store.ask(put(7)).await;
    let descending = pb::ListOperationOptions {
        order_by_field: Some(pb::list_operation_options::OrderByField {
            is_asc: Some(false),
            ..Default::default()
        }),
        ..pages_of(3)
    };
    for (options, token) in [
        (pages_of(3), "CAMQAxoCCAM"),
        (pages_of(3).after("CAMQAxoCCAM"), "CAYQBhoCCAM"),
        (pages_of(3).after("CAMQAxoCCAM="), "CAYQBhoCCAM"),
        (descending, "CAUQBRoGCAMSAhAA"),
    ] {
        let page = store.ask(Artifact::list(Some(options))).await;
        assert_eq!(page.token.as_deref(), Some(token));
    }
    store.ask(put(14)).await;
    let page = store
        .ask(Artifact::list(Some(pb::ListOperationOptions::default())))
        .await;
    assert_eq!(page.token.as_deref(), Some("CBQQFBoA"));
}

async fn k12_size_and_filter_may_change_between_pages(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let all = store
        .put_named::<Artifact>(type_id, &["a", "b", "c", "d", "e"])
        .await;
    let first = store.ask(Artifact::list(Some(pages_of(1)))).await;
    let next = matching("name != 'c'").after(&first.token.unwrap());
    let page = store.ask(Artifact::list(Some(next))).await;
    assert_eq!(page.ids(), [all[1], all[3], all[4]]);
    // The size of the page before makes no difference to an order that has equal values.
    let by_time = |size| pages_of(size).by(Field::LastUpdateTime, true);
    let first = store.ask(Artifact::list(Some(by_time(2)))).await;
    let page = store
        .ask(Artifact::list(Some(
            by_time(9).after(&first.token.unwrap()),
        )))
        .await;
    assert_eq!(page.ids(), all[2..]);
}

async fn k13_without_options_everything_with_options_pages(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let nodes = (0..105)
            .map(|number| N::new(type_id, &number.to_string()))
            .collect();
        let all = store.ask(N::put(nodes)).await;
        let page = store.ask(N::list(None)).await;
        assert_eq!((page.ids(), page.token), (all.clone(), None));
        let page = store
            .ask(N::list(Some(pb::ListOperationOptions::default())))
            .await;
        assert_eq!(page.ids(), all[..20]);
        let page = store.ask(N::list(Some(pages_of(100)))).await;
        assert_eq!(page.ids(), all[..100]);
    }
    for_every_kind!(check(&store));
}
