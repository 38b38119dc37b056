//! A graph without a server around it, for what no call reaches by itself.

use std::collections::{BTreeMap, BTreeSet};

use pedigree::error::Result;
use pedigree::graph::{
    Clock, Graph, ListScope, RecordRuns, Relatives, Retention, RunEvent, RunResult,
};
use pedigree::model::{Caller, Door, Kind, Node, Side};
use pedigree::storage::Database;

use super::database::prepare;
use super::{Backend, TestDatabase};

/// The graph of a new database.
#[derive(Debug)]
pub struct TestGraph {
    pub graph: Graph,
    database: TestDatabase,
}

/// A caller without an identity.
pub fn anonymous() -> Caller {
    Caller::anonymous(Door::Pedigree)
}

impl TestGraph {
    pub async fn open(backend: Backend) -> Self {
        let database = TestDatabase::new(backend);
        let opened = Database::open(&database.url, 8).await.unwrap();
        if backend == Backend::SqliteMemory {
            prepare(&opened).await;
        }
        let graph = Graph::new(opened, Retention::default(), Clock::default());
        Self { graph, database }
    }

    /// Another one on the same kind of database.
    pub async fn another(&self) -> Self {
        Self::open(self.backend()).await
    }

    pub fn backend(&self) -> Backend {
        self.database.backend
    }

    /// Where its database is.
    pub fn url(&self) -> &str {
        &self.database.url
    }

    /// Records events about runs in one batch.
    pub async fn record(&self, events: &[RunEvent]) -> Result<Vec<RunResult>> {
        let events = events.to_vec();
        let recorded = self
            .graph
            .write(&anonymous(), RecordRuns { events })
            .await?;
        Ok(recorded.into_iter().flatten().collect())
    }

    /// Records one event, which must be stored.
    pub async fn record_one(&self, event: RunEvent) -> RunResult {
        self.record(&[event]).await.unwrap().remove(0)
    }

    pub async fn all(&self, kind: Kind) -> Vec<Node> {
        all(&self.graph, kind).await
    }

    pub async fn node(&self, kind: Kind, id: i64) -> Node {
        self.graph
            .nodes_by_ids(kind, &[id])
            .await
            .unwrap()
            .remove(0)
    }

    /// See [`lines_of`].
    pub async fn lines(&self) -> BTreeSet<String> {
        lines_of(&self.graph).await
    }
}

async fn all(graph: &Graph, kind: Kind) -> Vec<Node> {
    let mut stream = graph.list_all(kind, &ListScope::All).await.unwrap();
    let mut all = Vec::new();
    while let Some(nodes) = stream.next(1000).await.unwrap() {
        all.extend(nodes);
    }
    all
}

/// Everything that the graph holds, a line each, with names in the place of ids and without the
/// times of the server.
pub async fn lines_of(graph: &Graph) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let mut labels = BTreeMap::new();
    for kind in Kind::ALL {
        for known in graph.types(kind).await.unwrap() {
            let known = known.value;
            lines.insert(format!(
                "{kind} type {:?} {:?} {:?}",
                known.name, known.version, known.properties
            ));
        }
        for node in all(graph, kind).await {
            let content = node.content;
            let label = format!(
                "{kind} {:?} {:?} {:?}",
                node.type_name, content.name, content.external_id
            );
            lines.insert(format!(
                "{label} {:?} {:?} {:?} {:?}",
                content.uri, content.state, content.properties, content.custom_properties
            ));
            labels.insert((kind, node.id), label);
        }
    }
    for (&(kind, id), label) in &labels {
        let above = match kind {
            Kind::Context => graph.relatives(Relatives::Parents, id).await.unwrap(),
            _ => graph.contexts_of(kind, id).await.unwrap_or_default(),
        };
        for context in above {
            lines.insert(format!(
                "{label} in {}",
                labels[&(Kind::Context, context.id)]
            ));
        }
        if kind != Kind::Execution {
            continue;
        }
        for event in graph.events_of(Side::Execution, &[id]).await.unwrap() {
            let artifact = &labels[&(Kind::Artifact, event.artifact_id)];
            lines.insert(format!(
                "{label} {:?} {artifact} at {:?} {:?}",
                event.event_type, event.milliseconds, event.path
            ));
        }
    }
    lines
}
