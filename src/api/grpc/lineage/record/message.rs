//! Conversion of requests into messages of the graph, and of what the graph stored into answers.

use aws_lc_rs::digest::{SHA256, digest};
use prost::Message as _;

use crate::api::grpc::lineage::heartbeat;
use crate::api::grpc::lineage::run_event::run_event;
use crate::api::grpc::mlmd::Put;
use crate::error::{Error, Result};
use crate::graph::{Message, Recordable, Recorded};
use crate::proto::ml_metadata as pb;
use crate::proto::pedigree::lineage::v1::RecordRequest;
use crate::proto::pedigree::lineage::v1::record_request::Change;
use crate::proto::pedigree::lineage::v1::record_response::Answer;

/// The kind of the answer to a message: that of its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerKind {
    Run,
    PutArtifactType,
    PutExecutionType,
    PutContextType,
    /// With the numbers of artifact types and of execution types.
    PutTypes([usize; 2]),
    PutArtifacts,
    PutExecutions,
    PutContexts,
    PutEvents,
    PutExecution,
    PutLineageSubgraph,
    PutAttributionsAndAssociations,
    PutParentContexts,
}

impl AnswerKind {
    /// The answer that has what the graph recorded.
    ///
    /// # Errors
    ///
    /// `Internal` for what the graph does not record for such a change.
    pub(super) fn answer(self, recorded: Recorded) -> Result<Answer> {
        use Recorded::{Done, Execution, Ids, Run, Subgraph};
        Ok(match (self, recorded) {
            (Self::Run, Run(result)) => Answer::Run(result.into()),
            (Self::PutArtifactType, Ids(ids)) => {
                Answer::PutArtifactType(pb::PutArtifactTypeRequest::response((), ids))
            }
            (Self::PutExecutionType, Ids(ids)) => {
                Answer::PutExecutionType(pb::PutExecutionTypeRequest::response((), ids))
            }
            (Self::PutContextType, Ids(ids)) => {
                Answer::PutContextType(pb::PutContextTypeRequest::response((), ids))
            }
            (Self::PutTypes(counts), Ids(ids)) => {
                Answer::PutTypes(pb::PutTypesRequest::response(counts, ids))
            }
            (Self::PutArtifacts, Ids(ids)) => {
                Answer::PutArtifacts(pb::PutArtifactsRequest::response((), ids))
            }
            (Self::PutExecutions, Ids(ids)) => {
                Answer::PutExecutions(pb::PutExecutionsRequest::response((), ids))
            }
            (Self::PutContexts, Ids(ids)) => {
                Answer::PutContexts(pb::PutContextsRequest::response((), ids))
            }
            (Self::PutEvents, Done(())) => Answer::PutEvents(pb::PutEventsResponse {}),
            (Self::PutExecution, Execution(stored)) => {
                Answer::PutExecution(pb::PutExecutionRequest::response((), stored))
            }
            (Self::PutLineageSubgraph, Subgraph(stored)) => {
                Answer::PutLineageSubgraph(pb::PutLineageSubgraphRequest::response((), stored))
            }
            (Self::PutAttributionsAndAssociations, Done(())) => {
                let response = pb::PutAttributionsAndAssociationsResponse {};
                Answer::PutAttributionsAndAssociations(response)
            }
            (Self::PutParentContexts, Done(())) => {
                Answer::PutParentContexts(pb::PutParentContextsResponse {})
            }
            (kind, recorded) => {
                let unfit = format!("{recorded:?} is no answer of the kind {kind:?}");
                return Err(Error::internal(unfit));
            }
        })
    }
}

/// The message of a request, and the kind of its answer.
///
/// # Errors
///
/// `InvalidArgument` for a request that is malformed or has no change.
pub(super) fn message(mut request: RecordRequest) -> Result<(Message, AnswerKind)> {
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
        return Err(Error::invalid("the message has no change"));
    };
    let (change, kind) = recordable(change, event_time)?;
    let message = Message {
        id,
        digest,
        change,
        caller: None,
        missing_right: None,
    };
    Ok((message, kind))
}

/// A change in the terms of the graph. Requests of ML Metadata's service are converted by their own
/// door.
fn recordable(change: Change, event_time: Option<i64>) -> Result<(Recordable, AnswerKind)> {
    Ok(match change {
        Change::Run(event) => {
            let event = run_event(event, event_time);
            (Recordable::Run(Box::new(event)), AnswerKind::Run)
        }
        Change::PutArtifactType(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Types(change), AnswerKind::PutArtifactType)
        }
        Change::PutExecutionType(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Types(change), AnswerKind::PutExecutionType)
        }
        Change::PutContextType(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Types(change), AnswerKind::PutContextType)
        }
        Change::PutTypes(put) => {
            let (change, counts) = put.change()?;
            (Recordable::Types(change), AnswerKind::PutTypes(counts))
        }
        Change::PutArtifacts(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Nodes(change), AnswerKind::PutArtifacts)
        }
        Change::PutExecutions(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Nodes(change), AnswerKind::PutExecutions)
        }
        Change::PutContexts(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Nodes(change), AnswerKind::PutContexts)
        }
        Change::PutEvents(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Events(change), AnswerKind::PutEvents)
        }
        Change::PutExecution(put) => {
            let (change, ()) = put.change()?;
            (
                Recordable::Execution(Box::new(change)),
                AnswerKind::PutExecution,
            )
        }
        Change::PutLineageSubgraph(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Subgraph(change), AnswerKind::PutLineageSubgraph)
        }
        Change::PutAttributionsAndAssociations(put) => {
            let (change, ()) = put.change()?;
            let kind = AnswerKind::PutAttributionsAndAssociations;
            (Recordable::Memberships(change), kind)
        }
        Change::PutParentContexts(put) => {
            let (change, ()) = put.change()?;
            (Recordable::Parents(change), AnswerKind::PutParentContexts)
        }
    })
}

/// The first half of a SHA-256. Two messages with one id are the same if their digests are equal.
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
        let digest = |request| message(request).unwrap().0.digest;
        // Field 17 alone.
        assert_eq!(digest(request.clone()), digest_of(&[0x8a, 1, 0]));
        let again = RecordRequest {
            event_time: Some(2),
            heartbeat: 0,
            ..request
        };
        assert_eq!(digest(again), digest_of(&[0x8a, 1, 0]));
    }
}
