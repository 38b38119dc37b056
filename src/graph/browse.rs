//! Reads for people who look at a graph: search, counts that are bounded or estimated, what changed
//! last, what is around a node, and paths. Each reads a bounded number of rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::blobs::BlobDigest;
use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::changes::states::AsOf;
use crate::graph::changes::watch::NewestChanges;
use crate::graph::filters::{parse_filter, permit_for};
use crate::graph::lineage::as_of::{self, NodesAsOf};
use crate::graph::lineage::path::{self, FoundPaths, PathQuery};
use crate::graph::nodes::scope::ListScope;
use crate::model::{Event, Kind, Node, NodeType, Side, Stored, distinct_ids};
use crate::storage::Tx;
use crate::storage::tables::browse::{self, MAX_NEWEST_NODES};
use crate::storage::tables::{events, lists, nodes, types};

/// How many nodes there are of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeCount {
    pub nodes: i64,
    /// Whether it is estimated, by the types of the newest nodes.
    pub is_estimated: bool,
}

/// How long an estimate is taken before it is made again.
const ESTIMATE_TIME: Duration = Duration::from_mins(1);

/// The newest nodes of a kind by the ids of their types, and how many nodes there are.
#[derive(Clone, Debug)]
struct TypeShares {
    newest: BTreeMap<i64, i64>,
    seen: i64,
    all: i64,
}

impl TypeShares {
    async fn read(tx: &mut Tx, kind: Kind) -> Result<Self> {
        let newest = browse::count_newest_by_type(tx, kind).await?;
        let newest: BTreeMap<i64, i64> = newest.into_iter().collect();
        let seen = newest.values().sum();
        let all = if seen >= MAX_NEWEST_NODES {
            browse::last_id(tx, kind).await?
        } else {
            seen
        };
        Ok(Self { newest, seen, all })
    }

    const fn is_estimate(&self) -> bool {
        self.seen >= MAX_NEWEST_NODES
    }

    fn count(&self, type_id: i64) -> NodeCount {
        let of_type = self.newest.get(&type_id).copied().unwrap_or_default();
        let nodes = i128::from(of_type) * i128::from(self.all) / i128::from(self.seen.max(1));
        NodeCount {
            nodes: i64::try_from(nodes).unwrap_or(i64::MAX),
            is_estimated: self.is_estimate(),
        }
    }
}

/// The last estimates of a graph, with the times when they end. Clones share them.
#[derive(Clone, Debug, Default)]
pub(in crate::graph) struct KnownEstimates(Arc<Mutex<HashMap<Kind, (Instant, TypeShares)>>>);

impl KnownEstimates {
    fn get(&self, kind: Kind) -> Option<TypeShares> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (end, shares) = known.get(&kind)?;
        (Instant::now() < *end).then(|| shares.clone())
    }

    fn keep(&self, kind: Kind, shares: TypeShares) {
        let end = Instant::now() + ESTIMATE_TIME;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(kind, (end, shares));
    }
}

/// What a search has found, each kind on its own.
#[derive(Clone, Debug, Default)]
pub struct FoundNodes {
    /// Nodes whose id, name, URI, external id or digest is the text.
    pub exact: Vec<(Kind, Node)>,
    /// Nodes with the text in a name or a URI, of the newest ones.
    pub similar: Vec<(Kind, Node)>,
}

/// The events of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeEvents {
    /// The newest first.
    pub events: Vec<Event>,
    /// The nodes at their other ends, by id.
    pub others: BTreeMap<i64, Node>,
    /// Whether there are more.
    pub is_cut: bool,
}

/// Contexts that are linked to a node, ascending by id.
#[derive(Clone, Debug, Default)]
pub struct LinkedContexts {
    pub contexts: Vec<Node>,
    /// Whether there are more.
    pub is_cut: bool,
}

/// The reads.
#[derive(Clone, Debug)]
pub struct GraphBrowse {
    history: History,
    estimates: KnownEstimates,
}

impl GraphBrowse {
    pub(in crate::graph) const fn new(history: History, estimates: KnownEstimates) -> Self {
        Self { history, estimates }
    }

    /// How many of the newest nodes of a kind a search looks at.
    pub const MAX_NEWEST_NODES: i64 = MAX_NEWEST_NODES;

    /// The newest changes, at most so many.
    ///
    /// # Errors
    ///
    /// `FailedPrecondition` when no history is kept.
    pub async fn newest_changes(&self, most: usize) -> Result<NewestChanges> {
        self.history.newest_changes(most).await
    }

    /// Those of the nodes with these ids that were there at a time, as they were.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn nodes_as_of(&self, kind: Kind, ids: &[i64], as_of: AsOf) -> Result<NodesAsOf> {
        as_of::nodes_as_of(&self.history, kind, ids, as_of).await
    }

    /// The shortest ways of data from one node to another, at most 20.
    ///
    /// # Errors
    ///
    /// `Exhausted` when no permit for a long read becomes free in time.
    pub async fn paths(&self, query: PathQuery) -> Result<FoundPaths> {
        path::find(&self.history, query).await
    }

    /// The types of a kind, with the number of their nodes. With more nodes than
    /// [`Self::MAX_NEWEST_NODES`] the numbers are estimated, once in a minute.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn types(&self, kind: Kind) -> Result<Vec<(Stored<NodeType>, NodeCount)>> {
        let mut tx = self.history.database.read().await?;
        let known = types::all(&mut tx, kind).await?;
        let shares = if let Some(known) = self.estimates.get(kind) {
            known
        } else {
            let read = TypeShares::read(&mut tx, kind).await?;
            if read.is_estimate() {
                self.estimates.keep(kind, read.clone());
            }
            read
        };
        let with_count = |known: Stored<NodeType>| {
            let count = shares.count(known.id);
            (known, count)
        };
        Ok(known.into_iter().map(with_count).collect())
    }

    /// How many nodes of a kind are in a scope and match a filter, up to a limit.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a malformed filter.
    pub async fn count_up_to(
        &self,
        kind: Kind,
        scope: &ListScope,
        filter: Option<&str>,
        limit: i64,
    ) -> Result<i64> {
        let filter = parse_filter(kind, filter)?;
        let permit = permit_for(&self.history.database, filter.as_ref()).await?;
        let mut tx = self.history.database.read().await?;
        let Some(scope) = scope.resolve(&mut tx, kind).await? else {
            return Ok(0);
        };
        let filter = filter.map(|filter| filter.predicate(tx.dialect()));
        let count = browse::count_up_to(&mut tx, kind, scope, filter.as_ref(), limit).await?;
        drop(permit);
        Ok(count)
    }

    /// Which of some nodes match a filter, ascending.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a malformed filter.
    pub async fn matching(&self, kind: Kind, filter: &str, among: &[i64]) -> Result<Vec<i64>> {
        let filter = parse_filter(kind, Some(filter))?;
        if among.is_empty() {
            return Ok(Vec::new());
        }
        let permit = permit_for(&self.history.database, filter.as_ref()).await?;
        let mut tx = self.history.database.read().await?;
        let filter = filter.map(|filter| filter.predicate(tx.dialect()));
        let found = lists::ids(&mut tx, kind, Some(among), filter.as_ref(), None).await?;
        drop(permit);
        Ok(found)
    }

    /// Nodes that have a text, which is an id, a name, a URI, an external id or a digest, or a part
    /// of the name or the URI of one of the newest nodes. Of each sort at most `limit`. A digest
    /// is found without its `sha256:` too. `naming` are the properties that are names.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn find(&self, text: &str, naming: &[&str], limit: i64) -> Result<FoundNodes> {
        let mut tx = self.history.database.read().await?;
        let mut found = FoundNodes::default();
        let number = text.strip_prefix('#').unwrap_or(text).parse::<i64>();
        for kind in Kind::ALL {
            let mut exact: Vec<i64> = number.iter().copied().collect();
            exact.extend(browse::named(&mut tx, kind, text).await?);
            exact.extend(browse::with_property(&mut tx, kind, naming, text, limit).await?);
            if kind == Kind::Artifact {
                exact.extend(browse::with_digest(&mut tx, text, limit).await?);
                if let Some(digest) = BlobDigest::parse(&text.to_ascii_lowercase()) {
                    let digest = ["sha256:", digest.as_str()].concat();
                    exact.extend(browse::with_digest(&mut tx, &digest, limit).await?);
                }
                let at_uri = nodes::by_uris(&mut tx, &[text]).await?;
                exact.extend(at_uri.iter().map(|node| node.id));
            }
            let external = nodes::ids_by_external_ids(&mut tx, kind, &[text]).await?;
            exact.extend(external.into_values());
            let mut similar = browse::named_like(&mut tx, kind, text, limit).await?;
            similar.extend(browse::with_property_like(&mut tx, kind, naming, text, limit).await?);
            similar.retain(|id| !exact.contains(id));
            let exact = newest(&mut tx, kind, exact, limit).await?;
            let similar = newest(&mut tx, kind, similar, limit).await?;
            found
                .exact
                .extend(exact.into_iter().map(|node| (kind, node)));
            found
                .similar
                .extend(similar.into_iter().map(|node| (kind, node)));
        }
        Ok(found)
    }

    /// The executions that changed within a time, in milliseconds, and have one of these numbers of
    /// states. The latest change comes first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn latest_in_states(
        &self,
        states: &[i64],
        within: i64,
        limit: i64,
    ) -> Result<Vec<Node>> {
        let since = self.history.clock.now().saturating_sub(within);
        let mut tx = self.history.database.read().await?;
        let ids = browse::latest_in_states(&mut tx, states, since, limit).await?;
        let mut found = nodes::by_ids(&mut tx, Kind::Execution, &ids).await?;
        found.sort_by_key(|node| ids.iter().position(|id| *id == node.id));
        Ok(found)
    }

    /// The newest events of an artifact or an execution, with the nodes at their other ends.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn events(&self, side: Side, id: i64, limit: usize) -> Result<NodeEvents> {
        let mut tx = self.history.database.read().await?;
        let most = i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1));
        let mut found = browse::latest_events(&mut tx, side, id, most).await?;
        let is_cut = found.len() > limit;
        found.truncate(limit);
        found.sort_by_key(|event| event.id);
        events::attach_paths(&mut tx, &mut found).await?;
        found.reverse();
        let events: Vec<Event> = found.into_iter().map(|stored| stored.value).collect();
        let others = distinct_ids(events.iter().map(|event| match side {
            Side::Artifact => event.execution_id,
            Side::Execution => event.artifact_id,
        }));
        let others = nodes::by_ids(&mut tx, side.opposite().kind(), &others).await?;
        Ok(NodeEvents {
            events,
            others: others.into_iter().map(|node| (node.id, node)).collect(),
            is_cut,
        })
    }

    /// The contexts that a node is in, or the parents of a context.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn contexts_of(&self, kind: Kind, id: i64, limit: usize) -> Result<LinkedContexts> {
        let mut tx = self.history.database.read().await?;
        let most = i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1));
        let ids = browse::contexts_of(&mut tx, kind, id, most).await?;
        linked(&mut tx, ids, limit).await
    }

    /// The children of a context.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn children(&self, context: i64, limit: usize) -> Result<LinkedContexts> {
        let mut tx = self.history.database.read().await?;
        let most = i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1));
        let ids = browse::children(&mut tx, context, most).await?;
        linked(&mut tx, ids, limit).await
    }
}

/// The nodes with these ids, the newest first, and not too many.
async fn newest(tx: &mut Tx, kind: Kind, ids: Vec<i64>, limit: i64) -> Result<Vec<Node>> {
    let mut ids = distinct_ids(ids);
    ids.reverse();
    ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut found = nodes::by_ids(tx, kind, &ids).await?;
    found.reverse();
    Ok(found)
}

async fn linked(tx: &mut Tx, mut ids: Vec<i64>, limit: usize) -> Result<LinkedContexts> {
    let is_cut = ids.len() > limit;
    ids.truncate(limit);
    let contexts = nodes::by_ids(tx, Kind::Context, &ids).await?;
    Ok(LinkedContexts { contexts, is_cut })
}
