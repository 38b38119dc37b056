//! `LineageService.Trace`.

use prost::Message;

use super::{LineageRpc, Service, text};
use crate::api::call::Call;
use crate::api::grpc::sink::{ResponseSink, Responses};
use crate::error::{Error, Result};
use crate::graph::{AsOf, Direction, Trace, TracePart, TraceQuery};
use crate::model::EventType as StoredType;
use crate::proto::ml_metadata::{Artifact, Event, Execution};
use crate::proto::pedigree::lineage::v1::trace_request::Direction as WireDirection;
use crate::proto::pedigree::lineage::v1::{EventType, TraceEnd, TraceRequest, TraceResponse};

/// The maximum number of nodes of a response, and of the first response: the size of nodes is not
/// known before it.
const MAX_NODES: usize = 500;
const MAX_FIRST_NODES: usize = 100;

/// The target size of a response, in bytes. A single node may be larger. Clients accept 4 MiB by
/// default.
const RESPONSE_BYTES: usize = 1 << 20;

impl LineageRpc for TraceRequest {
    type Response = Responses<TraceResponse>;

    /// Begins a trace, whose walk goes on while the client reads.
    async fn run(self, call: &Call, service: &Service) -> Result<Self::Response> {
        let trace = call.graph.trace(self.try_into()?).await?;
        let work = move |sink| walk(trace, sink);
        Ok(Responses::from_task(
            &call.tasks,
            service.slow_reader_timeout,
            work,
        ))
    }
}

async fn walk(mut trace: Trace, mut sink: ResponseSink<TraceResponse>) -> Result<()> {
    let mut most = MAX_FIRST_NODES;
    while let Some(part) = trace.next(most).await? {
        let responses = responses(part);
        most = room(&responses).unwrap_or(most);
        for response in responses {
            if trace.blocks_other_readers() {
                sink.try_send_or_buffer(response);
            } else {
                sink.send(response).await?;
            }
        }
    }
    let (nodes, cut) = trace.end();
    let present_states = trace.present_states();
    let last = TraceResponse {
        hop: trace.hop(),
        end: Some(TraceEnd {
            nodes,
            cut,
            present_states,
        }),
        ..TraceResponse::default()
    };
    // The database is not needed while the rest waits to be read. What is kept counts as a trace,
    // so that it is not kept often.
    let _permit = trace.into_permit();
    sink.send(last).await
}

/// How many nodes as large as these make a response; unknown when there are none.
fn room(responses: &[TraceResponse]) -> Option<usize> {
    let nodes: usize = responses.iter().map(count).sum();
    let bytes: usize = responses.iter().map(Message::encoded_len).sum();
    let size = bytes.checked_div(nodes)?;
    Some((RESPONSE_BYTES / size.max(1)).clamp(1, MAX_NODES))
}

fn count(response: &TraceResponse) -> usize {
    response.artifacts.len() + response.executions.len()
}

/// The responses for a part, none too large.
fn responses(part: TracePart) -> Vec<TraceResponse> {
    let mut packer = Packer {
        hop: part.hop,
        done: Vec::new(),
        size: RESPONSE_BYTES,
    };
    let present = part.present;
    for node in part.artifacts {
        let id = present.artifacts.binary_search(&node.id).map(|_| node.id);
        let artifact = Artifact::from(node);
        let response = packer.make_room(&artifact);
        response.artifacts.push(artifact);
        response.present_artifact_ids.extend(id);
    }
    for node in part.executions {
        let id = present.executions.binary_search(&node.id).map(|_| node.id);
        let execution = Execution::from(node);
        let response = packer.make_room(&execution);
        response.executions.push(execution);
        response.present_execution_ids.extend(id);
    }
    for event in part.events {
        let event = Event::from(event);
        packer.make_room(&event).events.push(event);
    }
    packer.done
}

struct Packer {
    hop: i64,
    done: Vec<TraceResponse>,
    /// Of the last response, in bytes.
    size: usize,
}

impl Packer {
    /// The response that has room for a message.
    fn make_room(&mut self, message: &impl Message) -> &mut TraceResponse {
        let size = message.encoded_len();
        let new = TraceResponse {
            hop: self.hop,
            ..TraceResponse::default()
        };
        self.size += size;
        match self.done.pop() {
            Some(last) if self.size <= RESPONSE_BYTES => self.done.push(last),
            last => {
                self.size = size;
                self.done.extend(last);
                self.done.push(new);
            }
        }
        let last = self.done.len() - 1;
        &mut self.done[last]
    }
}

impl TryFrom<TraceRequest> for TraceQuery {
    type Error = Error;

    fn try_from(given: TraceRequest) -> Result<Self> {
        let direction = match WireDirection::try_from(given.direction) {
            Ok(WireDirection::Provenance) => Direction::Upstream,
            Ok(WireDirection::Impact) => Direction::Downstream,
            Ok(WireDirection::Both) => Direction::Both,
            Err(_) => return Err(unknown("direction", given.direction)),
        };
        let event_type = |number| match EventType::try_from(number) {
            Ok(EventType::Unspecified) | Err(_) => Err(unknown("event_types", number)),
            Ok(_) => Ok(StoredType::from_number(number.into())),
        };
        let event_types = given.event_types.into_iter().map(event_type);
        Ok(Self {
            direction,
            event_types: event_types.collect::<Result<_>>()?,
            artifact_ids: given.artifact_ids,
            execution_ids: given.execution_ids,
            artifacts: text(given.artifacts),
            executions: text(given.executions),
            max_hops: given.max_hops,
            max_nodes: given.max_nodes,
            stop_at_artifacts: text(given.stop_at_artifacts),
            stop_at_executions: text(given.stop_at_executions),
            path_key: text(given.path_key),
            as_of: given.as_of.map(AsOf::at),
        })
    }
}

fn unknown(field: &str, number: i32) -> Error {
    Error::invalid(format!("{field} cannot be {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Node, NodeContent};

    fn part(sizes: &[usize]) -> TracePart {
        let node = |size: &usize| Node {
            id: 1,
            type_id: 10,
            type_name: None,
            content: NodeContent {
                uri: Some("x".repeat(*size)),
                ..NodeContent::default()
            },
            create_time: 0,
            update_time: 0,
        };
        TracePart {
            hop: 3,
            artifacts: sizes.iter().map(node).collect(),
            ..TracePart::default()
        }
    }

    #[test]
    fn responses_are_bounded_and_lose_nothing() {
        for (sizes, expected) in [
            (vec![], vec![]),
            (vec![10; 500], vec![500]),
            (vec![RESPONSE_BYTES / 4; 8], vec![3, 3, 2]),
            // A node that is larger comes alone.
            (vec![10, RESPONSE_BYTES * 2, 10], vec![1, 1, 1]),
        ] {
            let responses = responses(part(&sizes));
            let counts: Vec<usize> = responses.iter().map(count).collect();
            assert_eq!(counts, expected);
            assert!(responses.iter().all(|response| response.hop == 3));
        }
    }

    #[test]
    fn the_next_part_is_as_large_as_the_nodes_allow() {
        for (sizes, expected) in [
            (vec![], None),
            (vec![10; 3], Some(MAX_NODES)),
            (vec![RESPONSE_BYTES / 10; 3], Some(9)),
            (vec![RESPONSE_BYTES * 3], Some(1)),
        ] {
            assert_eq!(room(&responses(part(&sizes))), expected);
        }
    }
}
