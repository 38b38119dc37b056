//! Artifacts of every door are versions of the dataset at their URI, if there is one.
//!
//! A dataset comes into being when a client names it. From then on, artifacts join it in the
//! transaction that writes them; those that were there before join it when it is created.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::error::Result;
use crate::graph::datasets::groups::DatasetGroups;
use crate::graph::datasets::versions::{ChangedUses, NEVER_PRESENT};
use crate::graph::edges::memberships;
use crate::graph::names::short_name;
use crate::model::{
    Event, EventType, Kind, Membership, NodeInput, Side, canonical_uri, uri_notations,
};
use crate::storage::Tx;
use crate::storage::tables::dataset_uses::{self, DatasetWrite};
use crate::storage::tables::memberships::Nodes;
use crate::storage::tables::{dataset_names, events as stored_events, locks, nodes, types};

/// The type of contexts of data, whichever door names it.
pub const DATASET_TYPE: &str = "pedigree.Dataset";

/// The type of the artifacts that stand for versions of datasets in events about runs. An artifact
/// without a producer is such a version, and no import, if it has this type.
pub const VERSION_TYPE: &str = "openlineage.Dataset";

/// How long artifacts are looked for that belong to a new dataset, in milliseconds: longer than
/// the transactions last that have not seen it.
const ADOPTION_MILLISECONDS: i64 = 600_000;

/// The name of the dataset at a URI.
pub(in crate::graph) fn dataset_name(uri: &str) -> String {
    short_name(canonical_uri(uri)).into_owned()
}

/// The type of contexts of data, if a client has named a dataset. A store without one is asked
/// nothing more when artifacts are written.
async fn dataset_type(tx: &mut Tx) -> Result<Option<i64>> {
    types::recent_id(tx, Kind::Context, DATASET_TYPE, None).await
}

/// Lets artifacts with their ids join the datasets at their URIs, and their writers write these.
/// `now` is in milliseconds since epoch.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn written<'n>(
    tx: &mut Tx,
    artifacts: impl Iterator<Item = (&'n NodeInput, i64)>,
    outputs: &[Event],
    now: i64,
) -> Result<()> {
    let Some(type_id) = dataset_type(tx).await? else {
        return Ok(());
    };
    let mut uris = BTreeMap::new();
    for (node, id) in artifacts {
        let uri = node.content.uri.as_deref().unwrap_or_default();
        uris.insert(id, Cow::Borrowed(uri));
    }
    let unknown = outputs.iter().map(|event| event.artifact_id);
    let unknown: BTreeSet<i64> = unknown.filter(|id| !uris.contains_key(id)).collect();
    let unknown: Vec<i64> = unknown.into_iter().collect();
    let stored = dataset_names::uris_of(tx, &unknown).await?;
    uris.extend(stored.into_iter().map(|(id, uri)| (id, Cow::Owned(uri))));
    of_type(tx, type_id, &uris, outputs, now).await
}

/// [`written`] for events alone.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn outputs(tx: &mut Tx, outputs: &[Event], now: i64) -> Result<()> {
    written(tx, std::iter::empty(), outputs, now).await
}

/// [`written`] for artifacts of which only the ids are known.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn stored(tx: &mut Tx, artifacts: &[i64], now: i64) -> Result<()> {
    let Some(type_id) = dataset_type(tx).await? else {
        return Ok(());
    };
    let uris = dataset_names::uris_of(tx, artifacts).await?;
    let uris = uris.into_iter().map(|(id, uri)| (id, Cow::Owned(uri)));
    of_type(tx, type_id, &uris.collect(), &[], now).await
}

/// [`written`] for artifacts with these URIs.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn at_uris(
    tx: &mut Tx,
    uris: &BTreeMap<i64, Cow<'_, str>>,
    outputs: &[Event],
    now: i64,
) -> Result<()> {
    match dataset_type(tx).await? {
        Some(type_id) => of_type(tx, type_id, uris, outputs, now).await,
        None => Ok(()),
    }
}

/// [`at_uris`], with the id of [`DATASET_TYPE`].
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn of_type(
    tx: &mut Tx,
    type_id: i64,
    uris: &BTreeMap<i64, Cow<'_, str>>,
    outputs: &[Event],
    now: i64,
) -> Result<()> {
    let placed = uris.iter().filter(|(_, uri)| !uri.is_empty());
    let placed: BTreeMap<i64, String> = placed.map(|(id, uri)| (*id, dataset_name(uri))).collect();
    let names: BTreeSet<&str> = placed.values().map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let found = nodes::ids_by_names(tx, Kind::Context, &[type_id], &names).await?;
    // A loose collation can match other names.
    let exact = found.into_iter().map(|((_, name), id)| (name, id));
    let datasets: HashMap<String, i64> = exact
        .filter(|(name, _)| names.contains(&name.as_str()))
        .collect();
    if datasets.is_empty() {
        return Ok(());
    }
    let contexts: Vec<i64> = datasets.values().copied().collect();
    locks::nodes(tx, Kind::Context, &contexts).await?;
    let groups = DatasetGroups::of(tx, &contexts).await?;
    let leaders: BTreeSet<i64> = contexts.iter().map(|&id| groups.dataset(id)).collect();
    let leaders: Vec<i64> = leaders
        .into_iter()
        .filter(|id| !contexts.contains(id))
        .collect();
    locks::nodes(tx, Kind::Context, &leaders).await?;
    let dataset_of = |(id, name): (&i64, &String)| Some((*id, *datasets.get(name)?));
    let members: BTreeMap<i64, i64> = placed.iter().filter_map(dataset_of).collect();
    let mut changed = ChangedUses::default();
    add(tx, &members, outputs, &groups, &mut changed).await?;
    changed.settle(tx, now).await
}

/// Puts artifacts, with their datasets, into all names of these, and stores who wrote them.
async fn add(
    tx: &mut Tx,
    members: &BTreeMap<i64, i64>,
    outputs: &[Event],
    groups: &DatasetGroups,
    changed: &mut ChangedUses,
) -> Result<()> {
    let memberships = members.iter().flat_map(|(&node_id, &context_id)| {
        let names = groups.names(context_id).into_iter();
        names.map(move |context_id| Membership {
            context_id,
            node_id,
        })
    });
    let memberships: Vec<Membership> = memberships.collect();
    memberships::put_missing(tx, Kind::Artifact, memberships, Nodes::Any).await?;
    let write = |event: &Event| {
        let context_id = *members.get(&event.artifact_id)?;
        let milliseconds = event.milliseconds?;
        Some(DatasetWrite {
            dataset_id: groups.dataset(context_id),
            execution_id: event.execution_id,
            artifact_id: event.artifact_id,
            microseconds: milliseconds.saturating_mul(1000).min(NEVER_PRESENT - 1),
            tie_rank: event.artifact_id,
            is_abandoned: false,
        })
    };
    let is_made = |event: &&Event| event.event_type != EventType::PendingOutput;
    let writes: Vec<DatasetWrite> = outputs.iter().filter(is_made).filter_map(write).collect();
    for write in &writes {
        changed.note_write(write.dataset_id, write.microseconds);
    }
    dataset_uses::put_writes(tx, &writes).await
}

/// A dataset that a client names, as an artifact may have its URI.
#[derive(Clone, Copy, Debug)]
pub(in crate::graph) struct NamedDataset<'d> {
    pub context_id: i64,
    /// When it was created, in milliseconds since epoch.
    pub created: i64,
    pub uri: &'d str,
}

/// Lets artifacts join that were stored before their dataset was created. What is known of
/// versions that runs of the dataset's door have written is stored already.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn adopt(
    tx: &mut Tx,
    named: &[NamedDataset<'_>],
    groups: &DatasetGroups,
    changed: &mut ChangedUses,
    now: i64,
) -> Result<()> {
    let is_new = |it: &&NamedDataset<'_>| now.saturating_sub(it.created) <= ADOPTION_MILLISECONDS;
    let new = named.iter().filter(is_new);
    let new: HashMap<&str, i64> = new.map(|it| (it.uri, it.context_id)).collect();
    let notations: BTreeSet<String> = new.keys().flat_map(|uri| uri_notations(uri)).collect();
    let notations: Vec<&str> = notations.iter().map(String::as_str).collect();
    let found = dataset_names::unwritten_at(tx, &notations).await?;
    let dataset_of = |(id, uri): (i64, String)| Some((id, *new.get(&*canonical_uri(&uri))?));
    let members: BTreeMap<i64, i64> = found.into_iter().filter_map(dataset_of).collect();
    let ids: Vec<i64> = members.keys().copied().collect();
    let types = EventType::NAMED.into_iter().filter(|it| it.is_output());
    let types: Vec<EventType> = types.collect();
    let outputs = stored_events::of_nodes(tx, Side::Artifact, &ids, &types).await?;
    let outputs: Vec<Event> = outputs.into_iter().map(|stored| stored.value).collect();
    add(tx, &members, &outputs, groups, changed).await
}
