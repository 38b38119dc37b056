//! The edges of events: those between runs and artifacts, and memberships of both in contexts.
//!
//! The artifacts of a run are in the contexts of the run, whichever of them was known first.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::node_ref::EventSlots;
use super::resolved_nodes::ResolvedNodes;
use super::{ArtifactRef, DatasetUse, RunEvent, RunResult};
use crate::error::Result;
use crate::graph::edges::{events, memberships};
use crate::model::{Event, EventType, Kind, Membership, Side};
use crate::storage::Tx;
use crate::storage::tables::dataset_uses::DatasetRead;
use crate::storage::tables::memberships::MembershipEnd;
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::{events as stored_events, locks, memberships as stored_memberships};

/// The stored runs that get artifacts or contexts, locked: of two events at once, one with
/// artifacts and one with contexts, the later one sees what the other put.
///
/// # Errors
///
/// Those of [`locks::nodes`].
pub(super) async fn lock_known(
    tx: &mut Tx,
    given: &[&RunEvent],
    slots: &[EventSlots],
    runs: &ResolvedNodes<'_>,
) -> Result<BTreeSet<i64>> {
    let grows = |event: &RunEvent| !event.contexts.is_empty() || has_artifacts(event);
    let growing = given.iter().zip(slots).filter(|(event, _)| grows(event));
    let known: BTreeSet<i64> = growing
        .filter_map(|(_, slots)| runs.known_id(slots.run?))
        .collect();
    let ids: Vec<i64> = known.iter().copied().collect();
    locks::nodes(tx, Kind::Execution, &ids).await?;
    Ok(known)
}

fn has_artifacts(event: &RunEvent) -> bool {
    !event.inputs.is_empty() || !event.outputs.is_empty()
}

/// Puts the events between runs and artifacts, and both into the contexts, where they are not yet.
/// `of_runs` are the events with what was stored of each, `own` the artifacts in contexts of their
/// own; `known` are the runs that were there before, and `reads` what they have read so far without
/// naming it, which is not in their contexts.
///
/// # Errors
///
/// Those of [`events::put_missing`].
pub(super) async fn put(
    tx: &mut Tx,
    of_runs: &[(&RunEvent, &RunResult)],
    own: Vec<Membership>,
    known: &BTreeSet<i64>,
    reads: &[DatasetRead],
    now: i64,
) -> Result<()> {
    let mut edges = Vec::new();
    let mut associations = Vec::new();
    for (event, ids) in of_runs {
        let inputs = event.inputs.iter().zip(&ids.input_ids);
        let inputs = inputs.filter(|(given, _)| given.dataset_use == DatasetUse::Version);
        let outputs = event.outputs.iter().zip(&ids.output_ids);
        let outputs = outputs.filter(|(given, _)| given.dataset_use == DatasetUse::Version);
        let edge = |given: &ArtifactRef, id: i64, usual: EventType| Event {
            artifact_id: id,
            execution_id: ids.execution_id,
            event_type: given.event_type.unwrap_or(usual),
            milliseconds: Some(event.time.map_or(now, |time| time.milliseconds)),
            path: given.path.clone(),
        };
        edges.extend(inputs.map(|(given, id)| edge(given, *id, EventType::Input)));
        edges.extend(outputs.map(|(given, id)| edge(given, *id, EventType::Output)));
        associations.extend(ids.context_ids.iter().map(|&context_id| Membership {
            context_id,
            node_id: ids.execution_id,
        }));
    }
    events::put_missing(tx, edges).await?;
    let new = memberships::put_missing(tx, Kind::Execution, associations, Nodes::Any).await?;
    let mut attributions = own;
    attributions.extend(of_new_artifacts(tx, of_runs).await?);
    attributions.extend(of_old_artifacts(tx, new, known, reads).await?);
    memberships::put_missing(tx, Kind::Artifact, attributions, Nodes::Any).await?;
    Ok(())
}

/// The artifacts of these events, in all contexts of their runs.
async fn of_new_artifacts(
    tx: &mut Tx,
    of_runs: &[(&RunEvent, &RunResult)],
) -> Result<Vec<Membership>> {
    let artifacts = |event: &RunEvent, ids: &RunResult| {
        let inputs = event.inputs.iter().zip(&ids.input_ids);
        let outputs = event.outputs.iter().zip(&ids.output_ids);
        let used = inputs.chain(outputs);
        let used = used.filter(|(given, _)| given.dataset_use == DatasetUse::Version);
        used.map(|(_, id)| *id).collect::<Vec<i64>>()
    };
    let growing = of_runs.iter();
    let growing = growing.filter(|(event, ids)| !artifacts(event, ids).is_empty());
    let runs: BTreeSet<i64> = growing.map(|(_, ids)| ids.execution_id).collect();
    let contexts = contexts_by_run(associations_of(tx, &runs).await?);
    let attributions = of_runs.iter().flat_map(|(event, ids)| {
        let contexts = contexts.get(&ids.execution_id).into_iter().flatten();
        contexts.flat_map(|&context_id| {
            let of = artifacts(event, ids).into_iter();
            of.map(move |node_id| Membership {
                context_id,
                node_id,
            })
        })
    });
    Ok(attributions.collect())
}

/// The artifacts that runs had before, in the contexts that are new to the runs.
async fn of_old_artifacts(
    tx: &mut Tx,
    mut new: Vec<Membership>,
    known: &BTreeSet<i64>,
    reads: &[DatasetRead],
) -> Result<Vec<Membership>> {
    new.retain(|association| known.contains(&association.node_id));
    let contexts = contexts_by_run(new);
    let runs: Vec<i64> = contexts.keys().copied().collect();
    let stored = stored_events::of_nodes(tx, Side::Execution, &runs, &[]).await?;
    let read = reads
        .iter()
        .map(|read| (read.execution_id, read.artifact_id));
    let read: HashSet<(i64, i64)> = read.collect();
    let is_read = |event: &Event| {
        let is_input = event.event_type == EventType::Input;
        is_input && read.contains(&(event.execution_id, event.artifact_id))
    };
    let stored = stored.iter().filter(|stored| !is_read(&stored.value));
    let attributions = stored.flat_map(|stored| {
        let event = &stored.value;
        let contexts = contexts.get(&event.execution_id).into_iter().flatten();
        contexts.map(|&context_id| Membership {
            context_id,
            node_id: event.artifact_id,
        })
    });
    Ok(attributions.collect())
}

async fn associations_of(tx: &mut Tx, runs: &BTreeSet<i64>) -> Result<Vec<Membership>> {
    let runs: Vec<i64> = runs.iter().copied().collect();
    stored_memberships::find(tx, Kind::Execution, MembershipEnd::Node, &runs).await
}

fn contexts_by_run(associations: Vec<Membership>) -> HashMap<i64, Vec<i64>> {
    let mut contexts: HashMap<i64, Vec<i64>> = HashMap::new();
    for Membership {
        context_id,
        node_id,
    } in associations
    {
        contexts.entry(node_id).or_default().push(context_id);
    }
    contexts
}
