//! Types: how they are put, how they may change, and how they are read.

use pb::artifact_type::SystemDefinedBaseType as ArtifactBase;
use pb::execution_type::SystemDefinedBaseType as ExecutionBase;
use pb::{ArtifactType, ContextType, ExecutionType, artifact_struct_type};

use crate::support::prelude::*;

on_every_database! {
    a_type_may_gain_properties_and_be_given_without_some,
    properties_without_a_type_are_refused,
    a_type_is_its_name_and_version,
    what_describes_a_type_is_written_once,
    the_external_id_of_a_type_is_overwritten,
    a_base_type_is_given_once,
    put_types_is_one_transaction_in_order,
    partial_matches_are_unimplemented,
    types_are_read_by_name_and_version,
    types_are_read_by_id_in_the_order_of_the_request,
    types_are_read_by_external_id,
    signatures_of_execution_types_come_back,
}

fn named(name: &str) -> ArtifactType {
    ArtifactType {
        name: Some(name.to_owned()),
        ..Default::default()
    }
}

fn with(properties: &[(&str, PropertyType)]) -> ArtifactType {
    ArtifactType {
        properties: declared(properties),
        ..named("T")
    }
}

fn put(artifact_type: ArtifactType) -> pb::PutArtifactTypeRequest {
    pb::PutArtifactTypeRequest {
        artifact_type: Some(artifact_type),
        ..Default::default()
    }
}

async fn stored(store: &Store, name: &str, version: Option<&str>) -> ArtifactType {
    let request = pb::GetArtifactTypeRequest {
        type_name: Some(name.to_owned()),
        type_version: version.map(ToOwned::to_owned),
        ..Default::default()
    };
    store.ask(request).await.artifact_type.unwrap()
}

async fn a_type_may_gain_properties_and_be_given_without_some(store: Store) {
    const A: (&str, PropertyType) = ("a", PropertyType::Int);
    const B: (&str, PropertyType) = ("b", PropertyType::String);
    const OTHER_A: (&str, PropertyType) = ("a", PropertyType::Double);
    const UNKNOWN_B: (&str, PropertyType) = ("b", PropertyType::Unknown);
    let id = store.ask(put(with(&[A]))).await.type_id();
    let conflict = "Type already exists with different properties: Conflicting property value type found in stored and given types: ";
    let omits = "Type already exists with different properties: can_omit_fields is false while stored type has more properties: ";
    let adds = "Type already exists with different properties: can_add_fields is false while the given type has more properties: ";
    let unknown = "Property:b type should not be UNKNOWN.";
    // (given, may add, may omit, the code and text of the refusal)
    for (given, add, omit, refusal) in [
        (&[A][..], false, false, None),
        (
            &[OTHER_A],
            true,
            true,
            Some((Code::AlreadyExists, conflict)),
        ),
        (&[], true, false, Some((Code::AlreadyExists, omits))),
        (&[], false, true, None),
        (&[A, B], false, true, Some((Code::AlreadyExists, adds))),
        (
            &[A, UNKNOWN_B],
            true,
            false,
            Some((Code::InvalidArgument, unknown)),
        ),
        (&[B], true, false, Some((Code::AlreadyExists, omits))),
        (&[B], false, true, Some((Code::AlreadyExists, adds))),
        (&[B], true, true, None),
        (&[A, B], false, false, None),
        (&[A], false, false, Some((Code::AlreadyExists, omits))),
    ] {
        let request = pb::PutArtifactTypeRequest {
            can_add_fields: Some(add),
            can_omit_fields: Some(omit),
            can_delete_fields: Some(true),
            ..put(with(given))
        };
        match refusal {
            Some((code, text)) => drop(store.refuses(request, code, text).await),
            None => assert_eq!(store.ask(request).await.type_id(), id),
        }
    }
    assert_eq!(
        stored(&store, "T", None).await.properties,
        declared(&[A, B])
    );
}

async fn properties_without_a_type_are_refused(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let unknown = N::put_type("T", &[("p", PropertyType::Unknown)]);
        store
            .refuses(unknown, Code::InvalidArgument, "Property p is UNKNOWN.")
            .await;
        let nameless = N::put_type("", &[]);
        store
            .refuses(
                nameless,
                Code::InvalidArgument,
                "No type name is specified.",
            )
            .await;
    }
    for_every_kind!(check(&store));
    let nothing = pb::PutContextTypeRequest::default();
    store
        .refuses(nothing, Code::InvalidArgument, "No type name is specified.")
        .await;
}

async fn a_type_is_its_name_and_version(store: Store) {
    let versioned = |version: &str| ArtifactType {
        version: Some(version.to_owned()),
        id: Some(77),
        ..named("T")
    };
    let id = store.ask(put(named("T"))).await.type_id();
    assert_eq!(store.ask(put(versioned(""))).await.type_id(), id);
    let first = store.ask(put(versioned("1"))).await.type_id();
    let second = store.ask(put(versioned("2"))).await.type_id();
    let execution = store.put_type::<Execution>("T", &[]).await;
    let context = store.put_type::<Context>("T", &[]).await;
    let mut ids = vec![id, first, second, execution, context];
    ids.dedup();
    assert_eq!(ids.len(), 5);
    assert_eq!(store.ask(put(versioned("1"))).await.type_id(), first);
}

async fn what_describes_a_type_is_written_once(store: Store) {
    let describe = |text: &str| ArtifactType {
        description: Some(text.to_owned()),
        ..named("T")
    };
    store.ask(put(describe("first"))).await;
    store.ask(put(describe("second"))).await;
    assert_eq!(stored(&store, "T", None).await.description(), "first");
}

async fn the_external_id_of_a_type_is_overwritten(store: Store) {
    let external = |external_id: Option<&str>| ArtifactType {
        external_id: external_id.map(ToOwned::to_owned),
        ..named("T")
    };
    for (given, expected) in [
        (None, None),
        (Some("x"), Some("x")),
        (None, Some("x")),
        (Some(""), Some("x")),
        (Some("x"), Some("x")),
        (Some("y"), Some("y")),
    ] {
        store.ask(put(external(given))).await;
        assert_eq!(
            stored(&store, "T", None).await.external_id.as_deref(),
            expected
        );
    }
    let taken = ArtifactType {
        external_id: Some("y".to_owned()),
        ..named("U")
    };
    let lead = "Conflict of external_id: y Found already existing Artifact type";
    store.refuses(put(taken), Code::AlreadyExists, lead).await;
}

async fn a_base_type_is_given_once(store: Store) {
    let based = |base: ArtifactBase| ArtifactType {
        base_type: Some(base.into()),
        ..named("T")
    };
    let deletion = "base_type deletion is not supported yet";
    let update = "base_type update is not supported yet";
    store
        .refuses(
            put(based(ArtifactBase::Unset)),
            Code::Unimplemented,
            deletion,
        )
        .await;
    let id = store.ask(put(named("T"))).await.type_id();
    assert_eq!(stored(&store, "T", None).await.base_type, None);
    for base in [ArtifactBase::Model, ArtifactBase::Model] {
        assert_eq!(store.ask(put(based(base))).await.type_id(), id);
    }
    store.ask(put(named("T"))).await;
    assert_eq!(
        stored(&store, "T", None).await.base_type(),
        ArtifactBase::Model
    );
    store
        .refuses(
            put(based(ArtifactBase::Dataset)),
            Code::Unimplemented,
            update,
        )
        .await;
    store
        .refuses(
            put(based(ArtifactBase::Unset)),
            Code::Unimplemented,
            deletion,
        )
        .await;

    let itself = ArtifactType {
        name: Some("mlmd.Dataset".to_owned()),
        ..based(ArtifactBase::Dataset)
    };
    let cycle = "There is a cycle detected of the given relationship.";
    store
        .refuses(put(itself), Code::InvalidArgument, cycle)
        .await;
    let context_type = pb::PutContextTypeRequest {
        context_type: Some(ContextType {
            name: Some("C".to_owned()),
            base_type: Some(0),
            ..Default::default()
        }),
        ..Default::default()
    };
    store
        .refuses(context_type, Code::Unimplemented, deletion)
        .await;
    let execution_type = ExecutionType {
        name: Some("E".to_owned()),
        base_type: Some(ExecutionBase::Deploy.into()),
        ..Default::default()
    };
    let request = pb::PutExecutionTypeRequest {
        execution_type: Some(execution_type.clone()),
        ..Default::default()
    };
    store.ask(request).await;
    let all = store
        .ask(pb::GetExecutionTypesRequest::default())
        .await
        .execution_types;
    assert_eq!(all[0].base_type, execution_type.base_type);
}

async fn put_types_is_one_transaction_in_order(store: Store) {
    let none = store.ask(pb::PutTypesRequest::default()).await;
    assert_eq!(none, pb::PutTypesResponse::default());
    let good = pb::PutTypesRequest {
        artifact_types: vec![named("T"), named("U"), named("T")],
        execution_types: vec![ExecutionType {
            name: Some("T".to_owned()),
            ..Default::default()
        }],
        context_types: vec![ContextType {
            name: Some("T".to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut bad = good.clone();
    bad.context_types.push(ContextType::default());
    store
        .refuses(bad, Code::InvalidArgument, "No type name is specified.")
        .await;
    let answer = store.ask(good).await;
    let [first, second, again] = answer.artifact_type_ids[..] else {
        panic!("{answer:?}");
    };
    assert!(first == again && first < second, "{answer:?}");
    assert_eq!(
        (
            answer.execution_type_ids.len(),
            answer.context_type_ids.len()
        ),
        (1, 1)
    );
    // The second of two is an update of the first, and must be allowed.
    let grows = pb::PutTypesRequest {
        artifact_types: vec![
            named("V"),
            ArtifactType {
                name: Some("V".to_owned()),
                ..with(&[("p", PropertyType::Int)])
            },
        ],
        ..Default::default()
    };
    store
        .refuses(grows.clone(), Code::AlreadyExists, "Type already exists")
        .await;
    let allowed = pb::PutTypesRequest {
        can_add_fields: Some(true),
        ..grows
    };
    store.ask(allowed).await;
    assert_eq!(stored(&store, "V", None).await.properties.len(), 1);
}

async fn partial_matches_are_unimplemented(store: Store) {
    let text = "Must match all fields.";
    let all_fields_match = Some(false);
    let artifact = pb::PutArtifactTypeRequest {
        all_fields_match,
        ..put(named("T"))
    };
    store.refuses(artifact, Code::Unimplemented, text).await;
    let execution = pb::PutExecutionTypeRequest {
        all_fields_match,
        ..Default::default()
    };
    store.refuses(execution, Code::Unimplemented, text).await;
    let context = pb::PutContextTypeRequest {
        all_fields_match,
        ..Default::default()
    };
    store.refuses(context, Code::Unimplemented, text).await;
    let types = pb::PutTypesRequest {
        all_fields_match,
        ..Default::default()
    };
    store.refuses(types, Code::Unimplemented, text).await;
}

async fn types_are_read_by_name_and_version(store: Store) {
    let given = ArtifactType {
        version: Some("1".to_owned()),
        description: Some("d".to_owned()),
        external_id: Some("x".to_owned()),
        base_type: Some(ArtifactBase::Metrics.into()),
        ..with(&[("i", PropertyType::Int), ("p", PropertyType::Proto)])
    };
    let id = store.ask(put(given.clone())).await.type_id();
    let expected = ArtifactType {
        id: Some(id),
        ..given
    };
    assert_eq!(stored(&store, "T", Some("1")).await, expected);
    for (name, version, shown) in [
        ("T", None, "nullopt"),
        ("T", Some(""), "nullopt"),
        ("T", Some("2"), "2"),
        ("", None, "nullopt"),
    ] {
        let request = pb::GetArtifactTypeRequest {
            type_name: Some(name.to_owned()),
            type_version: version.map(ToOwned::to_owned),
            ..Default::default()
        };
        let text = format!("No type found for query, name: `{name}`, version: `{shown}`");
        store.refuses(request, Code::NotFound, &text).await;
    }
    // The kind counts.
    let execution = pb::GetExecutionTypeRequest {
        type_name: Some("T".to_owned()),
        type_version: Some("1".to_owned()),
        ..Default::default()
    };
    store
        .refuses(execution, Code::NotFound, "No type found")
        .await;
    store
        .refuses(
            pb::GetContextTypeRequest::default(),
            Code::NotFound,
            "No type found",
        )
        .await;
}

async fn types_are_read_by_id_in_the_order_of_the_request(store: Store) {
    let first = store.put_type::<Artifact>("T", &[]).await;
    let second = store.put_type::<Artifact>("U", &[]).await;
    let execution = store.put_type::<Execution>("T", &[]).await;
    let request = pb::GetArtifactTypesByIdRequest {
        type_ids: vec![second, 77, first, execution, 1, second],
        ..Default::default()
    };
    let found = store.ask(request).await.artifact_types;
    let found: Vec<i64> = found.iter().map(ArtifactType::id).collect();
    assert_eq!(found, [second, first, 1, second]);
    let none = pb::GetContextTypesByIdRequest {
        type_ids: vec![first, execution],
        ..Default::default()
    };
    assert!(store.ask(none).await.context_types.is_empty());
}

async fn types_are_read_by_external_id(store: Store) {
    let external = |name: &str, external_id: &str| ArtifactType {
        external_id: Some(external_id.to_owned()),
        ..named(name)
    };
    let first = store.ask(put(external("T", "x"))).await.type_id();
    let second = store.ask(put(external("U", "y"))).await.type_id();
    let by = |ids: &[&str]| pb::GetArtifactTypesByExternalIdsRequest {
        external_ids: ids.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    for (given, expected) in [
        (&["y", "x", "y", "z"][..], vec![first, second]),
        (&["y"], vec![second]),
        (&[], vec![]),
    ] {
        let found = store.ask(by(given)).await.artifact_types;
        assert_eq!(
            found.iter().map(ArtifactType::id).collect::<Vec<_>>(),
            expected
        );
    }
    store
        .refuses(
            by(&["z"]),
            Code::NotFound,
            "No types found for external_ids.",
        )
        .await;
    store
        .refuses(by(&["x", ""]), Code::InvalidArgument, "")
        .await;
    let of_executions = pb::GetExecutionTypesByExternalIdsRequest {
        external_ids: vec!["x".to_owned()],
        ..Default::default()
    };
    store
        .refuses(
            of_executions,
            Code::NotFound,
            "No types found for external_ids.",
        )
        .await;
}

async fn signatures_of_execution_types_come_back(store: Store) {
    use artifact_struct_type::Kind;
    let of = |kind| pb::ArtifactStructType { kind: Some(kind) };
    let simple = of(Kind::Simple(with(&[("i", PropertyType::Int)])));
    let any = of(Kind::Any(pb::AnyArtifactStructType {}));
    let dict = of(Kind::Dict(Box::new(pb::DictArtifactStructType {
        properties: [("one".to_owned(), simple), ("two".to_owned(), any.clone())].into(),
        ..Default::default()
    })));
    let given = ExecutionType {
        name: Some("E".to_owned()),
        input_type: Some(dict),
        output_type: Some(any.clone()),
        ..Default::default()
    };
    let put = |execution_type| pb::PutExecutionTypeRequest {
        execution_type: Some(execution_type),
        ..Default::default()
    };
    let id = store.ask(put(given.clone())).await.type_id();
    let again = ExecutionType {
        input_type: Some(any),
        ..given.clone()
    };
    store.ask(put(again)).await;
    let all = store
        .ask(pb::GetExecutionTypesRequest::default())
        .await
        .execution_types;
    let expected = ExecutionType {
        id: Some(id),
        ..given
    };
    assert_eq!(all, [expected]);
}
