//! A run from its first event to its last.

use pedigree::api::grpc::status::code;
use pedigree::graph::RunEvent;
use pedigree::graph::RunEventType::{Complete, Fail, Other, Start};
use pedigree::model::{ArtifactState, Event, EventType, ExecutionState, Kind, Side, Step, Value};
use tonic::Code;

use super::{START_OF_TIME, at, context, named, properties, run};
use crate::support::TestGraph;

on_every_database! {
    a_run_is_told_in_several_events,
    every_order_ends_the_same,
    an_update_needs_a_run_that_is_known,
    what_is_known_already_is_left_alone,
    an_external_id_finds_a_run_before_its_name,
    a_metric_that_diverged_costs_no_run_its_end,
}

async fn a_run_is_told_in_several_events(store: TestGraph) {
    let start = store
        .record_one(RunEvent {
            contexts: vec![context("p")],
            inputs: vec![named("images")],
            properties: properties(&[("epochs", Value::Int(3))]),
            custom_properties: properties(&[("host", Value::String("h1".into()))]),
            ..run(Start, "r", 100)
        })
        .await;
    assert_eq!(start.state, Some(ExecutionState::Running));
    let mut model = named("model");
    model.path = vec![Step::Key("model".into()), Step::Index(0)];
    model.event_type = Some(EventType::DeclaredOutput);
    let end = store
        .record_one(RunEvent {
            contexts: vec![context("p"), context("q")],
            outputs: vec![model.clone()],
            custom_properties: properties(&[("loss", Value::Double(0.5))]),
            ..run(Complete, "r", 200)
        })
        .await;
    let complete = Some(ExecutionState::Complete);
    assert_eq!(
        (end.execution_id, end.state),
        (start.execution_id, complete)
    );
    assert_eq!(end.context_ids[0], start.context_ids[0]);

    let stored = store.node(Kind::Execution, end.execution_id).await.content;
    assert_eq!(stored.properties, properties(&[("epochs", Value::Int(3))]));
    let customs = properties(&[
        ("started_at", at(100)),
        ("ended_at", at(200)),
        ("host", Value::String("h1".into())),
        ("loss", Value::Double(0.5)),
    ]);
    assert_eq!(stored.custom_properties, customs);
    let events = store
        .graph
        .events_of(Side::Execution, &[end.execution_id])
        .await
        .unwrap();
    let event = |artifact_id: i64, event_type, time, path| Event {
        artifact_id,
        execution_id: end.execution_id,
        event_type,
        milliseconds: Some(START_OF_TIME + time),
        path,
    };
    let input = event(start.input_ids[0], EventType::Input, 100, Vec::new());
    let output = event(
        end.output_ids[0],
        EventType::DeclaredOutput,
        200,
        model.path,
    );
    assert_eq!(events, [input, output]);
    let artifact = store.node(Kind::Artifact, end.output_ids[0]).await;
    assert_eq!(artifact.content.state, Some(ArtifactState::Live.into()));
    let contexts = |kind, id| {
        let graph = store.graph.clone();
        async move {
            let found = graph.contexts_of(kind, id).await.unwrap();
            found.into_iter().map(|node| node.id).collect::<Vec<i64>>()
        }
    };
    assert_eq!(
        contexts(Kind::Execution, end.execution_id).await,
        end.context_ids
    );
    assert_eq!(
        contexts(Kind::Artifact, end.output_ids[0]).await,
        end.context_ids
    );
    // What was used before the second context was known is in it too.
    assert_eq!(
        contexts(Kind::Artifact, start.input_ids[0]).await,
        end.context_ids
    );
}

async fn every_order_ends_the_same(store: TestGraph) {
    let events = [(Start, 10), (Fail, 20), (Start, 30), (Complete, 40)];
    let mut orders = vec![vec![]];
    for event in events {
        let put = |order: Vec<_>| {
            (0..=order.len()).map(move |place| {
                let mut order = order.clone();
                order.insert(place, event);
                order
            })
        };
        orders = orders.into_iter().flat_map(put).collect();
    }
    assert_eq!(orders.len(), 24);
    let mut batch = Vec::new();
    for (number, order) in orders.iter().enumerate() {
        for &(event_type, time) in order {
            batch.push(run(event_type, &format!("batch {number}"), time));
            if number % 6 == 0 {
                store
                    .record_one(run(event_type, &format!("single {number}"), time))
                    .await;
            }
        }
    }
    store.record(&batch).await.unwrap();
    let runs = store.all(Kind::Execution).await;
    assert_eq!(runs.len(), 24 + 4);
    let lifecycle = [("START", 10), ("FAIL", 20), ("START", 30), ("COMPLETE", 40)]
        .map(|(event_type, time)| format!("{event_type}@{}", START_OF_TIME + time));
    let times = properties(&[
        ("started_at", at(10)),
        ("ended_at", at(40)),
        ("pedigree.lifecycle", Value::String(lifecycle.join(","))),
    ]);
    for run in runs {
        let run = run.content;
        assert_eq!(
            (run.state, run.custom_properties),
            (Some(ExecutionState::Complete.into()), times.clone()),
            "{:?}",
            run.name
        );
    }
}

async fn an_update_needs_a_run_that_is_known(store: TestGraph) {
    let update = RunEvent {
        contexts: vec![context("p")],
        ..run(Other, "r", 1)
    };
    let before = store.lines().await;
    let refused = store
        .record(std::slice::from_ref(&update))
        .await
        .unwrap_err();
    assert_eq!(code(&refused), Code::NotFound);
    assert_eq!(store.lines().await, before);
    let stored = store.record(&[run(Start, "r", 2), update]).await.unwrap();
    assert_eq!(
        (stored[0].execution_id, stored[1].state),
        (stored[1].execution_id, Some(ExecutionState::Running))
    );
}

async fn what_is_known_already_is_left_alone(store: TestGraph) {
    let event = |time| RunEvent {
        contexts: vec![context("p")],
        inputs: vec![named("a"), named("a")],
        ..run(Other, "r", time)
    };
    store.record_one(run(Start, "r", 1)).await;
    let first = store.record_one(event(2)).await;
    let before = (store.lines().await, store.all(Kind::Execution).await);
    let again = store.record(&[event(3), event(4)]).await.unwrap();
    assert_eq!(again, [first.clone(), first]);
    assert_eq!(
        (store.lines().await, store.all(Kind::Execution).await),
        before
    );
}

async fn an_external_id_finds_a_run_before_its_name(store: TestGraph) {
    let known_as = |external_id: &str, name: &str, event_type| RunEvent {
        external_id: Some(external_id.to_owned()),
        ..run(event_type, name, 1)
    };
    let first = store.record_one(known_as("x", "a", Start)).await;
    let other_name = store.record_one(known_as("x", "b", Complete)).await;
    assert_eq!(other_name.execution_id, first.execution_id);
    let by_name = store.record_one(run(Other, "a", 5)).await;
    assert_eq!(by_name.execution_id, first.execution_id);
    let stored = store
        .node(Kind::Execution, first.execution_id)
        .await
        .content;
    assert_eq!(stored.name.as_deref(), Some("a"));
    let taken = store
        .record(&[known_as("y", "a", Start)])
        .await
        .unwrap_err();
    assert_eq!(code(&taken), Code::AlreadyExists);
    let mut nameless = known_as("z", "", Start);
    nameless.name = None;
    let stored = store.record(&[nameless.clone(), nameless]).await.unwrap();
    assert_eq!(stored[0], stored[1]);
}

async fn a_metric_that_diverged_costs_no_run_its_end(store: TestGraph) {
    let numbers =
        |loss: f64| properties(&[("loss", Value::Double(loss)), ("steps", Value::Double(2.0))]);
    store
        .record_one(RunEvent {
            properties: numbers(0.5),
            custom_properties: numbers(0.25),
            ..run(Start, "r", 1)
        })
        .await;
    let mut model = named("model");
    model.custom_properties = properties(&[("accuracy", Value::Double(f64::NEG_INFINITY))]);
    let mut pipeline = context("p");
    pipeline.properties = properties(&[("best", Value::Double(f64::INFINITY))]);
    let end = store
        .record_one(RunEvent {
            contexts: vec![pipeline],
            outputs: vec![model],
            properties: numbers(f64::NAN),
            custom_properties: numbers(f64::INFINITY),
            ..run(Complete, "r", 2)
        })
        .await;
    assert_eq!(end.state, Some(ExecutionState::Complete));
    assert_eq!(end.discarded_properties, ["accuracy", "best", "loss"]);
    let stored = store.node(Kind::Execution, end.execution_id).await.content;
    assert_eq!(stored.properties, numbers(0.5));
    let metrics = numbers(0.25)
        .into_iter()
        .chain(properties(&[("started_at", at(1)), ("ended_at", at(2))]));
    assert_eq!(stored.custom_properties, metrics.collect());
    let model = store.node(Kind::Artifact, end.output_ids[0]).await.content;
    assert!(model.custom_properties.is_empty());
}
