//! `Trace` of the graph as it was at earlier times, against what was there then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pb::event::Type;
use pedigree::graph::Retention;
use pedigree::proto::pedigree::lineage::v1::TraceRequest;
use pedigree::proto::pedigree::lineage::v1::trace_request::Direction;

use super::random::reference;
use super::{Ends, begin, from_artifacts, trace};
use crate::sql::run_sql;
use crate::support::prelude::*;
use crate::support::{Backend, Random};

on_every_database! {
    a_trace_finds_the_graph_of_then,
    what_is_read_ahead_is_of_then_too,
    an_event_counts_from_its_own_time_on,
    a_start_that_is_younger_is_none,
    states_that_the_history_lacks_are_those_of_today,
}

/// How many times the graph grows, and by how many nodes of each kind.
const PHASES: usize = 4;
const PHASE_NODES: i64 = 60;

/// The nodes as they are at a time.
struct Snapshot {
    time: i64,
    artifacts: Vec<Artifact>,
    executions: Vec<Execution>,
}

impl Snapshot {
    async fn take(store: &Store) -> Self {
        let numbers: Vec<i64> = (1..=PHASE_NODES * 4).collect();
        Self {
            time: store.now(),
            artifacts: store.ask(Artifact::by_ids(&numbers)).await,
            executions: store.ask(Execution::by_ids(&numbers)).await,
        }
    }
}

/// Events of executions with these numbers, each with a near input and a near output or none, and
/// some with an artifact that may be old.
fn some_events(random: &mut Random, executions: std::ops::Range<i64>, now: i64) -> Vec<pb::Event> {
    let mut below =
        |bound: i64| i64::try_from(random.below(usize::try_from(bound).unwrap())).unwrap();
    let newest = executions.end - 1;
    let mut found = BTreeMap::new();
    for execution in executions {
        for (artifact, kind) in [
            (execution - 1 - below(3), Type::Input),
            (execution, Type::Output),
            (1 + below(newest), Type::Input),
            (1 + below(newest), Type::Output),
        ] {
            if kind == Type::Output && artifact == execution || below(4) > 0 {
                let time = match below(6) {
                    // A client's own time: long ago, or later than the clock of the server.
                    0 => Some(1),
                    1 => Some(now + 90_000),
                    _ => None,
                };
                let artifact = artifact.clamp(1, newest);
                let event = pb::Event {
                    milliseconds_since_epoch: time,
                    ..event(artifact, execution, kind)
                };
                found.insert((artifact, execution, i32::from(kind)), event);
            }
        }
    }
    found.into_values().collect()
}

/// Lets the graph grow and change, and returns what was there between.
async fn grow(store: &Store) -> Vec<Snapshot> {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let mut random = Random::new(7);
    let mut snapshots = Vec::new();
    for phase in 0..PHASES {
        let first = i64::try_from(phase).unwrap() * PHASE_NODES + 1;
        let names: Vec<String> = (first..first + PHASE_NODES)
            .map(|it| format!("n{it}"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        store.put_named::<Artifact>(artifact_type, &names).await;
        store.tick();
        store.put_named::<Execution>(execution_type, &names).await;
        store.tick();
        // Late events between nodes that are older too. What is there already is refused.
        let executions = if phase % 2 == 0 {
            first..first + PHASE_NODES
        } else {
            1..first + PHASE_NODES
        };
        for event in some_events(&mut random, executions, store.now()) {
            let put = store.send(put_events(vec![event])).await;
            assert!(put.is_ok() || phase % 2 == 1, "{put:?}");
        }
        // Some nodes of all phases get other states, and some of these again.
        for round in 0..2 {
            store.tick();
            for number in (1..first + PHASE_NODES).filter(|_| random.once_in(5)) {
                let value = text(format!("{phase} {round}"));
                let found = store.get::<Artifact>(number).await;
                store.put(found.with_custom("note", value.clone())).await;
                let found = store.get::<Execution>(number).await;
                store.put(found.with_custom("note", value)).await;
            }
        }
        snapshots.push(Snapshot::take(store).await);
        // Phases are close together, or farther apart than a commit may be late.
        store.wait(Duration::from_secs(if phase == 1 { 60 } else { 1 }));
    }
    snapshots
}

/// The ends of the events that were there, by what is stored of them today.
async fn events_of(store: &Store, snapshot: &Snapshot) -> Vec<Ends> {
    let numbers = ids(&snapshot.artifacts);
    let request = pb::GetEventsByArtifactIDsRequest {
        artifact_ids: numbers,
        ..Default::default()
    };
    let executions: BTreeSet<i64> = ids(&snapshot.executions).into_iter().collect();
    let stored = store.client().get_events_by_artifact_i_ds(request).await;
    let stored = stored.unwrap().into_inner().events.into_iter();
    let was_there = stored.filter(|event| {
        executions.contains(&event.execution_id())
            && event
                .milliseconds_since_epoch
                .is_none_or(|time| time <= snapshot.time)
    });
    was_there
        .map(|event| {
            (
                event.artifact_id(),
                event.execution_id(),
                event.r#type().into(),
            )
        })
        .collect()
}

async fn a_trace_finds_the_graph_of_then(store: Store) {
    let snapshots = grow(&store).await;
    let mut sizes = BTreeSet::new();
    for snapshot in &snapshots {
        let events = events_of(&store, snapshot).await;
        let newest = i64::try_from(snapshot.artifacts.len()).unwrap();
        for (direction, max_hops) in [
            (Direction::Provenance, None),
            (Direction::Impact, None),
            (Direction::Both, None),
            (Direction::Provenance, Some(0)),
            (Direction::Both, Some(3)),
        ] {
            for start in [1, newest / 2, newest] {
                let request = TraceRequest {
                    max_hops,
                    as_of: Some(snapshot.time),
                    ..from_artifacts(&[start, newest + 1], direction)
                };
                let what = format!(
                    "{direction:?} {max_hops:?} from {start} at {}",
                    snapshot.time
                );
                let starts = [(true, start)];
                let hops = max_hops.unwrap_or(-1);
                let expected = reference(&events, &starts, direction, hops, &BTreeSet::new());
                assert_eq!(trace(&store, request.clone()).await, expected, "{what}");
                let nodes = expected.artifacts.len();
                sizes.insert(nodes);
                // Nodes are whole, and in their earlier states.
                let mut responses = begin(&store, request).await.unwrap();
                while let Some(response) = responses.message().await.unwrap() {
                    let present = response.end.map_or(0, |end| end.present_states);
                    assert_eq!(present, 0, "{what}");
                    for artifact in response.artifacts {
                        assert!(
                            snapshot.artifacts.contains(&artifact),
                            "{what}: {artifact:?}"
                        );
                    }
                    for execution in response.executions {
                        assert!(
                            snapshot.executions.contains(&execution),
                            "{what}: {execution:?}"
                        );
                    }
                }
            }
        }
    }
    assert!(sizes.last() > Some(&100), "only {sizes:?} artifacts");
    // From today's time on, it is the graph of today.
    let today = from_artifacts(&[1], Direction::Both);
    let expected = trace(&store, today.clone()).await;
    for time in [store.now() + 100_000, i64::MAX] {
        let as_of = Some(time);
        assert_eq!(
            trace(
                &store,
                TraceRequest {
                    as_of,
                    ..today.clone()
                }
            )
            .await,
            expected
        );
    }
}

/// The executions of a chain, which a database server reads ahead.
const STEPS: usize = 60;

/// What a step of a chain reads and writes.
fn step(number: usize) -> [pb::Event; 2] {
    let number = i64::try_from(number).unwrap();
    [
        event(number, number, Type::Input),
        event(number + 1, number, Type::Output),
    ]
}

async fn what_is_read_ahead_is_of_then_too(store: Store) {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let names: Vec<String> = (0..=STEPS).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let half = STEPS / 2;
    let put = |artifacts, executions, events| {
        let store = store.clone();
        async move {
            store.put_named::<Artifact>(artifact_type, artifacts).await;
            let put = store.put_named::<Execution>(execution_type, executions);
            put.await;
            store.ask(put_events(events)).await;
        }
    };
    let old: Vec<pb::Event> = (1..=half).flat_map(step).collect();
    put(&names[..=half], &names[..half], old.clone()).await;
    let then = store.now();
    store.wait(Duration::from_secs(1));
    let mut new: Vec<pb::Event> = (half + 1..=STEPS).flat_map(step).collect();
    // A shorter way between nodes of then.
    new.push(event(1, 20, Type::Input));
    put(&names[half + 1..], &names[half..STEPS], new.clone()).await;
    let all = [old.clone(), new].concat();
    let middle = i64::try_from(half).unwrap() + 1;
    for (as_of, events) in [(Some(then), &old), (None, &all)] {
        let ends = |event: &pb::Event| {
            let (artifact, execution) = (event.artifact_id(), event.execution_id());
            (artifact, execution, event.r#type().into())
        };
        let events: Vec<Ends> = events.iter().map(ends).collect();
        for direction in [Direction::Provenance, Direction::Impact, Direction::Both] {
            for start in [1, 15, middle] {
                let request = TraceRequest {
                    as_of,
                    ..from_artifacts(&[start], direction)
                };
                let none = BTreeSet::new();
                let expected = reference(&events, &[(true, start)], direction, -1, &none);
                let what = format!("{direction:?} from {start} at {as_of:?}");
                assert_eq!(trace(&store, request).await, expected, "{what}");
            }
        }
    }
}

async fn an_event_counts_from_its_own_time_on(store: Store) {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let artifact = store.put_named::<Artifact>(artifact_type, &["a"]).await[0];
    let names = ["late", "old", "future"];
    let executions = store.put_named::<Execution>(execution_type, &names).await;
    let both = store.now();
    store.wait(Duration::from_secs(1));
    let times = [None, Some(1), Some(store.now() + 1000)];
    let of = |(execution, time): (&i64, Option<i64>)| pb::Event {
        milliseconds_since_epoch: time,
        ..event(artifact, *execution, Type::Input)
    };
    let events = executions.iter().zip(times).map(of).collect();
    store.ask(put_events(events)).await;
    let written = store.now();
    for (time, expected) in [
        (both, vec![executions[1]]),
        (written - 1, vec![executions[1]]),
        (written, vec![executions[0], executions[1]]),
        (written + 999, vec![executions[0], executions[1]]),
        (written + 1000, executions.clone()),
    ] {
        let request = TraceRequest {
            as_of: Some(time),
            ..from_artifacts(&[artifact], Direction::Impact)
        };
        let found: Vec<i64> = trace(&store, request)
            .await
            .executions
            .into_keys()
            .collect();
        assert_eq!(found, expected, "{time}");
    }
}

async fn a_start_that_is_younger_is_none(store: Store) {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let artifact = store.put_named::<Artifact>(artifact_type, &["a"]).await[0];
    let created = store.now();
    for time in [created - 1, 0, -1, i64::MIN] {
        let request = TraceRequest {
            as_of: Some(time),
            ..from_artifacts(&[artifact, 99], Direction::Both)
        };
        let status = begin(&store, request).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
        let text = format!("artifact {artifact} was created after ");
        assert!(status.message().starts_with(&text), "{status:?}");
        // By a filter.
        let request = TraceRequest {
            as_of: Some(time),
            artifacts: "name = 'a'".to_owned(),
            ..from_artifacts(&[], Direction::Both)
        };
        let status = begin(&store, request).await.unwrap_err();
        assert_eq!(status.message(), "there is no node to start from");
    }
}

async fn states_that_the_history_lacks_are_those_of_today(backend: Backend) {
    let note = |store: Store, text_of: &'static str| async move {
        store.wait(Duration::from_secs(1));
        for id in [1, 2] {
            let found = store.get::<Artifact>(id).await;
            store.put(found.with_custom("note", text(text_of))).await;
        }
    };
    for is_kept in [true, false] {
        let store = Store::open_with(backend, |config| {
            if !is_kept {
                config.history = Retention {
                    changes: Duration::ZERO,
                    ..Retention::default()
                };
            }
        });
        let store = store.await;
        let artifact_type = store.put_type::<Artifact>("A", &[]).await;
        store
            .put_named::<Artifact>(artifact_type, &["a", "b", "c"])
            .await;
        note(store.clone(), "first").await;
        let then = store.now();
        note(store.clone(), "second").await;
        let request = TraceRequest {
            as_of: Some(then),
            ..from_artifacts(&[1, 2, 3], Direction::Both)
        };
        if is_kept {
            // The answer of a trace shows that all changes have positions.
            let mut responses = begin(&store, request.clone()).await.unwrap();
            let first = responses.message().await.unwrap().unwrap();
            assert_eq!(first.artifacts[0].custom_properties["note"], text("first"));
            drop(responses);
            run_sql(store.url(), "DELETE FROM PedigreeChange").await;
        }
        let mut responses = begin(&store, request).await.unwrap();
        let mut present = Vec::new();
        let mut count = 0;
        while let Some(response) = responses.message().await.unwrap() {
            for artifact in &response.artifacts {
                let note = artifact.custom_properties.get("note");
                let expected = (artifact.id() < 3).then(|| text("second"));
                assert_eq!(note, expected.as_ref());
            }
            present.extend(response.present_artifact_ids);
            count += response.end.map_or(0, |end| end.present_states);
        }
        assert_eq!((present, count), (vec![1, 2], 2));
    }
}
