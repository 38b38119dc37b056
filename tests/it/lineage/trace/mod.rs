//! `Trace`: what is found, hop by hop; limits, and what is refused.

mod as_of;
mod deep;
mod random;
mod unread;

use std::collections::{BTreeMap, BTreeSet};

use pb::event;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::trace_request::Direction;
use pedigree::proto::pedigree::lineage::v1::{EventType, TraceEnd, TraceRequest, TraceResponse};
use tokio_stream::StreamExt;
use tonic::{Status, Streaming};

use super::put_graph;
use crate::support::prelude::*;

on_every_database! {
    a_trace_counts_hops_and_sends_each_thing_once,
    a_trace_ends_at_its_limits,
    a_trace_stops_where_it_is_told,
    a_trace_follows_the_events_that_it_is_told,
    a_question_for_a_trace_must_make_sense,
}

async fn begin(store: &Store, request: TraceRequest) -> Result<Streaming<TraceResponse>, Status> {
    let mut client = LineageServiceClient::new(store.channel.clone());
    Ok(client.trace(request).await?.into_inner())
}

/// The ids at the ends of an event, and its type.
type Ends = (i64, i64, i32);

/// The distances of artifacts and executions, and the ids at the ends of events with their types,
/// ascending.
#[derive(Debug, Default, PartialEq)]
struct Found {
    artifacts: BTreeMap<i64, i64>,
    executions: BTreeMap<i64, i64>,
    events: Vec<Ends>,
    end: Option<TraceEnd>,
}

impl Found {
    /// Adds a response, which must keep what the contract says of it.
    fn add(&mut self, response: TraceResponse) {
        assert!(self.end.is_none(), "something came after the end");
        for (found, ids) in [
            (&mut self.artifacts, ids(&response.artifacts)),
            (&mut self.executions, ids(&response.executions)),
        ] {
            let so_far = found.iter().filter(|(_, hop)| **hop == response.hop);
            let mut last = so_far.map(|(id, _)| *id).max();
            for id in ids {
                assert!(last < Some(id), "out of order");
                last = Some(id);
                assert_eq!(found.insert(id, response.hop), None, "sent twice: {id}");
            }
        }
        for event in response.events {
            let (artifact, execution) = (event.artifact_id(), event.execution_id());
            assert!(self.artifacts.contains_key(&artifact), "{event:?}");
            assert!(self.executions.contains_key(&execution), "{event:?}");
            self.events
                .push((artifact, execution, event.r#type().into()));
        }
        self.end = response.end;
    }
}

async fn trace(store: &Store, request: TraceRequest) -> Found {
    let mut responses = begin(store, request).await.unwrap();
    let mut found = Found::default();
    while let Some(response) = responses.next().await {
        found.add(response.unwrap());
    }
    let count = found.artifacts.len() + found.executions.len();
    let end = found.end.unwrap();
    assert_eq!(end.nodes, i64::try_from(count).unwrap());
    let distinct: BTreeSet<_> = found.events.iter().copied().collect();
    assert_eq!(distinct.len(), found.events.len(), "an event came twice");
    found.events = distinct.into_iter().collect();
    found
}

fn from_artifacts(ids: &[i64], direction: Direction) -> TraceRequest {
    TraceRequest {
        direction: direction.into(),
        artifact_ids: ids.to_vec(),
        ..Default::default()
    }
}

/// Distances by id, as pairs.
fn far<const N: usize>(pairs: [(i64, i64); N]) -> BTreeMap<i64, i64> {
    pairs.into()
}

async fn a_trace_counts_hops_and_sends_each_thing_once(store: Store) {
    put_graph(&store).await;
    let up = trace(&store, from_artifacts(&[6], Direction::Provenance)).await;
    assert_eq!(up.artifacts, far([(1, 6), (2, 6), (3, 4), (4, 2), (6, 0)]));
    assert_eq!(up.executions, far([(1, 7), (2, 5), (3, 3), (4, 1)]));
    assert_eq!(up.events.len(), 9);
    assert_eq!(
        up.end,
        Some(TraceEnd {
            nodes: 9,
            cut: false,
            present_states: 0
        })
    );
    // An artifact and an execution side by side, and a start that is not there.
    let starts = TraceRequest {
        artifacts: "name = 'a5' OR id = 2".to_owned(),
        artifact_ids: vec![2, 99],
        executions: "name = 'e2'".to_owned(),
        ..from_artifacts(&[], Direction::Both)
    };
    let found = trace(&store, starts).await;
    assert_eq!(
        found.artifacts,
        far([(1, 1), (2, 0), (3, 1), (4, 3), (5, 0), (6, 5)])
    );
    assert_eq!(found.executions, far([(1, 1), (2, 0), (3, 2), (4, 4)]));
    assert_eq!(found.events.len(), 9);
    // Nodes are whole.
    let mut responses = begin(&store, from_artifacts(&[1], Direction::Impact))
        .await
        .unwrap();
    let first = responses.next().await.unwrap().unwrap();
    assert_eq!(first.artifacts, store.ask(Artifact::by_ids(&[1])).await);
}

async fn a_trace_ends_at_its_limits(store: Store) {
    put_graph(&store).await;
    let ends = |found: Found| {
        let end = found.end.unwrap();
        (end.nodes, end.cut)
    };
    for most in 0..=10 {
        let limited = TraceRequest {
            max_nodes: most,
            ..from_artifacts(&[1], Direction::Both)
        };
        let expected = if most == 0 {
            (9, false)
        } else {
            (most.min(9), most < 9)
        };
        assert_eq!(ends(trace(&store, limited).await), expected, "{most}");
    }
    for (hops, expected) in [
        (0, (1, true)),
        (1, (3, true)),
        (4, (7, true)),
        (6, (9, false)),
    ] {
        let limited = TraceRequest {
            max_hops: Some(hops),
            ..from_artifacts(&[1], Direction::Both)
        };
        assert_eq!(ends(trace(&store, limited).await), expected, "{hops}");
    }
    let starts = TraceRequest {
        max_nodes: 3,
        executions: "id > 0".to_owned(),
        ..from_artifacts(&[5, 6], Direction::Both)
    };
    let found = trace(&store, starts).await;
    assert_eq!(
        (found.artifacts, found.executions),
        (far([(5, 0), (6, 0)]), far([(1, 0)]))
    );
    assert!(found.end.unwrap().cut);
}

async fn a_trace_stops_where_it_is_told(store: Store) {
    put_graph(&store).await;
    let stop = TraceRequest {
        stop_at_artifacts: "id = 3".to_owned(),
        ..from_artifacts(&[1], Direction::Impact)
    };
    let found = trace(&store, stop).await;
    assert_eq!(found.artifacts, far([(1, 0), (2, 2), (3, 2)]));
    assert_eq!(found.executions, far([(1, 1), (2, 1)]));
    assert_eq!(
        found.end,
        Some(TraceEnd {
            nodes: 5,
            cut: false,
            present_states: 0
        })
    );
    let at_start = TraceRequest {
        stop_at_artifacts: "id = 1".to_owned(),
        ..from_artifacts(&[1], Direction::Both)
    };
    assert_eq!(trace(&store, at_start).await.artifacts, far([(1, 0)]));
    let at_execution = TraceRequest {
        stop_at_executions: "name LIKE 'e%'".to_owned(),
        ..from_artifacts(&[3], Direction::Both)
    };
    let found = trace(&store, at_execution).await;
    assert_eq!(
        (found.artifacts, found.executions),
        (far([(3, 0)]), far([(2, 1), (3, 1)]))
    );
    assert_eq!(found.events.len(), 2);
}

async fn a_trace_follows_the_events_that_it_is_told(store: Store) {
    put_graph(&store).await;
    let of_types = |types: &[EventType]| TraceRequest {
        event_types: types.iter().map(|kind| i32::from(*kind)).collect(),
        ..from_artifacts(&[1], Direction::Impact)
    };
    let plain = trace(&store, of_types(&[EventType::Input, EventType::Output])).await;
    assert_eq!(
        (plain.artifacts, plain.executions),
        (far([(1, 0), (2, 2)]), far([(1, 1), (2, 1)]))
    );
    // No output leads down from an artifact.
    let none = trace(&store, of_types(&[EventType::Output])).await;
    assert_eq!((none.artifacts, none.executions), (far([(1, 0)]), far([])));

    let keyed = |artifact, execution, key: &str| {
        let step = |value| event::path::Step { value: Some(value) };
        let steps = vec![
            step(event::path::step::Value::Key(key.to_owned())),
            step(event::path::step::Value::Index(7)),
        ];
        pb::Event {
            path: Some(event::Path { steps }),
            ..event(artifact, execution, event::Type::Input)
        }
    };
    store
        .ask(put_events(vec![keyed(5, 1, "data"), keyed(5, 2, "Data")]))
        .await;
    let by_key = TraceRequest {
        path_key: "data".to_owned(),
        ..from_artifacts(&[5], Direction::Impact)
    };
    let mut responses = begin(&store, by_key.clone()).await.unwrap();
    let mut events = Vec::new();
    while let Some(response) = responses.next().await {
        events.extend(response.unwrap().events);
    }
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].path, keyed(5, 1, "data").path);
    assert_eq!(trace(&store, by_key).await.executions, far([(1, 1)]));
}

async fn a_question_for_a_trace_must_make_sense(store: Store) {
    put_graph(&store).await;
    let one = || from_artifacts(&[1], Direction::Both);
    let invalid = Code::InvalidArgument;
    for (request, code, text) in [
        (TraceRequest::default(), invalid, "nowhere to start"),
        (
            TraceRequest {
                max_hops: Some(-1),
                ..one()
            },
            invalid,
            "max_hops cannot be negative",
        ),
        (
            TraceRequest {
                max_nodes: -1,
                ..one()
            },
            invalid,
            "max_nodes cannot be negative",
        ),
        (
            TraceRequest {
                direction: 3,
                ..one()
            },
            invalid,
            "direction cannot be 3",
        ),
        (
            TraceRequest {
                event_types: vec![0],
                ..one()
            },
            invalid,
            "event_types cannot be 0",
        ),
        (
            TraceRequest {
                event_types: vec![3, 8],
                ..one()
            },
            invalid,
            "event_types cannot be 8",
        ),
        (
            TraceRequest {
                artifacts: "nope = 1".into(),
                ..one()
            },
            invalid,
            "Invalid `filter_query`",
        ),
        (
            TraceRequest {
                stop_at_executions: "id =".into(),
                ..one()
            },
            invalid,
            "Invalid `filter_query`",
        ),
        (
            from_artifacts(&[77, -1], Direction::Both),
            Code::NotFound,
            "there is no node to start from",
        ),
        (
            TraceRequest {
                executions: "id > 77".into(),
                ..TraceRequest::default()
            },
            Code::NotFound,
            "there is no node",
        ),
    ] {
        let what = format!("{request:?}");
        let status = begin(&store, request).await.unwrap_err();
        assert_eq!(status.code(), code, "{what}: {status:?}");
        assert!(status.message().starts_with(text), "{what}: {status:?}");
    }
}
