//! The metadata graph and its rules, in plain structs. Knows no protocol and no SQL.
//!
//! A [`Graph`] is the handle that a request works on. What changes the graph is a [`Write`]: a plain struct that says what to
//! do, applied in one transaction that is run again when the database asks for it. What reads it is a method of [`Graph`].

mod changes;
mod commit;
mod composite;
mod edges;
mod ingest;
mod lineage;
mod nodes;
mod types;

use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

pub use changes::feed::History;
pub use changes::watch::{Changes, Since, Topic, Watch, WatchQuery};
pub use commit::command::Write;
pub use composite::execution::{ArtifactAndEvent, PutExecution, PutExecutionAnswer};
pub use composite::subgraph::{EventEdge, PutSubgraph, PutSubgraphAnswer};
pub use edges::events::PutEvents;
pub use edges::memberships::PutMemberships;
pub use edges::parents::{PutParentContexts, Relatives};
pub use ingest::runs::{
    ArtifactIdentity, ArtifactUse, ContextUse, Moment, RecordRuns, RunEvent, RunRecorded, TypeName,
    TypePolicy,
};
pub use ingest::{Message, Recordable, Recorded, Reply};
pub use lineage::stream::{Trace, TracePart, TraceQuery};
pub use lineage::subgraph::{Boundary, GraphQuery, LineageGraph, Parts, SubgraphQuery};
pub use lineage::traverse::Direction;
pub use nodes::PutNodes;
pub use nodes::page::{ListOptions, NodePage};
pub use nodes::rules::{Mask, PropertyMask};
pub use nodes::stream::{Whole, Within};
pub use types::PutTypes;

use crate::error::{Error, Result};
use crate::model::Caller;
use crate::storage::{Database, LongReadPermit, Tx};
use changes::feed::Feed;
use commit::engine::{Engine, Transactions};

/// Milliseconds since epoch, now.
pub type Clock = fn() -> i64;

/// A handle on one metadata graph. Cheap to clone; every request asks for its own.
#[derive(Clone, Debug)]
pub struct Graph {
    database: Database,
    clock: Clock,
    history: History,
    feed: Feed,
    engine: Engine,
}

/// Where requests get their graph from: nowhere, until the database is ready. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Graphs {
    graph: Arc<OnceLock<Graph>>,
}

impl Graphs {
    /// Hands out this graph from now on. Only the first one counts.
    pub fn set(&self, graph: Graph) {
        // A second one would be another database under the feet of requests.
        let _ = self.graph.set(graph);
    }

    /// The graph of a request.
    ///
    /// # Errors
    ///
    /// `Unavailable` until there is one.
    pub fn get(&self) -> Result<&Graph> {
        let away = || Error::Unavailable("it is not ready yet".into());
        self.graph.get().ok_or_else(away)
    }
}

impl Graph {
    /// A handle on the graph in this database, whose schema is ready, and its history.
    #[must_use]
    pub fn new(database: Database, history: History) -> Self {
        let feed = Feed::default();
        let engine = Engine::new(Transactions {
            database: database.clone(),
            clock: system_clock,
            feed: feed.clone(),
            keeps_history: !history.changes.is_zero(),
        });
        Self {
            database,
            clock: system_clock,
            history,
            feed,
            engine,
        }
    }

    /// Stores a caller's write entirely or not at all. When this returns, it is durable.
    ///
    /// # Errors
    ///
    /// Those of the write; `Contention` when it lost to concurrent writes each of several times;
    /// `Uncertain` when it may or may not be stored.
    pub async fn write<W: Write + 'static>(&self, caller: &Caller, write: W) -> Result<W::Answer> {
        self.engine.write(caller, write).await
    }

    /// Begins a transaction that sees one state of the graph.
    async fn read(&self) -> Result<Tx> {
        self.database.read().await
    }

    /// The right to keep a connection as long as a client likes, to be had before the connection.
    async fn long_read_permit(&self) -> Result<LongReadPermit> {
        self.database.long_read_permit().await.ok_or_else(|| {
            Error::Exhausted(
                "too many traces and large lists are under way on this server; try again later"
                    .into(),
            )
        })
    }
}

fn system_clock() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    })
}

/// The texts, each once, in the order of their first appearance.
///
/// # Errors
///
/// `InvalidArgument` when one of them is empty.
fn distinct_external_ids(ids: &[String]) -> Result<Vec<&str>> {
    if ids.iter().any(String::is_empty) {
        return Err(Error::invalid(
            "Invalid argument because at least one empty external_id exists.",
        ));
    }
    Ok(distinct_texts(ids))
}

fn distinct_texts(texts: &[String]) -> Vec<&str> {
    let mut seen = std::collections::HashSet::new();
    texts
        .iter()
        .map(String::as_str)
        .filter(|text| seen.insert(*text))
        .collect()
}
