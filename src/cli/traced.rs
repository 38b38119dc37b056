//! Nodes and events that traces find, kept whole.

use std::collections::{BTreeMap, BTreeSet};

use super::Failure;
use super::client::ServerArgs;
use crate::proto::ml_metadata::{Artifact, Event, Execution};
use crate::proto::pedigree::lineage::v1::TraceRequest;

/// The most nodes of one trace.
const MAX_TRACED_NODES: i64 = 20_000;

/// The nodes whose states are today's instead of those of the time that was asked for, as the names
/// of their kinds and their ids.
pub(super) type PresentNodes = BTreeSet<(&'static str, i64)>;

/// What traces have found.
#[derive(Debug, Default)]
pub(super) struct TracedNodes {
    pub artifacts: BTreeMap<i64, Artifact>,
    pub executions: BTreeMap<i64, Execution>,
    /// Those of the last trace.
    pub events: Vec<Event>,
    pub present: PresentNodes,
}

impl TracedNodes {
    /// Adds what a trace finds. Its events replace those that are there.
    pub(super) async fn add(
        &mut self,
        server: &ServerArgs,
        request: TraceRequest,
    ) -> Result<(), Failure> {
        let request = TraceRequest {
            max_nodes: MAX_TRACED_NODES,
            ..request
        };
        self.events.clear();
        let mut client = server.client()?;
        let mut responses = client.trace(request).await?.into_inner();
        while let Some(response) = responses.message().await? {
            let nodes = response.artifacts.into_iter();
            let nodes = nodes.filter_map(|node| Some((node.id?, node)));
            self.artifacts.extend(nodes);
            let nodes = response.executions.into_iter();
            let nodes = nodes.filter_map(|node| Some((node.id?, node)));
            self.executions.extend(nodes);
            self.events.extend(response.events);
            add_present(
                &mut self.present,
                "artifact",
                &response.present_artifact_ids,
            );
            add_present(
                &mut self.present,
                "execution",
                &response.present_execution_ids,
            );
            let end = response.end;
            if end.is_some_and(|end| end.cut && end.nodes >= MAX_TRACED_NODES) {
                return Err(Failure(format!(
                    "the lineage has more than {MAX_TRACED_NODES} nodes"
                )));
            }
        }
        Ok(())
    }
}

/// Adds nodes of a kind.
pub(super) fn add_present(present: &mut PresentNodes, kind: &'static str, ids: &[i64]) {
    present.extend(ids.iter().map(|id| (kind, *id)));
}
