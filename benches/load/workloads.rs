//! What is asked. A request is encoded here, so that every peer gets the same bytes.
//!
//! The store that [`seed`] makes has known ids: a store that was empty numbers nodes and types one after the other. Further
//! workloads, such as the streams of the lineage service, belong into [`all`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pedigree::proto::ml_metadata::list_operation_options::OrderByField;
use pedigree::proto::ml_metadata::list_operation_options::order_by_field::Field;
use pedigree::proto::ml_metadata::{
    GetArtifactTypeRequest, GetArtifactsByIdRequest, GetArtifactsRequest, GetArtifactsResponse,
    GetExecutionsByContextRequest, GetExecutionsRequest, ListOperationOptions,
};
use prost::Message;

use crate::Result;
use crate::peer::Client;

mod lineage;
mod store;
mod task;
mod writes;

pub use store::{more, seed};

/// An encoded request of ML Metadata's service.
pub struct Call {
    pub method: &'static str,
    pub request: Vec<u8>,
}

/// The service that is asked for whether it is there.
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

/// Which client asks, and the number of the operation, which no other operation of the peer has.
#[derive(Clone, Copy)]
pub struct Turn {
    pub client: usize,
    pub number: u64,
}

impl Turn {
    pub fn next(turns: &Arc<AtomicU64>, client: usize) -> Self {
        Self {
            client,
            number: turns.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// One of the numbers from `first`, so many, jumping about.
    const fn pick(self, first: i64, count: i64) -> i64 {
        let mixed = self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        first + mixed.cast_signed() % count
    }
}

/// Something that a client does over and over.
#[derive(Clone, Copy)]
pub struct Workload {
    pub name: &'static str,
    operation: Operation,
    /// Whether it is measured with one client only.
    pub is_slow: bool,
    /// What `benches/limits.py` has by this name.
    pub limit: Option<Limit>,
    /// Whether the released library has it.
    pub is_wheels: bool,
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
    /// What a step of Kubeflow Pipelines asks for.
    Task,
}

impl Workload {
    const fn of(name: &'static str, operation: Operation) -> Self {
        Self {
            name,
            operation,
            is_slow: false,
            limit: None,
            is_wheels: true,
        }
    }

    const fn call(name: &'static str, call: fn(Turn) -> Call) -> Self {
        Self::of(name, Operation::Call(call))
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

    /// Does it once and tells how long that took.
    pub async fn run(&self, client: &mut Client, turn: Turn) -> Result<Duration> {
        if self.limit.is_some()
            && let Some(took) = client.limit(self.name, turn)?
        {
            return Ok(took);
        }
        match self.operation {
            Operation::Call(call) => client.call(&call(turn)).await.map(|(took, _)| took),
            Operation::Pages => pages(client).await,
            Operation::Task => task::run(client, turn).await,
        }
    }
}

/// All workloads. `Record` and `Watch` will be two more.
pub fn all() -> Vec<Workload> {
    vec![
        Workload::call("health check", |_| Call {
            method: HEALTH,
            request: Vec::new(),
        })
        .ours(),
        Workload::call("get_artifact_type", |_| artifact_type()).with_limit(),
        Workload::call("get_artifacts_by_id 1", |turn| artifacts_by_id(turn, 1)).with_limit(),
        Workload::call("get_artifacts_by_id 100", |turn| artifacts_by_id(turn, 100)).with_limit(),
        Workload::call("list 100", |_| list(None)).with_limit(),
        Workload::of("list 10 pages", Operation::Pages),
        Workload::call("filter type+state", |_| {
            executions("type = 'Train' AND last_known_state = RUNNING")
        }),
        Workload::call("filter property", |turn| {
            artifacts(
                [
                    "properties.p0.int_value = ",
                    &turn.pick(1, store::artifact_count()).to_string(),
                ]
                .concat(),
            )
        }),
        Workload::call("filter LIKE", |turn| {
            artifacts(["name LIKE 'a", &turn.pick(10, 90).to_string(), "1%'"].concat())
        }),
        Workload::call("filter context", |turn| {
            executions(
                &[
                    "contexts_a.name = 'run-",
                    &turn.pick(0, store::RUNS).to_string(),
                    "'",
                ]
                .concat(),
            )
        }),
        Workload::call("filter KFP dag", dag),
        Workload::call("lineage chain 100", |_| lineage::chain()),
        Workload::call("lineage random", lineage::random),
        Workload::call("lineage fan-out 10k", |_| lineage::fan_out()).slow(),
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
    ]
}

fn artifact_type() -> Call {
    Call::new(
        "GetArtifactType",
        &GetArtifactTypeRequest {
            type_name: Some("Five".into()),
            ..Default::default()
        },
    )
}

fn artifacts_by_id(turn: Turn, count: i64) -> Call {
    let first = turn.pick(1, store::artifact_count() - count);
    Call::new(
        "GetArtifactsByID",
        &GetArtifactsByIdRequest {
            artifact_ids: (first..first + count).collect(),
            ..Default::default()
        },
    )
}

fn options(size: i32, filter: Option<String>) -> ListOperationOptions {
    ListOperationOptions {
        max_result_size: Some(size),
        order_by_field: Some(OrderByField {
            field: Some(Field::Id.into()),
            is_asc: Some(true),
        }),
        filter_query: filter,
        ..Default::default()
    }
}

fn list(token: Option<String>) -> Call {
    let mut options = options(100, None);
    options.next_page_token = token;
    Call::new(
        "GetArtifacts",
        &GetArtifactsRequest {
            options: Some(options),
            ..Default::default()
        },
    )
}

fn artifacts(filter: String) -> Call {
    Call::new(
        "GetArtifacts",
        &GetArtifactsRequest {
            options: Some(options(100, Some(filter))),
            ..Default::default()
        },
    )
}

fn executions(filter: &str) -> Call {
    Call::new(
        "GetExecutions",
        &GetExecutionsRequest {
            options: Some(options(100, Some(filter.into()))),
            ..Default::default()
        },
    )
}

/// The tasks of a DAG in a run, as the driver of Kubeflow Pipelines looks for them.
fn dag(turn: Turn) -> Call {
    let run = turn.pick(0, store::RUNS);
    let filter = [
        "custom_properties.parent_dag_id.int_value = ",
        &run.to_string(),
    ]
    .concat();
    let request = GetExecutionsByContextRequest {
        context_id: Some(store::run(run)),
        options: Some(options(100, Some(filter))),
        ..Default::default()
    };
    Call::new("GetExecutionsByContext", &request)
}

async fn pages(client: &mut Client) -> Result<Duration> {
    let (mut took, mut token) = (Duration::ZERO, None);
    for _ in 0..10 {
        let (time, answer) = client.call(&list(token.take())).await?;
        took += time;
        token = GetArtifactsResponse::decode(answer.as_slice())?.next_page_token;
        if token.as_deref().is_none_or(str::is_empty) {
            break;
        }
    }
    Ok(took)
}
