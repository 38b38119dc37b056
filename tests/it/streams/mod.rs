//! Lineage as a stream: recorded, watched.

mod adopt;
mod heartbeats;
mod killed;
mod large;
mod order;
mod origins;
mod proxies;
mod reconcile;
mod record;
mod rewound;
mod slow;
mod stored;
mod together;
mod wakes;
mod watch;

use std::time::Duration;

use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::{
    Change, Operation, RecordRequest, RecordResponse, WatchRequest, WatchResponse, change,
    record_request, watch_request,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::security::with_authorization;

pub type Client = LineageServiceClient<Channel>;

/// How long something may take that comes. Far more than it takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A stream of messages under way.
pub struct Recording {
    pub requests: mpsc::Sender<RecordRequest>,
    pub responses: Streaming<RecordResponse>,
}

impl Recording {
    pub async fn start(channel: Channel) -> Self {
        Self::start_as(channel, &[]).await
    }

    /// With these headers `authorization`.
    pub async fn start_as(channel: Channel, authorization: &[&str]) -> Self {
        let (requests, receiver) = mpsc::channel(1024);
        let mut client = Client::new(channel);
        let request = with_authorization(ReceiverStream::new(receiver), authorization);
        let started = client.record(request).await;
        Self {
            responses: started.unwrap().into_inner(),
            requests,
        }
    }

    /// Sends messages and waits for the response to each.
    pub async fn say(&mut self, requests: Vec<RecordRequest>) -> Vec<RecordResponse> {
        let ids: Vec<String> = requests.iter().map(|request| request.id.clone()).collect();
        for request in requests {
            self.requests.send(request).await.unwrap();
        }
        let mut responses = Vec::new();
        for id in ids {
            let response = self.responses.message().await.unwrap().unwrap();
            assert_eq!(response.id, id, "responses come in the order of requests");
            responses.push(response);
        }
        responses
    }
}

/// A message.
pub fn message(id: &str, change: record_request::Change) -> RecordRequest {
    RecordRequest {
        id: id.to_owned(),
        change: Some(change),
        ..RecordRequest::default()
    }
}

pub fn code_of(response: &RecordResponse) -> tonic::Code {
    let refused = response.refused.as_ref();
    refused.map_or(tonic::Code::Ok, |status| tonic::Code::from(status.code))
}

/// A watch under way.
pub struct Watcher {
    responses: Streaming<WatchResponse>,
    /// Where to go on after what was taken.
    pub cursor: String,
}

/// From the beginning of history.
pub fn from_the_beginning() -> WatchRequest {
    since(watch_request::Since::Start(
        watch_request::Start::Beginning.into(),
    ))
}

pub fn from_now() -> WatchRequest {
    since(watch_request::Since::Start(
        watch_request::Start::Now.into(),
    ))
}

pub fn from_cursor(cursor: &str) -> WatchRequest {
    since(watch_request::Since::Cursor(cursor.to_owned()))
}

fn since(since: watch_request::Since) -> WatchRequest {
    WatchRequest {
        since: Some(since),
        heartbeat: 200,
        ..WatchRequest::default()
    }
}

impl Watcher {
    pub async fn start(channel: Channel, request: WatchRequest) -> Self {
        Self::try_start(channel, request).await.unwrap()
    }

    pub async fn try_start(channel: Channel, request: WatchRequest) -> Result<Self, Status> {
        Self::try_start_as(channel, request, &[]).await
    }

    /// With these headers `authorization`.
    pub async fn try_start_as(
        channel: Channel,
        request: WatchRequest,
        authorization: &[&str],
    ) -> Result<Self, Status> {
        let request = with_authorization(request, authorization);
        let started = Client::new(channel).watch(request).await?;
        Ok(Self {
            responses: started.into_inner(),
            cursor: String::new(),
        })
    }

    /// The next response, which may be a heartbeat.
    pub async fn next(&mut self) -> Result<Vec<Change>, Status> {
        let next = tokio::time::timeout(PATIENCE, self.responses.message());
        let response = next.await.unwrap()?;
        let response = response.ok_or_else(|| Status::unavailable("the stream ended"))?;
        self.cursor = response.cursor;
        Ok(response.changes)
    }

    /// All changes until nothing comes for a heartbeat.
    pub async fn until_quiet(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        loop {
            let more = self.next().await.unwrap();
            if more.is_empty() && !changes.is_empty() {
                return changes;
            }
            changes.extend(more);
        }
    }

    /// At least so many changes.
    pub async fn take(&mut self, count: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < count {
            changes.extend(self.next().await.unwrap());
        }
        changes
    }
}

/// A change in few words: `created artifact 3`.
pub fn brief(change: &Change) -> String {
    let operation = match change.operation() {
        Operation::Created => "created",
        Operation::Updated => "updated",
        Operation::Reconciled => "reconciled",
        Operation::Deleted => "deleted",
        Operation::Erased => "erased",
        Operation::Restored => "restored",
        Operation::Adopted => "adopted",
        Operation::Unspecified => "?",
    };
    let subject = match change.subject.as_ref().unwrap() {
        change::Subject::Artifact(node) => format!("artifact {}", node.id()),
        change::Subject::Execution(node) => format!("execution {}", node.id()),
        change::Subject::Context(node) => format!("context {}", node.id()),
        change::Subject::ArtifactType(of) => format!("artifact type {}", of.name()),
        change::Subject::ExecutionType(of) => format!("execution type {}", of.name()),
        change::Subject::ContextType(of) => format!("context type {}", of.name()),
        change::Subject::Event(event) => {
            format!("event {} {}", event.artifact_id(), event.execution_id())
        }
        change::Subject::Attribution(member) => {
            format!(
                "attribution {} {}",
                member.context_id(),
                member.artifact_id()
            )
        }
        change::Subject::Association(member) => {
            format!(
                "association {} {}",
                member.context_id(),
                member.execution_id()
            )
        }
        change::Subject::ParentContext(link) => {
            format!("parent {} of {}", link.parent_id(), link.child_id())
        }
    };
    format!("{operation} {subject}")
}
