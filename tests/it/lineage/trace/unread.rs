//! Traces whose clients read slowly, or not at all.

use std::time::Duration;

use pedigree::proto::pedigree::lineage::v1::trace_request::Direction;
use pedigree::proto::pedigree::lineage::v1::{TraceEnd, TraceRequest, TraceResponse};
use tonic::{Status, Streaming};

use super::{Found, begin, far, from_artifacts, trace};
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    a_trace_is_of_one_state_of_the_graph,
    a_trace_that_nobody_reads_is_ended,
    more_traces_than_may_be_are_refused,
}

// The one connection reads for a client and must not wait for it.
in_memory_too! {
    a_trace_is_of_one_state_of_the_graph,
    more_traces_than_may_be_are_refused,
}

/// Artifacts in a row.
const LENGTH: i64 = 60;

/// Puts a row of artifacts, each made from the one before, that are too large to wait on their way
/// to a client.
async fn put_chain(store: &Store) {
    let artifact_type = store.put_type::<Artifact>("A", &[]).await;
    let execution_type = store.put_type::<Execution>("E", &[]).await;
    let large = "x".repeat(300_000);
    for number in 1..=LENGTH {
        let artifact = Artifact::new(artifact_type, &format!("a{number}"));
        let artifact = artifact.with_custom("large", text(&*large));
        assert_eq!(store.put(artifact).await, number);
        store
            .put(Execution::new(execution_type, &format!("e{number}")))
            .await;
    }
    let chain = (1..LENGTH).flat_map(|number| {
        [
            event(number, number, pb::event::Type::Input),
            event(number + 1, number, pb::event::Type::Output),
        ]
    });
    store.ask(put_events(chain.collect())).await;
}

/// From the first artifact to all.
fn along_the_chain() -> TraceRequest {
    from_artifacts(&[1], Direction::Impact)
}

/// What a trace of the whole chain ends with.
const WHOLE: Option<TraceEnd> = Some(TraceEnd {
    nodes: 2 * LENGTH - 1,
    cut: false,
    present_states: 0,
});

async fn read(mut responses: Streaming<TraceResponse>) -> Result<Found, Status> {
    let mut found = Found::default();
    while let Some(response) = responses.message().await? {
        found.add(response);
    }
    Ok(found)
}

/// Reads and writes, which must find a connection.
async fn use_the_store(store: &Store) {
    store.put_type::<Context>("C", &[]).await;
    assert_eq!(ids(&store.ask(Execution::by_ids(&[2])).await), [2]);
}

/// What is read first comes while the walk has most of its way to go, and what is written meanwhile
/// is not seen.
async fn a_trace_is_of_one_state_of_the_graph(store: Store) {
    put_chain(&store).await;
    let mut responses = begin(&store, along_the_chain()).await.unwrap();
    let mut found = Found::default();
    found.add(responses.message().await.unwrap().unwrap());
    assert_eq!(found.artifacts, far([(1, 0)]));
    let more = event(1, LENGTH, pb::event::Type::Input);
    store.ask(put_events(vec![more])).await;
    while let Some(response) = responses.message().await.unwrap() {
        found.add(response);
    }
    assert_eq!(found.end, WHOLE);
    assert!(!found.executions.contains_key(&LENGTH));
}

async fn a_trace_that_nobody_reads_is_ended(backend: Backend) {
    let store = Store::open_with(backend, |config| {
        // Two for reading, of which traces get one.
        config.database.connections = 4;
        config.serving.slow_reader_timeout = Duration::from_secs(2);
    });
    let store = store.await;
    put_chain(&store).await;
    let unread = begin(&store, along_the_chain()).await.unwrap();
    use_the_store(&store).await;
    // This one has its turn when the server has had enough of the other.
    assert_eq!(trace(&store, along_the_chain()).await.end, WHOLE);
    let status = read(unread).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let expected = "the client read nothing for 2 s";
    assert!(status.message().starts_with(expected), "{status:?}");
}

async fn more_traces_than_may_be_are_refused(backend: Backend) {
    let store = Store::open_with(backend, |config| {
        // Four for reading, of which traces get two. A server database has one for probes.
        let probe = !matches!(backend, Backend::SqliteFile | Backend::SqliteMemory);
        config.database.connections = if probe { 10 } else { 8 };
        config.database.wait = Duration::from_secs(1);
        config.serving.slow_reader_timeout = Duration::from_secs(50);
    });
    let store = store.await;
    put_chain(&store).await;
    let most = if backend == Backend::SqliteMemory {
        1
    } else {
        2
    };
    let mut under_way = Vec::new();
    for _ in 0..most {
        under_way.push(begin(&store, along_the_chain()).await.unwrap());
    }
    let status = begin(&store, along_the_chain()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let expected = "too many traces and large lists are under way";
    assert!(status.message().starts_with(expected), "{status:?}");
    use_the_store(&store).await;
    for responses in under_way {
        assert_eq!(read(responses).await.unwrap().end, WHOLE);
    }
    assert_eq!(trace(&store, along_the_chain()).await.end, WHOLE);
}
