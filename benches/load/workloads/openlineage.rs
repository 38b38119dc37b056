//! Events of OpenLineage, and messages of `Record` with the same facts.
//!
//! Runs of a thousand jobs in ten layers: each run reads what the last runs of two jobs of the
//! layer before wrote, and writes a version of its job's dataset.

use std::time::Duration;

use pedigree::proto::ml_metadata::lineage_subgraph_query_options::{
    Direction, StartingNodes, StartingNodesOneOf,
};
use pedigree::proto::ml_metadata::{
    GetContextByTypeAndNameRequest, GetContextByTypeAndNameResponse, GetExecutionsByContextRequest,
    GetExecutionsByContextResponse, GetLineageSubgraphRequest, LineageSubgraphQueryOptions,
    ListOperationOptions, Value, value,
};
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::run_event::Type;
use pedigree::proto::pedigree::lineage::v1::{
    ArtifactRef, ContextRef, RecordRequest, RunEvent, TypePolicy, artifact_ref,
};
use prost::Message;
use serde_json::json;

use super::{Call, Turn};
use crate::Result;
use crate::client::Client;

const JOBS: u64 = 1_000;
const JOBS_OF_A_LAYER: u64 = 100;

/// Runs of a batch that fills a store.
const BATCH_RUNS: u64 = 500;

/// The start of the first run, in seconds since the epoch.
const FIRST_START_SECOND: i64 = 1_600_000_000;

/// Facts about the run of a number.
struct Facts {
    number: u64,
    job: u64,
}

impl Facts {
    const fn of(number: u64) -> Self {
        // Neighbors are of different jobs, and a job's runs are far from each other.
        let job = number.wrapping_mul(389) % JOBS;
        Self { number, job }
    }

    /// The jobs whose data it reads; `None` for the sources of the first layer.
    fn read(&self) -> [String; 2] {
        let layer = self.job / JOBS_OF_A_LAYER;
        let read = |seed: u64| match layer.checked_sub(1) {
            Some(before) => {
                let job = before * JOBS_OF_A_LAYER + self.job.wrapping_mul(seed) % JOBS_OF_A_LAYER;
                path_of(job)
            }
            None => ["raw/", &(self.job + seed).to_string()].concat(),
        };
        [read(1), read(7)]
    }

    fn written(&self) -> String {
        path_of(self.job)
    }

    fn run_id(&self) -> String {
        format!("01980000-0000-7000-8000-{:012x}", self.number)
    }

    fn job_name(&self) -> String {
        job_name(self.job)
    }

    /// The end of the run: runs of later numbers end later.
    fn ended(&self) -> Result<String> {
        let second = FIRST_START_SECOND + self.number.cast_signed();
        let ended = time::OffsetDateTime::from_unix_timestamp(second)?;
        let (hour, minute, second) = ended.to_hms();
        Ok(format!(
            "{}T{hour:02}:{minute:02}:{second:02}Z",
            ended.date()
        ))
    }

    /// The event that ends the run, with ten columns of each dataset.
    fn event(&self) -> Result<serde_json::Value> {
        const PRODUCER: &str = "https://example.com/bench";
        let facet = |name: &str| {
            let url = ["https://openlineage.io/spec/facets/1-0-0/", name, ".json"].concat();
            json!({"_producer": PRODUCER, "_schemaURL": url})
        };
        let with = |name: &str, more: serde_json::Value| {
            let mut facet = facet(name);
            if let (Some(facet), serde_json::Value::Object(more)) = (facet.as_object_mut(), more) {
                facet.extend(more);
            }
            facet
        };
        let fields: Vec<_> = (0..10)
            .map(|n| json!({"name": format!("column_{n}"), "type": "STRING"}))
            .collect();
        let dataset = |path: String| {
            json!({
                "namespace": NAMESPACE,
                "name": path,
                "facets": {"schema": with("SchemaDatasetFacet", json!({"fields": fields}))},
            })
        };
        let mut output = dataset(self.written());
        output["outputFacets"] = json!({
            "outputStatistics":
                with("OutputStatisticsOutputDatasetFacet", json!({"rowCount": self.number})),
        });
        Ok(json!({
            "eventType": "COMPLETE",
            "eventTime": self.ended()?,
            "producer": PRODUCER,
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": self.run_id(), "facets": {
                "processing_engine":
                    with("ProcessingEngineRunFacet", json!({"name": "bench", "version": "1.0"})),
            }},
            "job": {"namespace": JOB_NAMESPACE, "name": self.job_name(), "facets": {
                "jobType": with("JobTypeJobFacet", json!({
                    "processingType": "BATCH", "integration": "BENCH", "jobType": "TASK",
                })),
            }},
            "inputs": self.read().map(dataset),
            "outputs": [output],
        }))
    }
}

const NAMESPACE: &str = "s3://bench";
const JOB_NAMESPACE: &str = "bench";

fn path_of(job: u64) -> String {
    ["dataset/", &job.to_string()].concat()
}

fn job_name(job: u64) -> String {
    ["job-", &job.to_string()].concat()
}

/// A run that ends, as one event.
pub async fn event(client: &Client, turn: Turn) -> Result<Duration> {
    let event = Facts::of(turn.lineage_run()).event()?;
    let body = serde_json::to_vec(&event)?;
    client.connection()?.post("/api/v1/lineage", body).await
}

/// A message of `Record` with the facts of that event.
pub fn message(id: String, turn: Turn) -> RecordRequest {
    let facts = Facts::of(turn.lineage_run());
    let text = |value: &str| Value {
        value: Some(value::Value::StringValue(value.to_owned())),
    };
    let number = |value: i64| Value {
        value: Some(value::Value::IntValue(value)),
    };
    let dataset = |path: &str, version: &str| ArtifactRef {
        r#type: "recorded.Dataset".into(),
        identity: Some(artifact_ref::Identity::Name([path, version].concat())),
        uri: Some([NAMESPACE, "/", path].concat()),
        custom_properties: [
            ("schema_digest".to_owned(), text("sha256:0123456789abcdef")),
            ("field_count".to_owned(), number(10)),
        ]
        .into(),
        ..ArtifactRef::default()
    };
    let context = |name: String| ContextRef {
        r#type: "recorded.Job".into(),
        name,
        custom_properties: [
            ("integration".to_owned(), text("BENCH")),
            ("job_type".to_owned(), text("TASK")),
            ("processing_type".to_owned(), text("BATCH")),
        ]
        .into(),
        ..ContextRef::default()
    };
    let mut output = dataset(&facts.written(), &["@", &facts.run_id()].concat());
    output
        .custom_properties
        .insert("rows".to_owned(), number(facts.number.cast_signed()));
    let event = RunEvent {
        event_type: Type::Complete.into(),
        type_policy: TypePolicy::Create.into(),
        r#type: "recorded.Run".into(),
        external_id: ["recorded:", &facts.run_id()].concat(),
        contexts: vec![context(facts.job_name())],
        inputs: facts.read().iter().map(|path| dataset(path, "")).collect(),
        outputs: vec![output],
        custom_properties: [
            ("engine".to_owned(), text("bench")),
            ("engine_version".to_owned(), text("1.0")),
            ("producer".to_owned(), text("https://example.com/bench")),
        ]
        .into(),
        ..RunEvent::default()
    };
    RecordRequest {
        id,
        change: Some(Change::Run(event)),
        ..RecordRequest::default()
    }
}

/// What the last run of a job read, directly and through two runs before it: the job, its last
/// run, and the subgraph.
pub async fn lineage(client: &mut Client, turn: Turn) -> Result<Duration> {
    let job = turn.pick(0, JOBS.cast_signed()).cast_unsigned();
    let request = GetContextByTypeAndNameRequest {
        type_name: Some("openlineage.Job".into()),
        context_name: Some([JOB_NAMESPACE, "/", &job_name(job)].concat()),
        ..Default::default()
    };
    let (first, answer) = client
        .call(&Call::new("GetContextByTypeAndName", &request))
        .await?;
    let context = GetContextByTypeAndNameResponse::decode(answer)?.context;
    let request = GetExecutionsByContextRequest {
        context_id: context.and_then(|context| context.id),
        options: Some(ListOperationOptions {
            max_result_size: Some(1),
            ..Default::default()
        }),
        ..Default::default()
    };
    let (second, answer) = client
        .call(&Call::new("GetExecutionsByContext", &request))
        .await?;
    let run = GetExecutionsByContextResponse::decode(answer)?
        .executions
        .pop()
        .and_then(|execution| execution.id)
        .ok_or("a job has no run; fill the store by --lineage-runs")?;
    let start = StartingNodes {
        filter_query: Some(["id = ", &run.to_string()].concat()),
    };
    let options = LineageSubgraphQueryOptions {
        starting_nodes: Some(StartingNodesOneOf::StartingExecutions(start)),
        max_num_hops: Some(5),
        direction: Some(Direction::Upstream.into()),
        ..Default::default()
    };
    let request = GetLineageSubgraphRequest {
        lineage_subgraph_query_options: Some(options),
        ..Default::default()
    };
    let (third, _) = client
        .call(&Call::new("GetLineageSubgraph", &request))
        .await?;
    Ok(first + second + third)
}

/// The bodies of batches that store `runs` runs.
pub fn batches(runs: u64) -> impl Iterator<Item = Result<Vec<u8>>> {
    (0..runs.div_ceil(BATCH_RUNS)).map(move |batch| {
        let first = batch * BATCH_RUNS;
        let numbers = first..runs.min(first + BATCH_RUNS);
        let events: Result<Vec<_>> = numbers.map(|number| Facts::of(number).event()).collect();
        Ok(serde_json::to_vec(&events?)?)
    })
}
