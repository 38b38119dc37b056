//! Requests that are well formed and break a rule of the graph or of paging.

use pb::list_operation_options::order_by_field::Field;
use pb::{LineageSubgraphQueryOptions, ListOperationOptions, event};

use crate::support::prelude::*;

on_every_database! {
    a_refused_node_takes_its_whole_request_along,
    names_and_external_ids_are_unique,
    events_need_both_ends_and_a_type,
    members_and_contexts_must_exist,
    contexts_have_no_cycles,
    hops_and_starts_of_lineage_must_make_sense,
    page_sizes_and_orders_must_make_sense,
    page_tokens_belong_to_their_order,
    noise_is_no_page_token,
}

async fn a_refused_node_takes_its_whole_request_along(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let declared = [("p", PropertyType::Int)];
        let type_id = store.put_type::<N>("T", &declared).await;
        let good = store.put(N::new(type_id, "there")).await;
        let new = || N::new(type_id, "new");
        let unmatched = "Found unmatched property type: p";
        for (node, code, part) in [
            (
                N::default().with_name("new"),
                Code::InvalidArgument,
                "Type id is missing.",
            ),
            (
                N::new(77, "new"),
                Code::NotFound,
                "No type found for query, type_id: 77",
            ),
            (
                new().with("q", int(1)),
                Code::InvalidArgument,
                "Found unknown property: q",
            ),
            (new().with("p", text("1")), Code::InvalidArgument, unmatched),
            (
                new().with("p", double(1.0)),
                Code::InvalidArgument,
                unmatched,
            ),
            (
                new().with("p", Value::default()),
                Code::InvalidArgument,
                unmatched,
            ),
            (
                new().with_custom("p", Value::default()),
                Code::InvalidArgument,
                unmatched,
            ),
            (
                new().with_id(77),
                Code::InvalidArgument,
                "Cannot find the given id 77",
            ),
            (
                new().with_id(good).with("q", int(1)),
                Code::InvalidArgument,
                "Found unknown property: q",
            ),
            (
                new().with_id(good).with("p", boolean(true)),
                Code::InvalidArgument,
                unmatched,
            ),
            (
                new().with_id(good).with_type(77),
                Code::InvalidArgument,
                "Given type_id 77 is different from the one known before: ",
            ),
        ] {
            let first = N::new(type_id, "first").with("p", int(1));
            let second = N::new(type_id, "there")
                .with_id(good)
                .with_custom("c", int(1));
            let put = N::put(vec![first, second, node]);
            let status = store.refuses(put, code, "").await;
            assert!(status.message().contains(part), "{part}: {status:?}");
        }
    }
    for_every_kind!(check(&store));
    let type_id = store.put_type::<Context>("C", &[]).await;
    let there = store.put(Context::new(type_id, "c")).await;
    let text = "Context name should not be empty";
    for nameless in [
        Context::default().with_type(type_id),
        Context::new(type_id, ""),
        Context::default().with_id(there),
        Context::new(type_id, "").with_id(there),
    ] {
        store
            .refuses(Context::put(vec![nameless]), Code::InvalidArgument, text)
            .await;
    }
}

async fn names_and_external_ids_are_unique(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let other_type = store.put_type::<N>("U", &[]).await;
        store.put(N::new(type_id, "a").with_external_id("x")).await;
        let lead = "Given node already exists: ";
        for nodes in [
            vec![N::new(type_id, "a")],
            vec![N::new(type_id, "b"), N::new(type_id, "b")],
            vec![N::new(type_id, "b").with_external_id("x")],
            vec![N::new(other_type, "b").with_external_id("x")],
            vec![
                N::new(type_id, "b").with_external_id("y"),
                N::new(other_type, "c").with_external_id("y"),
            ],
            // Empty is a value as others are.
            vec![
                N::new(type_id, "b").with_external_id(""),
                N::new(type_id, "c").with_external_id(""),
            ],
        ] {
            store
                .refuses(N::put(nodes), Code::AlreadyExists, lead)
                .await;
        }
        store.put(N::new(other_type, "a")).await;
    }
    for_every_kind!(check(&store));
    // Without a name nothing collides, with an empty one it does.
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    store
        .ask(Artifact::put(vec![
            Artifact::default().with_type(type_id);
            2
        ]))
        .await;
    let empty = vec![Artifact::new(type_id, ""); 2];
    store
        .refuses(
            Artifact::put(empty),
            Code::AlreadyExists,
            "Given node already exists: ",
        )
        .await;
}

async fn events_need_both_ends_and_a_type(store: Store) {
    let [artifacts, executions, _] = store.put_two_of_each().await;
    let good = event(artifacts[0], executions[0], event::Type::Input);
    let without = |change: fn(&mut pb::Event)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let no_type = "No event type is specified.";
    for (wrong, text) in [
        (
            without(|event| event.artifact_id = None),
            "No artifact id is specified.",
        ),
        (
            without(|event| event.execution_id = None),
            "No execution id is specified.",
        ),
        (without(|event| event.r#type = None), no_type),
        (
            without(|event| event.r#type = Some(event::Type::Unknown.into())),
            no_type,
        ),
        (without(|event| event.r#type = Some(99)), no_type),
        (
            without(|event| event.artifact_id = Some(77)),
            "No artifact with the given id 77",
        ),
        (
            without(|event| event.execution_id = Some(78)),
            "No execution with the given id 78",
        ),
        (pb::Event::default(), "No artifact id is specified."),
    ] {
        let request = put_events(vec![good.clone(), wrong]);
        store.refuses(request, Code::InvalidArgument, text).await;
    }
    let lead = "Given event already exists: ";
    let twice = put_events(vec![good.clone(), good.clone()]);
    store.refuses(twice, Code::AlreadyExists, lead).await;
    store.ask(put_events(vec![good.clone()])).await;
    let other = event(artifacts[1], executions[0], event::Type::Input);
    store
        .refuses(put_events(vec![other, good]), Code::AlreadyExists, lead)
        .await;
}

async fn members_and_contexts_must_exist(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    let (artifact, execution, context) = (artifacts[0], executions[0], contexts[0]);
    for (request, text) in [
        (
            put_members(&[(artifact, context), (artifact, 77)], &[]),
            "Context id not found.",
        ),
        (
            put_members(&[(artifact, context), (77, context)], &[]),
            "Artifact id not found.",
        ),
        (
            put_members(&[(artifact, context)], &[(77, context)]),
            "Execution id not found.",
        ),
        (
            put_members(&[(artifact, context)], &[(execution, 77)]),
            "Context id not found.",
        ),
        (put_members(&[(0, 0)], &[]), "Context id not found."),
    ] {
        store.refuses(request, Code::InvalidArgument, text).await;
    }
    let missing = "Missing parent / child id in the parent_context: ";
    let not_found = "Given parent / child id in the parent_context cannot be found: ";
    let mut half = put_parents(&[(context, contexts[1])]);
    half.parent_contexts[0].parent_id = None;
    store.refuses(half, Code::InvalidArgument, missing).await;
    for pair in [(context, 77), (77, context), (context, context)] {
        let request = put_parents(&[(context, contexts[1]), pair]);
        store
            .refuses(request, Code::InvalidArgument, not_found)
            .await;
    }
}

async fn contexts_have_no_cycles(store: Store) {
    let type_id = store.put_type::<Context>("C", &[]).await;
    let ids = store
        .put_named::<Context>(type_id, &["a", "b", "c", "d", "e"])
        .await;
    let [top, middle, low, d, e] = ids[..] else {
        panic!("{ids:?}");
    };
    store
        .ask(put_parents(&[(top, middle), (middle, low), (top, low)]))
        .await;
    for pairs in [
        vec![(middle, top)],
        vec![(low, top)],
        vec![(d, e), (e, d)],
        vec![(low, d), (d, e), (e, top)],
        vec![(d, e), (top, d), (e, middle), (low, e)],
    ] {
        let text = "There is a cycle detected of the given relationship.";
        store
            .refuses(put_parents(&pairs), Code::InvalidArgument, text)
            .await;
    }
    let lead = "Given parent_context already exists: ";
    store
        .refuses(
            put_parents(&[(low, d), (top, middle)]),
            Code::AlreadyExists,
            lead,
        )
        .await;
    store
        .refuses(
            put_parents(&[(low, d), (low, d)]),
            Code::AlreadyExists,
            lead,
        )
        .await;
    store
        .ask(put_parents(&[(top, d), (middle, d), (low, d), (top, e)]))
        .await;
}

async fn hops_and_starts_of_lineage_must_make_sense(store: Store) {
    store.put_two_of_each().await;
    let hops = |max_num_hops| LineageSubgraphQueryOptions {
        max_num_hops: Some(max_num_hops),
        ..from_artifacts("TRUE")
    };
    let no_filter = "Cannot list starting nodes if `filter_query` is unspecified.";
    let no_start = "Missing arguments for listing starting nodes.";
    let nobody = "Cannot find qualified nodes to start the traversal.";
    let negative = "max_num_hops cannot be negative: max_num_hops = -1";
    for (options, code, text) in [
        (
            LineageSubgraphQueryOptions::default(),
            Code::InvalidArgument,
            no_start,
        ),
        (from_artifacts(""), Code::InvalidArgument, no_filter),
        (hops(-1), Code::InvalidArgument, negative),
        (from_artifacts("id = 77"), Code::NotFound, nobody),
        (
            from_artifacts("nope = 1"),
            Code::InvalidArgument,
            "Invalid `filter_query`: ",
        ),
    ] {
        store.refuses(lineage(options, &[]), code, text).await;
    }
    store
        .refuses(
            lineage(hops(i64::MIN), &[]),
            Code::InvalidArgument,
            "max_num_hops",
        )
        .await;
}

async fn page_sizes_and_orders_must_make_sense(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let lead = "max_result_size field value is required to be greater than 0 and less than or equal to 100. Set value:";
        for size in [0, -1, i32::MIN] {
            let lead = format!("{lead}{size}");
            store
                .refuses(N::list(Some(pages_of(size))), Code::InvalidArgument, &lead)
                .await;
        }
        let unspecified = pages_of(1).by(Field::Unspecified, true);
        let text = "Unsupported field: FIELD_UNSPECIFIED specified in ListOperationOptions";
        store
            .refuses(N::list(Some(unspecified)), Code::InvalidArgument, text)
            .await;
        let wrong = ListOperationOptions {
            filter_query: Some("id = ".to_owned()),
            ..Default::default()
        };
        let lead = "Invalid `filter_query`: ";
        store
            .refuses(N::list(Some(wrong)), Code::InvalidArgument, lead)
            .await;
        // A type without nodes has no page to be wrong about.
        store.put_type::<N>("T", &[]).await;
        let page = store.ask(N::by_type("T", Some(pages_of(0)))).await;
        assert_eq!((page.nodes, page.token), (vec![], None));
    }
    for_every_kind!(check(&store));
}

async fn page_tokens_belong_to_their_order(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        store.put_named::<N>(type_id, &["a", "b", "c"]).await;
        let orders = [Field::Id, Field::CreateTime, Field::LastUpdateTime]
            .into_iter()
            .flat_map(|field| [(field, true), (field, false)]);
        for (field, ascending) in orders.clone() {
            let first = store
                .ask(N::list(Some(pages_of(1).by(field, ascending))))
                .await;
            let token = first.token.unwrap();
            for other in orders.clone().filter(|other| *other != (field, ascending)) {
                let options = pages_of(1).by(other.0, other.1).after(&token);
                let lead = "ListOperationOptions mismatch between calls Initial Options: ";
                store
                    .refuses(N::list(Some(options)), Code::InvalidArgument, lead)
                    .await;
            }
        }
    }
    for_every_kind!(check(&store));
}

async fn noise_is_no_page_token(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    store.put(Artifact::new(type_id, "n")).await;
    let no_base64 = "Failed to decode next page token string";
    let no_message =
        "Failed to parse decoded next page token into ListOperationNextPageToken proto message";
    for (token, text) in [
        ("!!!", no_base64),
        ("CAMQAxoCCAM+", no_base64),
        ("\u{e9}", no_base64),
        ("A", no_base64),
        ("AAAA", no_message),
        ("CAMQAxoCCA", no_message),
    ] {
        let options = ListOperationOptions::default().after(token);
        store
            .refuses(Artifact::list(Some(options)), Code::InvalidArgument, text)
            .await;
    }
    let text = "Invalid NextPageToken in List Operation. listed_ids field should not be empty.";
    // Only the order: `set_options { order_by_field { field: LAST_UPDATE_TIME } }`.
    let options = pages_of(1)
        .by(Field::LastUpdateTime, true)
        .after("GgQSAggC");
    store
        .refuses(Artifact::list(Some(options)), Code::InvalidArgument, text)
        .await;
}
