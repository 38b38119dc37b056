//! Oddities of writes, and of what finds nothing.

use pb::{artifact, event, put_execution_request, put_lineage_subgraph_request};

use crate::support::prelude::*;

on_every_database! {
    k1_update_of_a_missing_id_is_invalid_argument,
    k1_missing_type_on_create_is_not_found,
    k1_contexts_of_a_node_without_any_are_not_found,
    k1_external_ids_of_nothing_are_not_found,
    k2_an_update_replaces_everything,
    k2_names_of_artifacts_and_executions_never_change,
    k3_putting_back_what_was_read_changes_nothing,
    k3_a_missing_output_field_moves_the_update_time,
    k4_a_reused_context_is_not_updated,
    k5_an_empty_pair_is_minus_one,
    k6_every_node_of_a_subgraph_is_put_into_every_context,
    k15_composite_writes_want_type_ids,
}

async fn k1_update_of_a_missing_id_is_invalid_argument(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[]).await;
        for id in [0, 7, -1] {
            let update = N::new(type_id, "n").with_id(id);
            let text = format!("Cannot find the given id {id}");
            store
                .refuses(N::put(vec![update]), Code::InvalidArgument, &text)
                .await;
        }
    }
    for_every_kind!(check(&store));
}

async fn k1_missing_type_on_create_is_not_found(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let put = N::put(vec![N::new(77, "n")]);
        let status = store
            .refuses(put, Code::NotFound, "Cannot find type for ")
            .await;
        assert!(
            status
                .message()
                .contains("No type found for query, type_id: 77")
        );
    }
    for_every_kind!(check(&store));
}

async fn k1_contexts_of_a_node_without_any_are_not_found(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    for id in [artifacts[0], 77] {
        let request = pb::GetContextsByArtifactRequest {
            artifact_id: Some(id),
            ..Default::default()
        };
        let text = format!("No contexts found for artifact_id: {id}");
        store.refuses(request, Code::NotFound, &text).await;
    }
    for execution_id in [Some(executions[0]), Some(77), None] {
        let request = pb::GetContextsByExecutionRequest {
            execution_id,
            ..Default::default()
        };
        let text = format!(
            "No contexts found for execution_id: {}",
            execution_id.unwrap_or(0)
        );
        store.refuses(request, Code::NotFound, &text).await;
    }
    // The way back finds nothing and says so without an error.
    for context_id in [Some(contexts[0]), Some(77), None] {
        let artifacts = pb::GetArtifactsByContextRequest {
            context_id,
            ..Default::default()
        };
        let executions = pb::GetExecutionsByContextRequest {
            context_id,
            ..Default::default()
        };
        let parents = pb::GetParentContextsByContextRequest {
            context_id,
            ..Default::default()
        };
        assert_eq!(
            store.ask(artifacts).await,
            pb::GetArtifactsByContextResponse::default()
        );
        assert_eq!(
            store.ask(executions).await,
            pb::GetExecutionsByContextResponse::default()
        );
        assert!(store.ask(parents).await.contexts.is_empty());
    }
}

async fn k1_external_ids_of_nothing_are_not_found(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let text = format!("No {} found for external_ids.", N::PLURAL);
        store
            .refuses(N::by_external_ids(&["x"]), Code::NotFound, &text)
            .await;
        let text = "Invalid argument because at least one empty external_id exists.";
        store
            .refuses(N::by_external_ids(&["x", ""]), Code::InvalidArgument, text)
            .await;
        assert!(store.ask(N::by_external_ids(&[])).await.is_empty());
        let type_id = store.put_type::<N>("T", &[]).await;
        let id = store.put(N::new(type_id, "n").with_external_id("x")).await;
        assert_eq!(
            ids(&store.ask(N::by_external_ids(&["x", "y", "x"])).await),
            [id]
        );
    }
    for_every_kind!(check(&store));
}

async fn k2_an_update_replaces_everything(store: Store) {
    let type_id = store
        .put_type::<Artifact>(
            "T",
            &[("i", PropertyType::Int), ("s", PropertyType::String)],
        )
        .await;
    let new = Artifact {
        uri: Some("u".to_owned()),
        state: Some(artifact::State::Live.into()),
        ..Artifact::new(type_id, "n")
    };
    let new = new
        .with_external_id("x")
        .with("i", int(1))
        .with_custom("c", text("c"));
    let id = store.put(new).await;
    store
        .put(Artifact::default().with_id(id).with("s", text("s")))
        .await;
    let stored: Artifact = store.get(id).await;
    let expected = Artifact {
        r#type: Some("T".to_owned()),
        uri: Some(String::new()),
        create_time_since_epoch: stored.create_time_since_epoch,
        last_update_time_since_epoch: stored.last_update_time_since_epoch,
        ..Artifact::new(type_id, "n").with_id(id).with("s", text("s"))
    };
    assert_eq!(stored, expected);
}

async fn k2_names_of_artifacts_and_executions_never_change(store: Store) {
    async fn rename<N: TestNode>(store: &Store) -> Option<N> {
        let type_id = store.put_type::<N>("T", &[]).await;
        let id = store.put(N::new(type_id, "old")).await;
        store.put(N::new(type_id, "new").with_id(id)).await;
        store.ask(N::by_name("T", "new")).await
    }
    assert_eq!(rename::<Artifact>(&store).await, None);
    assert_eq!(rename::<Execution>(&store).await, None);
    assert!(rename::<Context>(&store).await.is_some());
}

async fn k3_putting_back_what_was_read_changes_nothing(store: Store) {
    async fn check<N: TestNode>(store: &Store) {
        let type_id = store.put_type::<N>("T", &[("i", PropertyType::Int)]).await;
        let new = N::new(type_id, "n")
            .with("i", int(1))
            .with_custom("c", double(0.5));
        let id = store.put(new).await;
        let before: N = store.get(id).await;
        store.tick();
        store.put(before.clone()).await;
        assert_eq!(store.get::<N>(id).await, before);
    }
    for_every_kind!(check(&store));
}

async fn k3_a_missing_output_field_moves_the_update_time(store: Store) {
    let type_id = store.put_type::<Artifact>("T", &[]).await;
    let id = store.put(Artifact::new(type_id, "n")).await;
    let changes: [fn(&mut Artifact); 5] = [
        |artifact| artifact.r#type = None,
        |artifact| artifact.uri = None,
        |artifact| artifact.name = Some("other".to_owned()),
        |artifact| artifact.external_id = Some("now there".to_owned()),
        |artifact| artifact.system_metadata = Some(prost_types::Any::default()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let before: Artifact = store.get(id).await;
        let mut given = before.clone();
        change(&mut given);
        store.tick();
        store.put(given).await;
        assert!(
            store.get::<Artifact>(id).await.update_time() > before.update_time(),
            "{number}"
        );
    }
    // The type's id and the times do not count.
    let before: Artifact = store.get(id).await;
    store.tick();
    let given = Artifact {
        type_id: None,
        create_time_since_epoch: None,
        last_update_time_since_epoch: Some(1),
        ..before.clone()
    };
    store.put(given).await;
    assert_eq!(store.get::<Artifact>(id).await, before);
}

async fn k4_a_reused_context_is_not_updated(store: Store) {
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let id = store
        .put(Context::new(context_type, "c").with_custom("k", int(1)))
        .await;
    let before: Context = store.get(id).await;
    let changed = Context::new(context_type, "c").with_custom("k", int(2));
    let request = pb::PutExecutionRequest {
        execution: Some(Execution::new(execution_type, "e")),
        contexts: vec![changed.clone()],
        options: Some(put_execution_request::Options {
            reuse_context_if_already_exist: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(store.ask(request).await.context_ids, [id]);
    let request = pb::PutLineageSubgraphRequest {
        contexts: vec![changed],
        options: Some(put_lineage_subgraph_request::Options {
            reuse_context_if_already_exist: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(store.ask(request).await.context_ids, [id]);
    assert_eq!(store.get::<Context>(id).await, before);
}

async fn k5_an_empty_pair_is_minus_one(store: Store) {
    let [artifacts, ..] = store.put_two_of_each().await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let of_event = event(artifacts[1], 0, event::Type::Input);
    let of_event = pb::Event {
        execution_id: None,
        ..of_event
    };
    let request = pb::PutExecutionRequest {
        execution: Some(Execution::new(execution_type, "e")),
        artifact_event_pairs: vec![
            pair(Some(store.get(artifacts[0]).await), None),
            pair(None, None),
            pair(None, Some(of_event)),
        ],
        ..Default::default()
    };
    let answer = store.ask(request).await;
    assert_eq!(answer.artifact_ids, [artifacts[0], -1, artifacts[1]]);
}

async fn k6_every_node_of_a_subgraph_is_put_into_every_context(store: Store) {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let context_type = store.put_type::<Context>("C", &[]).await;
    let request = pb::PutLineageSubgraphRequest {
        artifacts: vec![
            Artifact::new(artifact_type, "a1"),
            Artifact::new(artifact_type, "a2"),
        ],
        executions: vec![
            Execution::new(execution_type, "e1"),
            Execution::new(execution_type, "e2"),
        ],
        contexts: vec![
            Context::new(context_type, "c1"),
            Context::new(context_type, "c2"),
        ],
        ..Default::default()
    };
    let answer = store.ask(request).await;
    for context in answer.context_ids {
        let filter = format!("contexts_a.id = {context}");
        assert_eq!(store.find::<Artifact>(&filter).await, answer.artifact_ids);
        assert_eq!(store.find::<Execution>(&filter).await, answer.execution_ids);
    }
}

async fn k15_composite_writes_want_type_ids(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    let subgraphs = [
        pb::PutLineageSubgraphRequest {
            artifacts: vec![Artifact::default().with_id(artifacts[0])],
            ..Default::default()
        },
        pb::PutLineageSubgraphRequest {
            executions: vec![Execution::default().with_id(executions[0])],
            ..Default::default()
        },
        pb::PutLineageSubgraphRequest {
            contexts: vec![Context::default().with_id(contexts[0]).with_name("c1")],
            ..Default::default()
        },
    ];
    for request in subgraphs {
        store
            .refuses(request, Code::InvalidArgument, "Type id is missing.")
            .await;
    }
    let execution: Execution = store.get(executions[0]).await;
    let context: Context = store.get(contexts[0]).await;
    let without = |type_id, name| Context {
        type_id,
        name,
        ..context.clone()
    };
    for (context, text) in [
        (
            without(None, context.name.clone()),
            "Context is missing a type_id: ",
        ),
        (
            without(context.type_id, None),
            "Context is missing a name: ",
        ),
    ] {
        let request = pb::PutExecutionRequest {
            execution: Some(execution.clone()),
            contexts: vec![context],
            ..Default::default()
        };
        store.refuses(request, Code::InvalidArgument, text).await;
    }
}
