//! The walk through lineage to any depth, part by part, for whoever wants to see it under way.

use std::collections::{BTreeSet, HashSet};
use std::vec::IntoIter;

use crate::error::{Error, Result};
use crate::graph::lineage::subgraph::Boundary;
use crate::graph::lineage::traverse::{Direction, Follow, Hop, Walk};
use crate::graph::nodes::filters::parse_filter;
use crate::model::{Event, EventType, Kind, Node};
use crate::storage::tables::events::StoredEvent;
use crate::storage::tables::lists;
use crate::storage::tables::nodes;
use crate::storage::{Database, LongReadPermit, Tx};

/// The most events of one part.
const EVENTS: usize = 2000;

/// A question for lineage to any depth (`Trace`).
#[derive(Clone, Debug, Default)]
pub struct TraceQuery {
    pub direction: Direction,
    /// Where to start: these, and all that the filters let through.
    pub artifact_ids: Vec<i64>,
    pub execution_ids: Vec<i64>,
    pub artifacts: Option<String>,
    pub executions: Option<String>,
    /// In hops from a start; no limit when unset.
    pub max_hops: Option<i64>,
    /// The most nodes of the answer; 0 is no limit.
    pub max_nodes: i64,
    /// Nodes that these filters let through belong to the answer and are not walked on from.
    pub stop_at_artifacts: Option<String>,
    pub stop_at_executions: Option<String>,
    /// Events of these types only; of all, when empty.
    pub event_types: Vec<EventType>,
    /// Events only whose path has this key.
    pub path_key: Option<String>,
}

/// Some of what a trace found at one distance from its starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracePart {
    pub hop: i64,
    /// Ascending by id within the hop; so are the executions.
    pub artifacts: Vec<Node>,
    pub executions: Vec<Node>,
    /// Events walked along to reach this hop, whose ends belong to this part or to earlier ones.
    pub events: Vec<Event>,
}

impl TraceQuery {
    fn check(&self) -> Result<()> {
        let starts = [&self.artifacts, &self.executions];
        let has_filter = starts.into_iter().any(Option::is_some);
        if self.artifact_ids.is_empty() && self.execution_ids.is_empty() && !has_filter {
            return Err(Error::invalid(
                "nowhere to start: give ids or a filter of artifacts or executions",
            ));
        }
        for (name, number) in [
            ("max_hops", self.max_hops.unwrap_or_default()),
            ("max_nodes", self.max_nodes),
        ] {
            if number < 0 {
                return Err(Error::invalid(format!(
                    "{name} cannot be negative: {name} = {number}"
                )));
            }
        }
        Ok(())
    }

    /// The starts of one kind that exist, ascending by id.
    async fn starts(&self, tx: &mut Tx, kind: Kind) -> Result<Vec<i64>> {
        let (ids, filter) = match kind {
            Kind::Artifact => (&self.artifact_ids, &self.artifacts),
            _ => (&self.execution_ids, &self.executions),
        };
        let mut starts = BTreeSet::new();
        if !ids.is_empty() {
            starts.extend(lists::ids(tx, kind, Some(ids), None, None).await?);
        }
        if let Some(filter) = parse_filter(kind, filter.as_deref())? {
            let filter = filter.predicate(tx.dialect());
            starts.extend(lists::ids(tx, kind, None, Some(&filter), None).await?);
        }
        Ok(starts.into_iter().collect())
    }
}

/// A boundary whose nodes belong to the answer.
fn stop(filter: Option<&String>) -> Boundary {
    Boundary {
        filter: filter.cloned(),
        include: true,
    }
}

/// A trace under way. It sees one state of the graph, and holds a connection to the database as long as it is there.
pub struct Trace {
    tx: Tx,
    permit: LongReadPermit,
    walk: Walk,
    /// The hop that is told of.
    hop: i64,
    untold: Untold,
    max_hops: Option<i64>,
    limit: usize,
    /// How many nodes have been told.
    nodes: i64,
    cut: bool,
    /// Nodes that events speak of and that are not there.
    missing: HashSet<(Kind, i64)>,
}

/// What is yet to be told of a hop.
struct Untold {
    artifacts: IntoIter<i64>,
    executions: IntoIter<i64>,
    events: IntoIter<StoredEvent>,
}

impl From<Hop> for Untold {
    fn from(found: Hop) -> Self {
        Self {
            artifacts: found.artifacts.into_iter(),
            executions: found.executions.into_iter(),
            events: found.events.into_iter(),
        }
    }
}

impl Untold {
    fn has_nodes(&self) -> bool {
        self.artifacts.len() + self.executions.len() > 0
    }

    fn is_empty(&self) -> bool {
        !self.has_nodes() && self.events.len() == 0
    }
}

impl Trace {
    /// Begins a trace.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a question without starts, for negative limits and for wrong filters; `NotFound` when there is no
    /// node to start from; `Exhausted` when as much that is slow is under way as may be, and none of it ends in time.
    pub(in crate::graph) async fn begin(database: &Database, query: TraceQuery) -> Result<Self> {
        query.check()?;
        let sides = (
            stop(query.stop_at_artifacts.as_ref()).side(Kind::Artifact)?,
            stop(query.stop_at_executions.as_ref()).side(Kind::Execution)?,
        );
        let permit = database.long_read_permit().await?;
        let mut tx = database.read().await?;
        let mut artifacts = query.starts(&mut tx, Kind::Artifact).await?;
        let mut executions = query.starts(&mut tx, Kind::Execution).await?;
        let count = artifacts.len() + executions.len();
        if count == 0 {
            return Err(Error::NotFound("there is no node to start from".into()));
        }
        let limit = match usize::try_from(query.max_nodes) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(limit) => limit,
        };
        artifacts.truncate(limit);
        executions.truncate(limit - artifacts.len());
        let found = Hop {
            artifacts: artifacts.clone(),
            executions: executions.clone(),
            ..Hop::default()
        };
        let follow = Follow {
            direction: query.direction,
            event_types: query.event_types,
            path_key: query.path_key,
        };
        let starts = [(Kind::Artifact, artifacts), (Kind::Execution, executions)];
        let walk = Walk::start(&mut tx, starts, follow, sides).await?;
        Ok(Self {
            tx,
            permit,
            walk,
            hop: 0,
            untold: found.into(),
            max_hops: query.max_hops,
            limit,
            nodes: 0,
            cut: count > limit,
            missing: HashSet::new(),
        })
    }

    /// What comes next, with so many nodes at most; nothing when the walk is done.
    ///
    /// # Errors
    ///
    /// Those of the database, and of stored values that cannot be decoded.
    pub async fn next(&mut self, most: usize) -> Result<Option<TracePart>> {
        loop {
            while self.untold.is_empty() {
                if !self.walk_on().await? {
                    return Ok(None);
                }
            }
            let artifacts = self.take(Kind::Artifact, most).await?;
            let room = most.saturating_sub(artifacts.len());
            let executions = self.take(Kind::Execution, room).await?;
            let part = TracePart {
                hop: self.hop,
                artifacts,
                executions,
                events: self.take_events(),
            };
            let count = part.artifacts.len() + part.executions.len();
            self.nodes += i64::try_from(count).unwrap_or(i64::MAX);
            if count > 0 || !part.events.is_empty() {
                return Ok(Some(part));
            }
        }
    }

    /// How many nodes were told of, and whether a limit was met and there is more.
    #[must_use]
    pub const fn end(&self) -> (i64, bool) {
        (self.nodes, self.cut)
    }

    /// Whether everybody else waits for the connection that this holds.
    #[must_use]
    pub const fn blocks_other_readers(&self) -> bool {
        self.permit.is_exclusive()
    }

    /// Gives the connection back. The trace counts among those under way until the answer is dropped.
    #[must_use]
    pub fn into_permit(self) -> LongReadPermit {
        self.permit
    }

    /// How far from the nearest start the walk is, in hops.
    #[must_use]
    pub const fn hop(&self) -> i64 {
        self.hop
    }

    /// Walks one hop, and tells whether there was one to walk.
    async fn walk_on(&mut self) -> Result<bool> {
        if self.cut || self.walk.is_done() {
            return Ok(false);
        }
        if self.max_hops.is_some_and(|most| self.hop >= most) {
            let beyond = self.walk.hop(&mut self.tx, 0).await?;
            self.cut = beyond.left_out || !beyond.events.is_empty();
            return Ok(false);
        }
        let room = self.limit - self.walk.size();
        let mut found = self.walk.hop(&mut self.tx, room).await?;
        self.walk
            .attach_paths(&mut self.tx, &mut found.events)
            .await?;
        self.cut = found.left_out;
        if !found.is_empty() {
            self.hop += 1;
        }
        self.untold = found.into();
        Ok(true)
    }

    /// Some of the nodes of this hop. Those that are gone from the database, which events of old servers may speak of, are
    /// left out.
    async fn take(&mut self, kind: Kind, most: usize) -> Result<Vec<Node>> {
        let left = match kind {
            Kind::Artifact => &mut self.untold.artifacts,
            _ => &mut self.untold.executions,
        };
        let ids: Vec<i64> = left.take(most).collect();
        let nodes = nodes::by_ids(&mut self.tx, kind, &ids).await?;
        if nodes.len() < ids.len() {
            let there: HashSet<i64> = nodes.iter().filter_map(|node| node.id).collect();
            let gone = ids.into_iter().filter(|id| !there.contains(id));
            self.missing.extend(gone.map(|id| (kind, id)));
        }
        Ok(nodes)
    }

    /// Some of the events of this hop, once all of its nodes were told of.
    fn take_events(&mut self) -> Vec<Event> {
        if self.untold.has_nodes() {
            return Vec::new();
        }
        let told = self.untold.events.by_ref().take(EVENTS);
        let told = told.map(|stored| stored.event).filter(|event| {
            let ends = [
                (Kind::Artifact, event.artifact_id),
                (Kind::Execution, event.execution_id),
            ];
            let is_gone = |(kind, id): (Kind, Option<i64>)| {
                self.missing.contains(&(kind, id.unwrap_or_default()))
            };
            !ends.into_iter().any(is_gone)
        });
        told.collect()
    }
}
