//! Measures lineage as a stream: how late a watcher hears of a write through another server, how fast run events are stored against the
//! same runs as single calls, and what the history costs writers that nobody watches. `benches/README.md` has the commands.

#[path = "../common/server.rs"]
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use hdrhistogram::Histogram;
use pedigree::proto::ml_metadata::metadata_store_service_client::MetadataStoreServiceClient;
use pedigree::proto::ml_metadata::put_execution_request::ArtifactAndEvent;
use pedigree::proto::ml_metadata::{
    Artifact, Event, Execution, PutArtifactTypeRequest, PutArtifactsRequest, PutExecutionRequest,
    PutExecutionTypeRequest, event,
};
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::run_event::Moment;
use pedigree::proto::pedigree::lineage::v1::{
    ArtifactUse, RecordRequest, RunEvent, Subject, TypePolicy, WatchRequest, artifact_use, change,
};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;

use server::Server;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures lineage as a stream.
#[derive(Parser)]
struct Arguments {
    /// URLs of two databases, which are created.
    #[arg(long, num_args = 2, required = true)]
    databases: Vec<String>,
    /// How long each measurement lasts.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// How many clients, or streams.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How often the sides of a comparison take turns.
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let time = Duration::from_secs_f64(arguments.seconds);
    let [with, without] = arguments.databases.as_slice() else {
        return Err("give two databases".into());
    };
    let first = Server::start(with, &[])?;
    let types = put_types(&first).await?;
    let turn = time / u32::try_from(arguments.repeat)?;
    // At first, when both stores are new, and in turns, so that they grow alike.
    let bare = Server::start(without, &["--history", "0"])?;
    let bare_types = put_types(&bare).await?;
    for clients in [1, arguments.clients] {
        let (mut on, mut off) = (Vec::new(), Vec::new());
        for number in 0..arguments.repeat {
            let number = 1000 * clients + number;
            on.push(put_executions(&first, types, clients, turn, number).await?);
            off.push(put_executions(&bare, bare_types, clients, turn, number).await?);
        }
        let (on, off) = (median(on), median(off));
        println!(
            "PutExecution, {clients} clients: {off:.0}/s without history, {on:.0}/s with, {:.3} x",
            on / off
        );
    }
    drop(bare);
    if with.starts_with("sqlite") {
        delay("one server", &first, &first, types, time).await?;
    } else {
        let second = Server::start(with, &[])?;
        delay("through the other server", &first, &second, types, time).await?;
    }
    let (mut calls, mut streams) = (Vec::new(), Vec::new());
    for number in 0..arguments.repeat {
        calls.push(put_executions(&first, types, arguments.clients, turn, number).await?);
        streams.push(record(&first, arguments.clients, turn, number).await?);
    }
    let (calls, streams) = (median(calls), median(streams));
    println!(
        "runs with one input and one output, {} clients: {calls:.0}/s as PutExecution, {streams:.0}/s as run events, {:.2} x",
        arguments.clients,
        streams / calls
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", first.pid()))?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
    println!("the server with history: {}", peak.unwrap_or("?"));
    Ok(())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The ids of an artifact type and an execution type.
type Types = (i64, i64);

async fn put_types(server: &Server) -> Result<Types> {
    let mut client = MetadataStoreServiceClient::new(server.channel().await?);
    let mut artifact = PutArtifactTypeRequest::default();
    artifact.artifact_type.get_or_insert_default().name = Some("Data".into());
    let mut execution = PutExecutionTypeRequest::default();
    execution.execution_type.get_or_insert_default().name = Some("Train".into());
    let artifact = client.put_artifact_type(artifact).await?.into_inner();
    let execution = client.put_execution_type(execution).await?.into_inner();
    Ok((artifact.type_id(), execution.type_id()))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// Writes 200 artifacts a second through one server, each with the time in its URI, and watches for them at another.
async fn delay(what: &str, from: &Server, to: &Server, types: Types, time: Duration) -> Result<()> {
    let mut client = MetadataStoreServiceClient::new(from.channel().await?);
    let request = WatchRequest {
        subjects: vec![Subject::Artifact.into()],
        heartbeat: 500,
        ..WatchRequest::default()
    };
    let mut watcher = LineageServiceClient::new(to.channel().await?);
    let mut changes = watcher.watch(request).await?.into_inner();
    let end = Instant::now() + time;
    let writing = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(5));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut written = 0_u64;
        while Instant::now() < end {
            ticks.tick().await;
            let node = Artifact {
                type_id: Some(types.0),
                uri: Some(now().to_string()),
                ..Artifact::default()
            };
            let put = PutArtifactsRequest {
                artifacts: vec![node],
                ..PutArtifactsRequest::default()
            };
            client.put_artifacts(put).await?;
            written += 1;
        }
        Result::Ok(written)
    });
    let mut delays = Histogram::<u64>::new(3)?;
    while let Some(response) = changes.message().await? {
        for change in &response.changes {
            if let Some(change::Subject::Artifact(node)) = &change.subject {
                delays.record(now().saturating_sub(node.uri().parse()?))?;
            }
        }
        if response.changes.is_empty() && writing.is_finished() {
            break;
        }
    }
    let written = writing.await??;
    println!(
        "from the request to the watcher, {what}: {} of {written} seen, p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
        delays.len(),
        milliseconds(delays.value_at_quantile(0.5)),
        milliseconds(delays.value_at_quantile(0.99)),
        milliseconds(delays.max()),
    );
    Ok(())
}

fn milliseconds(microseconds: u64) -> f64 {
    Duration::from_micros(microseconds).as_secs_f64() * 1000.0
}

/// Runs a second, each a call. The number makes the names new.
async fn put_executions(
    server: &Server,
    types: Types,
    clients: usize,
    time: Duration,
    number: usize,
) -> Result<f64> {
    let end = Instant::now() + time;
    let mut tasks = Vec::new();
    for task in 0..clients {
        let mut client = MetadataStoreServiceClient::new(server.channel().await?);
        tasks.push(tokio::spawn(async move {
            let mut done = 0_u32;
            while Instant::now() < end {
                let name = format!("call {number} {task} {done}");
                client.put_execution(run_of(types, &name)).await?;
                done += 1;
            }
            Result::Ok(done)
        }));
    }
    rate(tasks, time).await
}

async fn rate(tasks: Vec<tokio::task::JoinHandle<Result<u32>>>, time: Duration) -> Result<f64> {
    let began = Instant::now();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    Ok(f64::from(done) / began.elapsed().max(time).as_secs_f64())
}

fn run_of((artifact, execution): Types, name: &str) -> PutExecutionRequest {
    let pair = |end: &str, kind: event::Type| ArtifactAndEvent {
        artifact: Some(Artifact {
            type_id: Some(artifact),
            name: Some(format!("{name} {end}")),
            ..Artifact::default()
        }),
        event: Some(Event {
            r#type: Some(kind.into()),
            ..Event::default()
        }),
    };
    PutExecutionRequest {
        execution: Some(Execution {
            type_id: Some(execution),
            name: Some(name.to_owned()),
            ..Execution::default()
        }),
        artifact_event_pairs: vec![
            pair("in", event::Type::Input),
            pair("out", event::Type::Output),
        ],
        ..PutExecutionRequest::default()
    }
}

/// How many messages of a stream wait for their answers.
const WINDOW: usize = 512;

/// Runs a second, each a message of one of the streams.
async fn record(server: &Server, streams: usize, time: Duration, number: usize) -> Result<f64> {
    let end = Instant::now() + time;
    let mut tasks = Vec::new();
    for task in 0..streams {
        let mut client = LineageServiceClient::new(server.channel().await?);
        tasks.push(tokio::spawn(async move {
            let (sender, receiver) = mpsc::channel(WINDOW);
            let room = Arc::new(Semaphore::new(WINDOW));
            let answered = room.clone();
            let sending = tokio::spawn(async move {
                let mut sent = 0_u32;
                while Instant::now() < end {
                    let Ok(place) = room.acquire().await else {
                        break;
                    };
                    place.forget();
                    let id = format!("stream {number} {task} {sent}");
                    if sender.send(event_of(&id)).await.is_err() {
                        break;
                    }
                    sent += 1;
                }
            });
            let responses = client.record(ReceiverStream::new(receiver)).await?;
            let mut responses = responses.into_inner();
            let mut done = 0;
            while let Some(response) = responses.message().await? {
                if let Some(status) = response.refused {
                    return Err(status.message.into());
                }
                done += 1;
                answered.add_permits(1);
            }
            sending.await?;
            Result::Ok(done)
        }));
    }
    rate(tasks, time).await
}

fn event_of(name: &str) -> RecordRequest {
    let artifact = |end: &str| ArtifactUse {
        r#type: "Data".into(),
        identity: Some(artifact_use::Identity::Name(format!("{name} {end}"))),
        ..ArtifactUse::default()
    };
    let event = RunEvent {
        moment: Moment::Complete.into(),
        type_policy: TypePolicy::MustExist.into(),
        r#type: "Train".into(),
        name: name.to_owned(),
        inputs: vec![artifact("in")],
        outputs: vec![artifact("out")],
        ..RunEvent::default()
    };
    RecordRequest {
        id: name.to_owned(),
        event_time: None,
        change: Some(Change::Run(event)),
    }
}
