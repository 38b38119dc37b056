//! Runs of which facets say from which inputs they made each output. A trace goes from such an
//! output to these inputs only, and back.
//!
//! A run is reached once. When another one of its artifacts is reached later, the traversal goes on
//! from the run again, to what is linked with that artifact.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::error::Result;
use crate::model::{Event, Kind, Stored};
use crate::storage::Tx;
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::tables::run_lineage;

/// The runs that a traversal has reached, and of which facets say something.
#[derive(Debug, Default)]
pub(super) struct NamedInputs {
    runs: HashMap<i64, RunInputs>,
    /// Of the artifacts of [`Self::of_events`].
    datasets: DatasetsOf,
}

/// The ids of the datasets of each artifact, as far as facets name them.
type DatasetsOf = HashMap<i64, Vec<i64>>;

/// What is known of a run. Datasets are ids of contexts.
#[derive(Debug, Default)]
struct RunInputs {
    /// The named outputs with their inputs.
    inputs: BTreeMap<i64, BTreeSet<i64>>,
    /// Whether the traversal started here, so that it goes on to all artifacts.
    is_start: bool,
    /// The artifacts through which it was reached, and whether they are inputs.
    reached_by: BTreeSet<(i64, bool)>,
    /// Those from which the traversal has not gone on yet.
    arrived: Vec<(i64, bool)>,
    /// The ids of the events that are followed, each of which is followed once.
    followed: HashSet<i64>,
}

impl NamedInputs {
    /// What is known of these runs, which are new.
    pub(super) async fn load(&mut self, tx: &mut Tx, runs: &[i64], are_starts: bool) -> Result<()> {
        for (run, output, input) in run_lineage::of_runs(tx, runs).await? {
            let known = self.runs.entry(run).or_default();
            known.is_start = are_starts;
            let inputs = known.inputs.entry(output).or_default();
            if input != 0 {
                inputs.insert(input);
            }
        }
        Ok(())
    }

    /// What facets say of the runs of events, and of their artifacts.
    pub(super) async fn of_events(tx: &mut Tx, events: &[Stored<Event>]) -> Result<Self> {
        let runs: BTreeSet<i64> = events.iter().map(|it| it.value.execution_id).collect();
        let runs: Vec<i64> = runs.into_iter().collect();
        let mut named_inputs = Self::default();
        named_inputs.load(tx, &runs, false).await?;
        named_inputs.datasets = named_inputs.datasets_of(tx, events).await?;
        Ok(named_inputs)
    }

    /// Whether a run has made an output from an input, of those that [`Self::of_events`] was given.
    pub(super) fn has_made(&self, run: i64, output: i64, input: i64) -> bool {
        let of = |artifact: i64| self.datasets.get(&artifact).map_or(&[][..], Vec::as_slice);
        let run = self.runs.get(&run);
        run.is_none_or(|run| run.has_made(of(output), of(input)))
    }

    /// Notes that the traversal has come from the artifact of an event to its run, which it has
    /// reached. Whether it goes on from the run because of that.
    pub(super) fn arrive(&mut self, event: &Event) -> bool {
        let Some(run) = self.runs.get_mut(&event.execution_id) else {
            return false;
        };
        let artifact = (event.artifact_id, event.event_type.is_input());
        let is_new = run.reached_by.insert(artifact);
        if is_new {
            run.arrived.push(artifact);
        }
        is_new
    }

    /// Whether an event is followed that leads to a node within the limits: if it is one of these
    /// runs', only the first time. `None` if it is not.
    pub(super) fn follow(&mut self, event: &Stored<Event>) -> Option<bool> {
        let run = self.runs.get_mut(&event.value.execution_id)?;
        Some(run.followed.insert(event.id))
    }

    /// Keeps those of the events of these runs that lead to artifacts which are linked with those
    /// through which the runs were reached.
    pub(super) async fn retain_linked(
        &mut self,
        tx: &mut Tx,
        runs: &[i64],
        found: &mut Vec<Stored<Event>>,
    ) -> Result<()> {
        let datasets = self.datasets_of(tx, found).await?;
        found.retain(|Stored { value: event, .. }| {
            let run = self.runs.get(&event.execution_id);
            run.is_none_or(|run| run.leads_to(event, &datasets))
        });
        for run in runs {
            if let Some(run) = self.runs.get_mut(run) {
                run.arrived.clear();
                run.is_start = false;
            }
        }
        Ok(())
    }

    /// The datasets of the artifacts that these events link with runs.
    async fn datasets_of(&self, tx: &mut Tx, found: &[Stored<Event>]) -> Result<DatasetsOf> {
        let mut artifacts = BTreeSet::new();
        let mut named: BTreeSet<i64> = BTreeSet::new();
        for Stored { value: event, .. } in found {
            if let Some(run) = self.runs.get(&event.execution_id) {
                artifacts.insert(event.artifact_id);
                artifacts.extend(run.arrived.iter().map(|(artifact, _)| *artifact));
                named.extend(run.inputs.keys());
                named.extend(run.inputs.values().flatten());
            }
        }
        let artifacts: Vec<i64> = artifacts.into_iter().collect();
        let at = MembershipEnd::Node;
        let members = memberships::find(tx, Kind::Artifact, at, &artifacts).await?;
        let mut datasets = DatasetsOf::new();
        for member in members {
            if named.contains(&member.context_id) {
                let of = datasets.entry(member.node_id).or_default();
                of.push(member.context_id);
            }
        }
        Ok(datasets)
    }
}

impl RunInputs {
    /// Whether the traversal goes from the run to the artifact of an event.
    fn leads_to(&self, event: &Event, datasets: &DatasetsOf) -> bool {
        let of = |artifact: i64| datasets.get(&artifact).map_or(&[][..], Vec::as_slice);
        let far = of(event.artifact_id);
        let is_far_input = event.event_type.is_input();
        let is_linked = |&(artifact, is_input): &(i64, bool)| match (is_input, is_far_input) {
            (false, true) => self.has_made(of(artifact), far),
            (true, false) => self.has_made(far, of(artifact)),
            (true, true) | (false, false) => false,
        };
        self.is_start || self.arrived.iter().any(is_linked)
    }

    /// Whether the run has made an artifact of these datasets from one of those. Of an output that
    /// no facet names, each input may be a source.
    fn has_made(&self, outputs: &[i64], from: &[i64]) -> bool {
        let mut named = outputs
            .iter()
            .filter_map(|it| self.inputs.get(it))
            .peekable();
        named.peek().is_none() || named.any(|inputs| from.iter().any(|it| inputs.contains(it)))
    }
}
