//! The walk through lineage: breadth first, artifacts and executions in turn, one look at the events of a hop.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::filter::Filter;
use crate::model::{EventType, Kind};
use crate::storage::Tx;
use crate::storage::tables::events::{self, StoredEvent};
use crate::storage::tables::lists::{self, Condition};

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
pub(super) enum Ending {
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
pub(super) struct Side {
    pub ending: Ending,
    /// Whether ending nodes and the events that lead to them belong to the result.
    pub include_ending: bool,
    pub visited: BTreeSet<i64>,
    pub ended: BTreeSet<i64>,
}

impl Side {
    /// Splits off those of the ids at which the walk ends.
    async fn split(&self, tx: &mut Tx, kind: Kind, ids: Vec<i64>) -> Result<(Vec<i64>, Vec<i64>)> {
        let filter = match &self.ending {
            Ending::Never => return Ok((ids, Vec::new())),
            Ending::Always => return Ok((Vec::new(), ids)),
            Ending::At(filter) => filter as &dyn Condition,
        };
        let ending = lists::ids(tx, kind, Some(&ids), Some(filter), None).await?;
        let is_ending = |id: &i64| ending.binary_search(id).is_ok();
        let going_on = ids.into_iter().filter(|id| !is_ending(id)).collect();
        Ok((going_on, ending))
    }

    fn has_seen(&self, id: i64) -> bool {
        self.visited.contains(&id) || self.ended.contains(&id)
    }

    /// The nodes of the result, ascending by id.
    pub(super) fn result(&self) -> BTreeSet<i64> {
        let mut result = self.visited.clone();
        if self.include_ending {
            result.extend(&self.ended);
        }
        result
    }
}

/// A walk under way.
pub(super) struct Walk {
    direction: Direction,
    /// The kind of the frontier.
    kind: Kind,
    frontier: Vec<i64>,
    pub artifacts: Side,
    pub executions: Side,
    /// The events walked along, hop after hop.
    pub events: Vec<StoredEvent>,
}

const fn other(kind: Kind) -> Kind {
    match kind {
        Kind::Artifact => Kind::Execution,
        _ => Kind::Artifact,
    }
}

impl Walk {
    /// Stands on the starting nodes; those at which the walk ends at once are not walked from.
    pub(super) async fn start(
        tx: &mut Tx,
        kind: Kind,
        ids: Vec<i64>,
        direction: Direction,
        (artifacts, executions): (Side, Side),
    ) -> Result<Self> {
        let mut walk = Self {
            direction,
            kind,
            frontier: Vec::new(),
            artifacts,
            executions,
            events: Vec::new(),
        };
        let (going_on, ending) = walk.side(kind).split(tx, kind, ids).await?;
        let side = walk.side(kind);
        side.visited.extend(&going_on);
        side.ended.extend(ending);
        walk.frontier = going_on;
        Ok(walk)
    }

    fn side(&mut self, kind: Kind) -> &mut Side {
        match kind {
            Kind::Artifact => &mut self.artifacts,
            _ => &mut self.executions,
        }
    }

    /// Walks one hop and tells whether there is anything to walk on from. At most `room` nodes are new; the rest of the hop is
    /// left out.
    pub(super) async fn hop(&mut self, tx: &mut Tx, room: usize) -> Result<bool> {
        let (kind, far_kind) = (self.kind, other(self.kind));
        let types = self.direction.event_types(kind);
        let found = events::of_nodes(tx, kind, &self.frontier, &types).await?;
        let far_id = |stored: &StoredEvent| match far_kind {
            Kind::Artifact => stored.event.artifact_id.unwrap_or_default(),
            _ => stored.event.execution_id.unwrap_or_default(),
        };
        let far = self.side(far_kind);
        let mut new: BTreeSet<i64> = found.iter().map(far_id).collect();
        new.retain(|id| !far.has_seen(*id));
        let new: Vec<i64> = new.into_iter().take(room).collect();
        let (going_on, ending) = far.split(tx, far_kind, new).await?;
        far.ended.extend(ending);
        let is_new = |id: i64| going_on.binary_search(&id).is_ok();
        let direction = self.direction;
        let far = self.side(far_kind);
        let walked: Vec<StoredEvent> = found
            .into_iter()
            .filter(|stored| {
                let id = far_id(stored);
                // Walking both ways, an event between visited nodes was walked along from its other end.
                is_new(id)
                    || (far.include_ending && far.ended.contains(&id))
                    || (direction != Direction::Both && far.visited.contains(&id))
            })
            .collect();
        far.visited.extend(&going_on);
        self.events.extend(walked);
        self.kind = far_kind;
        self.frontier = going_on;
        Ok(!self.frontier.is_empty())
    }

    /// How many nodes the result has so far.
    pub(super) fn size(&self) -> usize {
        self.artifacts.result().len() + self.executions.result().len()
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
