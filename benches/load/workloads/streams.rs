//! The streams of the lineage service: runs as messages, the delay from a write to a watcher, and
//! reading the history.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pedigree::proto::ml_metadata::put_execution_request::ArtifactAndEvent;
use pedigree::proto::ml_metadata::{
    Artifact, Event, Execution, PutArtifactsRequest, PutExecutionRequest, Value, artifact, event,
    execution, value,
};
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::run_event::Type;
use pedigree::proto::pedigree::lineage::v1::watch_request::{Since, Start};
use pedigree::proto::pedigree::lineage::v1::{
    ArtifactRef, RecordRequest, RecordResponse, RunEvent, Subject, TypePolicy, WatchRequest,
    WatchResponse, artifact_ref, change,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Streaming;

use super::{Call, Turn, openlineage, store};
use crate::Result;
use crate::client::Connection;

/// The number of messages of a stream that await their answers.
pub const UNANSWERED_MESSAGES: usize = 256;

/// The maximum time that a message awaits its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// A response of a stream, and whether it is a refusal.
type Heard = (String, std::result::Result<(), String>);

/// A stream of a client, and the keys that operations wait for.
pub struct Stream {
    messages: Option<mpsc::Sender<RecordRequest>>,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Heard>>>>,
    _reading: AbortOnDropHandle<()>,
}

impl Stream {
    async fn record(connection: &Connection) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(UNANSWERED_MESSAGES);
        let mut client = LineageServiceClient::new(connection.channel.clone());
        let responses = client.record(ReceiverStream::new(receiver)).await?;
        let heard = |response: RecordResponse| {
            let outcome = response
                .refused
                .map_or(Ok(()), |status| Err(status.message));
            vec![(response.id, outcome)]
        };
        Ok(Self::of(Some(sender), responses.into_inner(), heard))
    }

    async fn watch(connection: &Connection) -> Result<Self> {
        let mut client = LineageServiceClient::new(connection.elsewhere.clone());
        let request = WatchRequest {
            subjects: vec![Subject::Artifact.into()],
            ..WatchRequest::default()
        };
        let responses = client.watch(request).await?;
        let heard = |response: WatchResponse| {
            let uri = |change| match change {
                Some(change::Subject::Artifact(artifact)) => artifact.uri,
                _ => None,
            };
            let uris = response
                .changes
                .into_iter()
                .filter_map(|change| uri(change.subject));
            uris.map(|uri| (uri, Ok(()))).collect()
        };
        Ok(Self::of(None, responses.into_inner(), heard))
    }

    fn of<T: Send + 'static>(
        messages: Option<mpsc::Sender<RecordRequest>>,
        mut responses: Streaming<T>,
        heard: fn(T) -> Vec<Heard>,
    ) -> Self {
        let waiting = Arc::<Mutex<HashMap<String, oneshot::Sender<Heard>>>>::default();
        let theirs = waiting.clone();
        let reading = tokio::spawn(async move {
            while let Ok(Some(response)) = responses.message().await {
                let mut waiting = theirs.lock().unwrap_or_else(PoisonError::into_inner);
                for heard in heard(response) {
                    if let Some(waiting) = waiting.remove(&heard.0) {
                        // The receiver is gone if its operation timed out.
                        let _ = waiting.send(heard);
                    }
                }
            }
            theirs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        });
        Self {
            messages,
            waiting,
            _reading: AbortOnDropHandle::new(reading),
        }
    }

    /// Receives the next response about a key.
    fn expect(&self, key: &str) -> oneshot::Receiver<Heard> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(key.to_owned(), sender);
        receiver
    }
}

async fn heard(receiver: oneshot::Receiver<Heard>) -> Result<()> {
    let (key, outcome) = timeout(ANSWER_TIMEOUT, receiver)
        .await?
        .map_err(|_| "the stream has ended")?;
    outcome.map_err(|refused| [&key, ": ", &refused].concat().into())
}

fn end_of(run: &str, end: &str) -> String {
    [run, " ", end].concat()
}

/// A completed run with a new input and a new output, as a message.
pub async fn record(connection: &Connection, turn: Turn) -> Result<Duration> {
    let id = ["message ", &turn.number.to_string()].concat();
    let artifact = |end| ArtifactRef {
        r#type: "Five".into(),
        identity: Some(artifact_ref::Identity::Name(end_of(&id, end))),
        ..ArtifactRef::default()
    };
    let event = RunEvent {
        event_type: Type::Complete.into(),
        type_policy: TypePolicy::MustExist.into(),
        r#type: "Train".into(),
        name: id.clone(),
        inputs: vec![artifact("in")],
        outputs: vec![artifact("out")],
        ..RunEvent::default()
    };
    let message = RecordRequest {
        id,
        change: Some(Change::Run(event)),
        ..RecordRequest::default()
    };
    send(connection, message).await
}

/// The facts of an event of OpenLineage, as a message.
pub async fn record_event(connection: &Connection, turn: Turn) -> Result<Duration> {
    let id = ["event ", &turn.number.to_string()].concat();
    send(connection, openlineage::message(id, turn)).await
}

/// Sends a message and waits for its answer.
async fn send(connection: &Connection, message: RecordRequest) -> Result<Duration> {
    let stream = connection
        .stream
        .get_or_try_init(|| Stream::record(connection))
        .await?;
    let messages = stream.messages.as_ref().ok_or("this stream only watches")?;
    let began = Instant::now();
    let answer = stream.expect(&message.id);
    messages.send(message).await?;
    heard(answer).await?;
    Ok(began.elapsed())
}

/// The same run as a call.
pub fn call(turn: Turn) -> Call {
    let name = ["call ", &turn.number.to_string()].concat();
    let pair = |end, kind: event::Type| ArtifactAndEvent {
        artifact: Some(Artifact {
            type_id: Some(store::FIVE_PROPERTIES_TYPE),
            name: Some(end_of(&name, end)),
            state: Some(artifact::State::Live.into()),
            ..Artifact::default()
        }),
        event: Some(Event {
            r#type: Some(kind.into()),
            ..Event::default()
        }),
    };
    let ended = Value {
        value: Some(value::Value::IntValue(1_700_000_000_000)),
    };
    let request = PutExecutionRequest {
        execution: Some(Execution {
            type_id: Some(store::TRAIN_TYPE),
            name: Some(name.clone()),
            last_known_state: Some(execution::State::Complete.into()),
            custom_properties: [("ended_at".to_owned(), ended)].into(),
            ..Execution::default()
        }),
        artifact_event_pairs: vec![
            pair("in", event::Type::Input),
            pair("out", event::Type::Output),
        ],
        ..PutExecutionRequest::default()
    };
    Call::new("PutExecution", &request)
}

/// The time from the request of a write to its arrival at the watcher.
pub async fn watch(connection: &Connection, turn: Turn) -> Result<Duration> {
    let stream = connection
        .stream
        .get_or_try_init(|| Stream::watch(connection))
        .await?;
    let uri = ["s3://bucket/watched/", &turn.number.to_string()].concat();
    let artifact = Artifact {
        type_id: Some(store::FIVE_PROPERTIES_TYPE),
        uri: Some(uri.clone()),
        ..Artifact::default()
    };
    let request = PutArtifactsRequest {
        artifacts: vec![artifact],
        ..PutArtifactsRequest::default()
    };
    let change = stream.expect(&uri);
    let began = Instant::now();
    connection
        .call(&Call::new("PutArtifacts", &request))
        .await?;
    heard(change).await?;
    Ok(began.elapsed())
}

/// The first ten thousand changes of the history.
pub async fn history(connection: &Connection) -> Result<Duration> {
    let mut client = LineageServiceClient::new(connection.channel.clone());
    let request = WatchRequest {
        since: Some(Since::Start(Start::Beginning.into())),
        ..WatchRequest::default()
    };
    let began = Instant::now();
    let mut responses = client.watch(request).await?.into_inner();
    let mut seen = 0;
    while seen < 10_000 {
        let response = responses.message().await?.ok_or("the history has ended")?;
        seen += response.changes.len();
    }
    Ok(began.elapsed())
}
