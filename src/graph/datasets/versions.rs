//! Which version of a dataset was present when: the edges of runs that read it without naming a
//! version, and the state of what failed runs wrote.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::error::Result;
use crate::graph::edges::events;
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::model::{ArtifactState, Event, EventType, Kind, NodeInput, Side};
use crate::storage::Tx;
use crate::storage::tables::dataset_uses::{self, DatasetRead};
use crate::storage::tables::events as stored_events;

/// The time of a version that is not present, in microseconds since epoch.
pub(in crate::graph) const NEVER_PRESENT: i64 = i64::MAX;

/// The time of a read that is not known, in microseconds since epoch.
pub(in crate::graph) const UNKNOWN_TIME: i64 = i64::MIN;

/// What has changed of the uses of datasets: reads that may be outdated now.
#[derive(Debug, Default)]
pub(in crate::graph) struct ChangedUses {
    /// The runs whose own reads have changed.
    readers: BTreeSet<i64>,
    /// The datasets that were written.
    written: BTreeSet<i64>,
    /// The first time from which on another version of one of them is present, in microseconds
    /// since epoch.
    since: Option<i64>,
    /// Versions that a run has abandoned, or has not any more.
    decided: BTreeSet<i64>,
}

impl ChangedUses {
    /// Another version of a dataset may be present from this time on, in microseconds since epoch.
    pub(in crate::graph) fn note_write(&mut self, dataset_id: i64, microseconds: i64) {
        // A version that is not present yet changes no read.
        if microseconds == NEVER_PRESENT {
            return;
        }
        self.written.insert(dataset_id);
        let since = self.since.unwrap_or(microseconds);
        self.since = Some(since.min(microseconds));
    }

    /// A run may have read another version.
    pub(in crate::graph) fn note_reader(&mut self, execution_id: i64) {
        self.readers.insert(execution_id);
    }

    /// A run has abandoned this version, or has not any more.
    pub(in crate::graph) fn note_decision(&mut self, artifact_id: i64) {
        self.decided.insert(artifact_id);
    }

    /// Moves the edges of runs that have read another version than was known, and sets the states
    /// of versions. The uses are stored. `now` is the time of new edges, in milliseconds since
    /// epoch.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::graph) async fn settle(self, tx: &mut Tx, now: i64) -> Result<()> {
        let readers: Vec<i64> = self.readers.iter().copied().collect();
        let mut outdated = dataset_uses::outdated_of(tx, &readers).await?;
        if let Some(since) = self.since {
            let written: Vec<i64> = self.written.iter().copied().collect();
            let of_others = dataset_uses::outdated_since(tx, &written, since).await?;
            let is_other =
                |(read, _): &(DatasetRead, i64)| !self.readers.contains(&read.execution_id);
            outdated.extend(of_others.into_iter().filter(is_other));
        }
        move_edges(tx, outdated, now).await?;
        let decided: Vec<i64> = self.decided.into_iter().collect();
        set_states(tx, decided, now).await
    }
}

/// Moves the edges of reads to the versions that were present.
async fn move_edges(tx: &mut Tx, outdated: Vec<(DatasetRead, i64)>, now: i64) -> Result<()> {
    if outdated.is_empty() {
        return Ok(());
    }
    let edge = |read: &DatasetRead, artifact_id: i64| Event {
        artifact_id,
        execution_id: read.execution_id,
        event_type: EventType::Input,
        milliseconds: Some(now),
        path: Vec::new(),
    };
    let old = outdated.iter().filter(|(read, _)| read.artifact_id != 0);
    let old: Vec<Event> = old.map(|(read, _)| edge(read, read.artifact_id)).collect();
    let new = outdated.iter().map(|(read, present)| edge(read, *present));
    let new: Vec<Event> = new.collect();
    let moved = outdated.into_iter().map(|(read, present)| DatasetRead {
        artifact_id: present,
        ..read
    });
    let moved: Vec<DatasetRead> = moved.collect();
    events::delete(tx, old).await?;
    events::put_missing(tx, new).await?;
    dataset_uses::put_reads(tx, &moved).await
}

/// Sets the state of versions: abandoned, if all runs that wrote one have failed.
async fn set_states(tx: &mut Tx, versions: Vec<i64>, now: i64) -> Result<()> {
    if versions.is_empty() {
        return Ok(());
    }
    let kept = dataset_uses::kept_versions(tx, &versions).await?;
    // What stands for removed data has no producer, and its state says nothing.
    let outputs = [EventType::Output];
    let written = stored_events::of_nodes(tx, Side::Artifact, &versions, &outputs).await?;
    let written: BTreeSet<i64> = written.iter().map(|it| it.value.artifact_id).collect();
    let versions: Vec<i64> = written.into_iter().collect();
    let no_types = std::iter::empty();
    let options = PutOptions::default();
    let mut writer = NodeWriter::with_types(Kind::Artifact, no_types, options, now);
    writer.load_nodes(tx, versions.clone()).await?;
    let mut changing = Vec::with_capacity(versions.len());
    for id in versions {
        let Some(node) = writer.node(id).cloned() else {
            continue;
        };
        let state = if kept.contains(&id) {
            ArtifactState::Live
        } else {
            ArtifactState::Abandoned
        };
        let mut node = NodeInput::from(node);
        node.content.state = Some(state.into());
        changing.push((id, node));
    }
    let coming = changing.iter().map(|(id, node)| (*id, node));
    writer.load(tx, coming).await?;
    for (_, node) in changing {
        writer.put(tx, Cow::Owned(node)).await?;
    }
    writer.finish(tx).await.map(|_| ())
}
