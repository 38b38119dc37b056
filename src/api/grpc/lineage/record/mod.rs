//! `LineageService.Record`.
//!
//! * `intake`: requests are read ahead of the commit, and taken in batches.
//! * `message`: conversion of requests into messages of the graph.
//! * `response_stream`: responses, and heartbeats between them.

mod intake;
mod message;
mod response_stream;

use std::time::Duration;

use tokio::sync::mpsc::{self, Sender};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{LineageRpc, Responses, Service, heartbeat, stopping};
use crate::api::call::Call;
use crate::api::grpc::status;
use crate::api::message_ids::stored_id;
use crate::error::{Error, Result};
use crate::graph::Reply;
use crate::proto::pedigree::lineage::v1::record_response::Answer;
use crate::proto::pedigree::lineage::v1::{self as pb, RecordRequest, RecordResponse};
use intake::Intake;
use message::{AnswerKind, message};
use response_stream::{Outgoing, ResponseStream};

/// How many responses may wait for a client to read them. Until it does, no more requests are
/// stored for it.
const MAX_UNREAD_RESPONSES: usize = 256;

/// How messages are put together in batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    /// The most messages that one commit stores.
    pub most: usize,
    /// How long a message waits for others.
    pub age: Duration,
}

impl LineageRpc for Streaming<RecordRequest> {
    type Response = Responses<RecordResponse>;

    /// Reads, stores and answers in tasks of the stream.
    async fn run(self, call: &Call, service: &Service) -> Result<Self::Response> {
        let (sender, receiver) = mpsc::channel(MAX_UNREAD_RESPONSES);
        let recording = Recording {
            call: call.clone(),
            intake: Intake::start(&call.tasks, self),
            batches: service.batches,
            sender,
        };
        let task = call.tasks.spawn(recording.run(service.stop.clone()));
        Ok(Responses::with_task(ResponseStream::new(receiver), task))
    }
}

struct Recording {
    call: Call,
    intake: Intake,
    batches: Batches,
    sender: Sender<Outgoing>,
}

impl Recording {
    /// Stores and answers until the stream ends, or the client has disconnected.
    async fn run(mut self, stop: CancellationToken) -> Result<(), Status> {
        loop {
            let batch = tokio::select! {
                batch = self.intake.batch(self.batches) => batch?,
                () = stop.cancelled() => return Err(stopping()),
                () = self.sender.closed() => return Ok(()),
            };
            if batch.is_empty() || self.record(batch).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Stores a batch and answers it. `None` when the client has disconnected.
    async fn record(&self, mut batch: Vec<RecordRequest>) -> Option<()> {
        let asked = batch.iter().rev().find(|request| request.heartbeat != 0);
        if let Some(Ok(interval)) = asked.map(|request| heartbeat::interval(request.heartbeat)) {
            self.send(Outgoing::Heartbeat(interval)).await?;
        }
        batch.retain(|request| !is_heartbeat(request));
        for response in record(&self.call, batch).await {
            self.send(Outgoing::Response(response)).await?;
        }
        Some(())
    }

    async fn send(&self, outgoing: Outgoing) -> Option<()> {
        self.sender.send(outgoing).await.ok()
    }
}

/// Whether a request asks for heartbeats and for nothing else. It has no response.
fn is_heartbeat(request: &RecordRequest) -> bool {
    let is_empty = request.id.is_empty() && request.change.is_none();
    is_empty && heartbeat::interval(request.heartbeat).is_ok()
}

/// The responses to a batch, in order.
async fn record(call: &Call, batch: Vec<RecordRequest>) -> Vec<RecordResponse> {
    if batch.is_empty() {
        return Vec::new();
    }
    let mut messages = Vec::with_capacity(batch.len());
    let mut expected = Vec::with_capacity(batch.len());
    let mut rights = call.missing_type_rights();
    for request in batch {
        let id = request.id.clone();
        let kind = message(request).map(|(mut message, kind)| {
            message.id = stored_id(&call.caller.principal, message.id);
            message.missing_right = rights.of_message();
            messages.push(message);
            kind
        });
        expected.push((id, kind));
    }
    let replies = call.graph.store_messages(&call.caller, messages).await;
    rights.note();
    let mut replies = match replies {
        Ok(replies) => Ok(replies.into_iter()),
        Err(error) => Err(status::logged(error)),
    };
    let answered = expected.into_iter().map(|(id, kind)| {
        let answered = match (kind, &mut replies) {
            (Err(error), _) => Err(status::logged(error)),
            (Ok(_), Err(status)) => Err(status.clone()),
            (Ok(kind), Ok(replies)) => {
                let missing = || Reply::Refused(Error::internal("a message has no reply"));
                answer(replies.next().unwrap_or_else(missing), kind).map_err(status::logged)
            }
        };
        response(id, answered)
    });
    answered.collect()
}

/// The answer of a reply, and whether the message had been stored before.
fn answer(reply: Reply, kind: AnswerKind) -> Result<(bool, Answer)> {
    match reply {
        Reply::Stored(recorded) => Ok((false, kind.answer(recorded)?)),
        Reply::Repeated(recorded) => Ok((true, kind.answer(recorded)?)),
        Reply::Refused(error) => Err(error),
    }
}

fn response(id: String, answered: Result<(bool, Answer), Status>) -> RecordResponse {
    match answered {
        Ok((repeated, answer)) => RecordResponse {
            id,
            refused: None,
            repeated,
            answer: Some(answer),
        },
        Err(status) => RecordResponse {
            id,
            refused: Some(pb::Status {
                code: status.code().into(),
                message: status.message().to_owned(),
            }),
            ..RecordResponse::default()
        },
    }
}
