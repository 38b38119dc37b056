//! `PutExecution`: an execution with its artifacts, events and contexts, in one transaction.

use std::borrow::Cow;
use std::collections::HashMap;

use super::node_rules::describe;
use super::node_writer::{NodeWriter, PutOptions};
use super::{Write, events, memberships};
use crate::error::{Error, Result};
use crate::model::{Event, Kind, Node};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// An artifact of an execution and how the execution touched it; either may be missing.
#[derive(Clone, Debug, Default)]
pub struct ArtifactAndEvent {
    pub artifact: Option<Node>,
    pub event: Option<Event>,
}

/// Stores an execution with all that belongs to it (`PutExecution`).
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the request"
)]
pub struct PutExecution {
    /// Required.
    pub execution: Option<Node>,
    pub pairs: Vec<ArtifactAndEvent>,
    pub contexts: Vec<Node>,
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

    async fn apply(&self, tx: &mut Tx, now: i64) -> Result<PutExecutionAnswer> {
        let Some(execution) = &self.execution else {
            return Err(Error::invalid(
                "No execution is found: the request has none",
            ));
        };
        let stored = self.put_artifacts(tx, now).await?;
        let execution_id = self.put_execution(tx, execution, now).await?;
        let artifact_ids = self
            .put_events(tx, execution, execution_id, stored, now)
            .await?;
        let reuse = ContextReuse {
            by_name: self.reuse_contexts,
            by_id: self.force_reuse_contexts,
        };
        let context_ids = put_contexts(tx, &self.contexts, reuse, now).await?;
        memberships::put_all(tx, Kind::Execution, &context_ids, &[execution_id]).await?;
        let attributed: Vec<i64> = artifact_ids.iter().copied().flatten().collect();
        memberships::put_all(tx, Kind::Artifact, &context_ids, &attributed).await?;
        Ok(PutExecutionAnswer {
            execution_id,
            artifact_ids,
            context_ids,
        })
    }
}

impl PutExecution {
    async fn put_execution(&self, tx: &mut Tx, execution: &Node, now: i64) -> Result<i64> {
        let options = PutOptions {
            force_update_time: self.force_update_time,
            ..PutOptions::default()
        };
        let coming = std::iter::once(execution);
        let mut writer = NodeWriter::new(tx, Kind::Execution, coming, options, now).await?;
        writer.put(tx, Cow::Borrowed(execution)).await?;
        let ids = writer.finish(tx).await?;
        Ok(ids.first().copied().unwrap_or_default())
    }

    /// Stores the artifacts; the ids are aligned with the pairs.
    async fn put_artifacts(&self, tx: &mut Tx, now: i64) -> Result<Vec<Option<i64>>> {
        let artifacts = self.pairs.iter().filter_map(|pair| pair.artifact.as_ref());
        let options = PutOptions::default();
        let mut writer =
            NodeWriter::new(tx, Kind::Artifact, artifacts.clone(), options, now).await?;
        let mut known = if self.reuse_artifacts {
            ids_for_reuse(tx, artifacts.clone()).await?
        } else {
            HashMap::new()
        };
        writer.load(tx, known.values().copied().collect()).await?;
        // External ids that first appear in this request, with the place of the artifact that brings them.
        let mut fresh: HashMap<&str, usize> = HashMap::new();
        for artifact in artifacts {
            let Some(external_id) = reusable(artifact).filter(|_| self.reuse_artifacts) else {
                writer.put(tx, Cow::Borrowed(artifact)).await?;
                continue;
            };
            if let Some(&place) = fresh.get(external_id)
                && let Some(id) = writer.id_at(tx, place).await?
            {
                known.insert(external_id.to_owned(), id);
            }
            if let Some(&id) = known.get(external_id) {
                writer.put(tx, Cow::Owned(with_id(artifact, id))).await?;
            } else {
                let place = writer.put(tx, Cow::Borrowed(artifact)).await?;
                fresh.insert(external_id, place);
            }
        }
        let mut ids = writer.finish(tx).await?.into_iter();
        let stored = |pair: &ArtifactAndEvent| pair.artifact.as_ref().and_then(|_| ids.next());
        Ok(self.pairs.iter().map(stored).collect())
    }

    /// Records the events; the answer has the artifact of every pair that names one.
    async fn put_events(
        &self,
        tx: &mut Tx,
        execution: &Node,
        execution_id: i64,
        stored: Vec<Option<i64>>,
        now: i64,
    ) -> Result<Vec<Option<i64>>> {
        let mut aligned = Vec::with_capacity(self.pairs.len());
        let mut artifact_ids = Vec::with_capacity(self.pairs.len());
        let mut refused = None;
        for (pair, stored) in self.pairs.iter().zip(stored) {
            let Some(event) = &pair.event else {
                artifact_ids.push(stored);
                continue;
            };
            match align(event, execution, stored) {
                Ok(artifact_id) => {
                    artifact_ids.push(Some(artifact_id));
                    aligned.push(Event {
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
        events::put(tx, &aligned, now).await?;
        refused.map_or(Ok(artifact_ids), Err)
    }
}

/// The artifact of an event, which must agree with the execution and the artifact it came with.
fn align(event: &Event, execution: &Node, stored: Option<i64>) -> Result<i64> {
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

/// The external id by which an artifact may be reused.
pub(super) fn reusable(artifact: &Node) -> Option<&str> {
    let external_id = artifact.external_id.as_deref()?;
    (artifact.id.is_none() && !external_id.is_empty()).then_some(external_id)
}

/// The ids of the stored artifacts that have the external id of one that may be reused.
pub(super) async fn ids_for_reuse(
    tx: &mut Tx,
    artifacts: impl Iterator<Item = &Node>,
) -> Result<HashMap<String, i64>> {
    let external_ids: Vec<&str> = artifacts.filter_map(reusable).collect();
    nodes::ids_by_external_ids(tx, Kind::Artifact, &external_ids).await
}

pub(super) fn with_id(node: &Node, id: i64) -> Node {
    Node {
        id: Some(id),
        ..node.clone()
    }
}

/// What of contexts that exist is left alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContextReuse {
    /// Contexts without id whose type and name exist.
    pub by_name: bool,
    /// Contexts with id.
    pub by_id: bool,
}

/// Stores the contexts of a composite write; the ids are aligned with them.
pub(super) async fn put_contexts(
    tx: &mut Tx,
    contexts: &[Node],
    reuse: ContextReuse,
    now: i64,
) -> Result<Vec<i64>> {
    let options = PutOptions {
        looked_up: reuse.by_name,
        ..PutOptions::default()
    };
    let mut writer = NodeWriter::new(tx, Kind::Context, contexts.iter(), options, now).await?;
    let mut known = if reuse.by_name {
        ids_by_names(tx, contexts).await?
    } else {
        HashMap::new()
    };
    let mut fresh: HashMap<(i64, &str), usize> = HashMap::new();
    let mut ids: Vec<Slot> = Vec::with_capacity(contexts.len());
    for context in contexts {
        if let (Some(id), true) = (context.id, reuse.by_id) {
            if !writer.knows(id) {
                let missing = Error::NotFound(format!("Results missing for ids: {{{id}}}"));
                return Err(writer.refuse(tx, missing).await);
            }
            ids.push(Slot::Known(id));
            continue;
        }
        let (type_id, name) = match required(context) {
            Ok(key) => key,
            Err(error) => return Err(writer.refuse(tx, error).await),
        };
        if reuse.by_name && context.id.is_none() {
            if let Some(&place) = fresh.get(&(type_id, name)) {
                ids.push(Slot::Put(place));
                continue;
            }
            if let Some(&id) = known.get(&(type_id, name.to_owned())) {
                ids.push(Slot::Known(id));
                continue;
            }
        }
        let place = writer.put(tx, Cow::Borrowed(context)).await?;
        // An update may have renamed the context that had the name.
        known.retain(|_, id| context.id != Some(*id));
        fresh.insert((type_id, name), place);
        ids.push(Slot::Put(place));
    }
    let stored = writer.finish(tx).await?;
    Ok(ids.into_iter().map(|slot| slot.id(&stored)).collect())
}

/// Where the id of a context comes from.
enum Slot {
    Known(i64),
    /// The place in the answer of the writer.
    Put(usize),
}

impl Slot {
    fn id(self, stored: &[i64]) -> i64 {
        match self {
            Self::Known(id) => id,
            Self::Put(place) => stored.get(place).copied().unwrap_or_default(),
        }
    }
}

fn required(context: &Node) -> Result<(i64, &str)> {
    let missing = |what: &str| {
        let which = describe(Kind::Context, context);
        Error::invalid(format!("Context is missing a {what}: {which}"))
    };
    let type_id = context.type_id.ok_or_else(|| missing("type_id"))?;
    let name = context.name.as_deref().ok_or_else(|| missing("name"))?;
    Ok((type_id, name))
}

async fn ids_by_names(tx: &mut Tx, contexts: &[Node]) -> Result<HashMap<(i64, String), i64>> {
    let new = contexts.iter().filter(|context| context.id.is_none());
    let type_ids: Vec<i64> = new.clone().filter_map(|context| context.type_id).collect();
    let names: Vec<&str> = new.filter_map(|context| context.name.as_deref()).collect();
    nodes::ids_by_names(tx, Kind::Context, &type_ids, &names).await
}
