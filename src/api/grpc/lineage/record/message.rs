//! Requests as messages of the graph, and what the graph stored as answers.

use aws_lc_rs::digest::{SHA256, digest};
use prost::Message as _;

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
pub(super) fn convert(mut request: RecordRequest) -> Result<(Message, ToAnswer)> {
    let id = std::mem::take(&mut request.id);
    if request.heartbeat != 0 {
        heartbeat::interval(request.heartbeat)?;
        request.heartbeat = 0;
    }
    // A client that makes its message again gives it another time. Maps are encoded in the order of
    // their keys, so that equal changes have equal bytes.
    let event_time = request.event_time.take();
    let digest = digest_of(&request.encode_to_vec());
    let Some(change) = request.change else {
        return Err(Error::invalid("the message says nothing: it has no change"));
    };
    let (change, to_answer) = match change {
        Change::Run(event) => {
            let event = run_event(event, event_time);
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
    let message = Message { id, digest, change };
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

/// The first half of a SHA-256. It tells apart the messages for which a client uses one id.
fn digest_of(bytes: &[u8]) -> u128 {
    let digest = digest(&SHA256, bytes);
    let half = digest.as_ref().first_chunk();
    half.map_or(0, |half| u128::from_be_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored digests are compared with those that later versions compute.
    #[test]
    fn digests_never_change() {
        assert_eq!(digest_of(b""), 0xe3b0_c442_98fc_1c14_9afb_f4c8_996f_b924);
        let put = crate::proto::ml_metadata::PutEventsRequest::default();
        let request = RecordRequest {
            id: "1".into(),
            event_time: Some(1),
            heartbeat: 1000,
            change: Some(Change::PutEvents(put)),
        };
        let (message, _) = convert(request.clone()).unwrap();
        // Field 17 alone.
        assert_eq!(message.digest, digest_of(&[0x8a, 1, 0]));
        let again = RecordRequest {
            event_time: Some(2),
            heartbeat: 0,
            ..request
        };
        assert_eq!(convert(again).unwrap().0.digest, message.digest);
    }
}
