//! The time that a plan of a reproduction takes: a chain of 1,000 steps, each with all facts. First
//! the plan alone, then the whole call over gRPC, with what it reads.
//!
//! ```sh
//! cargo bench --bench plan                          # on a SQLite file
//! cargo bench --bench plan -- postgres://…/plan     # on a new database of a server
//! cargo bench --bench plan --profile dev            # the same in a debug build
//! ```

use std::env;
use std::path::Path;
use std::time::{Duration, Instant};

use pedigree::model::{Event, EventType, Node, NodeContent, Properties, Step, Value};
use pedigree::proto::ml_metadata as pb;
use pedigree::proto::ml_metadata::metadata_store_service_client::MetadataStoreServiceClient;
use pedigree::proto::pedigree::reproduction::v1::PlanRequest;
use pedigree::proto::pedigree::reproduction::v1::reproduction_service_client::ReproductionServiceClient;
use pedigree::reproduce::{ArtifactLineage, PlanOptions, plan};
use tonic::transport::Channel;

#[path = "load/server.rs"]
#[expect(dead_code, reason = "the load tool uses more of it")]
mod server;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The steps of the chain.
const CHAIN_STEPS: i64 = 1000;

/// How often the plan is made. The fastest and the median are printed.
const ROUNDS: usize = 15;

/// The facts of a step.
fn facts() -> [(&'static str, String); 5] {
    [
        (
            "command",
            r#"["train", "{in:raw}", "{out:model}", "{param:seed}"]"#.to_owned(),
        ),
        ("param.seed", "7".to_owned()),
        ("code.repository", "https://host/code.git".to_owned()),
        ("code.commit", "0".repeat(40)),
        (
            "environment.image",
            format!("host/train@sha256:{}", "0".repeat(64)),
        ),
    ]
}

fn uri(id: i64) -> String {
    format!("s3://bucket/{id}")
}

fn digest(id: i64) -> (&'static str, String) {
    ("digest", format!("sha256:{id:064x}"))
}

fn node(id: i64, type_name: &str, facts: &[(&str, String)]) -> Node {
    let facts = facts.iter();
    let facts = facts.map(|(name, value)| ((*name).to_owned(), Value::String(value.clone())));
    Node {
        id,
        type_id: 1,
        type_name: Some(type_name.to_owned()),
        content: NodeContent {
            uri: Some(uri(id)),
            custom_properties: facts.collect::<Properties>(),
            ..NodeContent::default()
        },
        create_time: id,
        update_time: id,
    }
}

fn chain() -> ArtifactLineage {
    let mut lineage = ArtifactLineage::default();
    for id in 0..=CHAIN_STEPS {
        lineage
            .artifacts
            .insert(id, node(id, "Data", &[digest(id)]));
    }
    for id in 1..=CHAIN_STEPS {
        lineage.executions.insert(id, node(id, "Train", &facts()));
        for (artifact_id, event_type, role) in [
            (id - 1, EventType::Input, "raw"),
            (id, EventType::Output, "model"),
        ] {
            lineage.events.push(Event {
                artifact_id,
                execution_id: id,
                event_type,
                milliseconds: None,
                path: vec![Step::Key(role.to_owned())],
            });
        }
    }
    lineage
}

fn text(value: &str) -> pb::Value {
    pb::Value {
        value: Some(pb::value::Value::StringValue(value.to_owned())),
    }
}

/// Stores the chain by ML Metadata's calls, and returns the id of its last artifact.
async fn store_chain(channel: Channel) -> Result<i64> {
    let mut client = MetadataStoreServiceClient::new(channel);
    let data = pb::ArtifactType {
        name: Some("Data".to_owned()),
        ..Default::default()
    };
    let put = pb::PutArtifactTypeRequest {
        artifact_type: Some(data),
        ..Default::default()
    };
    let data = client.put_artifact_type(put).await?.into_inner().type_id;
    let train = pb::ExecutionType {
        name: Some("Train".to_owned()),
        ..Default::default()
    };
    let put = pb::PutExecutionTypeRequest {
        execution_type: Some(train),
        ..Default::default()
    };
    let train = client.put_execution_type(put).await?.into_inner().type_id;
    let artifact = |id: i64| {
        let (name, value) = digest(id);
        pb::Artifact {
            type_id: data,
            uri: Some(uri(id)),
            custom_properties: [(name.to_owned(), text(&value))].into(),
            ..Default::default()
        }
    };
    let put = pb::PutArtifactsRequest {
        artifacts: vec![artifact(0)],
        ..Default::default()
    };
    let first = client.put_artifacts(put).await?.into_inner().artifact_ids;
    let mut last = first.first().copied().ok_or("the artifact has no id")?;
    for id in 1..=CHAIN_STEPS {
        let event = |role: &str, event_type: pb::event::Type| pb::Event {
            r#type: Some(event_type.into()),
            path: Some(pb::event::Path {
                steps: vec![pb::event::path::Step {
                    value: Some(pb::event::path::step::Value::Key(role.to_owned())),
                }],
            }),
            ..Default::default()
        };
        let input = pb::Event {
            artifact_id: Some(last),
            ..event("raw", pb::event::Type::Input)
        };
        let facts = facts();
        let facts = facts.iter();
        let put = pb::PutExecutionRequest {
            execution: Some(pb::Execution {
                type_id: train,
                last_known_state: Some(pb::execution::State::Complete.into()),
                custom_properties: facts
                    .map(|(name, value)| ((*name).to_owned(), text(value)))
                    .collect(),
                ..Default::default()
            }),
            artifact_event_pairs: vec![
                pb::put_execution_request::ArtifactAndEvent {
                    artifact: None,
                    event: Some(input),
                },
                pb::put_execution_request::ArtifactAndEvent {
                    artifact: Some(artifact(id)),
                    event: Some(event("model", pb::event::Type::Output)),
                },
            ],
            ..Default::default()
        };
        let stored = client.put_execution(put).await?.into_inner();
        last = *stored.artifact_ids.last().ok_or("the output has no id")?;
    }
    Ok(last)
}

/// Prints the fastest and the median of some times.
fn print(what: &str, steps: usize, mut times: Vec<Duration>) {
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let fastest = times.first().copied().unwrap_or_default();
    println!("{what} of {steps} steps: {fastest:?} at best, {median:?} in the median");
}

/// Measures the whole call on the database at a URL.
async fn call(url: &str) -> Result<()> {
    let program = Path::new(env!("CARGO_BIN_EXE_pedigree"));
    let server = server::Server::start(program, url, &[])?;
    let artifact_id = store_chain(server.channel()).await?;
    let client = ReproductionServiceClient::new(server.channel());
    let mut client = client.max_decoding_message_size(usize::MAX);
    let request = PlanRequest {
        artifact_id,
        ..Default::default()
    };
    let mut times = Vec::with_capacity(ROUNDS);
    let mut steps = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let made = client.plan(request.clone()).await?.into_inner();
        times.push(start.elapsed());
        steps = made.steps.len();
    }
    print("a call for a plan", steps, times);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let lineage = chain();
    let options = PlanOptions::default();
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let made = plan(&lineage, CHAIN_STEPS, &options);
        (start.elapsed(), made.map_or(0, |plan| plan.steps.len()))
    });
    let (times, steps): (Vec<_>, Vec<_>) = rounds.unzip();
    print("a plan", steps.first().copied().unwrap_or_default(), times);
    // `cargo bench` adds flags.
    let mut given = env::args().skip(1).filter(|it| !it.starts_with("--"));
    if let Some(url) = given.next() {
        return call(&url).await;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("plan.db");
    call(&format!("sqlite:{}", file.display())).await
}
