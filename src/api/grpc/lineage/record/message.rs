//! Requests as messages of the graph, and what the graph stored as answers.

use crate::api::grpc::lineage::heartbeat;
use crate::api::grpc::lineage::run_event::run_event;
use crate::api::grpc::mlmd::Put;
use crate::error::{Error, Result};
use crate::graph::{Message, Recordable, Recorded, RunResult, Write};
use crate::proto::pedigree::lineage::v1::RecordRequest;
use crate::proto::pedigree::lineage::v1::record_request::Change;
use crate::proto::pedigree::lineage::v1::record_response::Answer;

/// What a stored message answers, made of what the graph remembers of it.
pub(super) type ToAnswer = Box<dyn FnOnce(Recorded) -> Result<Answer> + Send>;

/// The message of a request.
pub(super) fn convert(request: RecordRequest) -> Result<(Message, ToAnswer)> {
    if request.heartbeat != 0 {
        heartbeat::interval(request.heartbeat)?;
    }
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
