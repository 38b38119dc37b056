//! `PutExecution`: an execution with its artifacts, events and contexts.

use pb::put_execution_request::Options as ExecutionOptions;
use pb::put_lineage_subgraph_request::Options as SubgraphOptions;
use pb::{Event, PutExecutionRequest, PutLineageSubgraphRequest, event};

use super::{event_of, put_types};
use crate::support::prelude::*;

on_every_database! {
    put_execution_puts_all_that_belongs_to_it,
    put_execution_updates_what_has_an_id,
    events_of_an_execution_must_agree_with_it,
    contexts_of_an_execution_may_be_reused_by_id,
    contexts_are_reused_by_type_and_name_only_on_demand,
    a_context_that_the_request_renames_is_not_reused_by_its_old_name,
    artifacts_are_reused_by_external_id_only_on_demand,
    only_the_execution_is_forced_to_a_new_time,
}

fn put_execution(execution: Execution) -> PutExecutionRequest {
    PutExecutionRequest {
        execution: Some(execution),
        ..Default::default()
    }
}

async fn put_execution_puts_all_that_belongs_to_it(store: Store) {
    let (artifact_type, execution_type, context_type) = put_types(&store).await;
    let nothing = PutExecutionRequest::default();
    store
        .refuses(nothing, Code::InvalidArgument, "No execution is found: ")
        .await;
    let there = store.put(Artifact::new(artifact_type, "there")).await;
    let input = Event {
        artifact_id: Some(there),
        ..event_of(event::Type::Input)
    };
    let new = Artifact::new(artifact_type, "new");
    let request = PutExecutionRequest {
        artifact_event_pairs: vec![
            pair(Some(new), Some(event_of(event::Type::Output))),
            pair(None, Some(input)),
        ],
        contexts: vec![
            Context::new(context_type, "c"),
            Context::new(context_type, "d"),
        ],
        ..put_execution(Execution::new(execution_type, "e"))
    };
    let answer = store.ask(request).await;
    let [new, also_there] = answer.artifact_ids[..] else {
        panic!("{answer:?}");
    };
    assert_eq!(also_there, there);
    let execution = answer.execution_id();
    let events = pb::GetEventsByExecutionIDsRequest {
        execution_ids: vec![execution],
        ..Default::default()
    };
    let events = store.ask(events).await.events;
    let events: Vec<_> = events
        .iter()
        .map(|event| (event.artifact_id(), event.r#type()))
        .collect();
    assert_eq!(
        events,
        [(new, event::Type::Output), (there, event::Type::Input)]
    );
    for context in answer.context_ids {
        let filter = format!("contexts_a.id = {context}");
        assert_eq!(store.find::<Artifact>(&filter).await, [there, new]);
        assert_eq!(store.find::<Execution>(&filter).await, [execution]);
    }
}

async fn put_execution_updates_what_has_an_id(store: Store) {
    let (artifact_type, execution_type, context_type) = put_types(&store).await;
    let artifact = store.put(Artifact::new(artifact_type, "a")).await;
    let execution = store.put(Execution::new(execution_type, "e")).await;
    let context = store.put(Context::new(context_type, "c")).await;
    let change = int(1);
    let request = PutExecutionRequest {
        artifact_event_pairs: vec![pair(
            Some(
                Artifact::default()
                    .with_id(artifact)
                    .with_custom("k", change.clone()),
            ),
            Some(event(artifact, execution, event::Type::Input)),
        )],
        contexts: vec![Context::new(context_type, "d").with_id(context)],
        ..put_execution(
            Execution::default()
                .with_id(execution)
                .with_custom("k", change),
        )
    };
    store.ask(request.clone()).await;
    assert_eq!(
        store
            .find::<Artifact>("custom_properties.k.int_value = 1")
            .await,
        [artifact]
    );
    assert_eq!(
        store
            .find::<Execution>("custom_properties.k.int_value = 1")
            .await,
        [execution]
    );
    assert_eq!(store.get::<Context>(context).await.name(), "d");
    // The event is there already.
    store
        .refuses(request, Code::AlreadyExists, "Given event already exists: ")
        .await;
}

async fn events_of_an_execution_must_agree_with_it(store: Store) {
    let [artifacts, executions, _] = store.put_two_of_each().await;
    let artifact: Artifact = store.get(artifacts[0]).await;
    let execution: Execution = store.get(executions[0]).await;
    let new = Execution {
        id: None,
        name: None,
        ..execution.clone()
    };
    let given = event(artifacts[0], executions[0], event::Type::Input);
    let other_execution = event(artifacts[0], executions[1], event::Type::Input);
    let other_artifact = event(artifacts[1], executions[0], event::Type::Input);
    let no_artifact = event_of(event::Type::Input);
    let no_type = Event {
        r#type: None,
        ..given.clone()
    };
    let mismatch = "Request's event.execution_id does not match with the given execution";
    let missing = "If no artifact is present, given event must have an artifact_id: ";
    let whole = Some(artifact.clone());
    for (execution, pair, text) in [
        (
            &execution,
            pair(whole.clone(), Some(other_execution)),
            mismatch,
        ),
        (&new, pair(whole.clone(), Some(given)), mismatch),
        (
            &execution,
            pair(whole.clone(), Some(other_artifact)),
            "Given event.artifact_id is not aligned with the artifact: ",
        ),
        (&execution, pair(None, Some(no_artifact)), missing),
        (
            &execution,
            pair(whole, Some(no_type)),
            "No event type is specified.",
        ),
    ] {
        let request = PutExecutionRequest {
            artifact_event_pairs: vec![
                crate::support::prelude::pair(
                    Some(Artifact {
                        id: None,
                        name: None,
                        ..artifact.clone()
                    }),
                    None,
                ),
                pair,
            ],
            ..put_execution(execution.clone())
        };
        store.refuses(request, Code::InvalidArgument, text).await;
    }
}

async fn contexts_of_an_execution_may_be_reused_by_id(store: Store) {
    let (_, execution_type, context_type) = put_types(&store).await;
    let id = store.put(Context::new(context_type, "c")).await;
    let before: Context = store.get(id).await;
    let with = |context| PutExecutionRequest {
        contexts: vec![context],
        options: Some(ExecutionOptions {
            force_reuse_context: Some(true),
            ..Default::default()
        }),
        ..put_execution(Execution::default().with_type(execution_type))
    };
    // Nothing but the id is looked at.
    let odd = Context::default()
        .with_id(id)
        .with_type(77)
        .with("undeclared", int(1));
    assert_eq!(store.ask(with(odd)).await.context_ids, [id]);
    assert_eq!(store.get::<Context>(id).await, before);
    let missing = Context::new(context_type, "c").with_id(77);
    store
        .refuses(
            with(missing),
            Code::NotFound,
            "Results missing for ids: {77}",
        )
        .await;
    // Without an id it is a context like others.
    let again = Context::new(context_type, "c");
    store
        .refuses(
            with(again),
            Code::AlreadyExists,
            "Given node already exists: ",
        )
        .await;
    let other = Context::new(context_type, "d");
    assert_ne!(store.ask(with(other)).await.context_ids, [id]);
}

async fn contexts_are_reused_by_type_and_name_only_on_demand(store: Store) {
    let (_, execution_type, context_type) = put_types(&store).await;
    let other_type = store.put_type::<Context>("D", &[]).await;
    let id = store.put(Context::new(context_type, "c")).await;
    let with = |contexts: Vec<Context>, reuse| PutExecutionRequest {
        contexts,
        options: Some(ExecutionOptions {
            reuse_context_if_already_exist: Some(reuse),
            ..Default::default()
        }),
        ..put_execution(Execution::default().with_type(execution_type))
    };
    let again = Context::new(context_type, "c");
    let lead = "Given node already exists: ";
    store
        .refuses(with(vec![again.clone()], false), Code::AlreadyExists, lead)
        .await;
    let contexts = vec![
        Context::new(context_type, "new"),
        again.clone(),
        Context::new(other_type, "c"),
        Context::new(context_type, "new"),
        again.clone().with_external_id("ignored"),
    ];
    let found = store.ask(with(contexts, true)).await.context_ids;
    let [new, _, of_other_type, ..] = found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(found, [new, id, of_other_type, new, id]);
    assert!(id < new && new < of_other_type);
    // With an id it is an update like others.
    store
        .ask(with(
            vec![Context::new(context_type, "renamed").with_id(id)],
            true,
        ))
        .await;
    assert_eq!(store.get::<Context>(id).await.name(), "renamed");
    let request = PutLineageSubgraphRequest {
        contexts: vec![again, Context::new(other_type, "c")],
        options: Some(SubgraphOptions {
            reuse_context_if_already_exist: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    let found = store.ask(request).await.context_ids;
    assert!(found[0] > of_other_type);
    assert_eq!(found[1], of_other_type);
}

async fn a_context_that_the_request_renames_is_not_reused_by_its_old_name(store: Store) {
    let (_, execution_type, context_type) = put_types(&store).await;
    let id = store.put(Context::new(context_type, "old")).await;
    let request = PutLineageSubgraphRequest {
        executions: vec![Execution::default().with_type(execution_type)],
        contexts: vec![
            Context::new(context_type, "new").with_id(id),
            Context::new(context_type, "old"),
        ],
        options: Some(SubgraphOptions {
            reuse_context_if_already_exist: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    let found = store.ask(request).await.context_ids;
    assert_eq!(found[0], id);
    assert_ne!(found[1], id);
    assert_eq!(store.get::<Context>(found[1]).await.name(), "old");
}

async fn artifacts_are_reused_by_external_id_only_on_demand(store: Store) {
    let (artifact_type, execution_type, _) = put_types(&store).await;
    let other_type = store.put_type::<Artifact>("B", &[]).await;
    let id = store
        .put(Artifact::new(artifact_type, "a").with_external_id("x"))
        .await;
    let with = |artifacts: Vec<Artifact>, reuse| PutExecutionRequest {
        artifact_event_pairs: artifacts
            .into_iter()
            .map(|artifact| pair(Some(artifact), None))
            .collect(),
        options: Some(ExecutionOptions {
            reuse_artifact_if_already_exist_by_external_id: Some(reuse),
            ..Default::default()
        }),
        ..put_execution(Execution::default().with_type(execution_type))
    };
    let new = |external_id| {
        Artifact::default()
            .with_type(artifact_type)
            .with_external_id(external_id)
    };
    let lead = "Given node already exists: ";
    store
        .refuses(with(vec![new("x")], false), Code::AlreadyExists, lead)
        .await;
    let artifacts = vec![
        new("y"),
        new("x").with_custom("k", int(1)),
        new("y").with_custom("k", int(2)),
    ];
    let found = store.ask(with(artifacts, true)).await.artifact_ids;
    let y = found[0];
    assert!(y > id);
    assert_eq!(found, [y, id, y]);
    assert_eq!(
        store
            .find::<Artifact>("custom_properties.k.int_value = 1")
            .await,
        [id]
    );
    assert_eq!(
        store
            .find::<Artifact>("custom_properties.k.int_value = 2")
            .await,
        [y]
    );
    // It is found in every type, and then is an update that must not change the type.
    let other = new("x").with_type(other_type);
    let text = format!("Given type_id {other_type} is different from the one known before: ");
    store
        .refuses(with(vec![other], true), Code::InvalidArgument, &text)
        .await;
    // An empty external id is never looked for.
    store.ask(with(vec![new("")], true)).await;
    store
        .refuses(with(vec![new("")], true), Code::AlreadyExists, lead)
        .await;
}

async fn only_the_execution_is_forced_to_a_new_time(store: Store) {
    let [artifacts, executions, contexts] = store.put_two_of_each().await;
    let artifact: Artifact = store.get(artifacts[0]).await;
    let execution: Execution = store.get(executions[0]).await;
    let context: Context = store.get(contexts[0]).await;
    let put = |force| PutExecutionRequest {
        artifact_event_pairs: vec![pair(Some(artifact.clone()), None)],
        contexts: vec![context.clone()],
        options: Some(ExecutionOptions {
            force_update_time: Some(force),
            ..Default::default()
        }),
        ..put_execution(execution.clone())
    };
    store.tick();
    store.ask(put(false)).await;
    assert_eq!(store.get::<Execution>(executions[0]).await, execution);
    store.ask(put(true)).await;
    assert!(store.get::<Execution>(executions[0]).await.update_time() > execution.update_time());
    assert_eq!(store.get::<Artifact>(artifacts[0]).await, artifact);
    assert_eq!(store.get::<Context>(contexts[0]).await, context);
}
