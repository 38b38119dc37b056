//! The shortest ways of data from one node to another.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::lineage::boundary::Boundary;
use crate::graph::lineage::named_inputs::NamedInputs;
use crate::graph::lineage::traverse::{Direction, EventFilter, Traversal};
use crate::model::{Event, Node, PerSide, Side, Stored};
use crate::storage::Tx;
use crate::storage::tables::{dataset_uses, nodes, run_lineage};

/// The most paths of an answer.
const MAX_PATHS: usize = 20;

/// An artifact or an execution, by its id.
pub type PathEnd = (Side, i64);

/// A query for the shortest ways of data from one node to another.
#[derive(Clone, Copy, Debug)]
pub struct PathQuery {
    pub from: PathEnd,
    pub to: PathEnd,
    /// The most nodes that are looked at.
    pub max_nodes: usize,
}

/// The shortest paths between two nodes.
#[derive(Clone, Debug, Default)]
pub struct FoundPaths {
    /// Each has all nodes from the first to the last one. All are of the same length; no path where
    /// there is none.
    pub paths: Vec<Vec<PathEnd>>,
    /// The nodes of all paths, ascending by id.
    pub nodes: PerSide<Vec<Node>>,
    /// Whether the limit ended the search before it found a path.
    pub is_cut: bool,
}

/// A search from one of the ends.
struct PathSearch {
    traversal: Traversal,
    reached: HashSet<PathEnd>,
    /// How many nodes the last hop has reached.
    front: usize,
    hops: usize,
}

impl PathSearch {
    async fn start(tx: &mut Tx, (side, id): PathEnd, direction: Direction) -> Result<Self> {
        let mut starts = PerSide::default();
        *starts.get_mut(side) = vec![id];
        let filter = EventFilter {
            direction,
            ..EventFilter::default()
        };
        let no_boundary = || Boundary::default().parse(side.kind());
        let boundaries = PerSide {
            artifacts: no_boundary()?,
            executions: no_boundary()?,
        };
        let mut traversal = Traversal::start(tx, starts, filter, boundaries).await?;
        if dataset_uses::has_writes(tx).await? {
            traversal.follow_implied_outputs();
        }
        Ok(Self {
            traversal,
            reached: HashSet::from([(side, id)]),
            front: 1,
            hops: 0,
        })
    }

    /// Goes one hop further, and keeps its events. Whether a limit left out nodes.
    async fn hop(
        &mut self,
        tx: &mut Tx,
        room: usize,
        events: &mut Vec<Stored<Event>>,
    ) -> Result<bool> {
        let hop = self.traversal.hop(tx, room).await?;
        self.hops += 1;
        self.front = 0;
        for side in Side::ALL {
            let found = hop.nodes.get(side);
            self.front += found.len();
            self.reached.extend(found.iter().map(|id| (side, *id)));
        }
        events.extend(hop.events);
        Ok(hop.is_cut)
    }
}

/// Searches from both ends, from the one with fewer nodes first.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn find(history: &History, query: PathQuery) -> Result<FoundPaths> {
    let _permit = history.database.long_read_permit().await?;
    let tx = &mut history.read_long().await?;
    let has_named_inputs = run_lineage::exists(tx).await?;
    let mut ahead = PathSearch::start(tx, query.from, Direction::Downstream).await?;
    let mut back = PathSearch::start(tx, query.to, Direction::Upstream).await?;
    let mut events = Vec::new();
    loop {
        let has_met = !ahead.reached.is_disjoint(&back.reached);
        if has_met {
            let named_inputs = if has_named_inputs {
                NamedInputs::of_events(tx, &events).await?
            } else {
                NamedInputs::default()
            };
            let paths = shortest(&events, &named_inputs, query);
            // Longer ones may miss events that no hop has found yet.
            if paths
                .first()
                .is_some_and(|path| path.len() <= ahead.hops + back.hops + 1)
            {
                return with_nodes(tx, paths).await;
            }
        }
        let reached = ahead.reached.len() + back.reached.len();
        let room = query.max_nodes.saturating_sub(reached);
        let (ends_ahead, ends_back) = (ahead.traversal.is_done(), back.traversal.is_done());
        // All that is before or after an end is known, and the other end is not among it.
        let is_apart = !has_met && (ends_ahead || ends_back);
        if is_apart || ends_ahead && ends_back {
            return Ok(FoundPaths::default());
        }
        let next = if ends_back || !ends_ahead && ahead.front <= back.front {
            &mut ahead
        } else {
            &mut back
        };
        if next.hop(tx, room, &mut events).await? {
            return Ok(FoundPaths {
                is_cut: true,
                ..FoundPaths::default()
            });
        }
    }
}

/// Paths with their nodes. Those with a node that does not exist are left out: old versions wrote
/// such events.
async fn with_nodes(tx: &mut Tx, mut paths: Vec<Vec<PathEnd>>) -> Result<FoundPaths> {
    let mut found = FoundPaths::default();
    let mut known = HashSet::new();
    for side in Side::ALL {
        let of_side = paths.iter().flatten().filter(|(it, _)| *it == side);
        let ids: BTreeSet<i64> = of_side.map(|(_, id)| *id).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        let nodes = nodes::by_ids(tx, side.kind(), &ids).await?;
        known.extend(nodes.iter().map(|node| (side, node.id)));
        *found.nodes.get_mut(side) = nodes;
    }
    paths.retain(|path| path.iter().all(|end| known.contains(end)));
    found.paths = paths;
    Ok(found)
}

/// Where a path can be. At a run it matters through which input it came: facets may say that an
/// output was made from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum PathPlace {
    Artifact(i64),
    Run { id: i64, input: Option<i64> },
}

impl PathPlace {
    const fn end(self) -> PathEnd {
        match self {
            Self::Artifact(id) => (Side::Artifact, id),
            Self::Run { id, .. } => (Side::Execution, id),
        }
    }
}

/// The shortest paths along events, in the order of their ids: breadth first from the first node,
/// then back along predecessors.
fn shortest(
    events: &[Stored<Event>],
    named_inputs: &NamedInputs,
    query: PathQuery,
) -> Vec<Vec<PathEnd>> {
    let mut after: HashMap<PathEnd, BTreeSet<i64>> = HashMap::new();
    for Stored { value: event, .. } in events {
        let (artifact, run) = (event.artifact_id, event.execution_id);
        if event.event_type.is_input() {
            after
                .entry((Side::Artifact, artifact))
                .or_default()
                .insert(run);
        } else {
            after
                .entry((Side::Execution, run))
                .or_default()
                .insert(artifact);
        }
    }
    let next = |place: PathPlace| {
        let ids = after.get(&place.end()).into_iter().flatten().copied();
        ids.filter_map(move |id| match place {
            PathPlace::Artifact(input) => Some(PathPlace::Run {
                id,
                input: Some(input),
            }),
            PathPlace::Run { id: run, input } => {
                let is_made = input.is_none_or(|input| named_inputs.has_made(run, id, input));
                is_made.then_some(PathPlace::Artifact(id))
            }
        })
    };
    let start = match query.from {
        (Side::Artifact, id) => PathPlace::Artifact(id),
        (Side::Execution, id) => PathPlace::Run { id, input: None },
    };
    let mut before: BTreeMap<PathPlace, Vec<PathPlace>> = BTreeMap::from([(start, Vec::new())]);
    let mut front = vec![start];
    while !front.is_empty() && front.iter().all(|place| place.end() != query.to) {
        let mut reached: BTreeMap<PathPlace, Vec<PathPlace>> = BTreeMap::new();
        for place in front {
            for new in next(place).filter(|new| !before.contains_key(new)) {
                reached.entry(new).or_default().push(place);
            }
        }
        front = reached.keys().copied().collect();
        before.extend(reached);
    }
    let last = front.into_iter().filter(|place| place.end() == query.to);
    let mut paths = Vec::new();
    let mut pending: Vec<Vec<PathPlace>> = last.rev().map(|place| vec![place]).collect();
    while let Some(path) = pending.pop() {
        let first = path[path.len() - 1];
        if first == start {
            paths.push(path.iter().rev().map(|place| place.end()).collect());
            if paths.len() == MAX_PATHS {
                break;
            }
        }
        let earlier = before.get(&first).into_iter().flatten().rev();
        pending.extend(earlier.map(|place| [&path[..], &[*place]].concat()));
    }
    paths
}

#[cfg(test)]
mod path_tests {
    use super::*;
    use crate::model::EventType;

    fn events(pairs: &[(i64, i64, EventType)]) -> Vec<Stored<Event>> {
        let stored = |(id, (artifact_id, execution_id, event_type)): (i64, _)| {
            let value = Event {
                artifact_id,
                execution_id,
                event_type,
                milliseconds: None,
                path: Vec::new(),
            };
            Stored { id, value }
        };
        (1..).zip(pairs.iter().copied()).map(stored).collect()
    }

    #[test]
    fn all_shortest_paths_are_found_and_no_longer_one() {
        let (input, output) = (EventType::Input, EventType::Output);
        // 1 → run 1 → 2 → run 3 → 4, the same through 3, and a detour through 5.
        let events = events(&[
            (1, 1, input),
            (2, 1, output),
            (3, 1, output),
            (2, 3, input),
            (3, 3, input),
            (4, 3, output),
            (3, 4, input),
            (5, 4, output),
            (5, 3, input),
        ]);
        let query = |from, to| PathQuery {
            from,
            to,
            max_nodes: 100,
        };
        let (a, e) = (Side::Artifact, Side::Execution);
        let named = NamedInputs::default();
        let found = shortest(&events, &named, query((a, 1), (a, 4)));
        let through = |id| vec![(a, 1), (e, 1), (a, id), (e, 3), (a, 4)];
        assert_eq!(found, [through(2), through(3)]);
        let found = shortest(&events, &named, query((e, 1), (e, 4)));
        assert_eq!(found, [vec![(e, 1), (a, 3), (e, 4)]]);
        assert_eq!(
            shortest(&events, &named, query((a, 1), (a, 1))),
            [vec![(a, 1)]]
        );
        assert!(shortest(&events, &named, query((a, 4), (a, 1))).is_empty());
    }
}
