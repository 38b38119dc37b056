//! A batch stores what its events store one by one, in few statements.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use pedigree::api::grpc::status::code;
use pedigree::graph::ArtifactIdentity::ExternalId;
use pedigree::graph::RunEventType::{Abort, Cached, Complete, Fail, Other, Running, Start};
use pedigree::graph::TypePolicy::{Create, Extend, MustExist};
use pedigree::graph::{ArtifactRef, ContextRef, RunEvent};
use pedigree::model::{EventType, Value};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::{artifact, context, named, properties, run, type_name, with_content};
use crate::support::TestGraph;

on_every_database! {
    a_batch_is_its_events_one_by_one,
    statements_do_not_depend_on_how_many_events,
}

const BATCHES: usize = 40;

fn values() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let value = prop_oneof![
        40 => (0_i64..4).prop_map(Value::Int),
        1 => Just(Value::Bool(true)),
    ];
    prop::collection::vec((select(vec!["p", "q"]), value), 0..2)
}

fn artifacts(event_type: EventType) -> impl Strategy<Value = Vec<ArtifactRef>> {
    let identity = prop_oneof![
        select(vec!["a", "b"]).prop_map(named),
        select(vec!["x", "y"]).prop_map(|id| artifact(ExternalId(id.to_owned()))),
        (select(vec!["u", "v"]), select(vec!["1", "2"]))
            .prop_map(|(uri, digest)| with_content(uri, digest)),
    ];
    let digest = prop::option::weighted(0.05, select(vec!["1", "2"]));
    let given = (identity, values(), digest, prop::bool::weighted(0.2));
    let used = given.prop_map(move |(mut used, values, digest, typed)| {
        used.properties = properties(&values);
        used.event_type = typed.then_some(event_type);
        if !matches!(
            used.identity,
            Some(pedigree::graph::ArtifactIdentity::Content { .. })
        ) {
            used.digest = digest.map(ToOwned::to_owned);
        }
        used
    });
    prop::collection::vec(used, 0..3)
}

fn contexts() -> impl Strategy<Value = Vec<ContextRef>> {
    let used = prop_oneof![
        10 => (Just("m"), subsequence(vec!["k", "l"], 0..=2)),
        10 => (Just("l"), subsequence(vec!["k"], 0..=1)),
        10 => (Just("k"), Just(Vec::new())),
        // A ring, as soon as l is below k.
        1 => (Just("k"), Just(vec!["l"])),
    ];
    let used = (used, values()).prop_map(|((name, parents), values)| ContextRef {
        parents: parents.into_iter().map(context).collect(),
        properties: properties(&values),
        ..context(name)
    });
    prop::collection::vec(used, 0..2)
}

/// The name, the external id and the type of a run.
fn identity() -> impl Strategy<Value = (&'static str, Option<&'static str>, &'static str)> {
    prop_oneof![
        9 => Just(("r1", None, "Train")),
        9 => Just(("r2", Some("e2"), "Train")),
        9 => Just(("other name", Some("e2"), "Train")),
        9 => Just(("r1", None, "Eval")),
        1 => Just(("r2", None, "Train")),
        1 => Just(("r1", Some("e1"), "Train")),
        1 => Just(("r2", Some("e2"), "Eval")),
    ]
}

fn event() -> impl Strategy<Value = RunEvent> {
    let who = (
        select(vec![
            Start, Start, Running, Other, Complete, Fail, Abort, Cached,
        ]),
        identity(),
        prop_oneof![1 => Just(MustExist), 1 => Just(Create), 20 => Just(Extend)],
        0_i64..6,
    );
    let what = (
        contexts(),
        artifacts(EventType::DeclaredInput),
        artifacts(EventType::DeclaredOutput),
        values(),
        values(),
    );
    (who, what).prop_map(
        |((event_type, (name, external_id, of), policy, time), what)| RunEvent {
            run_type: type_name(of),
            type_policy: Some(policy),
            external_id: external_id.map(ToOwned::to_owned),
            contexts: what.0,
            inputs: what.1,
            outputs: what.2,
            properties: properties(&what.3),
            custom_properties: properties(&what.4),
            ..run(event_type, name, time)
        },
    )
}

async fn a_batch_is_its_events_one_by_one(batched: TestGraph) {
    let single = batched.another().await;
    let mut runner = TestRunner::deterministic();
    let (mut whole, mut refused) = (0, 0);
    for number in 0..BATCHES {
        // Long batches mostly have an event that is refused.
        let size = 1 + number % 7;
        let events = prop::collection::vec(event(), size);
        let events = events.new_tree(&mut runner).unwrap().current();
        let mut states = Vec::new();
        let mut any_refused = false;
        for event in &events {
            match single.record(std::slice::from_ref(event)).await {
                Ok(stored) => states.push(stored[0].state),
                Err(error) => {
                    any_refused = true;
                    let known = [
                        tonic::Code::InvalidArgument,
                        tonic::Code::NotFound,
                        tonic::Code::AlreadyExists,
                        tonic::Code::FailedPrecondition,
                    ];
                    assert!(known.contains(&code(&error)), "{error:?}");
                }
            }
        }
        if let Ok(stored) = batched.record(&events).await {
            assert!(!any_refused, "{events:#?}");
            let batch_states: Vec<_> = stored.iter().map(|stored| stored.state).collect();
            assert_eq!(batch_states, states, "{events:#?}");
            whole += 1;
        } else {
            assert!(any_refused, "{events:#?}");
            refused += 1;
            for event in &events {
                _ = batched.record(std::slice::from_ref(event)).await;
            }
        }
        assert_eq!(batched.lines().await, single.lines().await, "{events:#?}");
    }
    assert!(
        whole > 4 && refused > 4,
        "{whole} stored, {refused} refused"
    );
}

/// Counts the statements sent to the database.
struct Statements(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_new_span(&self, new: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if new.metadata().name() == "statement" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The event of a run that is one of many, each with artifacts and a context of its own, and with
/// others that all share.
fn one_of_many(event_type: pedigree::graph::RunEventType, number: usize) -> RunEvent {
    let mut own = context(&format!("c{number}"));
    own.parents = vec![context("pipeline")];
    let time = i64::try_from(number).unwrap();
    RunEvent {
        contexts: vec![own],
        inputs: vec![named("shared"), with_content(&format!("u{number}"), "d")],
        outputs: vec![named(&format!("o{number}"))],
        properties: properties(&[("p", Value::Int(time))]),
        external_id: Some(format!("e{number}")),
        ..run(event_type, &format!("r{number}"), time)
    }
}

async fn statements_do_not_depend_on_how_many_events(store: TestGraph) {
    // While there is one listener only, a span that is first met asks nobody but the thread it is
    // on, of whatever case.
    static ANOTHER: LazyLock<Dispatch> =
        LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));
    let counted = Arc::new(AtomicUsize::new(0));
    let layer = Statements(counted.clone());
    LazyLock::force(&ANOTHER);
    let listener = Dispatch::new(tracing_subscriber::registry().with(layer));
    let count = async |events: Vec<RunEvent>| {
        counted.store(0, Ordering::Relaxed);
        let recorded = store.record(&events).with_subscriber(listener.clone());
        recorded.await.unwrap();
        counted.load(Ordering::Relaxed)
    };
    count(vec![one_of_many(Start, 0)]).await;
    let many = |event_type, range: std::ops::Range<usize>| {
        range
            .map(|number| one_of_many(event_type, number))
            .collect()
    };
    let few = count(many(Start, 1000..1002)).await;
    let new = count(many(Start, 1..257)).await;
    let known = count(many(Complete, 1..257)).await;
    println!(
        "{:?}: 2 new runs {few}, 256 new runs {new}, 256 known runs {known} statements",
        store.backend()
    );
    assert!(
        few > 20 && new < 100 && known < 100,
        "{few}, {new}, {known}"
    );
}
