//! `Trace`: lineage to any depth, in parts, at the pace of the client.

use std::collections::{HashMap, HashSet, VecDeque};
use std::vec::IntoIter;

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::changes::states::AsOf;
use crate::graph::lineage::as_of::EarlierStates;
use crate::graph::lineage::trace_query::TraceQuery;
use crate::graph::lineage::traverse::{EventFilter, Hop, Traversal};
use crate::model::{Event, Kind, Node, PerSide, Side, Stored};
use crate::storage::tables::{dataset_uses, nodes, run_lineage};
use crate::storage::{LongReadPermit, Tx};

/// The most events of one part.
const MAX_PART_EVENTS: usize = 2000;

/// Some of the nodes and events of one hop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracePart {
    pub hop: i64,
    /// Ascending by id within the hop, as are the executions.
    pub artifacts: Vec<Node>,
    pub executions: Vec<Node>,
    /// Events followed to reach this hop. Their ends belong to this part or to earlier ones.
    pub events: Vec<Event>,
    /// The ids of those of these nodes whose states are today's, though they have changed since the
    /// time that is asked for: the history does not have their earlier states.
    pub present: PerSide<Vec<i64>>,
}

/// A traversal whose parts are read one by one. It sees one state of the graph, and holds a
/// database connection until it is dropped.
pub struct Trace {
    tx: Tx,
    permit: LongReadPermit,
    traversal: Traversal,
    /// The hop of the next part.
    hop: i64,
    pending: Pending,
    /// The hops after it that the traversal has gone already.
    walked: VecDeque<Hop>,
    /// How many hops the traversal has gone.
    walked_hops: i64,
    /// Whether the traversal is at its end.
    is_at_end: bool,
    /// Nodes of these hops that were read, with `None` for those that do not exist.
    nodes_ahead: PerSide<HashMap<i64, Option<Node>>>,
    max_hops: Option<i64>,
    max_nodes: usize,
    emitted_nodes: i64,
    is_cut: bool,
    /// Nodes that events refer to and that do not exist.
    missing: HashSet<(Side, i64)>,
    as_of: Option<AsOf>,
    /// The states of nodes at that time, once the traversal is at its end.
    earlier: Option<EarlierStates>,
    present_states: i64,
}

/// The nodes and events of a hop that no part has had yet.
struct Pending {
    nodes: PerSide<IntoIter<i64>>,
    events: IntoIter<Stored<Event>>,
}

impl From<Hop> for Pending {
    fn from(hop: Hop) -> Self {
        Self {
            nodes: PerSide {
                artifacts: hop.nodes.artifacts.into_iter(),
                executions: hop.nodes.executions.into_iter(),
            },
            events: hop.events.into_iter(),
        }
    }
}

impl Pending {
    fn has_nodes(&self) -> bool {
        self.nodes.artifacts.len() + self.nodes.executions.len() > 0
    }

    fn is_empty(&self) -> bool {
        !self.has_nodes() && self.events.len() == 0
    }
}

impl Trace {
    pub(in crate::graph) async fn begin(history: &History, query: TraceQuery) -> Result<Self> {
        query.check()?;
        let boundaries = query.boundaries()?;
        let permit = history.database.long_read_permit().await?;
        if query.as_of.is_some() {
            // The states of the last commits are in the outbox until then.
            history.sequence_outbox().await?;
        }
        let mut tx = history.read_long().await?;
        let mut starts = PerSide {
            artifacts: query.starts(&mut tx, Side::Artifact).await?,
            executions: query.starts(&mut tx, Side::Execution).await?,
        };
        let count = starts.artifacts.len() + starts.executions.len();
        if count == 0 {
            return Err(query.without_start(&mut tx).await?);
        }
        let max_nodes = match usize::try_from(query.max_nodes) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(max_nodes) => max_nodes,
        };
        starts.artifacts.truncate(max_nodes);
        let room = max_nodes - starts.artifacts.len();
        starts.executions.truncate(room);
        let first = Hop {
            nodes: starts.clone(),
            ..Hop::default()
        };
        let followed = EventFilter {
            direction: query.direction,
            event_types: query.event_types,
            path_key: query.path_key,
            as_of: query.as_of.map(|as_of| as_of.time),
        };
        let mut traversal = Traversal::start(&mut tx, starts, followed, boundaries).await?;
        if run_lineage::exists(&mut tx).await? {
            traversal.respect_named_inputs(&mut tx).await?;
        }
        if dataset_uses::has_writes(&mut tx).await? {
            traversal.follow_implied_outputs();
        }
        Ok(Self {
            tx,
            permit,
            traversal,
            hop: 0,
            pending: first.into(),
            walked: VecDeque::new(),
            walked_hops: 0,
            is_at_end: false,
            nodes_ahead: PerSide::default(),
            max_hops: query.max_hops,
            max_nodes,
            emitted_nodes: 0,
            is_cut: count > max_nodes,
            missing: HashSet::new(),
            as_of: query.as_of,
            earlier: None,
            present_states: 0,
        })
    }

    /// The next part, with at most `max_nodes` nodes; `None` at the end of the traversal.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn next(&mut self, max_nodes: usize) -> Result<Option<TracePart>> {
        if let (Some(as_of), None) = (self.as_of, &self.earlier) {
            self.look_back(as_of).await?;
        }
        loop {
            while self.pending.is_empty() {
                if !self.advance(max_nodes).await? {
                    return Ok(None);
                }
            }
            let mut artifacts = self.take_nodes(Side::Artifact, max_nodes).await?;
            let room = max_nodes.saturating_sub(artifacts.len());
            let mut executions = self.take_nodes(Side::Execution, room).await?;
            let present = PerSide {
                artifacts: self.put_back(Kind::Artifact, &mut artifacts),
                executions: self.put_back(Kind::Execution, &mut executions),
            };
            let part = TracePart {
                hop: self.hop,
                artifacts,
                executions,
                events: self.take_events(),
                present,
            };
            let count = part.artifacts.len() + part.executions.len();
            self.emitted_nodes += i64::try_from(count).unwrap_or(i64::MAX);
            if count > 0 || !part.events.is_empty() {
                return Ok(Some(part));
            }
        }
    }

    /// The number of nodes in all parts, and whether a limit left out some.
    #[must_use]
    pub const fn end(&self) -> (i64, bool) {
        (self.emitted_nodes, self.is_cut)
    }

    /// How many of the nodes in all parts have the states of today, instead of those that they had.
    #[must_use]
    pub const fn present_states(&self) -> i64 {
        self.present_states
    }

    /// Whether other readers wait for the connection that this holds.
    #[must_use]
    pub const fn blocks_other_readers(&self) -> bool {
        self.permit.is_exclusive()
    }

    /// Returns the connection. The trace counts as a long read until the result is dropped.
    #[must_use]
    pub fn into_permit(self) -> impl Send + use<> {
        self.permit
    }

    /// The distance of the next part from the nearest start, in hops.
    #[must_use]
    pub const fn hop(&self) -> i64 {
        self.hop
    }

    /// Goes to the end before the first part is read, so that few statements read the nodes and the
    /// paths of all hops. All parts then belong to the last hop.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn finish(&mut self) -> Result<()> {
        let nodes = &mut self.pending.nodes;
        let mut all = Hop {
            nodes: PerSide {
                artifacts: nodes.artifacts.by_ref().collect(),
                executions: nodes.executions.by_ref().collect(),
            },
            ..Hop::default()
        };
        while let Some(found) = self.hop_further().await? {
            all.nodes.artifacts.extend(found.nodes.artifacts);
            all.nodes.executions.extend(found.nodes.executions);
            all.events.extend(found.events);
        }
        self.hop = self.walked_hops;
        let followed = &mut all.events;
        self.traversal.attach_paths(&mut self.tx, followed).await?;
        self.pending = all.into();
        Ok(())
    }

    /// Leaves out those of the nodes of the next parts, on one side, which the caller knows.
    pub fn leave_out(&mut self, side: Side, is_known: impl Fn(i64) -> bool) {
        let nodes = self.pending.nodes.get_mut(side);
        let new: Vec<i64> = nodes.filter(|id| !is_known(*id)).collect();
        *nodes = new.into_iter();
    }

    /// Goes on to the parts of the next hop. False at the end of the traversal.
    async fn advance(&mut self, max_nodes: usize) -> Result<bool> {
        if self.walked.is_empty() {
            self.walk(max_nodes).await?;
        }
        let Some(mut next) = self.walked.pop_front() else {
            return Ok(false);
        };
        if self.earlier.is_some() {
            let followed = &mut next.events;
            self.traversal.attach_paths(&mut self.tx, followed).await?;
        }
        self.hop += 1;
        self.pending = next.into();
        Ok(true)
    }

    /// Goes to the end, and reads the states of all nodes at a time, so that the history is read
    /// once. The paths of the events are read hop by hop.
    async fn look_back(&mut self, as_of: AsOf) -> Result<()> {
        while let Some(found) = self.hop_further().await? {
            if !found.is_empty() {
                self.walked.push_back(found);
            }
        }
        let mut wanted: PerSide<Vec<i64>> = PerSide::default();
        for side in Side::ALL {
            let ids = wanted.get_mut(side);
            ids.extend(self.pending.nodes.get(side).as_slice());
            ids.extend(self.walked.iter().flat_map(|hop| hop.nodes.get(side)));
        }
        let wanted = Side::ALL.map(|side| (side.kind(), &**wanted.get(side)));
        self.earlier = Some(EarlierStates::read(&mut self.tx, as_of, wanted).await?);
        Ok(())
    }

    /// Puts nodes back into their earlier states, if these are asked for, and returns the ids of
    /// those that stay as they are today.
    fn put_back(&mut self, kind: Kind, nodes: &mut [Node]) -> Vec<i64> {
        let earlier = self.earlier.as_mut();
        let present = earlier
            .map(|it| it.put_back(kind, nodes))
            .unwrap_or_default();
        self.present_states += i64::try_from(present.len()).unwrap_or(i64::MAX);
        present
    }

    /// Goes one hop further, and on while hops are known beforehand and have no more nodes than one
    /// part may have: few statements read the nodes and the paths of all of them.
    async fn walk(&mut self, max_nodes: usize) -> Result<()> {
        let mut nodes = 0;
        while let Some(found) = self.hop_further().await? {
            nodes += found.node_count();
            if !found.is_empty() {
                self.walked.push_back(found);
            }
            let is_next_free = self.walked.is_empty() || self.traversal.is_next_known();
            if !is_next_free || nodes >= max_nodes {
                break;
            }
        }
        let counts: Vec<usize> = self.walked.iter().map(|hop| hop.events.len()).collect();
        let hops = self.walked.iter_mut();
        let mut followed: Vec<Stored<Event>> = hops.flat_map(|hop| hop.events.drain(..)).collect();
        let tx = &mut self.tx;
        self.traversal.attach_paths(tx, &mut followed).await?;
        let mut followed = followed.into_iter();
        for (hop, count) in self.walked.iter_mut().zip(counts) {
            hop.events.extend(followed.by_ref().take(count));
        }
        self.read_nodes_ahead(max_nodes).await
    }

    /// Reads the nodes of those of the hops gone that have no more than a part may have.
    async fn read_nodes_ahead(&mut self, max_nodes: usize) -> Result<()> {
        let sizes = self.walked.iter().scan(0, |sum, hop| {
            *sum += hop.node_count();
            Some(*sum)
        });
        let hops = sizes.take_while(|sum| *sum <= max_nodes).count();
        if hops < 2 {
            return Ok(());
        }
        for side in Side::ALL {
            let hops = self.walked.iter().take(hops);
            let ids = hops.flat_map(|hop| hop.nodes.get(side)).copied();
            let ids: Vec<i64> = ids.collect();
            let found = nodes::by_ids(&mut self.tx, side.kind(), &ids).await?;
            let ahead = self.nodes_ahead.get_mut(side);
            ahead.extend(ids.into_iter().map(|id| (id, None)));
            ahead.extend(found.into_iter().map(|node| (node.id, Some(node))));
        }
        Ok(())
    }

    /// The next hop, without the paths of its events. `None` at the end of the traversal.
    async fn hop_further(&mut self) -> Result<Option<Hop>> {
        if self.is_at_end || self.is_cut || self.traversal.is_done() {
            return Ok(None);
        }
        let walked_hops = self.walked_hops;
        if self.max_hops.is_some_and(|max| walked_hops >= max) {
            let beyond = self.traversal.hop(&mut self.tx, 0).await?;
            self.is_cut = beyond.is_cut || !beyond.events.is_empty();
            self.is_at_end = true;
            return Ok(None);
        }
        let room = self.max_nodes - self.traversal.result_len();
        let found = self.traversal.hop(&mut self.tx, room).await?;
        self.is_cut = found.is_cut;
        if !found.is_empty() {
            self.walked_hops += 1;
        }
        Ok(Some(found))
    }

    /// Some pending nodes of one side. Events written by old versions may refer to nodes that do
    /// not exist; those are left out.
    async fn take_nodes(&mut self, side: Side, max_nodes: usize) -> Result<Vec<Node>> {
        let pending = self.pending.nodes.get_mut(side);
        let ids: Vec<i64> = pending.take(max_nodes).collect();
        let mut nodes = Vec::with_capacity(ids.len());
        let mut unread = Vec::new();
        for id in &ids {
            match self.nodes_ahead.get_mut(side).remove(id) {
                Some(node) => nodes.extend(node),
                None => unread.push(*id),
            }
        }
        nodes.extend(nodes::by_ids(&mut self.tx, side.kind(), &unread).await?);
        if nodes.len() < ids.len() {
            let found: HashSet<i64> = nodes.iter().map(|node| node.id).collect();
            let missing = ids.into_iter().filter(|id| !found.contains(id));
            self.missing.extend(missing.map(|id| (side, id)));
        }
        Ok(nodes)
    }

    /// Some pending events, once no node of the hop is pending.
    fn take_events(&mut self) -> Vec<Event> {
        if self.pending.has_nodes() {
            return Vec::new();
        }
        let missing = &self.missing;
        let is_whole = |event: &Event| {
            !missing.contains(&(Side::Artifact, event.artifact_id))
                && !missing.contains(&(Side::Execution, event.execution_id))
        };
        let events = self.pending.events.by_ref().take(MAX_PART_EVENTS);
        let events = events.map(|stored| stored.value);
        events.filter(is_whole).collect()
    }
}
