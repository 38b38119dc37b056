//! `Trace` through deep and narrow graphs, whose hops a database server reads ahead, against a walk
//! of the test's own.

use std::collections::BTreeSet;

use pb::event::Type;
use pedigree::proto::pedigree::lineage::v1::trace_request::Direction;
use pedigree::proto::pedigree::lineage::v1::{EventType, TraceRequest};

use super::random::{Reached, reference};
use super::{Ends, trace};
use crate::support::prelude::*;

on_every_database! {
    deep_graphs_of_all_shapes_are_found_whole,
    a_trace_ends_amid_what_is_read_ahead,
    a_trace_passes_a_hub_that_is_too_large_to_read_ahead,
}

/// The executions of a chain: many times as many as the first read ahead has.
const STEPS: i64 = 60;

/// More neighbors than are read ahead.
const HUB_SIZE: i64 = 5100;

/// Events between artifacts and executions, which have ids from 1.
#[derive(Default)]
struct Events {
    all: BTreeSet<Ends>,
    artifacts: i64,
    executions: i64,
}

impl Events {
    fn artifact(&mut self) -> i64 {
        self.artifacts += 1;
        self.artifacts
    }

    /// An execution that reads and writes these artifacts.
    fn execution(&mut self, inputs: &[i64], outputs: &[i64]) -> i64 {
        self.executions += 1;
        for (artifacts, kind) in [(inputs, Type::Input), (outputs, Type::Output)] {
            for artifact in artifacts {
                self.all.insert((*artifact, self.executions, kind.into()));
            }
        }
        self.executions
    }

    /// Executions one after the other, each of which reads what the one before has written. Returns
    /// the last artifact.
    fn chain(&mut self, first: i64, steps: i64) -> i64 {
        (0..steps).fold(first, |input, _| {
            let output = self.artifact();
            self.execution(&[input], &[output]);
            output
        })
    }

    async fn put(&self, store: &Store) {
        let artifact_type = store.put_type::<Artifact>("A", &[]).await;
        let execution_type = store.put_type::<Execution>("E", &[]).await;
        let names = |count: i64| (1..=count).map(|number| format!("n{number}"));
        let artifacts: Vec<String> = names(self.artifacts).collect();
        let artifacts: Vec<&str> = artifacts.iter().map(String::as_str).collect();
        store.put_named::<Artifact>(artifact_type, &artifacts).await;
        let executions: Vec<String> = names(self.executions).collect();
        let executions: Vec<&str> = executions.iter().map(String::as_str).collect();
        let put = store.put_named::<Execution>(execution_type, &executions);
        put.await;
        let of = |&(artifact, execution, kind): &Ends| {
            event(artifact, execution, Type::try_from(kind).unwrap())
        };
        store
            .ask(put_events(self.all.iter().map(of).collect()))
            .await;
    }

    /// Compares traces from nodes in all directions with the walk of the test.
    async fn check(&self, store: &Store, starts: &[Reached], request: &TraceRequest) {
        self.check_with_stop(store, starts, request, None).await;
    }

    /// The same with a node at which the traces stop.
    async fn check_with_stop(
        &self,
        store: &Store,
        starts: &[Reached],
        request: &TraceRequest,
        stop: Option<Reached>,
    ) {
        for direction in [Direction::Provenance, Direction::Impact, Direction::Both] {
            let request = TraceRequest {
                direction: direction.into(),
                ..request.clone()
            };
            self.check_one(store, starts, request, stop).await;
        }
    }

    async fn check_one(
        &self,
        store: &Store,
        starts: &[Reached],
        request: TraceRequest,
        stop: Option<Reached>,
    ) {
        let types = &request.event_types;
        let is_followed = |ends: &&Ends| types.is_empty() || types.contains(&ends.2);
        let followed: Vec<Ends> = self.all.iter().filter(is_followed).copied().collect();
        let max_hops = request.max_hops.unwrap_or(-1);
        let stops: BTreeSet<Reached> = stop.into_iter().collect();
        let expected = reference(&followed, starts, request.direction(), max_hops, &stops);
        let ids = |is_artifact: bool| {
            let starts = starts.iter().filter(move |start| start.0 == is_artifact);
            starts.map(|start| start.1).collect()
        };
        let request = TraceRequest {
            artifact_ids: ids(true),
            execution_ids: ids(false),
            ..request
        };
        let what = format!("{request:?}");
        assert_eq!(trace(store, request).await, expected, "{what}");
    }
}

async fn deep_graphs_of_all_shapes_are_found_whole(store: Store) {
    let mut events = Events::default();
    let mut starts = Vec::new();
    let mut starts_at = |first: i64, last: i64| {
        starts.extend([
            vec![(true, first)],
            vec![(true, last)],
            vec![(true, first), (true, last)],
        ]);
    };

    let first = events.artifact();
    let last = events.chain(first, STEPS);
    starts_at(first, last);

    // Each execution also reads an artifact of its own and one that all of them share.
    let (first, shared) = (events.artifact(), events.artifact());
    let last = (0..STEPS).fold(first, |input, _| {
        let (own, output) = (events.artifact(), events.artifact());
        events.execution(&[input, own, shared], &[output]);
        output
    });
    starts_at(first, last);
    starts_at(shared, shared);

    // Two ways that meet again and again.
    let first = events.artifact();
    let last = (0..STEPS / 3).fold(first, |input, _| {
        let outputs = [events.artifact(), events.artifact()];
        let both = outputs.map(|output| {
            let written = events.artifact();
            events.execution(&[input], &[output, written]);
            output
        });
        let output = events.artifact();
        events.execution(&both, &[output]);
        output
    });
    starts_at(first, last);

    // A circle.
    let first = events.artifact();
    let last = events.chain(first, STEPS);
    let start = events.execution(&[last], &[first]);
    starts_at(first, last);

    // Two chains with one execution in common, from whose artifact others begin.
    let (one, other) = (events.artifact(), events.artifact());
    let (one_end, other_end) = (events.chain(one, STEPS / 2), events.chain(other, STEPS / 2));
    let common = events.artifact();
    events.execution(&[one_end, other_end], &[common]);
    let (one_last, other_last) = (
        events.chain(common, STEPS / 2),
        events.chain(common, STEPS / 3),
    );
    starts_at(one, one_last);
    starts_at(other, other_last);
    starts_at(common, common);

    // Ids that fall along the chain, and executions that change artifacts in place.
    let first = events.artifact();
    let ids: Vec<i64> = (0..STEPS).map(|_| events.execution(&[], &[])).collect();
    let last = ids.iter().rev().fold(first, |input, execution| {
        let output = events.artifact();
        events.all.insert((input, *execution, Type::Input.into()));
        events.all.insert((input, *execution, Type::Output.into()));
        events.all.insert((output, *execution, Type::Output.into()));
        output
    });
    starts_at(first, last);

    events.put(&store).await;
    starts.push(vec![(false, start)]);
    for starts in &starts {
        for max_hops in [None, Some(27), Some(50)] {
            let request = TraceRequest {
                max_hops,
                ..TraceRequest::default()
            };
            events.check(&store, starts, &request).await;
        }
    }
}

async fn a_trace_ends_amid_what_is_read_ahead(store: Store) {
    let mut events = Events::default();
    let first = events.artifact();
    let middle = events.chain(first, STEPS / 2);
    let between = events.executions;
    let last = events.chain(middle, STEPS / 2);
    // An event that only some traces follow.
    let declared = events.artifact();
    let reader = events.execution(&[], &[]);
    events
        .all
        .insert((last, reader, Type::DeclaredInput.into()));
    events.all.insert((declared, reader, Type::Output.into()));
    let end = events.chain(declared, STEPS / 2);
    events.put(&store).await;
    let starts = [vec![(true, first)], vec![(true, end)], vec![(true, middle)]];
    for starts in starts {
        let anywhere = TraceRequest::default();
        events.check(&store, &starts, &anywhere).await;
        let plain = TraceRequest {
            event_types: vec![EventType::Input.into(), EventType::Output.into()],
            ..TraceRequest::default()
        };
        events.check(&store, &starts, &plain).await;
        let request = TraceRequest {
            stop_at_artifacts: format!("id = {middle}"),
            ..TraceRequest::default()
        };
        let stop = Some((true, middle));
        let check = events.check_with_stop(&store, &starts, &request, stop);
        check.await;
        let request = TraceRequest {
            stop_at_executions: format!("id = {between}"),
            ..TraceRequest::default()
        };
        let stop = Some((false, between));
        let check = events.check_with_stop(&store, &starts, &request, stop);
        check.await;
    }
    for max_nodes in [1, 9, 30, 31, 90, 121] {
        let request = TraceRequest {
            artifact_ids: vec![middle],
            direction: Direction::Provenance.into(),
            max_nodes,
            ..TraceRequest::default()
        };
        let found = trace(&store, request).await;
        let whole = STEPS + 1;
        let end = found.end.unwrap();
        let expected = (max_nodes.min(whole), max_nodes < whole);
        assert_eq!((end.nodes, end.cut), expected, "{max_nodes}");
    }
}

async fn a_trace_passes_a_hub_that_is_too_large_to_read_ahead(store: Store) {
    let mut events = Events::default();
    let first = events.artifact();
    let hub = events.chain(first, STEPS / 2);
    let ends: Vec<i64> = (0..HUB_SIZE)
        .map(|_| {
            let output = events.artifact();
            events.execution(&[hub], &[output]);
            output
        })
        .collect();
    let joined = events.artifact();
    events.execution(&ends, &[joined]);
    let last = events.chain(joined, STEPS / 2);
    events.put(&store).await;
    for (start, direction) in [(first, Direction::Impact), (last, Direction::Provenance)] {
        let request = TraceRequest {
            direction: direction.into(),
            ..TraceRequest::default()
        };
        let starts = [(true, start)];
        let check = events.check_one(&store, &starts, request, None);
        check.await;
    }
}
