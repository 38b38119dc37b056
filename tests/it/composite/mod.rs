//! Events and members, and the two calls that write nodes and what is between them at once.

use pb::{Event, event};

use crate::support::prelude::*;

mod edges;
mod execution;
mod subgraph;

/// The ids of a type for each kind of node.
async fn put_types(store: &Store) -> (i64, i64, i64) {
    (
        store.put_type::<Artifact>("A", &[]).await,
        store.put_type::<Execution>("E", &[]).await,
        store.put_type::<Context>("C", &[]).await,
    )
}

/// An event without ends.
fn event_of(event_type: event::Type) -> Event {
    Event {
        r#type: Some(event_type.into()),
        ..Default::default()
    }
}
