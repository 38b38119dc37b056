//! The workloads. Requests are encoded here, so that every peer gets the same bytes.
//!
//! The store that [`seed`] makes has known ids: an empty store numbers nodes and types one after
//! the other.

use std::time::Duration;

use pedigree::proto::GetArtifactsByUriRequest;
use pedigree::proto::ml_metadata::{
    GetArtifactByTypeAndNameRequest, GetArtifactTypeRequest, GetArtifactsByIdRequest,
    GetContextsByExecutionRequest, GetEventsByArtifactIDsRequest,
};
use prost::Message;

use crate::Result;
use crate::client::Client;

mod lineage;
mod lists;
mod openlineage;
mod pages;
mod store;
mod streams;
mod task;
mod writes;

pub use openlineage::batches;
pub use pages::lineage as lineage_page;
pub use store::{EXECUTIONS, more, seed};
pub use streams::Stream;

/// An encoded request of ML Metadata's service.
pub struct Call {
    pub method: &'static str,
    pub request: Vec<u8>,
}

/// The health service.
const HEALTH: &str = "Check";

impl Call {
    fn new(method: &'static str, request: &impl Message) -> Self {
        Self {
            method,
            request: request.encode_to_vec(),
        }
    }

    /// The path of the method over HTTP/2.
    pub fn path(&self) -> String {
        let service = match self.method {
            HEALTH => "grpc.health.v1.Health",
            _ => "ml_metadata.MetadataStoreService",
        };
        ["/", service, "/", self.method].concat()
    }
}

/// The client of an operation, and the operation's number, unique within the peer.
#[derive(Clone, Copy)]
pub struct Turn {
    pub client: usize,
    pub number: u64,
    /// The number of executions in the store beyond those of [`seed`].
    pub more: i64,
    /// The number of runs of OpenLineage that the store was filled with.
    pub runs: u64,
}

impl Turn {
    /// The number of a run of OpenLineage.
    const fn lineage_run(self) -> u64 {
        self.runs + self.number
    }

    /// The number of artifacts, without those that workloads put.
    const fn artifacts(self) -> i64 {
        store::ARTIFACTS + 2 * self.more
    }

    /// One of these artifacts.
    const fn artifact(self) -> i64 {
        self.pick(1, self.artifacts())
    }

    /// One of the executions.
    const fn execution(self) -> i64 {
        self.pick(1, store::EXECUTIONS + self.more)
    }

    /// The number of a run.
    const fn run(self) -> i64 {
        self.pick(0, store::RUNS + self.more / store::TASKS)
    }

    /// One of `count` numbers from `first` on, in a scattered order.
    const fn pick(self, first: i64, count: i64) -> i64 {
        let mixed = self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        first + mixed.cast_signed() % count
    }
}

/// An operation that clients repeat.
#[derive(Clone, Copy)]
pub struct Workload {
    pub name: &'static str,
    operation: Operation,
    /// The number of operations that a client has in flight.
    pub window: usize,
    /// Whether it is measured with one client only.
    pub is_slow: bool,
    /// What the store must have.
    pub needed: Option<Needed>,
    /// The operation of this name in `benches/limits.py`.
    pub limit: Option<Limit>,
    /// Whether the released library supports it.
    pub is_wheels: bool,
    /// Another workload of the same server, measured in turns with it like a peer.
    pub beside: Option<&'static Workload>,
}

/// What not every store has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// The history of changes.
    History,
    /// Runs of OpenLineage.
    LineageRuns,
}

/// What the limit of a workload is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Read,
    /// A bulk load, which every database has a tool for.
    Load,
}

#[derive(Clone, Copy)]
enum Operation {
    /// One request.
    Call(fn(Turn) -> Call),
    /// A list from its first page to its last, or to the tenth.
    Pages,
    /// A page from somewhere in a list by time.
    Page,
    /// A list without options, read slowly.
    Everything,
    /// What a step of Kubeflow Pipelines asks for.
    Task,
    /// A message of a stream.
    Record,
    /// An event of OpenLineage.
    Event,
    /// A message of a stream with the facts of such an event.
    RecordedEvent,
    /// What the last run of a job of OpenLineage has read.
    JobLineage,
    /// The time from a write to its arrival at a watcher.
    Watch,
    /// Changes of the past.
    History,
    /// A page of the web interface, by its path.
    WebPage(fn(Turn) -> String),
}

/// A round trip without work.
const HEALTH_CHECK: Workload = Workload::call("health check", |_| Call {
    method: HEALTH,
    request: Vec::new(),
})
.ours();

/// What [`Operation::Event`] stores, a message each.
const EVENT_AS_MESSAGE: Workload = Workload::of("record", Operation::RecordedEvent).ours();

/// What [`Operation::Record`] stores, a call each.
const RECORD_AS_CALLS: Workload = Workload::call("calls", streams::call).ours();

impl Workload {
    const fn of(name: &'static str, operation: Operation) -> Self {
        Self {
            name,
            operation,
            window: 1,
            is_slow: false,
            needed: None,
            limit: None,
            is_wheels: true,
            beside: None,
        }
    }

    const fn call(name: &'static str, call: fn(Turn) -> Call) -> Self {
        Self::of(name, Operation::Call(call))
    }

    const fn page(name: &'static str, path: fn(Turn) -> String) -> Self {
        Self::of(name, Operation::WebPage(path)).ours()
    }

    const fn slow(mut self) -> Self {
        self.is_slow = true;
        self
    }

    const fn with_limit(mut self) -> Self {
        self.limit = Some(Limit::Read);
        self
    }

    const fn with_load(mut self) -> Self {
        self.limit = Some(Limit::Load);
        self
    }

    const fn ours(mut self) -> Self {
        self.is_wheels = false;
        self
    }

    const fn history(mut self) -> Self {
        self.needed = Some(Needed::History);
        self.ours()
    }

    const fn of_runs(mut self) -> Self {
        self.needed = Some(Needed::LineageRuns);
        self.ours()
    }

    const fn beside(mut self, other: &'static Self) -> Self {
        self.beside = Some(other);
        self
    }

    const fn with_window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// Whether its clients open streams, or read answers part by part.
    pub const fn is_stream(&self) -> bool {
        use Operation::{Everything, History, Record, RecordedEvent, Watch};
        matches!(
            self.operation,
            Everything | History | Record | RecordedEvent | Watch
        )
    }

    /// Runs the operation once and returns its duration.
    pub async fn run(&self, client: &mut Client, turn: Turn) -> Result<Duration> {
        if self.limit.is_some()
            && let Some(took) = client.limit(self.name, turn)?
        {
            return Ok(took);
        }
        match self.operation {
            Operation::Call(call) => client.call(&call(turn)).await.map(|(took, _)| took),
            Operation::Pages => lists::pages(client).await,
            Operation::Page => lists::page_by_time(client, turn).await,
            Operation::Everything => lists::everything(client.connection()?).await,
            Operation::Task => task::run(client, turn).await,
            Operation::Record => streams::record(client.connection()?, turn).await,
            Operation::Event => openlineage::event(client, turn).await,
            Operation::RecordedEvent => streams::record_event(client.connection()?, turn).await,
            Operation::JobLineage => openlineage::lineage(client, turn).await,
            Operation::Watch => streams::watch(client.connection()?, turn).await,
            Operation::History => streams::history(client.connection()?).await,
            Operation::WebPage(path) => client.connection()?.visit(&path(turn)).await,
        }
    }
}

/// All workloads.
pub fn all() -> Vec<Workload> {
    let mut all = reads();
    all.extend(pages::all());
    all.extend(writes());
    all
}

fn reads() -> Vec<Workload> {
    vec![
        HEALTH_CHECK,
        Workload::call("get_artifact_type", |_| first_call())
            .with_limit()
            .beside(&HEALTH_CHECK),
        Workload::call("get_artifacts_by_id 1", |turn| artifacts_by_id(turn, 1))
            .with_limit()
            .beside(&HEALTH_CHECK),
        Workload::call("get_artifacts_by_id 100", |turn| artifacts_by_id(turn, 100)).with_limit(),
        Workload::call("get_artifact by name", artifact_by_name),
        Workload::call("get_artifacts by uri", artifacts_by_uri),
        Workload::call("get_events of artifact", events),
        Workload::call("get_contexts of execution", contexts),
        Workload::call("list 100", |_| lists::artifacts(None, None)).with_limit(),
        Workload::call("list 100 from anywhere", |turn| {
            lists::artifacts(Some(lists::behind(turn.artifact())), None)
        }),
        Workload::of("list 100 by time, anywhere", Operation::Page),
        Workload::of("list 10 pages", Operation::Pages),
        Workload::call("list 100 in a pipeline", lists::in_pipeline),
        Workload::of("list all, read slowly", Operation::Everything)
            .ours()
            .slow(),
        Workload::call("filter type+state", |_| lists::by_type_and_state()),
        Workload::call("filter property", |turn| {
            lists::by_property(turn.artifact())
        }),
        Workload::call("filter LIKE", lists::by_pattern),
        Workload::call("filter context", lists::by_context),
        Workload::call("filter KFP dag", lists::of_dag),
        Workload::call("lineage chain 100", |_| lineage::chain()),
        Workload::call("lineage random", lineage::random),
        Workload::call("lineage fan-out 10k", |_| lineage::fan_out()).slow(),
    ]
}

fn writes() -> Vec<Workload> {
    vec![
        Workload::call("put_artifacts 1x5", |turn| writes::artifacts(turn, 1, 5)),
        Workload::call("put_artifacts 1x20", |turn| writes::artifacts(turn, 1, 20)),
        Workload::call("put_artifacts 100x5", |turn| {
            writes::artifacts(turn, 100, 5)
        }),
        Workload::call("put_artifacts 100x20", |turn| {
            writes::artifacts(turn, 100, 20)
        })
        .slow(),
        Workload::call("put_artifacts 10000x5", |turn| {
            writes::artifacts(turn, 10_000, 5)
        })
        .slow()
        .with_load(),
        Workload::call("put_artifacts 10000x20", |turn| {
            writes::artifacts(turn, 10_000, 20)
        })
        .slow()
        .with_load(),
        Workload::call("put_execution", |turn| {
            writes::execution(turn, turn.client.cast_signed() as i64)
        }),
        Workload::call("put_execution contended", |turn| writes::execution(turn, 0)),
        Workload::of("kfp task", Operation::Task),
        Workload::of("record", Operation::Record)
            .ours()
            .with_window(streams::UNANSWERED_MESSAGES)
            .beside(&RECORD_AS_CALLS),
        Workload::of("openlineage event", Operation::Event)
            .ours()
            .beside(&EVENT_AS_MESSAGE),
        Workload::of("openlineage lineage of a job", Operation::JobLineage).of_runs(),
        Workload::of("watch", Operation::Watch).history(),
        Workload::of("watch 10k of history", Operation::History)
            .history()
            .slow(),
    ]
}

/// The first request to a server that starts.
pub fn first_call() -> Call {
    Call::new(
        "GetArtifactType",
        &GetArtifactTypeRequest {
            type_name: Some("Five".into()),
            ..Default::default()
        },
    )
}

fn artifacts_by_id(turn: Turn, count: i64) -> Call {
    let first = turn.pick(1, turn.artifacts() - count);
    Call::new(
        "GetArtifactsByID",
        &GetArtifactsByIdRequest {
            artifact_ids: (first..first + count).collect(),
            ..Default::default()
        },
    )
}

fn artifact_by_name(turn: Turn) -> Call {
    Call::new(
        "GetArtifactByTypeAndName",
        &GetArtifactByTypeAndNameRequest {
            type_name: Some("Five".into()),
            artifact_name: Some(store::artifact_name(turn.artifact())),
            ..Default::default()
        },
    )
}

fn artifacts_by_uri(turn: Turn) -> Call {
    Call::new(
        "GetArtifactsByURI",
        &GetArtifactsByUriRequest {
            uris: vec![store::artifact_uri(turn.artifact())],
            ..Default::default()
        },
    )
}

fn events(turn: Turn) -> Call {
    Call::new(
        "GetEventsByArtifactIDs",
        &GetEventsByArtifactIDsRequest {
            artifact_ids: vec![turn.artifact()],
            ..Default::default()
        },
    )
}

fn contexts(turn: Turn) -> Call {
    Call::new(
        "GetContextsByExecution",
        &GetContextsByExecutionRequest {
            execution_id: Some(turn.execution()),
            ..Default::default()
        },
    )
}
