//! Lists: order, pages, tokens and what restricts them.

use pb::ListOperationOptions;
use pb::list_operation_options::order_by_field::Field;

use crate::support::prelude::*;

on_every_database! {
    every_order_walks_every_row_once,
    rows_of_one_time_walk_by_id,
    changes_between_pages_do_not_lose_other_rows,
    lists_by_type_end_with_an_empty_token,
    lists_by_type_know_versions,
    lists_by_context_are_pages_too,
    a_filter_and_a_scope_both_restrict,
    queries_that_differ_in_types_only_keep_their_meaning,
    an_empty_store_has_empty_lists,
}

const FIELDS: [Field; 3] = [Field::Id, Field::CreateTime, Field::LastUpdateTime];

/// All rows of a kind as (field, id), in the order that the field and direction ask for.
async fn in_order<N: TestNode>(store: &Store, field: Field, ascending: bool) -> Vec<i64> {
    let nodes = store.ask(N::list(None)).await.nodes;
    let key = |node: &N| match field {
        Field::LastUpdateTime => node.update_time(),
        // Ids grow with the time of creation.
        _ => 0,
    };
    let mut rows: Vec<_> = nodes
        .iter()
        .map(|node| (key(node), node.node_id()))
        .collect();
    rows.sort_unstable();
    if !ascending {
        rows.reverse();
    }
    rows.into_iter().filter_map(|(_, id)| id).collect()
}

async fn check_every_order<N: TestNode>(store: &Store) {
    for field in FIELDS {
        for ascending in [true, false] {
            let expected = in_order::<N>(store, field, ascending).await;
            for size in [1, 2, 3, 7, 100] {
                let pages = store.walk::<N>(pages_of(size).by(field, ascending)).await;
                let which = format!("{field:?} {ascending} {size}");
                assert_eq!(pages.concat(), expected, "{which}");
                let size = usize::try_from(size).unwrap();
                assert_eq!(pages.len(), expected.len().div_ceil(size), "{which}");
            }
        }
    }
}

async fn every_order_walks_every_row_once(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let mut put = Vec::new();
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            put.push(store.put(N::new(type_id, name)).await);
            store.tick();
        }
        // Times of update in another order than ids.
        for id in [put[3], put[0], put[5]] {
            let stored: N = store.get(id).await;
            store.put(stored.with_custom("k", int(1))).await;
            store.tick();
        }
        check_every_order::<N>(store).await;
    }
    for_every_kind!(check(&store));
}

async fn rows_of_one_time_walk_by_id(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        store
            .put_named::<N>(type_id, &["a", "b", "c", "d", "e"])
            .await;
        store.tick();
        store.put_named::<N>(type_id, &["f", "g", "h"]).await;
        check_every_order::<N>(store).await;
    }
    for_every_kind!(check(&store));
}

async fn changes_between_pages_do_not_lose_other_rows(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let put = store
        .put_named::<Artifact>(type_id, &["a", "b", "c", "d"])
        .await;
    for field in FIELDS {
        let options = pages_of(2).by(field, true);
        let first = store.ask(Artifact::list(Some(options.clone()))).await;
        store.tick();
        let new = store.put(Artifact::default().with_type(type_id)).await;
        let next = store
            .ask(Artifact::list(Some(
                options.after(first.token.as_deref().unwrap()),
            )))
            .await;
        assert_eq!(first.ids(), put[..2], "{field:?}");
        assert_eq!(next.ids(), put[2..4], "{field:?}");
        assert!(next.token.is_some() && !next.ids().contains(&new));
    }
}

async fn lists_by_type_end_with_an_empty_token(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        let other = store.put_type::<N>("U", &[]).await;
        store.put_type::<N>("none", &[]).await;
        let put = store.put_named::<N>(type_id, &["a", "b", "c"]).await;
        store.put_named::<N>(other, &["a"]).await;
        let page = store.ask(N::by_type("T", None)).await;
        assert_eq!((page.ids(), page.token), (put.clone(), None));
        let page = store.ask(N::by_type("T", Some(pages_of(2)))).await;
        assert_eq!(page.ids(), put[..2]);
        let next = pages_of(2).after(&page.token.unwrap());
        let page = store.ask(N::by_type("T", Some(next))).await;
        assert_eq!(
            (page.ids(), page.token.as_deref()),
            (put[2..].to_vec(), Some(""))
        );
        // All filtered out is still a type with nodes.
        let page = store
            .ask(N::by_type("T", Some(matching("name = 'z'"))))
            .await;
        assert_eq!((page.ids(), page.token.as_deref()), (vec![], Some("")));
        for name in ["none", "unknown", ""] {
            let page = store.ask(N::by_type(name, Some(pages_of(2)))).await;
            assert_eq!((page.ids(), page.token), (vec![], None), "{name}");
        }
    }
    for_every_kind!(check(&store));
}

async fn lists_by_type_know_versions(store: Store) {
    let first = store.put_type::<Artifact>("T", &[]).await;
    let versioned = pb::PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some("T".to_owned()),
            version: Some("1".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let second = store.ask(versioned).await.type_id();
    let first = store.put(Artifact::new(first, "n")).await;
    let second = store.put(Artifact::new(second, "n")).await;
    for (version, expected) in [
        (None, vec![first]),
        (Some(""), vec![first]),
        (Some("1"), vec![second]),
        (Some("2"), vec![]),
    ] {
        let type_version = version.map(ToOwned::to_owned);
        let list = pb::GetArtifactsByTypeRequest {
            type_name: Some("T".to_owned()),
            type_version: type_version.clone(),
            ..Default::default()
        };
        assert_eq!(
            ids(&store.ask(list).await.artifacts),
            expected,
            "{version:?}"
        );
        let one = pb::GetArtifactByTypeAndNameRequest {
            type_name: Some("T".to_owned()),
            type_version,
            artifact_name: Some("n".to_owned()),
            ..Default::default()
        };
        let found = store.ask(one).await.artifact;
        assert_eq!(ids(&Vec::from_iter(found)), expected, "{version:?}");
    }
}

async fn lists_by_context_are_pages_too(store: Store) {
    let [_, executions, contexts] = store.put_two_of_each().await;
    let type_id = store.put_type::<Artifact>("A", &[]).await;
    let put = store
        .ask(Artifact::put(vec![
            Artifact::default().with_type(type_id);
            5
        ]))
        .await;
    let members: Vec<_> = put.iter().rev().map(|&id| (id, contexts[0])).collect();
    store
        .ask(put_members(&members, &[(executions[1], contexts[0])]))
        .await;
    store
        .ask(put_members(&members, &[(executions[1], contexts[0])]))
        .await;
    let in_context = |options| pb::GetArtifactsByContextRequest {
        context_id: Some(contexts[0]),
        options,
        ..Default::default()
    };
    let all = store.ask(in_context(None)).await;
    assert_eq!(
        (ids(&all.artifacts), all.next_page_token),
        (put.clone(), None)
    );
    for field in FIELDS {
        let options = pages_of(3).by(field, false);
        let first = store.ask(in_context(Some(options.clone()))).await;
        let last = store
            .ask(in_context(Some(options.after(first.next_page_token()))))
            .await;
        let found = [ids(&first.artifacts), ids(&last.artifacts)].concat();
        assert!(found.iter().rev().eq(&put), "{field:?}: {found:?}");
        assert_eq!(last.next_page_token, None);
    }
    let executions_in = |context, options| pb::GetExecutionsByContextRequest {
        context_id: Some(context),
        options,
        ..Default::default()
    };
    let found = store
        .ask(executions_in(contexts[0], Some(pages_of(1))))
        .await;
    assert_eq!(
        (ids(&found.executions), found.next_page_token),
        (vec![executions[1]], None)
    );
    // A context with no such node has no page to be wrong about.
    let found = store
        .ask(executions_in(contexts[1], Some(pages_of(-1))))
        .await;
    assert_eq!(found, pb::GetExecutionsByContextResponse::default());
    let wrong = executions_in(contexts[0], Some(pages_of(-1)));
    store
        .refuses(wrong, Code::InvalidArgument, "max_result_size field value")
        .await;

    for (artifact, execution) in [(put[0], executions[1]), (put[4], executions[1])] {
        let of_artifact = pb::GetContextsByArtifactRequest {
            artifact_id: Some(artifact),
            ..Default::default()
        };
        let of_execution = pb::GetContextsByExecutionRequest {
            execution_id: Some(execution),
            ..Default::default()
        };
        assert_eq!(ids(&store.ask(of_artifact).await.contexts), [contexts[0]]);
        assert_eq!(ids(&store.ask(of_execution).await.contexts), [contexts[0]]);
    }
}

async fn a_filter_and_a_scope_both_restrict(store: Store) {
    let [artifacts, _, contexts] = store.put_two_of_each().await;
    let other_type = store.put_type::<Artifact>("B", &[]).await;
    let other = store.put(Artifact::new(other_type, "a1")).await;
    store
        .ask(put_members(
            &[(artifacts[0], contexts[0]), (other, contexts[0])],
            &[],
        ))
        .await;
    let by_type = store
        .ask(Artifact::by_type("A", Some(matching("name LIKE 'a%'"))))
        .await;
    assert_eq!(by_type.ids(), artifacts);
    let in_context = pb::GetArtifactsByContextRequest {
        context_id: Some(contexts[0]),
        options: Some(matching("type = 'B' OR name = 'a2'")),
        ..Default::default()
    };
    assert_eq!(ids(&store.ask(in_context).await.artifacts), [other]);
    let empty = ListOperationOptions {
        filter_query: Some(String::new()),
        ..Default::default()
    };
    assert_eq!(store.ask(Artifact::list(Some(empty))).await.nodes.len(), 3);
    // Pages of a filtered list that joins each row several times have each row once.
    store
        .ask(put_members(&[(artifacts[0], contexts[1])], &[]))
        .await;
    let options = ListOperationOptions {
        max_result_size: Some(1),
        ..matching("contexts_a.id > 0")
    };
    assert_eq!(
        store.walk::<Artifact>(options).await,
        [[artifacts[0]], [other]]
    );
}

/// Prepared statements are kept by their text, and these queries could share theirs.
async fn queries_that_differ_in_types_only_keep_their_meaning(store: Store) {
    let declared_by_t = [("n", PropertyType::Int), ("d", PropertyType::Double)];
    let type_id = store.put_type::<Execution>("T", &declared_by_t).await;
    let new = Execution::new(type_id, "e").with("n", int(1));
    let id = store.put(new.with("d", double(2.0))).await;
    for _ in 0..3 {
        for literal in ["1", "1.0", "1.5"] {
            let query = format!("properties.n.int_value = {literal}");
            let found = store.find::<Execution>(&query).await;
            let is_one = literal != "1.5";
            assert_eq!(!found.is_empty(), is_one, "{query}");
        }
        for query in [
            "properties.d.double_value = 2",
            "properties.d.double_value = 2.0",
            "properties.d.double_value + 1 = 3.0",
            "properties.d.double_value + 1.0 = 3",
            "1 = 1",
            "'a' = 'a'",
            "1.5 = 1.5",
            "COALESCE(NULL, 'a') = 'a'",
            "COALESCE(NULL, 1) = 1",
        ] {
            assert_eq!(store.find::<Execution>(query).await, [id], "{query}");
        }
    }
}

async fn an_empty_store_has_empty_lists(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        for options in [
            None,
            Some(ListOperationOptions::default()),
            Some(matching("TRUE")),
        ] {
            let page = store.ask(N::list(options)).await;
            assert_eq!((page.nodes, page.token), (vec![], None));
        }
    }
    for_every_kind!(check(&store));
}
