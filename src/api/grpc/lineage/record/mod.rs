//! `LineageService.Record`.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::run_event::run_event;
use super::{Responses, stopping};
use crate::api::call::Call;
use crate::api::grpc::mlmd::Put;
use crate::api::grpc::status;
use crate::error::{Error, Result};
use crate::graph::{Message, Recordable, Recorded, Reply, RunResult, Write};
use crate::proto::pedigree::lineage::v1::record_request::Change;
use crate::proto::pedigree::lineage::v1::record_response::Answer;
use crate::proto::pedigree::lineage::v1::{self as pb, RecordRequest, RecordResponse};

/// About how many bytes of requests are put into a batch.
const BATCH_BYTES: usize = 1 << 20;

/// How many responses may wait for a client to read them. Until it does, no more requests are read
/// from it.
const MAX_UNREAD_RESPONSES: usize = 256;

/// How messages are put together in batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    /// The most messages that one commit stores.
    pub most: usize,
    /// How long a message waits for others.
    pub age: Duration,
}

/// Reads, stores and answers in a task of its own.
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
        requests,
        batches,
        sender,
    };
    tasks.spawn(recording.run(stop));
    Responses::new(ReceiverStream::new(receiver))
}

struct Recording {
    call: Call,
    requests: Streaming<RecordRequest>,
    batches: Batches,
    sender: mpsc::Sender<Result<RecordResponse, Status>>,
}

impl Recording {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let batch = tokio::select! {
                batch = batch(&mut self.requests, self.batches) => batch,
                () = stop.cancelled() => Err(stopping()),
                () = self.sender.closed() => return,
            };
            let batch = match batch {
                Ok(batch) if batch.is_empty() => return,
                Ok(batch) => batch,
                Err(status) => {
                    // Who does not listen any more needs no last word.
                    let _ = self.sender.send(Err(status)).await;
                    return;
                }
            };
            for response in record(&self.call, batch).await {
                if self.sender.send(Ok(response)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The next requests, those of one commit; none at the end of the stream. Nothing is lost when it
/// is dropped before its end but what the client sends again.
async fn batch(
    requests: &mut Streaming<RecordRequest>,
    batches: Batches,
) -> Result<Vec<RecordRequest>, Status> {
    let Some(first) = requests.message().await? else {
        return Ok(Vec::new());
    };
    let mut bytes = size(&first);
    let mut batch = vec![first];
    let end = Instant::now() + batches.age;
    while batch.len() < batches.most && bytes < BATCH_BYTES {
        match timeout_at(end, requests.message()).await {
            Ok(Ok(Some(request))) => {
                bytes += size(&request);
                batch.push(request);
            }
            // A broken stream says so again; what came before is stored.
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    Ok(batch)
}

fn size(request: &RecordRequest) -> usize {
    prost::Message::encoded_len(request)
}

/// What a stored message answers, made of what the graph remembers of it.
type ToAnswer = Box<dyn FnOnce(Recorded) -> Result<Answer> + Send>;

/// The responses to a batch, in order.
async fn record(call: &Call, batch: Vec<RecordRequest>) -> Vec<RecordResponse> {
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

/// The message of a request.
fn convert(request: RecordRequest) -> Result<(Message, ToAnswer)> {
    let Some(change) = request.change else {
        return Err(Error::invalid("the message says nothing: it has no change"));
    };
    let (change, to_answer) = match change {
        Change::Run(event) => {
            let event = run_event(event, request.event_time);
            let to_answer = |recorded: Recorded| {
                let stored = RunResult::try_from(recorded)?;
                Ok(Answer::Run(stored.into()))
            };
            Ok::<(Recordable, ToAnswer), Error>((event.into(), Box::new(to_answer)))
        }
        Change::PutArtifactType(put) => prepare(put, Answer::PutArtifactType),
        Change::PutExecutionType(put) => prepare(put, Answer::PutExecutionType),
        Change::PutContextType(put) => prepare(put, Answer::PutContextType),
        Change::PutTypes(put) => prepare(put, Answer::PutTypes),
        Change::PutArtifacts(put) => prepare(put, Answer::PutArtifacts),
        Change::PutExecutions(put) => prepare(put, Answer::PutExecutions),
        Change::PutContexts(put) => prepare(put, Answer::PutContexts),
        Change::PutEvents(put) => prepare(put, Answer::PutEvents),
        Change::PutExecution(put) => prepare(put, Answer::PutExecution),
        Change::PutLineageSubgraph(put) => prepare(put, Answer::PutLineageSubgraph),
        Change::PutAttributionsAndAssociations(put) => {
            prepare(put, Answer::PutAttributionsAndAssociations)
        }
        Change::PutParentContexts(put) => prepare(put, Answer::PutParentContexts),
    }?;
    let message = Message {
        id: request.id,
        change,
    };
    Ok((message, to_answer))
}

/// A request of ML Metadata's service as a message of a stream.
fn prepare<P>(put: P, wrap: fn(P::Response) -> Answer) -> Result<(Recordable, ToAnswer)>
where
    P: Put + 'static,
    P::Change: Into<Recordable>,
    <P::Change as Write>::Answer: TryFrom<Recorded, Error = Error>,
{
    let (change, shape) = put.change()?;
    let to_answer = move |recorded: Recorded| Ok(wrap(P::response(shape, recorded.try_into()?)));
    Ok((change.into(), Box::new(to_answer)))
}
