//! `Trace` through a large graph at random, against a walk of the test's own.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use pb::event;
use pedigree::proto::pedigree::lineage::v1::trace_request::Direction;
use pedigree::proto::pedigree::lineage::v1::{TraceEnd, TraceRequest};

use super::{Ends, Found, begin, from_artifacts, trace};
use crate::python::sized;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    a_trace_finds_what_a_reference_walk_finds,
    a_trace_of_a_narrow_graph_finds_what_a_reference_walk_finds,
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % bound
    }
}

const PUT: usize = 5000;

/// How a graph looks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// Events at random between neighbours and some between any two: cycles in every direction, and
    /// parts that are not connected.
    Wide,
    /// Each execution reads artifacts shortly before those that it writes: long ways of a few nodes
    /// side by side.
    Narrow,
}

/// As many artifacts as executions, with events at random.
async fn put_random(store: &Store, count: i64, shape: Shape) -> Vec<Ends> {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let names: Vec<String> = (1..=count).map(|number| format!("n{number}")).collect();
    for names in names.chunks(PUT) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        store.put_named::<Artifact>(artifact_type, &names).await;
        store.put_named::<Execution>(execution_type, &names).await;
    }
    let mut numbers = Numbers(7);
    let mut events = BTreeSet::new();
    for execution in 1..=count {
        for kind in [event::Type::Input, event::Type::Output, event::Type::Input] {
            let near = match (shape, kind) {
                (Shape::Wide, _) => execution + numbers.below(40) - 20,
                (Shape::Narrow, event::Type::Output) => execution + numbers.below(2),
                (Shape::Narrow, _) => execution - 1 - numbers.below(6),
            };
            let anywhere = 1 + numbers.below(count);
            let is_near = shape == Shape::Narrow || numbers.below(20) > 0;
            let artifact = if is_near { near } else { anywhere };
            let artifact = artifact.clamp(1, count);
            let is_kept = shape == Shape::Narrow && kind == event::Type::Output;
            if is_kept || numbers.below(8) > 0 {
                events.insert((artifact, execution, i32::from(kind)));
            }
        }
    }
    let events: Vec<_> = events.into_iter().collect();
    for events in events.chunks(PUT) {
        let of = |&(artifact, execution, kind): &Ends| {
            event(artifact, execution, event::Type::try_from(kind).unwrap())
        };
        store.ask(put_events(events.iter().map(of).collect())).await;
    }
    events
}

/// Whether a node is an artifact, and its id.
pub type Reached = (bool, i64);

/// Walks in memory, node by node, and not beyond some of them.
pub fn reference(
    all: &[Ends],
    starts: &[Reached],
    direction: Direction,
    max_hops: i64,
    stops: &BTreeSet<Reached>,
) -> Found {
    let mut ways: HashMap<Reached, Vec<(Reached, Ends)>> = HashMap::new();
    for &(artifact, execution, kind) in all {
        let inputs = [event::Type::Input, event::Type::DeclaredInput];
        let is_input = inputs.map(i32::from).contains(&kind);
        let ends = [(true, artifact), (false, execution)];
        let (source, target) = if is_input { (0, 1) } else { (1, 0) };
        let mut way = |from: usize, to: usize| {
            let along = (ends[to], (artifact, execution, kind));
            ways.entry(ends[from]).or_default().push(along);
        };
        if direction != Direction::Provenance {
            way(source, target);
        }
        if direction != Direction::Impact {
            way(target, source);
        }
    }
    let mut hops: BTreeMap<(bool, i64), i64> = starts.iter().map(|start| (*start, 0)).collect();
    let mut queue: VecDeque<_> = starts.iter().copied().collect();
    let (mut events, mut cut) = (BTreeSet::new(), false);
    let mut beyond = Vec::new();
    while let Some(node) = queue.pop_front() {
        if stops.contains(&node) {
            continue;
        }
        let hop = hops[&node];
        for (next, event) in ways.get(&node).into_iter().flatten() {
            if hop == max_hops {
                beyond.push(*event);
                continue;
            }
            events.insert(*event);
            hops.entry(*next).or_insert_with(|| {
                queue.push_back(*next);
                hop + 1
            });
        }
    }
    cut |= beyond.iter().any(|event| !events.contains(event));
    let of_kind = |artifact| {
        let those = hops.iter().filter(move |((kind, _), _)| *kind == artifact);
        those.map(|((_, id), hop)| (*id, *hop)).collect()
    };
    let nodes = i64::try_from(hops.len()).unwrap();
    Found {
        artifacts: of_kind(true),
        executions: of_kind(false),
        events: events.into_iter().collect(),
        end: Some(TraceEnd {
            nodes,
            cut,
            ..TraceEnd::default()
        }),
    }
}

/// Compares traces from several starts with those of the reference walk.
async fn compare(store: &Store, count: i64, shape: Shape) {
    let events = put_random(store, count, shape).await;
    let middle = count / 2;
    let nowhere = BTreeSet::new();
    for direction in [Direction::Provenance, Direction::Impact, Direction::Both] {
        for (place, (artifact_ids, execution_ids)) in [
            (vec![middle, 1, middle + 1, 1], vec![middle, middle + 2]),
            (vec![middle], vec![]),
            (vec![], vec![middle]),
        ]
        .into_iter()
        .enumerate()
        {
            let artifacts = artifact_ids.iter().map(|id| (true, *id));
            let executions = execution_ids.iter().map(|id| (false, *id));
            let starts: BTreeSet<_> = artifacts.chain(executions).collect();
            let starts: Vec<_> = starts.into_iter().collect();
            // To the end of a large graph it takes long.
            let to_the_end = (place < sized(3, 1)).then_some(None);
            for max_hops in to_the_end.into_iter().chain([0, 1, 2, 7, 40].map(Some)) {
                let request = TraceRequest {
                    direction: direction.into(),
                    artifact_ids: artifact_ids.clone(),
                    execution_ids: execution_ids.clone(),
                    max_hops,
                    ..Default::default()
                };
                let expected = reference(
                    &events,
                    &starts,
                    direction,
                    max_hops.unwrap_or(-1),
                    &nowhere,
                );
                let nodes = expected.end.unwrap().nodes;
                if place == 0 && max_hops.is_none() {
                    assert!(nodes > count / 2, "{direction:?}: only {nodes} nodes");
                    let last_hop = expected.artifacts.values().max();
                    assert!(shape == Shape::Wide || last_hop > Some(&30), "{last_hop:?}");
                    println!("{direction:?}: {nodes} of {} nodes", 2 * count);
                }
                let what = format!("{direction:?} {starts:?} {max_hops:?}");
                assert_eq!(trace(store, request).await, expected, "{what}");
            }
        }
    }
}

async fn a_trace_of_a_narrow_graph_finds_what_a_reference_walk_finds(store: Store) {
    compare(&store, 400, Shape::Narrow).await;
}

async fn a_trace_finds_what_a_reference_walk_finds(backend: Backend) {
    let store = Store::open_with(backend, |config| {
        // Two for reading, of which traces get one.
        config.database.connections = 4;
        config.database.wait = Duration::from_secs(2);
    });
    let store = store.await;
    let count = sized(400, 50_000);
    compare(&store, count, Shape::Wide).await;
    let middle = count / 2;
    // What is on its way to the client would be all of a small graph. In memory nothing waits for
    // the client.
    if sized(false, true) && backend != Backend::SqliteMemory {
        the_first_message_comes_before_the_end(&store, middle).await;
    }
}

/// The client has read a message, and the walk is still under way: there is no room for another
/// one.
async fn the_first_message_comes_before_the_end(store: &Store, start: i64) {
    let all = || from_artifacts(&[start], Direction::Both);
    let mut responses = begin(store, all()).await.unwrap();
    let first = responses.message().await.unwrap().unwrap();
    assert_eq!((first.hop, ids(&first.artifacts)), (0, vec![start]));
    let status = begin(store, all()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let mut last = first;
    while let Some(next) = responses.message().await.unwrap() {
        last = next;
    }
    assert!(last.end.is_some());
}
