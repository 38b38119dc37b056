//! Breadth-first traversal along events. A hop reads the events of its artifacts in one statement
//! and those of its executions in another, unless they were read ahead.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::graph::datasets::writers;
use crate::graph::lineage::boundary::ParsedBoundary;
use crate::graph::lineage::named_inputs::NamedInputs;
use crate::graph::lineage::read_ahead::ReadAhead;
use crate::model::{Event, EventType, PerSide, Side, Step, Stored};
use crate::storage::Tx;
use crate::storage::tables::events::{self, WayAhead};

/// The direction of a traversal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// To the nodes that others were made from.
    Upstream,
    /// To the nodes that were made from others.
    Downstream,
    #[default]
    Both,
}

impl Direction {
    /// The types of the events that lead away from a node on this side; empty for all types.
    fn event_types(self, from: Side) -> Vec<EventType> {
        let downstream = match self {
            Self::Upstream => false,
            Self::Downstream => true,
            Self::Both => return Vec::new(),
        };
        // An input leads downstream from its artifact and upstream from its execution.
        let by_inputs = downstream == (from == Side::Artifact);
        let leads = |event: &EventType| by_inputs == event.is_input();
        EventType::NAMED.into_iter().filter(leads).collect()
    }
}

/// The events that a traversal follows.
#[derive(Clone, Debug, Default)]
pub(super) struct EventFilter {
    pub(super) direction: Direction,
    /// Events of these types only; of all types, when empty.
    pub(super) event_types: Vec<EventType>,
    /// Events only whose path has this key.
    pub(super) path_key: Option<String>,
    /// Events only that were there at this time, in milliseconds since epoch: their own times are
    /// not later, and their ends were created by then.
    pub(super) as_of: Option<i64>,
}

impl EventFilter {
    /// The types of the events that lead away from a node on this side: all types when empty, no
    /// type when `None`.
    fn event_types(&self, from: Side) -> Option<Vec<EventType>> {
        let leading = self.direction.event_types(from);
        if self.event_types.is_empty() {
            return Some(leading);
        }
        let chosen = self.event_types.iter().copied();
        let chosen = chosen.filter(|event| leading.is_empty() || leading.contains(event));
        let chosen: Vec<EventType> = chosen.collect();
        (!chosen.is_empty()).then_some(chosen)
    }

    /// Whether it follows the outputs of runs from this side.
    fn follows_outputs(&self, side: Side) -> bool {
        let types = self.event_types(side);
        let has_outputs = types.is_some_and(|it| it.is_empty() || it.contains(&EventType::Output));
        has_outputs && self.path_key.is_none()
    }

    /// The ways by which it goes on from executions.
    pub(super) fn ways_ahead(&self) -> Vec<WayAhead> {
        let directions: &[Direction] = match self.direction {
            Direction::Both => &[Direction::Upstream, Direction::Downstream],
            Direction::Upstream => &[Direction::Upstream],
            Direction::Downstream => &[Direction::Downstream],
        };
        let ways = directions.iter().filter_map(|&direction| {
            let one_way = Self {
                direction,
                event_types: self.event_types.clone(),
                path_key: None,
                as_of: self.as_of,
            };
            Some(WayAhead {
                to_artifacts: one_way.event_types(Side::Execution)?,
                to_executions: one_way.event_types(Side::Artifact)?,
                is_to_older: direction == Direction::Upstream,
            })
        });
        ways.collect()
    }

    /// The events that lead away from these nodes, ascending by id.
    pub(super) async fn events(
        &self,
        tx: &mut Tx,
        side: Side,
        from: &[i64],
    ) -> Result<Vec<Stored<Event>>> {
        let Some(types) = self.event_types(side) else {
            return Ok(Vec::new());
        };
        let found = events::of_nodes_as_of(tx, (side, from), &types, self.as_of).await?;
        self.with_key(tx, found).await
    }

    /// [`Self::events`] in any order, or `None` if there are more than `max_events`.
    pub(super) async fn events_up_to(
        &self,
        tx: &mut Tx,
        side: Side,
        from: &[i64],
        max_events: usize,
    ) -> Result<Option<Vec<Stored<Event>>>> {
        let Some(types) = self.event_types(side) else {
            return Ok(Some(Vec::new()));
        };
        let of = (side, from);
        let found = events::of_nodes_up_to(tx, of, &types, self.as_of, max_events).await?;
        match found {
            Some(found) => self.with_key(tx, found).await.map(Some),
            None => Ok(None),
        }
    }

    /// Those of events that it follows.
    async fn with_key(
        &self,
        tx: &mut Tx,
        mut found: Vec<Stored<Event>>,
    ) -> Result<Vec<Stored<Event>>> {
        if let Some(key) = &self.path_key {
            events::attach_paths(tx, &mut found).await?;
            let has_key = |step: &Step| matches!(step, Step::Key(found) if found == key);
            found.retain(|stored| stored.value.path.iter().any(has_key));
        }
        Ok(found)
    }
}

/// The nodes of one side that a traversal has reached.
pub(super) struct Reached {
    boundary: ParsedBoundary,
    /// Nodes within the boundary.
    visited: BTreeSet<i64>,
    /// Nodes on the boundary.
    stopped: BTreeSet<i64>,
    /// The nodes from which the next hop starts, ascending by id.
    frontier: Vec<i64>,
}

impl Reached {
    fn none(boundary: ParsedBoundary) -> Self {
        Self {
            boundary,
            visited: BTreeSet::new(),
            stopped: BTreeSet::new(),
            frontier: Vec::new(),
        }
    }

    /// Adds nodes that were not reached before, and returns those of the result.
    async fn add(&mut self, tx: &mut Tx, side: Side, new: Vec<i64>) -> Result<Vec<i64>> {
        if new.is_empty() {
            return Ok(new);
        }
        let (within, on_boundary) = self.boundary.split(tx, side.kind(), new).await?;
        self.visited.extend(&within);
        self.stopped.extend(&on_boundary);
        let mut result = within.clone();
        if self.boundary.include {
            result.extend(on_boundary);
            result.sort_unstable();
        }
        self.frontier = within;
        Ok(result)
    }

    /// Goes on again from nodes within the boundary.
    fn go_on_from(&mut self, again: BTreeSet<i64>) {
        if !again.is_empty() {
            self.frontier.extend(again);
            self.frontier.sort_unstable();
            self.frontier.dedup();
        }
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        self.visited.contains(&id) || self.stopped.contains(&id)
    }

    /// The nodes of the result, ascending by id.
    fn result(&self) -> BTreeSet<i64> {
        let mut result = self.visited.clone();
        if self.boundary.include {
            result.extend(&self.stopped);
        }
        result
    }

    /// The number of nodes of the result.
    fn result_len(&self) -> usize {
        let stopped = if self.boundary.include {
            self.stopped.len()
        } else {
            0
        };
        self.visited.len() + stopped
    }
}

/// The nodes and events that one hop reached for the first time.
#[derive(Debug, Default)]
pub(super) struct Hop {
    /// Ids, ascending.
    pub(super) nodes: PerSide<Vec<i64>>,
    /// The events followed, without their paths until [`Traversal::attach_paths`].
    pub(super) events: Vec<Stored<Event>>,
    /// Whether the node limit left out nodes.
    pub(super) is_cut: bool,
}

impl Hop {
    pub(super) fn node_count(&self) -> usize {
        self.nodes.artifacts.len() + self.nodes.executions.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.node_count() == 0 && self.events.is_empty()
    }
}

/// A traversal under way.
pub(super) struct Traversal {
    filter: EventFilter,
    reached: PerSide<Reached>,
    read_ahead: ReadAhead,
    /// `None` where what facets say of the inputs of outputs does not matter.
    named_inputs: Option<NamedInputs>,
    /// Whether it goes from artifacts without a producer to the runs that wrote their datasets, and
    /// back.
    follows_implied: bool,
}

impl Traversal {
    /// Starts at these nodes, ascending by id. It does not go on from those on a boundary.
    pub(super) async fn start(
        tx: &mut Tx,
        starts: PerSide<Vec<i64>>,
        filter: EventFilter,
        boundaries: PerSide<ParsedBoundary>,
    ) -> Result<Self> {
        let mut reached = PerSide {
            artifacts: Reached::none(boundaries.artifacts),
            executions: Reached::none(boundaries.executions),
        };
        let PerSide {
            artifacts,
            executions,
        } = starts;
        for (side, ids) in [(Side::Artifact, artifacts), (Side::Execution, executions)] {
            reached.get_mut(side).add(tx, side, ids).await?;
        }
        Ok(Self {
            filter,
            reached,
            read_ahead: ReadAhead::default(),
            named_inputs: None,
            follows_implied: false,
        })
    }

    /// Goes from an output to those inputs only that facets name for it. To be called at the start.
    pub(super) async fn respect_named_inputs(&mut self, tx: &mut Tx) -> Result<()> {
        let mut named_inputs = NamedInputs::default();
        let starts = &self.reached.executions.frontier;
        named_inputs.load(tx, starts, true).await?;
        self.named_inputs = Some(named_inputs);
        Ok(())
    }

    /// Goes from an artifact that no run has produced to the runs that wrote the data at its URI,
    /// and from these runs to the artifact.
    pub(super) fn follow_implied_outputs(&mut self) {
        self.follows_implied = true;
    }

    /// Goes one hop further. It reaches at most `max_nodes` new nodes and leaves out the others.
    pub(super) async fn hop(&mut self, tx: &mut Tx, max_nodes: usize) -> Result<Hop> {
        let mut hop = Hop::default();
        let artifacts = std::mem::take(&mut self.reached.artifacts.frontier);
        let executions = std::mem::take(&mut self.reached.executions.frontier);
        for (side, from, pending) in [
            (Side::Artifact, &artifacts, &*executions),
            // The artifacts of this hop are done by now.
            (Side::Execution, &executions, &[]),
        ] {
            let max_nodes = max_nodes.saturating_sub(hop.node_count());
            self.step(tx, (side, from), pending, max_nodes, &mut hop)
                .await?;
        }
        Ok(hop)
    }

    /// Goes from nodes of one side to those of the other. `pending` are the nodes over there from
    /// which this hop has not gone on yet.
    async fn step(
        &mut self,
        tx: &mut Tx,
        (side, from): (Side, &[i64]),
        pending: &[i64],
        max_nodes: usize,
        hop: &mut Hop,
    ) -> Result<()> {
        if from.is_empty() {
            return Ok(());
        }
        let far_side = side.opposite();
        let read_ahead = &mut self.read_ahead;
        let reached = &self.reached;
        let mut found = read_ahead
            .events(tx, &self.filter, (side, from), reached)
            .await?;
        if self.follows_implied && self.filter.follows_outputs(side) {
            let as_of = self.filter.as_of;
            let outputs = match side {
                Side::Artifact => writers::implied_outputs(tx, from, &found, as_of).await?,
                Side::Execution => writers::implied_outputs_of(tx, from, as_of).await?,
            };
            found.extend(outputs);
        }
        if let (Side::Execution, Some(named_inputs)) = (side, &mut self.named_inputs) {
            named_inputs.retain_linked(tx, from, &mut found).await?;
        }
        let far_id = |stored: &Stored<Event>| match far_side {
            Side::Artifact => stored.value.artifact_id,
            Side::Execution => stored.value.execution_id,
        };
        let goes_both_ways = self.filter.direction == Direction::Both;
        let far = self.reached.get_mut(far_side);
        let mut new: BTreeSet<i64> = found.iter().map(far_id).collect();
        new.retain(|id| !far.contains(*id));
        hop.is_cut |= new.len() > max_nodes;
        let new: Vec<i64> = new.into_iter().take(max_nodes).collect();
        let added = far.add(tx, far_side, new).await?;
        if let (Side::Artifact, Some(named_inputs)) = (side, &mut self.named_inputs) {
            named_inputs.load(tx, &added, false).await?;
            let mut again = BTreeSet::new();
            for Stored { value: event, .. } in &found {
                if far.visited.contains(&event.execution_id) && named_inputs.arrive(event) {
                    again.insert(event.execution_id);
                }
            }
            far.go_on_from(again);
        }
        let is_new = |id: i64| added.binary_search(&id).is_ok();
        let followed = found.into_iter().filter(|stored| {
            let id = far_id(stored);
            let is_on_boundary = far.stopped.contains(&id);
            let is_within = is_new(id) || far.visited.contains(&id);
            if !(is_on_boundary && far.boundary.include || !is_on_boundary && is_within) {
                return false;
            }
            let named_inputs = self.named_inputs.as_mut();
            if let Some(is_first) = named_inputs.and_then(|it| it.follow(stored)) {
                return is_first;
            }
            // In both directions, an event between visited nodes was followed from its other end,
            // unless that end is pending.
            is_on_boundary || is_new(id) || !goes_both_ways || pending.binary_search(&id).is_ok()
        });
        hop.events.extend(followed);
        hop.nodes.get_mut(far_side).extend(added);
        Ok(())
    }

    /// Goes up to `max_hops` hops further, until no node is left or the result has `max_nodes`
    /// nodes, and returns the events followed.
    pub(super) async fn run(
        &mut self,
        tx: &mut Tx,
        max_hops: i64,
        max_nodes: usize,
    ) -> Result<Vec<Stored<Event>>> {
        let mut events = Vec::new();
        for _ in 0..max_hops {
            let max_nodes = max_nodes.saturating_sub(self.result_len());
            if max_nodes == 0 || self.is_done() {
                break;
            }
            events.extend(self.hop(tx, max_nodes).await?.events);
        }
        Ok(events)
    }

    /// Reads the paths of events of this traversal into them.
    pub(super) async fn attach_paths(
        &self,
        tx: &mut Tx,
        found: &mut [Stored<Event>],
    ) -> Result<()> {
        // A traversal that filters by path has read them.
        if self.filter.path_key.is_some() {
            return Ok(());
        }
        events::attach_paths(tx, found).await
    }

    /// Whether the events of the next hop are known, so that it need not read them.
    pub(super) fn is_next_known(&self) -> bool {
        let has = |side: Side| self.read_ahead.has(side, &self.reached.get(side).frontier);
        Side::ALL.into_iter().all(has)
    }

    /// Whether there is no node to go on from.
    pub(super) fn is_done(&self) -> bool {
        let reached = &self.reached;
        reached.artifacts.frontier.is_empty() && reached.executions.frontier.is_empty()
    }

    /// The ids of the nodes of the result on one side, ascending.
    pub(super) fn result(&self, side: Side) -> Vec<i64> {
        self.reached.get(side).result().into_iter().collect()
    }

    /// The number of nodes of the result so far.
    pub(super) fn result_len(&self) -> usize {
        self.reached.artifacts.result_len() + self.reached.executions.result_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_lead_down_from_artifacts_and_up_from_executions() {
        let inputs = vec![2, 3, 5];
        let outputs = vec![1, 4, 6, 7];
        for (direction, side, expected) in [
            (Direction::Upstream, Side::Artifact, &outputs),
            (Direction::Downstream, Side::Artifact, &inputs),
            (Direction::Upstream, Side::Execution, &inputs),
            (Direction::Downstream, Side::Execution, &outputs),
            (Direction::Both, Side::Artifact, &Vec::new()),
        ] {
            let types = direction.event_types(side).into_iter();
            let numbers: Vec<i64> = types.map(EventType::number).collect();
            assert_eq!(&numbers, expected, "{direction:?} {side:?}");
        }
    }
}
