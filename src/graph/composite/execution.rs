//! `PutExecution`: an execution with its artifacts, events and contexts, in one transaction.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::graph::composite::artifacts::{ArtifactReuse, ArtifactWriter};
use crate::graph::composite::contexts::{ContextReuse, ContextWriter};
use crate::graph::datasets::join;
use crate::graph::edges::events::Written;
use crate::graph::edges::{events, memberships};
use crate::graph::nodes::rules::describe;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::write::Write;
use crate::model::{Event, EventInput, Kind, NodeInput, Origin};
use crate::storage::Tx;
use crate::storage::tables::memberships::Nodes;

/// An artifact of an execution and how the execution touched it; either may be missing.
#[derive(Clone, Debug, Default)]
pub struct ArtifactAndEvent {
    pub artifact: Option<NodeInput>,
    pub event: Option<EventInput>,
}

/// Stores an execution with all that belongs to it (`PutExecution`).
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the request"
)]
pub struct PutExecution {
    /// Required.
    pub execution: Option<NodeInput>,
    pub pairs: Vec<ArtifactAndEvent>,
    pub contexts: Vec<NodeInput>,
    /// A context without id whose type and name exist is not created, and not updated either.
    pub reuse_contexts: bool,
    /// An artifact without id whose external id exists becomes an update of that one.
    pub reuse_artifacts: bool,
    /// The execution's last update time moves even when nothing changes.
    pub force_update_time: bool,
    /// Of a context with id only the existence is checked.
    pub force_reuse_contexts: bool,
}

/// The ids of what was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutExecutionAnswer {
    pub execution_id: i64,
    /// Aligned with the pairs; `None` for a pair that names no artifact.
    pub artifact_ids: Vec<Option<i64>>,
    /// Aligned with the contexts.
    pub context_ids: Vec<i64>,
}

impl Write for PutExecution {
    type Answer = PutExecutionAnswer;

    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<PutExecutionAnswer> {
        let now = origin.time;
        let Some(execution) = &self.execution else {
            return Err(Error::invalid(
                "No execution is found: the request has none",
            ));
        };
        let reuse = ContextReuse {
            by_name: self.reuse_contexts,
            by_id: self.force_reuse_contexts,
        };
        let options = PutOptions {
            force_update_time: self.force_update_time,
            ..PutOptions::default()
        };
        // Locks are taken in one order by all writes: contexts, executions, artifacts.
        let contexts = ContextWriter::new(tx, &self.contexts, reuse, now).await?;
        let coming = std::iter::once(execution);
        let mut executions = NodeWriter::new(tx, Kind::Execution, coming, options, now).await?;
        let artifacts = self.artifact_writer(tx, now).await?;

        let stored = artifacts.put(tx).await?;
        executions.put(tx, Cow::Borrowed(execution)).await?;
        let execution_id = executions.finish(tx).await?.first().copied();
        let execution_id = execution_id.ok_or_else(|| Error::internal("an execution has no id"))?;
        let (artifact_ids, outputs) = self
            .put_events(tx, execution, execution_id, &stored, now)
            .await?;
        let context_ids = contexts.put(tx).await?;
        let is_new = execution.id.is_none();
        let nodes = if is_new { Nodes::New } else { Nodes::Any };
        memberships::put_all(tx, Kind::Execution, &context_ids, &[execution_id], nodes).await?;
        let attributed: Vec<i64> = artifact_ids.iter().copied().flatten().collect();
        memberships::put_all(tx, Kind::Artifact, &context_ids, &attributed, Nodes::Any).await?;
        let artifacts = self.pairs.iter().filter_map(|pair| pair.artifact.as_ref());
        join::written(tx, artifacts.zip(stored), &outputs, now).await?;
        Ok(PutExecutionAnswer {
            execution_id,
            artifact_ids,
            context_ids,
        })
    }
}

impl PutExecution {
    async fn artifact_writer(&self, tx: &mut Tx, now: i64) -> Result<ArtifactWriter<'_>> {
        let artifacts = self.pairs.iter().filter_map(|pair| pair.artifact.as_ref());
        let reuse = if self.reuse_artifacts {
            ArtifactReuse::AlsoWithinRequest
        } else {
            ArtifactReuse::Never
        };
        ArtifactWriter::new(tx, artifacts.collect(), reuse, now).await
    }

    /// Ids of the artifacts, aligned with the pairs.
    fn aligned(&self, ids: &[i64]) -> Vec<Option<i64>> {
        let mut ids = ids.iter().copied();
        let stored = |pair: &ArtifactAndEvent| pair.artifact.as_ref().and_then(|_| ids.next());
        self.pairs.iter().map(stored).collect()
    }

    /// Records the events. The answer has the artifact of every pair that names one, and the
    /// outputs.
    async fn put_events(
        &self,
        tx: &mut Tx,
        execution: &NodeInput,
        execution_id: i64,
        stored: &[i64],
        now: i64,
    ) -> Result<(Vec<Option<i64>>, Vec<Event>)> {
        let mut aligned = Vec::with_capacity(self.pairs.len());
        let mut artifact_ids = Vec::with_capacity(self.pairs.len());
        let mut refused = None;
        for (pair, stored) in self.pairs.iter().zip(self.aligned(stored)) {
            let Some(event) = &pair.event else {
                artifact_ids.push(stored);
                continue;
            };
            match align(event, execution, stored) {
                Ok(artifact_id) => {
                    artifact_ids.push(Some(artifact_id));
                    aligned.push(EventInput {
                        artifact_id: Some(artifact_id),
                        execution_id: Some(execution_id),
                        ..event.clone()
                    });
                }
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let written = Written {
            artifacts: stored,
            executions: &[execution_id],
        };
        let outputs = events::put(tx, aligned, written, now).await?;
        refused.map_or(Ok((artifact_ids, outputs)), Err)
    }
}

/// The artifact of an event, which must agree with the execution and the artifact it came with.
fn align(event: &EventInput, execution: &NodeInput, stored: Option<i64>) -> Result<i64> {
    if let Some(given) = event.execution_id
        && execution.id != Some(given)
    {
        return Err(Error::invalid(format!(
            "Request's event.execution_id does not match with the given execution: {given}, {}",
            describe(Kind::Execution, execution)
        )));
    }
    match (stored, event.artifact_id) {
        (Some(stored), Some(given)) if stored != given => Err(Error::invalid(format!(
            "Given event.artifact_id is not aligned with the artifact: {given}, {stored}"
        ))),
        (Some(id), _) | (None, Some(id)) => Ok(id),
        (None, None) => Err(Error::invalid(
            "If no artifact is present, given event must have an artifact_id: it has none",
        )),
    }
}
