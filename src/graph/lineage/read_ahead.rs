//! Events of several hops of a deep and narrow lineage, read at once: from a database server, each
//! hop takes a round trip otherwise.
//!
//! A recursive statement guesses which executions lie ahead. Their events are read like those of
//! any node, and so are those of the artifacts of these events. The traversal finds what it asks
//! for among them, or reads it as ever: a wrong guess changes no result.

use std::collections::{BTreeSet, HashMap};

use crate::error::Result;
use crate::graph::lineage::traverse::{EventFilter, Reached};
use crate::model::{Event, PerSide, Side, Stored};
use crate::storage::Tx;
use crate::storage::tables::events;

/// The most executions from which a hop of a narrow lineage starts.
const MAX_NARROW_EXECUTIONS: usize = 8;

/// How many narrow hops from executions come before the first one that reads ahead.
const NARROW_HOPS: usize = 2;

/// The fewest and the most executions that are read ahead on each way.
const MIN_STEPS: i64 = 4;
const MAX_STEPS: i64 = 128;

/// The most events of one side that are read ahead at once.
const MAX_EVENTS: usize = 5000;

/// What was read ahead, and how far to read next.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    /// All events that lead away from nodes on which the traversal has not gone on yet.
    events: PerSide<HashMap<i64, Vec<Stored<Event>>>>,
    /// The narrow hops from executions since the last one that was not.
    narrow_hops: usize,
    /// How many executions were read ahead on each way the last time.
    steps: i64,
    /// The hops from executions for which these are enough.
    hops_left: i64,
}

impl ReadAhead {
    /// The events that lead away from nodes of one side, ascending by id.
    pub(super) async fn events(
        &mut self,
        tx: &mut Tx,
        filter: &EventFilter,
        (side, from): (Side, &[i64]),
        reached: &PerSide<Reached>,
    ) -> Result<Vec<Stored<Event>>> {
        if side == Side::Execution && tx.dialect().has_round_trips() && self.is_due(from) {
            self.refill(tx, filter, from, reached).await?;
        }
        let mut found = Vec::new();
        let mut unknown = Vec::new();
        for id in from {
            match self.events.get_mut(side).remove(id) {
                Some(events) => found.extend(events),
                None => unknown.push(*id),
            }
        }
        found.extend(filter.events(tx, side, &unknown).await?);
        found.sort_unstable_by_key(|stored| stored.id);
        Ok(found)
    }

    /// Whether the events of all these nodes were read ahead.
    pub(super) fn has(&self, side: Side, ids: &[i64]) -> bool {
        ids.iter().all(|id| self.events.get(side).contains_key(id))
    }

    /// Whether to read ahead now, on a hop from these executions.
    fn is_due(&mut self, from: &[i64]) -> bool {
        if from.len() > MAX_NARROW_EXECUTIONS {
            self.narrow_hops = 0;
            return false;
        }
        self.narrow_hops += 1;
        self.hops_left -= 1;
        // While the traversal is on its way through what was read, other branches are not.
        let is_under_way = self.hops_left > 0 && !self.events.executions.is_empty();
        self.narrow_hops > NARROW_HOPS && !is_under_way && !self.has(Side::Execution, from)
    }

    /// Reads ahead: twice as far as the last time, if all executions of that time were used.
    async fn refill(
        &mut self,
        tx: &mut Tx,
        filter: &EventFilter,
        from: &[i64],
        reached: &PerSide<Reached>,
    ) -> Result<()> {
        let is_used_up = self.events.executions.is_empty();
        self.steps = if is_used_up { self.steps * 2 } else { 0 }.clamp(MIN_STEPS, MAX_STEPS);
        self.hops_left = self.steps;
        self.events = PerSide::default();
        let mut executions: BTreeSet<i64> = from.iter().copied().collect();
        for way in filter.ways_ahead() {
            let ahead = events::executions_ahead(tx, from, &way, self.steps).await?;
            let new = ahead.into_iter();
            executions.extend(new.filter(|id| !reached.executions.contains(*id)));
        }
        let is_further = executions.len() > from.len();
        let is_read = is_further && {
            let artifacts = self.read(tx, filter, Side::Execution, executions).await?;
            let new = artifacts.into_iter();
            let new = new.filter(|id| !reached.artifacts.contains(*id));
            let new = new.collect();
            self.read(tx, filter, Side::Artifact, new).await?;
            !self.events.executions.is_empty()
        };
        if !is_read {
            self.narrow_hops = 0;
            self.steps = 0;
        }
        Ok(())
    }

    /// Reads the events that lead away from nodes, and returns the ids of their other ends; nothing
    /// if the events are too many.
    async fn read(
        &mut self,
        tx: &mut Tx,
        filter: &EventFilter,
        side: Side,
        ids: BTreeSet<i64>,
    ) -> Result<BTreeSet<i64>> {
        let ids: Vec<i64> = ids.into_iter().collect();
        let Some(found) = filter.events_up_to(tx, side, &ids, MAX_EVENTS).await? else {
            return Ok(BTreeSet::new());
        };
        let known = self.events.get_mut(side);
        known.extend(ids.into_iter().map(|id| (id, Vec::new())));
        let mut far_ids = BTreeSet::new();
        for stored in found {
            let event = &stored.value;
            let (near, far) = match side {
                Side::Artifact => (event.artifact_id, event.execution_id),
                Side::Execution => (event.execution_id, event.artifact_id),
            };
            far_ids.insert(far);
            known.entry(near).or_default().push(stored);
        }
        Ok(far_ids)
    }
}
