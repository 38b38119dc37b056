//! Run events (`LineageService.Record`), with the event types of orchestrators: a run is an
//! execution, found by its name or external id and created by the first event about it.
//!
//! * `check`: what can be refused without the database; `state`: what an event makes of the state
//!   of a run.
//! * `type_catalog`: the types that events name, created or extended as they allow.
//! * `node_ref`: the references of events to nodes, with what the events say about them.
//! * `facets`: groups of facts that replace each other by the times of their events, with their
//!   texts.
//! * `resolved_nodes`: the node of each reference, found or created, and edited.
//! * `datasets`: versions of datasets that runs read without naming them.
//! * `lineage`: the inputs from which a run made each output, where its facets say it.
//! * `edges`: events between runs and artifacts, and memberships of both in contexts.
//!
//! Each step handles all events of a batch together, so that the number of statements does not
//! depend on the number of events.

mod check;
mod datasets;
mod edges;
pub(in crate::graph) mod facets;
mod lineage;
mod node_ref;
mod resolved_nodes;
mod state;
mod type_catalog;

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::Result;
use crate::graph::datasets::groups::DatasetGroups;
use crate::graph::edges::parents as contexts;
use crate::graph::write::Write;
use crate::model::{
    EventPath, EventType, ExecutionState, Kind, Membership, NodeState, Origin, Properties,
    Transformation,
};
use crate::storage::Tx;
use crate::storage::tables::locks;
use datasets::DatasetUses;
use node_ref::{EventSlots, NodeRefs};
use resolved_nodes::{ResolvedNodes, StoredNode};
use type_catalog::TypeCatalog;

pub use state::told_times;

/// One thing that happened to a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunEvent {
    pub scope: EventScope,
    /// Required; `None` also for a number that names none.
    pub event_type: Option<RunEventType>,
    /// When it happened; now, when unset.
    pub time: Option<EventTime>,
    /// `None` for a number that names none, which is refused.
    pub type_policy: Option<TypePolicy>,
    /// The execution type. Required.
    pub run_type: TypeName,
    /// Not empty. One of name and external id is required; with both, the external id finds the
    /// run.
    pub name: Option<String>,
    /// Not empty.
    pub external_id: Option<String>,
    pub contexts: Vec<ContextRef>,
    pub inputs: Vec<ArtifactRef>,
    pub outputs: Vec<ArtifactRef>,
    pub properties: Properties,
    pub custom_properties: Properties,
    /// Of the run.
    pub facets: Vec<Facet>,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventScope {
    /// A run. An event of the type `Other` creates none.
    #[default]
    Run,
    /// A run, which an event of any type creates.
    AnyRun,
    /// Its contexts. The event has no run, no inputs and no outputs.
    Contexts,
}

impl RunEvent {
    const fn has_run(&self) -> bool {
        !matches!(self.scope, EventScope::Contexts)
    }

    /// All contexts that it names, but not those above them.
    fn all_contexts(&self) -> impl Iterator<Item = &ContextRef> {
        let artifacts = self.inputs.iter().chain(&self.outputs);
        let of_artifacts = artifacts.flat_map(|artifact| &artifact.contexts);
        let of_contexts = self.contexts.iter().flat_map(|context| &context.facets);
        let facets = self.facets.iter().chain(of_contexts);
        let lineages = facets.filter_map(|facet| facet.lineage.as_ref());
        let of_facets = lineages.flat_map(|lineage| &lineage.datasets);
        self.contexts.iter().chain(of_artifacts).chain(of_facets)
    }

    /// The names of all properties whose values are not finite, each once. These are not stored:
    /// one metric that diverged must not cost a run its end.
    fn non_finite_properties(&self) -> Vec<String> {
        fn add<'e>(maps: &mut Vec<&'e Properties>, contexts: &'e [ContextRef]) {
            for context in contexts {
                maps.extend([&context.properties, &context.custom_properties]);
                add(maps, &context.parents);
            }
        }
        let mut maps = vec![&self.properties, &self.custom_properties];
        for artifact in self.inputs.iter().chain(&self.outputs) {
            maps.extend([&artifact.properties, &artifact.custom_properties]);
        }
        for context in self.all_contexts() {
            add(&mut maps, std::slice::from_ref(context));
        }
        let properties = maps.into_iter().flatten();
        let names: BTreeSet<&String> = properties
            .filter(|(_, value)| value.is_non_finite())
            .map(|(name, _)| name)
            .collect();
        names.into_iter().cloned().collect()
    }
}

/// The time of a run event. The order of events decides the state of a run, and events of one run
/// can be less than a millisecond apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime {
    /// Since the Unix epoch.
    pub milliseconds: i64,
    /// Beyond the milliseconds: less than 1,000. 0 from a door that knows milliseconds only.
    pub microseconds: u16,
}

impl EventTime {
    /// Since the Unix epoch.
    #[must_use]
    pub fn in_microseconds(self) -> i64 {
        let whole = self.milliseconds.saturating_mul(1000);
        whole.saturating_add(self.microseconds.into())
    }

    /// A time in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self {
            milliseconds,
            microseconds: 0,
        }
    }
}

/// The types of run events: those of `OpenLineage`, and `Cached`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunEventType {
    Start,
    /// Facts about a run in progress.
    Running,
    Complete,
    Fail,
    Abort,
    /// The run was skipped because its outputs were known.
    Cached,
    /// Facts about a known run; the event creates none.
    Other,
}

/// What an event may do about the types that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypePolicy {
    MustExist,
    /// Create those that do not exist.
    Create,
    /// As `Create`, and add properties that they do not declare.
    Extend,
}

/// What names a type of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TypeName {
    pub name: String,
    /// Not empty.
    pub version: Option<String>,
}

/// A context that a run and its artifacts are put into; created when it is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextRef {
    pub context_type: TypeName,
    /// Required.
    pub name: String,
    pub properties: Properties,
    pub custom_properties: Properties,
    /// The context becomes their child.
    pub parents: Vec<Self>,
    /// Other names of the same dataset, without further ones.
    pub other_names: Vec<Self>,
    pub facets: Vec<Facet>,
}

/// Facts about a node that belong together. Those of a later event replace those of an earlier one
/// as a whole, in whatever order the events arrive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facet {
    /// Names the facet among those of its node. Not empty.
    pub key: String,
    /// Of its content, as hexadecimal digits. `None` deletes the facet.
    pub digest: Option<String>,
    /// Its content, whose SHA-256 is the digest, if it is to be kept.
    pub text: Option<Arc<str>>,
    /// Custom properties of the node, which no other facet of the node has.
    pub properties: Properties,
    /// What it says of datasets: those that the run used and wrote, if it is a facet of a run.
    /// Facets of contexts that are not of the event itself say nothing.
    pub lineage: Option<FacetLineage>,
}

/// From which datasets others were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FacetLineage {
    pub datasets: Vec<ContextRef>,
    /// Outputs, each with an input, as indexes of the datasets. An output with `None` was made from
    /// no dataset. Of outputs that are not here nothing is said.
    pub edges: Vec<(usize, Option<usize>)>,
    pub columns: Vec<ColumnSource>,
}

/// From what a column was made. The datasets are indexes of those of [`FacetLineage`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnSource {
    pub output: usize,
    /// Empty for all columns of the output.
    pub output_column: String,
    pub input: usize,
    /// Empty for the dataset as a whole.
    pub input_column: String,
    pub transformation: Transformation,
}

/// An artifact that a run used or produced; created when it is missing, but not by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArtifactRef {
    /// Required, except for an artifact given by id.
    pub artifact_type: TypeName,
    /// Required.
    pub identity: Option<ArtifactIdentity>,
    pub uri: Option<String>,
    /// Kept as the custom property `digest`.
    pub digest: Option<String>,
    pub properties: Properties,
    pub custom_properties: Properties,
    pub path: EventPath,
    /// INPUT or OUTPUT when unset.
    pub event_type: Option<EventType>,
    /// Contexts of the artifact alone. It is in those of its run too. The first is the dataset of
    /// which it is a version, if the run has [`EventScope::AnyRun`].
    pub contexts: Vec<ContextRef>,
    pub dataset_use: DatasetUse,
    pub facets: Vec<Facet>,
}

/// What an artifact of a run stands for, if it is a version of a dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DatasetUse {
    /// Itself.
    #[default]
    Version,
    /// For an input: the version that was present when the run started. It is this artifact if no
    /// producer is known.
    Present,
    /// For an output: the run has removed the data. From its end on, this artifact is present,
    /// which no run has written.
    Removal,
}

/// What finds an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArtifactIdentity {
    Id(i64),
    ExternalId(String),
    /// Among those of its type.
    Name(String),
    /// One digest at one URI, among those of its type.
    Content {
        uri: String,
        digest: String,
    },
}

/// The ids of what an event stored or found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunResult {
    pub execution_id: i64,
    /// Aligned with the contexts of the event; so are the other two with theirs.
    pub context_ids: Vec<i64>,
    pub input_ids: Vec<i64>,
    pub output_ids: Vec<i64>,
    /// The state of the run after the event.
    pub state: Option<ExecutionState>,
    /// The names of properties that were not stored, because their values are not finite.
    pub discarded_properties: Vec<String>,
}

/// Stores events about runs, in order, all or none of them.
///
/// The error of several events is that of one of them, or of their combination. To find the refused
/// event, apply them one by one.
#[derive(Clone, Debug, Default)]
pub struct RecordRuns<E> {
    /// Events, or references to them.
    pub events: Vec<E>,
}

impl<E: Borrow<RunEvent> + Send + Sync> Write for RecordRuns<E> {
    /// Aligned with the events; `None` for an event without a run.
    type Answer = Vec<Option<RunResult>>;

    /// # Errors
    ///
    /// `InvalidArgument` for what is malformed, has values that its type does not declare, or
    /// closes a ring of contexts; `NotFound` for a type that may not be created, an artifact
    /// without such an id, and an update of an unknown run; `FailedPrecondition` for a digest that
    /// contradicts the stored one; `AlreadyExists` for a new run whose name is taken.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<Self::Answer> {
        let now = origin.time;
        let events: Vec<&RunEvent> = self.events.iter().map(Borrow::borrow).collect();
        for event in &events {
            check::event(event, now)?;
        }
        // Locks are taken in one order by all writes: the structure, contexts, executions,
        // artifacts.
        let catalog = TypeCatalog::resolve(tx, &events, origin).await?;
        let references = NodeRefs::of(&events, &catalog, now)?;
        let contexts =
            ResolvedNodes::find(tx, Kind::Context, &references.contexts, &catalog, now).await?;
        if !are_linked(tx, &references.links, &contexts).await?
            || !are_united(tx, &references, &contexts).await?
        {
            locks::structure(tx).await?;
        }
        let stored_contexts = contexts.store(tx).await?;
        let contexts = &stored_contexts.nodes;
        let of_link = |&(parent, child): &(usize, usize)| Membership {
            context_id: contexts[parent].id,
            node_id: contexts[child].id,
        };
        let links: Vec<Membership> = references.links.iter().map(of_link).collect();
        contexts::link_missing(tx, &links).await?;
        let runs =
            ResolvedNodes::find(tx, Kind::Execution, &references.runs, &catalog, now).await?;
        let datasets = datasets::lock(tx, &events, &references, contexts, &runs).await?;
        let known = edges::lock_known(tx, &events, &references.slots, &runs).await?;
        let stored_runs = runs.store(tx).await?;
        let runs = &stored_runs.nodes;
        let artifacts =
            ResolvedNodes::find(tx, Kind::Artifact, &references.artifacts, &catalog, now);
        let stored_artifacts = artifacts.await?.store(tx).await?;
        let artifacts = &stored_artifacts.nodes;

        let ids = |slots: &[usize], of: &[StoredNode]| -> Vec<i64> {
            slots.iter().map(|&slot| of[slot].id).collect()
        };
        let recorded = |(slots, event): (&EventSlots, &&RunEvent)| {
            let run = runs[slots.run?];
            Some(RunResult {
                execution_id: run.id,
                context_ids: ids(&slots.contexts, contexts),
                input_ids: ids(&slots.inputs, artifacts),
                output_ids: ids(&slots.outputs, artifacts),
                state: match run.state {
                    Some(NodeState::Execution(state)) => Some(state),
                    Some(NodeState::Artifact(_)) | None => None,
                },
                discarded_properties: event.non_finite_properties(),
            })
        };
        let told = references.slots.iter().zip(&events);
        let recorded: Vec<Option<RunResult>> = told.map(recorded).collect();
        let own: Vec<Membership> = references
            .own_contexts
            .iter()
            .flat_map(|&(context, artifact)| {
                let names = datasets.groups.names(contexts[context].id).into_iter();
                let node_id = artifacts[artifact].id;
                names.map(move |context_id| Membership {
                    context_id,
                    node_id,
                })
            })
            .collect();
        let of_runs = events.iter().zip(&recorded);
        let of_runs = of_runs.filter_map(|(event, run)| Some((*event, run.as_ref()?)));
        let of_runs: Vec<(&RunEvent, &RunResult)> = of_runs.collect();
        edges::put(tx, &of_runs, own, &known, &datasets.reads, now).await?;
        lineage::put(tx, &references, &stored_contexts, &stored_runs).await?;
        let uses = DatasetUses {
            events: &events,
            references: &references,
            contexts,
            runs,
            artifacts,
        };
        uses.store(tx, datasets, now).await?;
        uses.join(tx, now).await?;
        let stored = [
            (references.contexts.as_slice(), &stored_contexts),
            (references.runs.as_slice(), &stored_runs),
            (references.artifacts.as_slice(), &stored_artifacts),
        ];
        facets::put_texts(tx, stored).await?;
        Ok(recorded)
    }
}

/// Whether all names of one dataset are known to be that.
async fn are_united(
    tx: &mut Tx,
    references: &NodeRefs<'_>,
    contexts: &ResolvedNodes<'_>,
) -> Result<bool> {
    let Some(aliases) = datasets::known_aliases(references, contexts) else {
        return Ok(false);
    };
    let ids: Vec<i64> = aliases
        .iter()
        .flat_map(|&(one, other)| [one, other])
        .collect();
    Ok(DatasetGroups::of(tx, &ids).await?.are_united(&aliases))
}

/// Whether all links from parents to children, as indexes of contexts, are stored already.
async fn are_linked(
    tx: &mut Tx,
    links: &[(usize, usize)],
    contexts: &ResolvedNodes<'_>,
) -> Result<bool> {
    let known = |&(parent, child): &(usize, usize)| {
        Some(Membership {
            context_id: contexts.known_id(parent)?,
            node_id: contexts.known_id(child)?,
        })
    };
    let known: Option<Vec<Membership>> = links.iter().map(known).collect();
    match known {
        Some(links) => contexts::are_linked(tx, &links).await,
        None => Ok(false),
    }
}
