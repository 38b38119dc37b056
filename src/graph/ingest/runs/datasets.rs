//! The versions of datasets that runs read without naming them.
//!
//! A run reads the version that was present at its start: of the runs that wrote the dataset and
//! succeeded, that of the last end until then. An event about one run can so change what another
//! one has read, because events arrive in any order: the edge of that one is moved.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::node_ref::{Key, NodeRefs};
use super::resolved_nodes::{ResolvedNodes, StoredNode};
use super::{DatasetUse, EventScope, EventTime, RunEvent};
use crate::error::{Error, Result};
use crate::graph::datasets::groups::DatasetGroups;
use crate::graph::datasets::join::{self, NamedDataset};
use crate::graph::datasets::versions::{ChangedUses, NEVER_PRESENT, UNKNOWN_TIME};
use crate::graph::names::number_of;
use crate::model::{ArtifactState, Event, EventType, ExecutionState, Kind, NodeState};
use crate::storage::Tx;
use crate::storage::tables::dataset_uses::{self, DatasetRead, DatasetWrite};
use crate::storage::tables::locks;

const ABANDONED: NodeState = NodeState::Artifact(ArtifactState::Abandoned);

/// The datasets that a batch may change, locked.
#[derive(Debug, Default)]
pub(super) struct LockedDatasets {
    context_ids: BTreeSet<i64>,
    pub groups: DatasetGroups,
    /// The reads of the known runs of the batch.
    pub reads: Vec<DatasetRead>,
    changed: ChangedUses,
}

/// The pairs of names of one dataset that the events tell, as far as both are known.
pub(super) fn known_aliases(
    references: &NodeRefs<'_>,
    contexts: &ResolvedNodes<'_>,
) -> Option<Vec<(i64, i64)>> {
    let known =
        |&(one, other): &(usize, usize)| Some((contexts.known_id(one)?, contexts.known_id(other)?));
    references.aliases.iter().map(known).collect()
}

/// Locks the datasets that the events name, and those that their runs used before, and makes one of
/// those with several names. `contexts` are stored; `runs` are not.
///
/// # Errors
///
/// Those of [`locks::nodes`].
pub(super) async fn lock(
    tx: &mut Tx,
    events: &[&RunEvent],
    references: &NodeRefs<'_>,
    contexts: &[StoredNode],
    runs: &ResolvedNodes<'_>,
) -> Result<LockedDatasets> {
    let known = references.slots.iter().zip(events);
    let known = known.filter(|(_, event)| event.scope == EventScope::AnyRun);
    let known: BTreeSet<i64> = known
        .filter_map(|(slots, _)| runs.known_id(slots.run?))
        .collect();
    let known: Vec<i64> = known.into_iter().collect();
    let aliases = references.aliases.iter();
    let aliases = aliases.map(|&(one, other)| (contexts[one].id, contexts[other].id));
    let aliases: Vec<(i64, i64)> = aliases.collect();
    let named = references.own_contexts.iter();
    let mut named: BTreeSet<i64> = named.map(|&(context, _)| contexts[context].id).collect();
    named.extend(aliases.iter().flat_map(|&(one, other)| [one, other]));
    let datasets = references.datasets.iter();
    named.extend(datasets.map(|&context| contexts[context].id));
    let writes = dataset_uses::writes_of(tx, &known).await?;
    let reads = dataset_uses::reads_of(tx, &known).await?;
    let used = writes.iter().map(|write| write.dataset_id);
    let used = used.chain(reads.iter().map(|read| read.dataset_id));
    let mut context_ids: BTreeSet<i64> = named.iter().copied().chain(used).collect();
    lock_contexts(tx, context_ids.iter()).await?;
    // A group does not change while one of its names is locked.
    let named: Vec<i64> = named.into_iter().collect();
    let mut groups = DatasetGroups::of(tx, &named).await?;
    let unites = !groups.are_united(&aliases);
    let others = groups
        .ids()
        .filter(|&id| unites || groups.dataset(id) == id);
    let others: BTreeSet<i64> = others.filter(|id| !context_ids.contains(id)).collect();
    lock_contexts(tx, others.iter()).await?;
    context_ids.extend(others);
    let mut changed = ChangedUses::default();
    if unites {
        groups.unite(tx, &aliases, &mut changed).await?;
    }
    Ok(LockedDatasets {
        context_ids,
        groups,
        reads,
        changed,
    })
}

async fn lock_contexts(tx: &mut Tx, ids: impl Iterator<Item = &i64>) -> Result<()> {
    let ids: Vec<i64> = ids.copied().collect();
    locks::nodes(tx, Kind::Context, &ids).await.map(|_| ())
}

/// What the events of a batch say about datasets.
pub(super) struct DatasetUses<'b> {
    pub events: &'b [&'b RunEvent],
    pub references: &'b NodeRefs<'b>,
    pub contexts: &'b [StoredNode],
    pub runs: &'b [StoredNode],
    pub artifacts: &'b [StoredNode],
}

/// The keys of a write: dataset, run, version.
type WriteKey = (i64, i64, i64);

/// The keys of a read: dataset, run, unknown version.
type ReadKey = (i64, i64, i64);

impl DatasetUses<'_> {
    /// Stores the uses, and moves the edges of runs that have read another version than was known.
    ///
    /// # Errors
    ///
    /// `Raced` when another batch has used a dataset that is not locked.
    pub(super) async fn store(&self, tx: &mut Tx, locked: LockedDatasets, now: i64) -> Result<()> {
        let runs = self.final_runs();
        let run_ids: Vec<i64> = runs.keys().copied().collect();
        let writes = dataset_uses::writes_of(tx, &run_ids).await?;
        let reads = dataset_uses::reads_of(tx, &run_ids).await?;
        let used = writes.iter().map(|write| write.dataset_id);
        let mut used = used.chain(reads.iter().map(|read| read.dataset_id));
        if used.any(|id| !locked.context_ids.contains(&id)) {
            let text = "another run event has used a dataset at the same time; send it again";
            return Err(Error::Raced(Box::new(Error::Contention(text.into()))));
        }
        let mut changed = locked.changed;
        let datasets = self.datasets(&locked.groups);
        self.store_writes(tx, &runs, &datasets, writes, &mut changed)
            .await?;
        self.store_reads(tx, &runs, &datasets, reads, &mut changed)
            .await?;
        self.adopt(tx, &locked.groups, &mut changed, now).await?;
        changed.settle(tx, now).await
    }

    /// Lets artifacts with a URI, of runs that name no datasets, join the datasets there.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) async fn join(&self, tx: &mut Tx, now: i64) -> Result<()> {
        let mut uris = BTreeMap::new();
        let mut outputs = Vec::new();
        for (slots, event) in self.references.slots.iter().zip(self.events) {
            let (Some(run), EventScope::Run) = (slots.run, event.scope) else {
                continue;
            };
            let uri = |slot: &usize| {
                let uri = self.references.artifacts[*slot].uri()?;
                Some((self.artifacts[*slot].id, Cow::Borrowed(uri)))
            };
            uris.extend(slots.inputs.iter().filter_map(uri));
            let made: BTreeMap<i64, Cow<'_, str>> = slots.outputs.iter().filter_map(uri).collect();
            outputs.extend(made.keys().map(|&artifact_id| Event {
                artifact_id,
                execution_id: self.runs[run].id,
                event_type: EventType::Output,
                milliseconds: Some(event.time.map_or(now, |time| time.milliseconds)),
                path: Vec::new(),
            }));
            uris.extend(made);
        }
        join::at_uris(tx, &uris, &outputs, now).await
    }

    /// Lets artifacts of other doors join datasets that are new.
    async fn adopt(
        &self,
        tx: &mut Tx,
        groups: &DatasetGroups,
        changed: &mut ChangedUses,
        now: i64,
    ) -> Result<()> {
        let mut named = Vec::new();
        let mut add = |context: usize, uri| {
            let StoredNode { id, created, .. } = self.contexts[context];
            named.push(NamedDataset {
                context_id: id,
                created: created.unwrap_or(now),
                uri,
            });
        };
        for &context in &self.references.datasets {
            if let Key::Name(_, name) = &self.references.contexts[context].key {
                add(context, name.as_ref());
            }
        }
        // The name of a dataset with a long URI is not the URI.
        for &(context, artifact) in &self.references.own_contexts {
            if let Some(uri) = self.references.artifacts[artifact].uri() {
                add(context, uri);
            }
        }
        join::adopt(tx, &named, groups, changed, now).await
    }

    /// The runs of the batch, as its last event leaves each.
    fn final_runs(&self) -> BTreeMap<i64, StoredNode> {
        let mut runs = BTreeMap::new();
        for (slots, event) in self.references.slots.iter().zip(self.events) {
            if let (Some(slot), EventScope::AnyRun) = (slots.run, event.scope) {
                let stored = self.runs[slot];
                runs.insert(stored.id, stored);
            }
        }
        runs
    }

    /// The dataset of each artifact that has one, by the indexes of the references.
    fn datasets(&self, groups: &DatasetGroups) -> HashMap<usize, i64> {
        let mut datasets = HashMap::new();
        for &(context, artifact) in &self.references.own_contexts {
            let dataset = groups.dataset(self.contexts[context].id);
            datasets.entry(artifact).or_insert(dataset);
        }
        datasets
    }

    async fn store_writes(
        &self,
        tx: &mut Tx,
        runs: &BTreeMap<i64, StoredNode>,
        datasets: &HashMap<usize, i64>,
        stored: Vec<DatasetWrite>,
        changed: &mut ChangedUses,
    ) -> Result<()> {
        let key = |it: &DatasetWrite| (it.dataset_id, it.execution_id, it.artifact_id);
        let stored: BTreeMap<WriteKey, DatasetWrite> = stored
            .into_iter()
            .map(|write| (key(&write), write))
            .collect();
        let mut abandoned = BTreeMap::new();
        let ranks = stored.iter().map(|(key, write)| (*key, write.tie_rank));
        let mut ranks: BTreeMap<WriteKey, i64> = ranks.collect();
        for slots in &self.references.slots {
            let Some(run) = slots.run else {
                continue;
            };
            for &slot in &slots.outputs {
                if let Some(&dataset) = datasets.get(&slot) {
                    let version = self.artifacts[slot];
                    let key = (dataset, self.runs[run].id, version.id);
                    abandoned.insert(version.id, version.state == Some(ABANDONED));
                    let of = [
                        &self.references.runs[run].key,
                        &self.references.artifacts[slot].key,
                    ];
                    ranks.entry(key).or_insert_with(|| tie_rank(of));
                }
            }
        }
        let mut writes = Vec::new();
        for (key, tie_rank) in ranks {
            let (dataset_id, execution_id, artifact_id) = key;
            let Some(run) = runs.get(&execution_id) else {
                continue;
            };
            let write = DatasetWrite {
                dataset_id,
                execution_id,
                artifact_id,
                microseconds: write_time(run),
                tie_rank,
                is_abandoned: has_failed(run),
            };
            let before = stored.get(&key);
            if before == Some(&write) {
                continue;
            }
            let earlier = before.map_or(NEVER_PRESENT, |before| before.microseconds);
            changed.note_write(dataset_id, earlier.min(write.microseconds));
            let was_abandoned = abandoned.get(&artifact_id).copied();
            let was_abandoned =
                was_abandoned.unwrap_or_else(|| before.is_some_and(|it| it.is_abandoned));
            if was_abandoned != write.is_abandoned {
                changed.note_decision(artifact_id);
            }
            writes.push(write);
        }
        dataset_uses::put_writes(tx, &writes).await
    }

    async fn store_reads(
        &self,
        tx: &mut Tx,
        runs: &BTreeMap<i64, StoredNode>,
        datasets: &HashMap<usize, i64>,
        stored: Vec<DatasetRead>,
        changed: &mut ChangedUses,
    ) -> Result<()> {
        let key = |it: &DatasetRead| (it.dataset_id, it.execution_id, it.unknown_id);
        let before: BTreeMap<ReadKey, DatasetRead> =
            stored.iter().map(|read| (key(read), *read)).collect();
        let mut reads = before.clone();
        for (slots, event) in self.references.slots.iter().zip(self.events) {
            let Some(run) = slots.run.map(|slot| self.runs[slot].id) else {
                continue;
            };
            for (given, slot) in event.inputs.iter().zip(&slots.inputs) {
                if let Some(&dataset) = datasets
                    .get(slot)
                    .filter(|_| given.dataset_use == DatasetUse::Present)
                {
                    let new = DatasetRead {
                        dataset_id: dataset,
                        execution_id: run,
                        unknown_id: self.artifacts[*slot].id,
                        artifact_id: 0,
                        microseconds: UNKNOWN_TIME,
                    };
                    reads.entry(key(&new)).or_insert(new);
                }
            }
        }
        let mut put = Vec::new();
        for (key, mut read) in reads {
            if let Some(run) = runs.get(&read.execution_id) {
                read.microseconds = read_time(run);
            }
            if before.get(&key) != Some(&read) {
                changed.note_reader(read.execution_id);
                put.push(read);
            }
        }
        dataset_uses::put_reads(tx, &put).await
    }
}

const fn has_failed(run: &StoredNode) -> bool {
    matches!(
        run.state,
        Some(NodeState::Execution(
            ExecutionState::Failed | ExecutionState::Canceled
        ))
    )
}

/// From when on the versions that a run wrote are present: its end, if it succeeded.
fn write_time(run: &StoredNode) -> i64 {
    let is_success = matches!(
        run.state,
        Some(NodeState::Execution(
            ExecutionState::Complete | ExecutionState::Cached
        ))
    );
    let ended = run.ended.filter(|_| is_success);
    ended.map_or(NEVER_PRESENT, EventTime::in_microseconds)
}

/// When a run read: at its start, or before its end.
fn read_time(run: &StoredNode) -> i64 {
    let time = run.started.or(run.ended);
    time.map_or(UNKNOWN_TIME, EventTime::in_microseconds)
}

/// The rank of a version among those of the same time: a number that the keys of the run and of the
/// version determine, and not the order of arrival.
fn tie_rank(of: [&Key<'_>; 2]) -> i64 {
    let mut bytes = Vec::new();
    for key in of {
        if let Key::ExternalId(text) | Key::Name(_, text) = key {
            bytes.extend(text.as_bytes());
        }
    }
    number_of(&bytes)
}
