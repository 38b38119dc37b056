//! The writer of nodes of one kind: many nodes in few statements.
//!
//! Consecutive new nodes are inserted together, and consecutive updates are written together.
//! Pending writes are flushed before any node that could depend on them, so the outcome is that of
//! one node after the other: the first node that a rule or a unique key refuses decides the error.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::nodes::immutable;
use crate::graph::nodes::look_alikes::{self, Refused};
use crate::graph::nodes::mask::{FULL_MASK, Mask};
use crate::graph::nodes::rules as node_rules;
use crate::graph::nodes::rules::{describe, describe_stored};
use crate::model::{Change, Kind, Node, NodeInput, NodeType, Stored, Subject, distinct_ids};
use crate::storage::Tx;
use crate::storage::tables::{locks, nodes, properties, types};

/// How nodes are put.
#[derive(Clone, Copy, Debug)]
pub(in crate::graph) struct PutOptions<'a> {
    pub mask: &'a Mask,
    /// Refuse a node whose stored update time is not the given one.
    pub abort_if_changed: bool,
    /// An update moves the update time even when nothing else changes.
    pub force_update_time: bool,
    pub on_conflict: OnConflict,
}

impl Default for PutOptions<'_> {
    fn default() -> Self {
        Self {
            mask: &FULL_MASK,
            abort_if_changed: false,
            force_update_time: false,
            on_conflict: OnConflict::default(),
        }
    }
}

/// The handling of a new node whose name or external id is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::graph) enum OnConflict {
    /// `AlreadyExists`.
    #[default]
    Error,
    /// Run the transaction again: the caller looked for the node, so a concurrent write created it.
    /// `AlreadyExists` if that does not help.
    Retry,
    /// As [`Self::Retry`], but `Contention` at last, which asks the client to try again.
    RetryThenAbort,
}

/// Puts nodes of one kind, in order.
pub(in crate::graph) struct NodeWriter<'a> {
    kind: Kind,
    options: PutOptions<'a>,
    /// Milliseconds since epoch.
    now: i64,
    /// The types of the nodes. They may have gained properties since they were cached.
    types: HashMap<i64, Arc<Stored<NodeType>>>,
    has_reloaded_types: bool,
    /// Nodes that exist, with the changes that were put so far.
    known: HashMap<i64, Node>,
    /// Pending inserts, each with its place in `ids`.
    creates: Vec<(usize, Cow<'a, NodeInput>)>,
    /// Pending updates: the nodes as the database has them. `known` has them as they will be.
    updates: BTreeMap<i64, Node>,
    /// The id of each node that was put; `None` while its insert is pending.
    ids: Vec<Option<i64>>,
}

impl<'a> NodeWriter<'a> {
    /// A writer for these nodes. It reads their types and the stored nodes, and locks those that
    /// change.
    pub(in crate::graph) async fn new(
        tx: &mut Tx,
        kind: Kind,
        coming: impl Iterator<Item = &NodeInput> + Clone,
        options: PutOptions<'a>,
        now: i64,
    ) -> Result<Self> {
        let mut writer = Self::with_types(kind, std::iter::empty(), options, now);
        let new = coming.clone().filter(|node| node.id.is_none());
        let type_ids = new.filter_map(|node| node.type_id).collect();
        writer.load_types(tx, type_ids).await?;
        let updates = coming.filter_map(|node| Some((node.id?, node)));
        writer.load(tx, updates).await?;
        Ok(writer)
    }

    /// A writer for nodes of these types. It reads nothing.
    pub(in crate::graph) fn with_types(
        kind: Kind,
        types: impl Iterator<Item = Stored<NodeType>>,
        options: PutOptions<'a>,
        now: i64,
    ) -> Self {
        Self {
            kind,
            options,
            now,
            types: types.map(|known| (known.id, Arc::new(known))).collect(),
            has_reloaded_types: false,
            known: HashMap::new(),
            creates: Vec::new(),
            updates: BTreeMap::new(),
            ids: Vec::new(),
        }
    }

    /// Reads the stored nodes with these ids, and locks those that an update will change.
    pub(in crate::graph) async fn load<'n>(
        &mut self,
        tx: &mut Tx,
        coming: impl Iterator<Item = (i64, &'n NodeInput)> + Clone,
    ) -> Result<()> {
        let ids = coming.clone().map(|(id, _)| id).collect();
        self.load_nodes(tx, ids).await?;
        let type_ids = self.known.values().map(|node| node.type_id);
        self.load_types(tx, type_ids.collect()).await?;
        if !tx.dialect().has_row_locks() {
            return Ok(());
        }
        let changing = coming.filter(|(id, given)| self.would_change(*id, given));
        let ids = distinct_ids(changing.map(|(id, _)| id));
        locks::nodes(tx, self.kind, &ids).await?;
        self.known.retain(|id, _| ids.binary_search(id).is_err());
        self.load_nodes(tx, ids).await
    }

    fn would_change(&self, id: i64, given: &NodeInput) -> bool {
        let Some(stored) = self.known.get(&id) else {
            return false;
        };
        let node_type = self.types.get(&stored.type_id);
        let merge =
            |node_type| node_rules::merge(self.kind, stored, given, node_type, self.options.mask);
        let merged = node_type.map(|node_type| merge(&node_type.value));
        self.options.force_update_time
            || self.options.abort_if_changed
            || merged.is_some_and(|merged| match merged {
                Ok(merged) => node_rules::is_change(stored, given, &merged),
                // Its type may have changed since it was cached.
                Err(_) => true,
            })
    }

    /// Reads the stored nodes with these ids without locking them, which suffices for
    /// [`Self::exists`].
    pub(in crate::graph) async fn load_nodes(&mut self, tx: &mut Tx, ids: Vec<i64>) -> Result<()> {
        let mut ids = distinct_ids(ids);
        ids.retain(|id| !self.known.contains_key(id));
        let stored = nodes::by_ids(tx, self.kind, &ids).await?;
        let by_id = stored.into_iter().map(|node| (node.id, node));
        self.known.extend(by_id);
        Ok(())
    }

    async fn load_types(&mut self, tx: &mut Tx, ids: Vec<i64>) -> Result<()> {
        let mut ids = distinct_ids(ids);
        ids.retain(|id| !self.types.contains_key(id));
        let found = types::known(tx, self.kind, &ids).await?;
        self.keep_types(found);
        Ok(())
    }

    fn keep_types(&mut self, found: Vec<Arc<Stored<NodeType>>>) {
        let by_id = found.into_iter().map(|found| (found.id, found));
        self.types.extend(by_id);
    }

    /// Replaces cached types by stored ones, once per writer, so that no node is refused because of
    /// an outdated type. False if that was done before.
    async fn reload_types(&mut self, tx: &mut Tx) -> Result<bool> {
        if std::mem::replace(&mut self.has_reloaded_types, true) {
            return Ok(false);
        }
        let ids: Vec<i64> = self.types.keys().copied().collect();
        let found = types::stored(tx, self.kind, &ids).await?;
        self.keep_types(found);
        Ok(true)
    }

    /// Puts one node, and returns its id. `now` is in milliseconds since epoch.
    ///
    /// # Errors
    ///
    /// As [`Self::put`].
    pub(in crate::graph) async fn put_single(
        tx: &mut Tx,
        kind: Kind,
        node: &'a NodeInput,
        options: PutOptions<'a>,
        now: i64,
    ) -> Result<i64> {
        let mut writer = Self::new(tx, kind, iter::once(node), options, now).await?;
        writer.put(tx, Cow::Borrowed(node)).await?;
        let id = writer.finish(tx).await?.pop();
        id.ok_or_else(|| Error::internal("a stored node has no id"))
    }

    /// Puts the next node and returns its place in the result of [`Self::finish`].
    ///
    /// # Errors
    ///
    /// That of the first node that is refused, which is this one or a pending one.
    pub(in crate::graph) async fn put(
        &mut self,
        tx: &mut Tx,
        node: Cow<'a, NodeInput>,
    ) -> Result<usize> {
        let (place, id) = (self.ids.len(), node.id);
        match id {
            None => self.write_updates(tx).await?,
            Some(_) => self.write_creates(tx).await?,
        }
        let mut put = self.put_one(&node);
        if put.is_err() && self.reload_types(tx).await? {
            put = self.put_one(&node);
        }
        if let Err(error) = put {
            return Err(self.refuse(tx, error).await);
        }
        if id.is_none() {
            self.creates.push((place, node));
        }
        self.ids.push(id);
        Ok(place)
    }

    fn put_one(&mut self, node: &NodeInput) -> Result<()> {
        match node.id {
            None => self.check_new(node),
            Some(id) => self.update(id, node),
        }
    }

    fn check_new(&self, node: &NodeInput) -> Result<()> {
        let Some(type_id) = node.type_id else {
            return Err(Error::invalid("Type id is missing."));
        };
        let Some(node_type) = self.types.get(&type_id) else {
            return Err(Error::NotFound(format!(
                "Cannot find type for {}: No type found for query, type_id: {type_id}",
                describe(self.kind, node)
            )));
        };
        node_rules::check_new(self.kind, node, &node_type.value)
    }

    fn update(&mut self, id: i64, given: &NodeInput) -> Result<()> {
        let Some(stored) = self.known.get(&id) else {
            return Err(Error::invalid(format!("Cannot find the given id {id}")));
        };
        if self.options.abort_if_changed {
            let expected = given.update_time.unwrap_or(0);
            if stored.update_time != expected {
                return Err(Error::FailedPrecondition(format!(
                    "`abort_if_latest_updated_time_changed` is set, and the stored {} with id = {id} was updated at {}, not at {expected}",
                    self.kind.noun(),
                    stored.update_time,
                )));
            }
        }
        let type_id = stored.type_id;
        let Some(node_type) = self.types.get(&type_id) else {
            return Err(Error::NotFound(format!(
                "No type found for query, type_id: {type_id}"
            )));
        };
        let (node_type, mask) = (&node_type.value, self.options.mask);
        let mut merged = node_rules::merge(self.kind, stored, given, node_type, mask)?;
        if self.options.force_update_time || node_rules::is_change(stored, given, &merged) {
            merged.update_time = self.update_time(stored);
            if let Some(before) = self.known.insert(id, merged) {
                self.updates.entry(id).or_insert(before);
            }
        }
        Ok(())
    }

    /// With `abort_if_changed`, clients detect changes by the update time: it moves even within the
    /// same millisecond.
    fn update_time(&self, stored: &Node) -> i64 {
        if self.options.abort_if_changed {
            self.now.max(stored.update_time + 1)
        } else {
            self.now
        }
    }

    /// Writes all pending nodes.
    async fn flush(&mut self, tx: &mut Tx) -> Result<()> {
        self.write_creates(tx).await?;
        self.write_updates(tx).await
    }

    async fn write_creates(&mut self, tx: &mut Tx) -> Result<()> {
        if self.creates.is_empty() {
            return Ok(());
        }
        let pending: Vec<&NodeInput> = self.creates.iter().map(|(_, node)| &**node).collect();
        let ids = match nodes::insert(tx, self.kind, &pending, self.now).await {
            Ok(ids) => ids,
            Err(error) => {
                let error = error.on_duplicate(|| already_exists(self.kind, &pending, describe));
                let refused = pending.iter().copied().filter_map(Refused::new);
                let refused: Vec<Refused<'_>> = refused.collect();
                let error = look_alikes::explain(tx, self.kind, &refused, error).await;
                return Err(self.on_conflict(error));
            }
        };
        for (id, (place, node)) in ids.into_iter().zip(std::mem::take(&mut self.creates)) {
            self.ids[place] = Some(id);
            let node = node.into_owned();
            let node_type = node.type_id.and_then(|id| self.types.get(&id));
            let node_type = node_type.ok_or_else(|| Error::internal("a new node has no type"))?;
            let kind = self.kind;
            let mut stored = Node {
                id,
                type_id: node_type.id,
                type_name: Some(node_type.value.name.clone()),
                content: node.content,
                create_time: self.now,
                update_time: self.now,
            };
            if kind == Kind::Artifact {
                stored.content.uri.get_or_insert_default();
            } else {
                stored.content.uri = None;
            }
            tx.note_change(|| [Change::created(Subject::Node(kind, stored.clone()))]);
            self.known.insert(id, stored);
        }
        Ok(())
    }

    fn on_conflict(&self, error: Error) -> Error {
        let Error::AlreadyExists(which) = error else {
            return error;
        };
        let error = match self.options.on_conflict {
            OnConflict::Error => return Error::AlreadyExists(which),
            OnConflict::Retry => Error::AlreadyExists(which),
            OnConflict::RetryThenAbort => Error::Contention(format!(
                "Concurrent creation of the same {} at the first time. {which}",
                self.kind.noun()
            )),
        };
        Error::Raced(Box::new(error))
    }

    /// Writes the pending updates.
    pub(in crate::graph) async fn write_updates(&mut self, tx: &mut Tx) -> Result<()> {
        if self.updates.is_empty() {
            return Ok(());
        }
        let before = std::mem::take(&mut self.updates);
        let changes: Vec<(&Node, &Node)> = before
            .iter()
            .filter_map(|(id, before)| Some((before, self.known.get(id)?)))
            .collect();
        immutable::check(tx, self.kind, &changes).await?;
        let after: Vec<&Node> = changes.iter().map(|(_, after)| *after).collect();
        if let Err(error) = nodes::update(tx, self.kind, &after).await {
            let error = error.on_duplicate(|| already_exists(self.kind, &after, describe_stored));
            let refused = after.iter().copied().map(Refused::stored);
            let refused: Vec<Refused<'_>> = refused.collect();
            return Err(look_alikes::explain(tx, self.kind, &refused, error).await);
        }
        properties::update(tx, self.kind, &changes).await?;
        let change = |node: &Node| Change::updated(Subject::Node(self.kind, node.clone()));
        tx.note_change(|| after.into_iter().map(change));
        Ok(())
    }

    /// The id of a node that was put. A pending node is written first.
    pub(in crate::graph) async fn id_at(
        &mut self,
        tx: &mut Tx,
        place: usize,
    ) -> Result<Option<i64>> {
        if self.ids.get(place).is_some_and(Option::is_none) {
            self.write_creates(tx).await?;
        }
        Ok(self.ids.get(place).copied().flatten())
    }

    /// Whether one of the loaded nodes exists.
    pub(in crate::graph) fn exists(&self, id: i64) -> bool {
        self.known.contains_key(&id)
    }

    /// One of the loaded nodes, with the changes that were put so far.
    pub(in crate::graph) fn node(&self, id: i64) -> Option<&Node> {
        self.known.get(&id)
    }

    /// Returns `error`, unless flushing pending nodes fails first: errors surface in request order.
    pub(in crate::graph) async fn refuse(&mut self, tx: &mut Tx, error: Error) -> Error {
        self.flush(tx).await.err().unwrap_or(error)
    }

    /// Writes all pending nodes and returns the ids, in the order in which the nodes were put.
    ///
    /// # Errors
    ///
    /// That of the first node that is refused.
    pub(in crate::graph) async fn finish(mut self, tx: &mut Tx) -> Result<Vec<i64>> {
        self.flush(tx).await?;
        Ok(self.ids.into_iter().flatten().collect())
    }
}

fn already_exists<N>(kind: Kind, nodes: &[&N], describe: fn(Kind, &N) -> String) -> String {
    let which = match nodes {
        [] => kind.noun().to_owned(),
        [node] => describe(kind, node),
        [first, ..] => {
            let (count, plural) = (nodes.len(), kind.plural());
            let first = describe(kind, first);
            format!("one of {count} {plural}, the first of them {first}")
        }
    };
    format!("Given node already exists: {which}")
}
