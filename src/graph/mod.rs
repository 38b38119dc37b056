//! The metadata graph and its rules, in plain structs. Knows no protocol and no SQL.
//!
//! [`Graph`] lists what a graph can do. Each operation is a function of a submodule:
//!
//! * `types`, `nodes`, `edges`: types, artifacts, executions and contexts, and the links between
//!   them.
//! * `composite`: several of these in one write.
//! * `browse`: searches and bounded counts for people who look at a graph.
//! * `catalog`: pages of contexts and of their members.
//! * `comparison`: nodes side by side, and curves of metrics.
//! * `datasets`: the versions of datasets, and which of them was present when.
//! * `export`: runs as they are sent to other systems, and how far each target is.
//! * `ingest`: messages, each stored once, and events of runs.
//! * `facets`: groups of facts about nodes, as they were sent.
//! * `files`: files that clients uploaded, by their paths.
//! * `lineage`: traversals from nodes to those that they depend on, or that depend on them.
//! * `tracking`: experiments, their runs and models, and series of metrics.
//! * `registered`: registered models, their versions and aliases.
//! * `write`: what every change of the graph is; `commit`: how it becomes durable; `changes`: the
//!   history of what was written; `adoption`: what is older than the history.

mod adoption;
mod browse;
mod catalog;
mod changes;
mod clock;
mod commit;
mod comparison;
mod composite;
mod datasets;
mod edges;
mod export;
mod external_ids;
mod facets;
mod files;
mod filters;
mod ingest;
mod lineage;
mod names;
mod nodes;
mod parts;
pub mod registered;
mod registry;
pub mod tracking;
mod types;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::model::{AccessRecord, Caller, Door, Event, Kind, Node, NodeId, NodeType, Side, Stored};
use crate::storage::Database;
use browse::KnownEstimates;
use changes::history::History;
use commit::engine::Engine;
use ingest::batch::Batch;
use ingest::queue::MessageQueue;
use tracking::RunCache;

pub use adoption::GraphAdoption;
pub use browse::{FoundNodes, GraphBrowse, LinkedContexts, NodeCount, NodeEvents};
pub use catalog::{CatalogQuery, CountedNodes, GraphCatalog, PropertyText};
pub use changes::audit::{AuditEntry, AuditPage, AuditRecord};
pub use changes::history::Retention;
pub use changes::memory::SentMemory;
pub use changes::reconcile::ReconcileScope;
pub use changes::states::AsOf;
pub use changes::watch::{Changes, NewestChanges, Since, Topic, Watch, WatchQuery};
pub use clock::Clock;
pub use comparison::{ComparedNodes, CurveBucket, GraphComparison, MetricCurve, MetricSummary};
pub use composite::events::PutEvents;
pub use composite::execution::{ArtifactAndEvent, PutExecution, PutExecutionAnswer};
pub use composite::nodes::PutNodes;
pub use composite::subgraph::{EventEdge, PutSubgraph, PutSubgraphAnswer};
pub use datasets::join::{DATASET_TYPE, VERSION_TYPE};
pub use edges::memberships::PutMemberships;
pub use edges::parents::{PutParentContexts, Relatives};
pub use export::GraphExport;
pub use export::runs::{PlacedRun, RunWithData};
pub use export::target::TargetSlot;
pub use facets::{GraphFacets, NodeFacet};
pub use files::{
    ArtifactEntry, ArtifactFile, DeleteArtifacts, GraphFiles, PutArtifactFile, file_path,
};
pub use ingest::missing_right::{MissingTypeRight, no_right};
pub use ingest::runs::{
    ArtifactIdentity, ArtifactRef, ColumnSource, ContextRef, DatasetUse, EventScope, EventTime,
    Facet, FacetLineage, RecordRuns, RunEvent, RunEventType, RunResult, TypeName, TypePolicy,
    told_times,
};
pub use ingest::{MAX_MESSAGE_ID_BYTES, Message, Recordable, Recorded, Reply};
pub use lineage::answer::{LineageGraph, LineageParts};
pub use lineage::as_of::NodesAsOf;
pub use lineage::boundary::Boundary;
pub use lineage::columns::{ColumnEdge, ColumnLineage, ColumnQuery, ColumnStart, DatasetColumn};
pub use lineage::neighborhood::GraphQuery;
pub use lineage::path::{FoundPaths, PathEnd, PathQuery};
pub use lineage::stream::{Trace, TracePart};
pub use lineage::subgraph::SubgraphQuery;
pub use lineage::trace_query::TraceQuery;
pub use lineage::traverse::Direction;
pub use names::{MAX_NAME_CHARACTERS, short_name};
pub use nodes::mask::{Mask, PropertyMask};
pub use nodes::page::{ListOptions, NodePage};
pub use nodes::scope::ListScope;
pub use nodes::stream::NodeStream;
pub use registry::Graphs;
pub use types::put::PutTypes;
pub use write::Write;

/// A handle on one metadata graph. Cheap to clone.
///
/// Besides the errors that each method names, all of them return those of the database, and
/// `DataLoss` for stored rows that cannot be decoded.
#[derive(Clone, Debug)]
pub struct Graph {
    database: Database,
    history: History,
    engine: Arc<Engine>,
    queue: Arc<MessageQueue>,
    estimates: KnownEstimates,
    run_cache: RunCache,
}

impl Graph {
    /// A handle on the graph in this database, whose schema is ready. The clock dates what is
    /// written.
    #[must_use]
    pub fn new(database: Database, retention: Retention, clock: Clock) -> Self {
        let run_cache = RunCache::new(clock.clone());
        let history = History::new(database.clone(), retention, clock);
        let engine = Engine::new(history.clone());
        Self {
            queue: Arc::new(MessageQueue::new(engine.clone(), database.tasks().clone())),
            database,
            engine: Arc::new(engine),
            history,
            estimates: KnownEstimates::default(),
            run_cache,
        }
    }

    /// The same graph, for a caller: those who wait for connections take turns.
    #[must_use]
    pub fn for_caller(&self, caller: &Arc<str>) -> Self {
        let database = self.database.for_caller(caller);
        Self {
            history: self.history.with_handle(database.clone()),
            database,
            engine: self.engine.clone(),
            queue: self.queue.clone(),
            estimates: self.estimates.clone(),
            run_cache: self.run_cache.clone(),
        }
    }

    /// Serves reads that take long from this standby from now on, where it has what was committed
    /// before them: traces, watches and unpaged lists.
    pub fn use_standby(&self, standby: Database) {
        self.history.standby.open(standby);
    }

    /// The id of the database, which no other one has.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn store_id(&self) -> Result<String> {
        self.history.store_id().await
    }

    /// Closes the databases, as [`Database::close`] does.
    pub async fn close(&self) {
        tokio::join!(self.history.standby.close(), self.database.close());
    }

    /// Stores a caller's write entirely or not at all. When this returns, it is durable.
    ///
    /// # Errors
    ///
    /// Those of the write; `Contention` when it lost to concurrent writes for too long;
    /// `Uncertain` when it may or may not be stored.
    pub async fn write<W: Write + 'static>(&self, caller: &Caller, write: W) -> Result<W::Answer> {
        self.engine.write(caller, write).await
    }

    /// Stores messages by one commit, each once, and returns their replies in the same order.
    ///
    /// # Errors
    ///
    /// As [`Self::write`], for errors that do not belong to one message. Messages can be sent
    /// again.
    pub async fn store_messages(
        &self,
        caller: &Caller,
        messages: Vec<Message>,
    ) -> Result<Vec<Reply>> {
        self.engine.write(caller, Batch::new(messages)).await
    }

    /// Stores messages, given with their sizes in bytes, each once, by commits that messages of
    /// other calls share. The replies are in the same order; those of one commit share its error.
    /// The history names the request of the first message of a commit.
    ///
    /// # Errors
    ///
    /// `Exhausted` when too many messages wait to be stored.
    pub async fn queue_messages(
        &self,
        caller: &Caller,
        messages: Vec<(Message, usize)>,
    ) -> Result<Vec<Result<Reply, Arc<Error>>>> {
        self.queue.store(caller, messages).await
    }

    /// Assigns positions to committed changes and prunes old ones, until `stop` is cancelled. Where
    /// all changes are kept, what is older than the history is added to it once.
    pub async fn maintain_history(&self, stop: &CancellationToken) {
        let adoption = self.adoption();
        let adopting = stop.run_until_cancelled(Box::pin(adoption.adopt_once()));
        tokio::join!(self.history.maintain(stop), adopting);
    }

    /// Stores records of requests that changed nothing. Nothing is stored without a history.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn store_accesses(&self, records: Vec<AccessRecord>) -> Result<()> {
        self.history.store_accesses(records).await
    }

    /// Who did what, from a place in the history on: the next records, or none at its end.
    ///
    /// # Errors
    ///
    /// As [`Self::watch`].
    pub async fn audit(&self, since: Since) -> Result<AuditPage> {
        self.history.audit(since).await
    }

    /// Begins a watch of changes.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a cursor of another database and for a malformed filter; `OutOfRange`
    /// for a cursor outside of the history; `FailedPrecondition` when no history is kept.
    pub async fn watch(&self, query: WatchQuery) -> Result<Watch> {
        Watch::begin(&self.history, query).await
    }

    /// Adds to the history what other programs wrote, and returns the number of changes added.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` when no history is kept.
    pub async fn reconcile(&self, caller: &Caller, scope: ReconcileScope) -> Result<usize> {
        changes::reconcile::reconcile(&self.history, caller, scope).await
    }

    /// Creates the simple types that do not exist yet.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub async fn put_simple_types(&self) -> Result<()> {
        let server = Caller::anonymous(Door::Command);
        self.write(&server, PutTypes::simple()).await.map(|_| ())
    }

    /// Whether putting these types changes nothing.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn has_types(&self, put: &PutTypes) -> Result<bool> {
        types::put::are_stored(&self.database, put).await
    }

    /// The type with this name and version. An empty version is none.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none.
    pub async fn type_by_name(
        &self,
        kind: Kind,
        name: &str,
        version: Option<&str>,
    ) -> Result<Stored<NodeType>> {
        types::read::by_name(&self.database, kind, name, version).await
    }

    /// The types with these ids, in the order of the ids and as often. Unknown ids and those of
    /// other kinds are left out.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn types_by_ids(&self, kind: Kind, ids: &[i64]) -> Result<Vec<Stored<NodeType>>> {
        types::read::by_ids(&self.database, kind, ids).await
    }

    /// The types with these external ids, each once, ascending by id.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for an empty external id, `NotFound` when ids are given and none is known.
    pub async fn types_by_external_ids(
        &self,
        kind: Kind,
        ids: &[String],
    ) -> Result<Vec<Stored<NodeType>>> {
        types::read::by_external_ids(&self.database, kind, ids).await
    }

    /// All types of a kind except the simple ones, ascending by id.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn types(&self, kind: Kind) -> Result<Vec<Stored<NodeType>>> {
        types::read::all(&self.database, kind).await
    }

    /// The nodes with these ids, each once, ascending by id. Unknown ids are left out.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn nodes_by_ids(&self, kind: Kind, ids: &[i64]) -> Result<Vec<Node>> {
        nodes::read::by_ids(&self.database, kind, ids).await
    }

    /// As [`Self::nodes_by_ids`], with the types of the nodes found, each once.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn nodes_and_types_by_ids(
        &self,
        kind: Kind,
        ids: &[i64],
    ) -> Result<(Vec<Node>, Vec<Stored<NodeType>>)> {
        nodes::read::with_types(&self.database, kind, ids).await
    }

    /// The node of that type, version and name. An empty version is none.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn node_by_type_and_name(
        &self,
        kind: Kind,
        type_name: &str,
        version: Option<&str>,
        name: &str,
    ) -> Result<Option<Node>> {
        nodes::read::by_type_and_name(&self.database, kind, (type_name, version), name).await
    }

    /// The nodes with these external ids, each once, ascending by id.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for an empty external id, `NotFound` when ids are given and none is known.
    pub async fn nodes_by_external_ids(&self, kind: Kind, ids: &[String]) -> Result<Vec<Node>> {
        nodes::read::by_external_ids(&self.database, kind, ids).await
    }

    /// The artifacts with these URIs: in the order of the URIs, ascending by id within one.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn artifacts_by_uris(&self, uris: &[String]) -> Result<Vec<Node>> {
        nodes::read::artifacts_by_uris(&self.database, uris).await
    }

    /// A page of the nodes of a kind within a scope; `None` when the scope has no node at all.
    ///
    /// An error in `options` becomes that of this method, unless the scope is empty: ML Metadata
    /// does not look at the options then.
    ///
    /// # Errors
    ///
    /// That of `options`, and `InvalidArgument` for a malformed filter.
    pub async fn list(
        &self,
        kind: Kind,
        scope: &ListScope,
        options: Result<ListOptions>,
    ) -> Result<Option<NodePage>> {
        nodes::page::list(&self.database, kind, scope, options).await
    }

    /// All nodes of a kind within a scope, ascending by id, in parts.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn list_all(&self, kind: Kind, scope: &ListScope) -> Result<NodeStream> {
        NodeStream::open(&self.history, kind, scope).await
    }

    /// As [`Self::list_all`], for a list that is read at the pace of a client.
    ///
    /// # Errors
    ///
    /// `Exhausted` when no permit for a long read becomes free in time.
    pub async fn list_all_streamed(&self, kind: Kind, scope: &ListScope) -> Result<NodeStream> {
        NodeStream::open_long(&self.history, kind, scope).await
    }

    /// The events of artifacts or of executions, each once, ascending by event id.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn events_of(&self, side: Side, ids: &[i64]) -> Result<Vec<Event>> {
        edges::events::of_nodes(&self.database, side, ids).await
    }

    /// The contexts that an artifact or an execution is in, ascending by id.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none, also for a node that does not exist.
    pub async fn contexts_of(&self, kind: Kind, id: i64) -> Result<Vec<Node>> {
        edges::memberships::contexts_of(&self.database, kind, id).await
    }

    /// The parents of a context, or its children, ascending by id.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn relatives(&self, of: Relatives, id: i64) -> Result<Vec<Node>> {
        let mut found = self.relatives_of_all(of, &[id]).await?;
        Ok(found.remove(&id).unwrap_or_default())
    }

    /// As [`Self::relatives`], for several contexts at once. A context without relatives has no
    /// entry.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when no context is given.
    pub async fn relatives_of_all(
        &self,
        of: Relatives,
        ids: &[i64],
    ) -> Result<BTreeMap<i64, Vec<Node>>> {
        edges::parents::relatives(&self.database, of, ids).await
    }

    /// The lineage of some nodes: ids of nodes only, with events, memberships and types as asked
    /// for.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a query without starting nodes, negative hops or a malformed filter;
    /// `NotFound` when no node qualifies as a start.
    pub async fn lineage_subgraph(&self, query: &SubgraphQuery) -> Result<LineageGraph<NodeId>> {
        lineage::subgraph::subgraph(&self.database, query).await
    }

    /// The graph around a page of artifacts, in both directions, with whole nodes and their types.
    ///
    /// # Errors
    ///
    /// As [`Self::lineage_subgraph`], and `InvalidArgument` for a node limit that is not positive.
    pub async fn lineage_graph(&self, query: &GraphQuery) -> Result<LineageGraph<Node>> {
        lineage::neighborhood::around_artifacts(&self.database, query).await
    }

    /// The columns from which others were made, or that were made from them (`TraceColumns`).
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for negative limits; `NotFound` for an unknown start.
    pub async fn column_lineage(&self, query: &ColumnQuery) -> Result<ColumnLineage> {
        lineage::columns::trace(&self.database, query).await
    }

    /// Begins a traversal of lineage to any depth, in parts.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a query without starts, negative limits and malformed filters;
    /// `NotFound` when there is no node to start from; `Exhausted` when no permit for a long read
    /// becomes free in time.
    pub async fn trace(&self, query: TraceQuery) -> Result<Trace> {
        Trace::begin(&self.history, query).await
    }
}
