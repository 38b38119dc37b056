//! `LineageService.Record`.
//!
//! * `intake`: requests are read ahead of the commit, and taken in batches.
//! * `message`: requests as messages of the graph.
//! * `response_stream`: responses, and heartbeats between them.

mod intake;
mod message;
mod response_stream;

use std::time::Duration;

use tokio::sync::mpsc::{self, Sender};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{Responses, heartbeat, stopping};
use crate::api::call::Call;
use crate::api::grpc::status;
use crate::error::{Error, Result};
use crate::graph::Reply;
use crate::proto::pedigree::lineage::v1::record_response::Answer;
use crate::proto::pedigree::lineage::v1::{self as pb, RecordRequest, RecordResponse};
use intake::Intake;
use message::{ToAnswer, convert};
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

/// Reads, stores and answers in tasks of the stream.
pub(super) fn run(
    call: Call,
    requests: Streaming<RecordRequest>,
    batches: Batches,
    stop: CancellationToken,
) -> Responses<RecordResponse> {
    let (sender, receiver) = mpsc::channel(MAX_UNREAD_RESPONSES);
    let tasks = call.tasks.clone();
    let recording = Recording {
        call,
        intake: Intake::start(&tasks, requests),
        batches,
        sender,
    };
    tasks.spawn(recording.run(stop));
    Responses::new(ResponseStream::new(receiver))
}

struct Recording {
    call: Call,
    intake: Intake,
    batches: Batches,
    sender: Sender<Outgoing>,
}

impl Recording {
    /// Stores and answers until the stream ends, or the client has disconnected.
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let batch = tokio::select! {
                batch = self.intake.batch(self.batches) => batch,
                () = stop.cancelled() => Err(stopping()),
                () = self.sender.closed() => return,
            };
            let recorded = match batch {
                Ok(batch) if batch.is_empty() => return,
                Ok(batch) => self.record(batch).await,
                Err(status) => {
                    // The client may have disconnected: there is nobody to report to.
                    _ = self.send(Outgoing::Response(Err(status))).await;
                    return;
                }
            };
            if recorded.is_none() {
                return;
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
            self.send(Outgoing::Response(Ok(response))).await?;
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
    let mut waiting = Vec::with_capacity(batch.len());
    for request in batch {
        let id = request.id.clone();
        let converted = convert(request).map(|(message, to_answer)| {
            messages.push(message);
            to_answer
        });
        waiting.push((id, converted));
    }
    let replies = call.graph.store_messages(&call.caller, messages).await;
    let mut replies = match replies {
        Ok(replies) => Ok(replies.into_iter()),
        Err(error) => Err(status::logged(error)),
    };
    let answered = waiting.into_iter().map(|(id, converted)| {
        let reply = match (converted, &mut replies) {
            (Err(error), _) => Err(status::logged(error)),
            (Ok(_), Err(status)) => Err(status.clone()),
            (Ok(to_answer), Ok(replies)) => {
                let missing = || Reply::Refused(Error::internal("a message has no reply"));
                to_response(replies.next().unwrap_or_else(missing), to_answer)
            }
        };
        response(id, reply)
    });
    answered.collect()
}

fn response(id: String, reply: Result<(bool, Answer), Status>) -> RecordResponse {
    match reply {
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

fn to_response(reply: Reply, to_answer: ToAnswer) -> Result<(bool, Answer), Status> {
    let (repeated, recorded) = match reply {
        Reply::Stored(recorded) => (false, recorded),
        Reply::Repeated(recorded) => (true, recorded),
        Reply::Refused(error) => return Err(status::logged(error)),
    };
    let answer = to_answer(recorded).map_err(status::logged)?;
    Ok((repeated, answer))
}
