//! The nodes that references name: found or new, and stored with all edits of their references.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::node_ref::{Key, NodeRef};
use super::type_catalog::TypeCatalog;
use super::{EventTime, state};
use crate::error::{Error, Result};
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::model::{Kind, Node, NodeInput, NodeState};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// A node, and the indexes of the references to it, in order.
struct ResolvedNode {
    /// Unset for a new node.
    id: Option<i64>,
    type_id: i64,
    references: Vec<usize>,
}

/// The node of a reference, as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredNode {
    pub id: i64,
    /// When it was created, in milliseconds since epoch; `None` for a new one.
    pub created: Option<i64>,
    /// Its state after the edit of the reference.
    pub state: Option<NodeState>,
    /// Of a run: its first start.
    pub started: Option<EventTime>,
    /// Of a run: its last end.
    pub ended: Option<EventTime>,
}

/// The stored nodes of all references.
#[derive(Debug, Default)]
pub(super) struct StoredNodes {
    /// Aligned with the references.
    pub nodes: Vec<StoredNode>,
    /// For each reference, the indexes of its facets that count from now on.
    pub taken_facets: Vec<Vec<usize>>,
}

/// What an edit leaves of a node.
#[derive(Clone, Debug, Default)]
struct Edited {
    state: Option<NodeState>,
    started: Option<EventTime>,
    ended: Option<EventTime>,
    taken_facets: Vec<usize>,
}

/// The nodes of one kind that the events of a batch refer to.
pub(super) struct ResolvedNodes<'e> {
    kind: Kind,
    references: &'e [NodeRef<'e>],
    /// In the order of their first references.
    nodes: Vec<ResolvedNode>,
    /// The index of the node of each reference.
    slots: Vec<usize>,
    writer: NodeWriter<'e>,
}

impl<'e> ResolvedNodes<'e> {
    /// Looks for the nodes that are referred to. They are not locked yet.
    ///
    /// # Errors
    ///
    /// `NotFound` for a node that is not there and may not be created, `InvalidArgument` for one of
    /// another type, `AlreadyExists` for a new one whose name another node has.
    pub(super) async fn find(
        tx: &mut Tx,
        kind: Kind,
        references: &'e [NodeRef<'e>],
        catalog: &TypeCatalog,
        now: i64,
    ) -> Result<Self> {
        let options = PutOptions {
            on_conflict: OnConflict::RetryThenAbort,
            ..PutOptions::default()
        };
        let types = catalog.of(kind).cloned();
        let mut writer = NodeWriter::with_types(kind, types, options, now);
        let found = ids_by_keys(tx, kind, references).await?;
        writer
            .load_nodes(tx, found.values().copied().collect())
            .await?;
        let (nodes, slots) = resolve(kind, references, &found, |id| writer.node(id))?;
        Ok(Self {
            kind,
            references,
            nodes,
            slots,
            writer,
        })
    }

    /// The id of the node of a reference, unless it is new.
    pub(super) fn known_id(&self, reference: usize) -> Option<i64> {
        self.nodes[self.slots[reference]].id
    }

    /// Locks the nodes that change, and stores them and new ones with the edits of their
    /// references.
    ///
    /// # Errors
    ///
    /// Those of [`super::node_ref::NodeEdit::apply`]; `Raced` when a new node exists by now.
    pub(super) async fn store(mut self, tx: &mut Tx) -> Result<StoredNodes> {
        let mut states = vec![Edited::default(); self.slots.len()];
        let mut changing = Vec::new();
        for node in &self.nodes {
            if let Some(id) = node.id {
                changing.push((id, self.edited(node, &mut states)?));
            }
        }
        let coming = changing.iter().map(|(id, node)| (*id, node));
        self.writer.load(tx, coming).await?;
        // New nodes first: the writer sends those to the database together that come together.
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|&slot| self.nodes[slot].id.is_some());
        for &slot in &order {
            let node = self.edited(&self.nodes[slot], &mut states)?;
            self.writer.put(tx, Cow::Owned(node)).await?;
        }
        let created = |node: &ResolvedNode| Some(self.writer.node(node.id?)?.create_time);
        let created: Vec<Option<i64>> = self.nodes.iter().map(created).collect();
        let ids = self.writer.finish(tx).await?;
        let ids: HashMap<usize, i64> = order.into_iter().zip(ids).collect();
        let mut stored = StoredNodes::default();
        for (slot, edited) in self.slots.iter().zip(states) {
            stored.nodes.push(StoredNode {
                id: ids[slot],
                created: created[*slot],
                state: edited.state,
                started: edited.started,
                ended: edited.ended,
            });
            stored.taken_facets.push(edited.taken_facets);
        }
        Ok(stored)
    }

    /// A node, as it is now known, after the edits of its references. The state after each edit is
    /// written to the index of its reference.
    fn edited(&self, of: &ResolvedNode, states: &mut [Edited]) -> Result<NodeInput> {
        let stored = of.id.and_then(|id| self.writer.node(id)).cloned();
        let first = of.references.first().map(|&first| &self.references[first]);
        let blank = || first.map(|first| first.blank(self.kind));
        let mut node = stored
            .map(NodeInput::from)
            .or_else(blank)
            .unwrap_or_default();
        for &reference in &of.references {
            let taken_facets = self.references[reference].edit.apply(&mut node.content)?;
            let (started, ended) = match self.kind {
                Kind::Execution => state::times(&node.content),
                Kind::Artifact | Kind::Context => (None, None),
            };
            states[reference] = Edited {
                state: node.content.state,
                started,
                ended,
                taken_facets,
            };
        }
        Ok(node)
    }
}

/// The nodes of these references, and the index of the node of each. A pure function of the
/// references and of what the database has.
fn resolve<'n>(
    kind: Kind,
    references: &[NodeRef<'_>],
    found: &HashMap<Key<'_>, i64>,
    stored_node: impl Fn(i64) -> Option<&'n Node>,
) -> Result<(Vec<ResolvedNode>, Vec<usize>)> {
    let mut nodes: Vec<ResolvedNode> = Vec::new();
    let mut slots = Vec::with_capacity(references.len());
    let mut of_id: HashMap<i64, usize> = HashMap::new();
    // New nodes by what finds them from now on.
    let mut fresh: HashMap<&Key<'_>, usize> = HashMap::new();
    for (index, reference) in references.iter().enumerate() {
        let stored = found.get(&reference.key).and_then(|id| stored_node(*id));
        let slot = if let Some(stored) = stored {
            *of_id
                .entry(stored.id)
                .or_insert_with(|| add(&mut nodes, Some(stored.id), stored.type_id))
        } else if let Some(&slot) = fresh.get(&reference.key) {
            slot
        } else {
            check_new(kind, reference, found, &fresh)?;
            let slot = add(&mut nodes, None, reference.type_id);
            let keys = std::iter::once(&reference.key).chain(&reference.own_name);
            fresh.extend(keys.map(|key| (key, slot)));
            slot
        };
        let node = &mut nodes[slot];
        if node.type_id != reference.type_id {
            return Err(Error::invalid(format!(
                "The {} with {} is of another type than the event says",
                kind.noun(),
                describe(&reference.key)
            )));
        }
        node.references.push(index);
        slots.push(slot);
    }
    Ok((nodes, slots))
}

fn add(nodes: &mut Vec<ResolvedNode>, id: Option<i64>, type_id: i64) -> usize {
    nodes.push(ResolvedNode {
        id,
        type_id,
        references: Vec::new(),
    });
    nodes.len() - 1
}

/// Refuses a reference to a node that does not exist and cannot be created.
fn check_new(
    kind: Kind,
    reference: &NodeRef<'_>,
    found: &HashMap<Key<'_>, i64>,
    fresh: &HashMap<&Key<'_>, usize>,
) -> Result<()> {
    let noun = kind.noun();
    if !reference.may_create {
        return Err(Error::NotFound(format!(
            "No {noun} with {} is known, and the event does not create one",
            describe(&reference.key)
        )));
    }
    match &reference.own_name {
        Some(name) if found.contains_key(name) || fresh.contains_key(name) => {
            Err(Error::AlreadyExists(format!(
                "No {noun} with {} is known, and another one has {}",
                describe(&reference.key),
                describe(name)
            )))
        }
        _ => Ok(()),
    }
}

/// A key in few words, for error texts.
fn describe(key: &Key<'_>) -> String {
    match key {
        Key::Id(id) => format!("the id {id}"),
        Key::ExternalId(text) => format!("the external id {text:?}"),
        Key::Name(_, text) => format!("the name {text:?}"),
    }
}

/// The ids of the stored nodes that have one of the keys of the references.
async fn ids_by_keys<'e>(
    tx: &mut Tx,
    kind: Kind,
    references: &'e [NodeRef<'e>],
) -> Result<HashMap<Key<'e>, i64>> {
    let keys = references
        .iter()
        .flat_map(|reference| std::iter::once(&reference.key).chain(&reference.own_name));
    // Sorted and each once.
    let keys: BTreeSet<&Key<'e>> = keys.collect();
    let mut ids = Vec::new();
    let mut external_ids = Vec::new();
    let mut types = BTreeSet::new();
    let mut names = BTreeSet::new();
    for key in &keys {
        match key {
            Key::Id(id) => ids.push(*id),
            Key::ExternalId(text) => external_ids.push(&**text),
            Key::Name(type_id, name) => {
                types.insert(*type_id);
                names.insert(&**name);
            }
        }
    }
    let types: Vec<i64> = types.into_iter().collect();
    let names: Vec<&str> = names.into_iter().collect();
    let by_name = nodes::ids_by_names(tx, kind, &types, &names).await?;
    let by_name = by_name
        .into_iter()
        .map(|((type_id, name), id)| (Key::Name(type_id, name.into()), id));
    let by_external_id = nodes::ids_by_external_ids(tx, kind, &external_ids).await?;
    let by_external_id = by_external_id
        .into_iter()
        .map(|(text, id)| (Key::ExternalId(text.into()), id));
    let mut found: HashMap<Key<'e>, i64> = by_name.chain(by_external_id).collect();
    // A loose collation can match other texts.
    found.retain(|key, _| keys.contains(key));
    found.extend(ids.into_iter().map(|id| (Key::Id(id), id)));
    Ok(found)
}
