//! `LineageService.Watch`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc::{self, Sender};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::heartbeat::interval;
use super::{LineageRpc, Responses, Service, stopping};
use crate::api::call::Call;
use crate::api::grpc::mlmd::types::TypeMessage;
use crate::error::{Error, Result};
use crate::graph::{Changes, SentMemory, Since, Topic, Watch, WatchQuery};
use crate::model::{self, Kind};
use crate::proto::ml_metadata::ParentContext;
use crate::proto::pedigree::lineage::v1::change::Subject;
use crate::proto::pedigree::lineage::v1::watch_request::{Since as WireSince, Start};
use crate::proto::pedigree::lineage::v1::{
    Change, Operation, Subject as WireTopic, WatchRequest, WatchResponse,
};

/// How long a stream may be silent unless the client says so, in milliseconds.
const DEFAULT_HEARTBEAT_MILLISECONDS: i64 = 10_000;

impl LineageRpc for WatchRequest {
    type Response = Responses<WatchResponse>;

    /// Begins a watch, which goes on in a task of its own, as fast as the client reads.
    async fn run(self, call: &Call, service: &Service) -> Result<Self::Response> {
        let heartbeat = match self.heartbeat {
            0 => DEFAULT_HEARTBEAT_MILLISECONDS,
            given => given,
        };
        let heartbeat = interval(heartbeat)?;
        let watch = call.graph.watch(query(self)?).await?;
        let (sender, receiver) = mpsc::channel(1);
        let task = send_changes(watch, heartbeat, service.stop.clone(), sender);
        let responses = SentResponses {
            waiting: ReceiverStream::new(receiver),
            memory: SentMemory::default(),
        };
        Ok(Responses::with_task(responses, call.tasks.spawn(task)))
    }
}

/// Sends changes and heartbeats until the server stops, the watch fails or the client has
/// disconnected.
async fn send_changes(
    mut watch: Watch,
    heartbeat: Duration,
    stop: CancellationToken,
    sender: Sender<(WatchResponse, SentMemory)>,
) -> Result<(), Status> {
    // Backpressure: nothing is read from the database before the client has room for it.
    while let Ok(place) = sender.reserve().await {
        place.send(tokio::select! {
            next = next(&mut watch, heartbeat) => next?,
            () = stop.cancelled() => return Err(stopping()),
            () = sender.closed() => return Ok(()),
        });
    }
    Ok(())
}

/// Responses with the memory of their changes.
struct SentResponses {
    waiting: ReceiverStream<(WatchResponse, SentMemory)>,
    /// Of the last response. The next one is asked for when the connection has taken that.
    memory: SentMemory,
}

impl Stream for SentResponses {
    type Item = WatchResponse;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.memory = SentMemory::default();
        let next = ready!(Pin::new(&mut self.waiting).poll_next(context));
        let Some((response, memory)) = next else {
            return Poll::Ready(None);
        };
        self.memory = memory;
        Poll::Ready(Some(response))
    }
}

async fn next(watch: &mut Watch, heartbeat: Duration) -> Result<(WatchResponse, SentMemory)> {
    let Changes {
        cursor,
        changes,
        memory,
    } = watch.next(heartbeat).await?;
    let changes = changes
        .into_iter()
        .map(|entry| convert(entry.origin.time, entry.change));
    let response = WatchResponse {
        cursor,
        changes: changes.collect::<Result<_>>()?,
    };
    Ok((response, memory))
}

fn query(request: WatchRequest) -> Result<WatchQuery> {
    let topics = request.subjects.iter().map(|number| topic(*number));
    let operations = request.operations.iter().map(|number| operation(*number));
    Ok(WatchQuery {
        topics: topics.collect::<Result<_>>()?,
        operations: operations.collect::<Result<_>>()?,
        types: request.types,
        context_ids: request.context_ids,
        filter_query: request.filter_query,
        since: match request.since {
            Some(WireSince::Cursor(cursor)) => Since::Cursor(cursor),
            Some(WireSince::Start(number)) if number == i32::from(Start::Beginning) => {
                Since::Beginning
            }
            Some(WireSince::Start(_)) | None => Since::Now,
        },
    })
}

fn topic(number: i32) -> Result<Topic> {
    match WireTopic::try_from(number) {
        Ok(WireTopic::Artifact) => Ok(Topic::Node(Kind::Artifact)),
        Ok(WireTopic::Execution) => Ok(Topic::Node(Kind::Execution)),
        Ok(WireTopic::Context) => Ok(Topic::Node(Kind::Context)),
        Ok(WireTopic::ArtifactType) => Ok(Topic::Type(Kind::Artifact)),
        Ok(WireTopic::ExecutionType) => Ok(Topic::Type(Kind::Execution)),
        Ok(WireTopic::ContextType) => Ok(Topic::Type(Kind::Context)),
        Ok(WireTopic::Event) => Ok(Topic::Event),
        Ok(WireTopic::Attribution) => Ok(Topic::Membership(Kind::Artifact)),
        Ok(WireTopic::Association) => Ok(Topic::Membership(Kind::Execution)),
        Ok(WireTopic::ParentContext) => Ok(Topic::Membership(Kind::Context)),
        Ok(WireTopic::Unspecified) | Err(_) => Err(Error::invalid(format!(
            "{number} is not a number of Subject"
        ))),
    }
}

fn operation(number: i32) -> Result<model::Operation> {
    match Operation::try_from(number) {
        Ok(Operation::Created) => Ok(model::Operation::Created),
        Ok(Operation::Updated) => Ok(model::Operation::Updated),
        Ok(Operation::Reconciled) => Ok(model::Operation::Reconciled),
        Ok(Operation::Deleted) => Ok(model::Operation::Deleted),
        Ok(Operation::Erased) => Ok(model::Operation::Erased),
        Ok(Operation::Restored) => Ok(model::Operation::Restored),
        Ok(Operation::Adopted) => Ok(model::Operation::Adopted),
        Ok(Operation::Unspecified) | Err(_) => Err(Error::invalid(format!(
            "{number} is not a number of Operation"
        ))),
    }
}

fn convert(time: i64, change: model::Change) -> Result<Change> {
    let operation = match change.operation {
        model::Operation::Created => Operation::Created,
        model::Operation::Updated => Operation::Updated,
        model::Operation::Reconciled => Operation::Reconciled,
        model::Operation::Deleted => Operation::Deleted,
        model::Operation::Erased => Operation::Erased,
        model::Operation::Restored => Operation::Restored,
        model::Operation::Adopted => Operation::Adopted,
    };
    let subject = match change.subject {
        model::Subject::Node(Kind::Artifact, node) => Subject::Artifact(node.into()),
        model::Subject::Node(Kind::Execution, node) => Subject::Execution(node.into()),
        model::Subject::Node(Kind::Context, node) => Subject::Context(node.into()),
        model::Subject::Type(Kind::Artifact, of) => {
            Subject::ArtifactType(TypeMessage::from_model(of)?)
        }
        model::Subject::Type(Kind::Execution, of) => {
            Subject::ExecutionType(TypeMessage::from_model(of)?)
        }
        model::Subject::Type(Kind::Context, of) => {
            Subject::ContextType(TypeMessage::from_model(of)?)
        }
        model::Subject::Event(event) => Subject::Event(event.into()),
        model::Subject::Membership(Kind::Artifact, member) => Subject::Attribution(member.into()),
        model::Subject::Membership(Kind::Execution, member) => Subject::Association(member.into()),
        model::Subject::Membership(Kind::Context, member) => {
            Subject::ParentContext(ParentContext {
                parent_id: Some(member.context_id),
                child_id: Some(member.node_id),
                system_metadata: None,
            })
        }
    };
    Ok(Change {
        operation: operation.into(),
        time,
        subject: Some(subject),
    })
}
