//! The walk through lineage: breadth first, one look a hop at the events of its artifacts and one at those of its executions.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::filter::Filter;
use crate::model::{EventType, Kind, Step};
use crate::storage::Tx;
use crate::storage::tables::events::{self, StoredEvent};
use crate::storage::tables::lists;

/// Which way to walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// To what the nodes were made from.
    Upstream,
    /// To what was made from the nodes.
    Downstream,
    #[default]
    Both,
}

impl Direction {
    /// The types of the events that lead away from a node of this kind; all of them when empty.
    fn event_types(self, from: Kind) -> Vec<i64> {
        if self == Self::Both {
            return Vec::new();
        }
        // An input leads down from its artifact and up from its execution.
        let inputs = (self == Self::Downstream) == (from == Kind::Artifact);
        (1..=7)
            .map(EventType)
            .filter(|event| {
                if inputs {
                    event.is_input()
                } else {
                    event.is_output()
                }
            })
            .map(|event| event.0)
            .collect()
    }
}

/// Where a walk ends: nodes that are not walked through.
#[derive(Default)]
pub(in crate::graph) enum Ending {
    /// Nowhere.
    #[default]
    Never,
    /// At every node.
    Always,
    /// At the nodes that the filter lets through.
    At(Filter),
}

/// What a walk knows of one kind of node.
#[derive(Default)]
pub(in crate::graph) struct Side {
    pub ending: Ending,
    /// Whether ending nodes and the events that lead to them belong to the result.
    pub include_ending: bool,
    pub visited: BTreeSet<i64>,
    pub ended: BTreeSet<i64>,
    /// What was visited last, and is walked from next; ascending.
    pub frontier: Vec<i64>,
}

impl Side {
    /// Splits off those of the ids at which the walk ends.
    async fn split(&self, tx: &mut Tx, kind: Kind, ids: Vec<i64>) -> Result<(Vec<i64>, Vec<i64>)> {
        let filter = match &self.ending {
            Ending::Never => return Ok((ids, Vec::new())),
            Ending::Always => return Ok((Vec::new(), ids)),
            Ending::At(filter) => filter.predicate(tx.dialect()),
        };
        let ending = lists::ids(tx, kind, Some(&ids), Some(&filter), None).await?;
        let is_ending = |id: &i64| ending.binary_search(id).is_ok();
        let going_on = ids.into_iter().filter(|id| !is_ending(id)).collect();
        Ok((going_on, ending))
    }

    /// Visits nodes for the first time, and returns those that belong to the result.
    async fn arrive(&mut self, tx: &mut Tx, kind: Kind, new: Vec<i64>) -> Result<Vec<i64>> {
        if new.is_empty() {
            return Ok(new);
        }
        let (going_on, ending) = self.split(tx, kind, new).await?;
        self.visited.extend(&going_on);
        self.ended.extend(&ending);
        let mut arrived = going_on.clone();
        if self.include_ending {
            arrived.extend(ending);
            arrived.sort_unstable();
        }
        self.frontier = going_on;
        Ok(arrived)
    }

    fn has_seen(&self, id: i64) -> bool {
        self.visited.contains(&id) || self.ended.contains(&id)
    }

    /// The nodes of the result, ascending by id.
    pub(in crate::graph) fn result(&self) -> BTreeSet<i64> {
        let mut result = self.visited.clone();
        if self.include_ending {
            result.extend(&self.ended);
        }
        result
    }

    /// How many nodes the result has.
    fn size(&self) -> usize {
        let ended = if self.include_ending {
            self.ended.len()
        } else {
            0
        };
        self.visited.len() + ended
    }
}

/// A walk under way.
pub(in crate::graph) struct Walk {
    follow: Follow,
    pub artifacts: Side,
    pub executions: Side,
}

/// Which events a walk goes along.
#[derive(Clone, Debug, Default)]
pub(in crate::graph) struct Follow {
    pub direction: Direction,
    /// Events of these types only; of all, when empty.
    pub event_types: Vec<EventType>,
    /// Events only whose path has this key.
    pub path_key: Option<String>,
}

impl Follow {
    /// The types of the events that lead away from a node of this kind: all of them when empty, none when unset.
    fn event_types(&self, from: Kind) -> Option<Vec<i64>> {
        let leading = self.direction.event_types(from);
        if self.event_types.is_empty() {
            return Some(leading);
        }
        let chosen = self.event_types.iter().map(|event| event.0);
        let chosen = chosen.filter(|event| leading.is_empty() || leading.contains(event));
        let chosen: Vec<i64> = chosen.collect();
        (!chosen.is_empty()).then_some(chosen)
    }

    /// The events that lead away from these nodes.
    async fn events(&self, tx: &mut Tx, kind: Kind, from: &[i64]) -> Result<Vec<StoredEvent>> {
        let Some(types) = self.event_types(kind) else {
            return Ok(Vec::new());
        };
        let mut found = events::of_nodes(tx, kind, from, &types).await?;
        if let Some(key) = &self.path_key {
            events::attach_paths(tx, &mut found).await?;
            let has_key = |step: &Step| matches!(step, Step::Key(found) if found == key);
            found.retain(|stored| stored.event.path.iter().any(has_key));
        }
        Ok(found)
    }
}

/// What a hop found that the walk had not met.
#[derive(Debug, Default)]
pub(in crate::graph) struct Hop {
    /// Ids, ascending.
    pub artifacts: Vec<i64>,
    /// Ids, ascending.
    pub executions: Vec<i64>,
    /// The events walked along, without their paths until [`Walk::attach_paths`].
    pub events: Vec<StoredEvent>,
    /// Whether there was no room for all nodes.
    pub left_out: bool,
}

impl Hop {
    pub(in crate::graph) fn ids(&mut self, kind: Kind) -> &mut Vec<i64> {
        match kind {
            Kind::Artifact => &mut self.artifacts,
            _ => &mut self.executions,
        }
    }

    fn size(&self) -> usize {
        self.artifacts.len() + self.executions.len()
    }

    pub(in crate::graph) fn is_empty(&self) -> bool {
        self.size() == 0 && self.events.is_empty()
    }
}

const fn other(kind: Kind) -> Kind {
    match kind {
        Kind::Artifact => Kind::Execution,
        _ => Kind::Artifact,
    }
}

impl Walk {
    /// Stands on the starting nodes, ascending by id; those at which the walk ends at once are not walked from.
    pub(in crate::graph) async fn start(
        tx: &mut Tx,
        starts: [(Kind, Vec<i64>); 2],
        follow: Follow,
        (artifacts, executions): (Side, Side),
    ) -> Result<Self> {
        let mut walk = Self {
            follow,
            artifacts,
            executions,
        };
        for (kind, ids) in starts {
            walk.side(kind).arrive(tx, kind, ids).await?;
        }
        Ok(walk)
    }

    fn side(&mut self, kind: Kind) -> &mut Side {
        match kind {
            Kind::Artifact => &mut self.artifacts,
            _ => &mut self.executions,
        }
    }

    /// Walks one hop. At most `room` nodes are new; the rest of the hop is left out.
    pub(in crate::graph) async fn hop(&mut self, tx: &mut Tx, room: usize) -> Result<Hop> {
        let mut hop = Hop::default();
        let artifacts = std::mem::take(&mut self.artifacts.frontier);
        let executions = std::mem::take(&mut self.executions.frontier);
        let left = |hop: &Hop| room.saturating_sub(hop.size());
        for (kind, from, waiting) in [
            (Kind::Artifact, &artifacts, &*executions),
            // Artifacts of the same hop have been walked from by now.
            (Kind::Execution, &executions, &[]),
        ] {
            let room = left(&hop);
            self.step(tx, (kind, from), waiting, room, &mut hop).await?;
        }
        Ok(hop)
    }

    /// Walks from nodes of one kind to those of the other. `waiting` are the nodes there from which this hop has yet to go on.
    async fn step(
        &mut self,
        tx: &mut Tx,
        (kind, from): (Kind, &[i64]),
        waiting: &[i64],
        room: usize,
        hop: &mut Hop,
    ) -> Result<()> {
        if from.is_empty() {
            return Ok(());
        }
        let far_kind = other(kind);
        let found = self.follow.events(tx, kind, from).await?;
        let far_id = |stored: &StoredEvent| match far_kind {
            Kind::Artifact => stored.event.artifact_id.unwrap_or_default(),
            _ => stored.event.execution_id.unwrap_or_default(),
        };
        let both_ways = self.follow.direction == Direction::Both;
        let far = self.side(far_kind);
        let mut new: BTreeSet<i64> = found.iter().map(far_id).collect();
        new.retain(|id| !far.has_seen(*id));
        hop.left_out |= new.len() > room;
        let new: Vec<i64> = new.into_iter().take(room).collect();
        let arrived = far.arrive(tx, far_kind, new).await?;
        let is_new = |id: i64| arrived.binary_search(&id).is_ok();
        let walked = found.into_iter().filter(|stored| {
            let id = far_id(stored);
            if far.ended.contains(&id) {
                return far.include_ending;
            }
            // Walking both ways, an event between visited nodes was walked along from its other end, if that had its turn.
            is_new(id)
                || (far.visited.contains(&id) && (!both_ways || waiting.binary_search(&id).is_ok()))
        });
        hop.events.extend(walked);
        hop.ids(far_kind).extend(arrived);
        Ok(())
    }

    /// Reads the paths of events of this walk into them.
    pub(in crate::graph) async fn attach_paths(
        &self,
        tx: &mut Tx,
        found: &mut [StoredEvent],
    ) -> Result<()> {
        // A walk that looks at paths has them.
        if self.follow.path_key.is_some() {
            return Ok(());
        }
        events::attach_paths(tx, found).await
    }

    /// Whether there is nothing to walk on from.
    pub(in crate::graph) fn is_done(&self) -> bool {
        self.artifacts.frontier.is_empty() && self.executions.frontier.is_empty()
    }

    /// How many nodes the result has so far.
    pub(in crate::graph) fn size(&self) -> usize {
        self.artifacts.size() + self.executions.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_lead_down_from_artifacts_and_up_from_executions() {
        let inputs = vec![2, 3, 5];
        let outputs = vec![1, 4, 6, 7];
        for (direction, kind, expected) in [
            (Direction::Upstream, Kind::Artifact, &outputs),
            (Direction::Downstream, Kind::Artifact, &inputs),
            (Direction::Upstream, Kind::Execution, &inputs),
            (Direction::Downstream, Kind::Execution, &outputs),
            (Direction::Both, Kind::Artifact, &Vec::new()),
        ] {
            assert_eq!(
                &direction.event_types(kind),
                expected,
                "{direction:?} {kind}"
            );
        }
    }
}
