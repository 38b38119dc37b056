//! The nodes that mentions mean: found or new, and stored with all that the mentions make of them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::catalog::Catalog;
use super::mention::{Key, Mention};
use crate::error::{Error, Result};
use crate::graph::nodes::writer::{NodeWriter, OnConflict, PutOptions};
use crate::model::{Kind, Node, NodeInput, NodeKey, NodeState};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// A node and the places of the mentions of it, in order.
struct Target {
    /// Unset for a new node.
    id: Option<i64>,
    type_id: i64,
    mentions: Vec<usize>,
}

/// The node of a mention, as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredMention {
    pub id: i64,
    /// Its state after the mention.
    pub state: Option<NodeState>,
}

/// The nodes of one kind that a batch mentions.
pub(super) struct Targets<'e> {
    kind: Kind,
    mentions: &'e [Mention<'e>],
    /// In the order of their first mention.
    meant: Vec<Target>,
    /// The place of the target of each mention.
    slots: Vec<usize>,
    writer: NodeWriter<'e>,
}

impl<'e> Targets<'e> {
    /// Looks for the nodes that are mentioned. They are not locked yet.
    ///
    /// # Errors
    ///
    /// `NotFound` for a node that is not there and may not be created, `InvalidArgument` for one of
    /// another type, `AlreadyExists` for a new one whose name another node has.
    pub(super) async fn find(
        tx: &mut Tx,
        kind: Kind,
        mentions: &'e [Mention<'e>],
        catalog: &Catalog,
        now: i64,
    ) -> Result<Self> {
        let options = PutOptions {
            on_conflict: OnConflict::RetryThenAbort,
            ..PutOptions::default()
        };
        let types = catalog.of(kind).cloned();
        let mut writer = NodeWriter::with_types(kind, types, options, now);
        let found = ids_by_keys(tx, kind, mentions).await?;
        writer
            .load_nodes(tx, found.values().copied().collect())
            .await?;
        let (meant, slots) = resolve(kind, mentions, &found, |id| writer.node(id))?;
        Ok(Self {
            kind,
            mentions,
            meant,
            slots,
            writer,
        })
    }

    /// The id of the node of a mention, unless it is new.
    pub(super) fn known_id(&self, mention: usize) -> Option<i64> {
        self.meant[self.slots[mention]].id
    }

    /// Locks the nodes that change, and stores what the mentions make of them and of new ones. The
    /// answer is aligned with the mentions.
    ///
    /// # Errors
    ///
    /// Those of [`super::mention::Edit::apply`]; `Raced` when a new node exists by now.
    pub(super) async fn store(mut self, tx: &mut Tx) -> Result<Vec<StoredMention>> {
        let mut states = vec![None; self.slots.len()];
        let mut changing = Vec::new();
        for target in &self.meant {
            if let Some(id) = target.id {
                changing.push((id, self.edited(target, &mut states)?));
            }
        }
        let coming = changing.iter().map(|(id, node)| (*id, node));
        self.writer.load(tx, coming).await?;
        // New nodes first: the writer sends those to the database together that come together.
        let mut order: Vec<usize> = (0..self.meant.len()).collect();
        order.sort_by_key(|&slot| self.meant[slot].id.is_some());
        for &slot in &order {
            let node = self.edited(&self.meant[slot], &mut states)?;
            self.writer.put(tx, Cow::Owned(node)).await?;
        }
        let ids = self.writer.finish(tx).await?;
        let ids: HashMap<usize, i64> = order.into_iter().zip(ids).collect();
        let mentions = self.slots.iter().zip(states);
        let stored = mentions.map(|(slot, state)| StoredMention {
            id: ids[slot],
            state,
        });
        Ok(stored.collect())
    }

    /// What the mentions make of a node, as it is now known; the state after each goes to its
    /// place.
    fn edited(&self, target: &Target, states: &mut [Option<NodeState>]) -> Result<NodeInput> {
        let known = target.id.and_then(|id| self.writer.node(id)).cloned();
        let known = known.map(NodeInput::from);
        let first = target
            .mentions
            .first()
            .map(|&mention| &self.mentions[mention]);
        let blank = || {
            first
                .map(|first| first.blank(self.kind))
                .unwrap_or_default()
        };
        let mut node = known.unwrap_or_else(blank);
        for &mention in &target.mentions {
            self.mentions[mention].edit.apply(&mut node.content)?;
            states[mention] = node.content.state;
        }
        Ok(node)
    }
}

/// Goes through the mentions in order and says which node each means. Decided without the database,
/// given what it has.
fn resolve<'n>(
    kind: Kind,
    mentions: &[Mention<'_>],
    found: &HashMap<Key<'_>, i64>,
    node: impl Fn(i64) -> Option<&'n Node>,
) -> Result<(Vec<Target>, Vec<usize>)> {
    let mut targets: Vec<Target> = Vec::new();
    let mut slots = Vec::with_capacity(mentions.len());
    let mut of_id: HashMap<i64, usize> = HashMap::new();
    // New nodes by what finds them from now on.
    let mut fresh: HashMap<&Key<'_>, usize> = HashMap::new();
    for (place, mention) in mentions.iter().enumerate() {
        let stored = found.get(&mention.key).and_then(|id| node(*id));
        let slot = if let Some(stored) = stored {
            *of_id
                .entry(stored.id)
                .or_insert_with(|| add(&mut targets, Some(stored.id), stored.type_id))
        } else if let Some(&slot) = fresh.get(&mention.key) {
            slot
        } else {
            check_new(kind, mention, found, &fresh)?;
            let slot = add(&mut targets, None, mention.type_id);
            let keys = std::iter::once(&mention.key).chain(&mention.own_name);
            fresh.extend(keys.map(|key| (key, slot)));
            slot
        };
        let target = &mut targets[slot];
        if target.type_id != mention.type_id {
            return Err(Error::invalid(format!(
                "The {} with {} is of another type than the event says",
                kind.noun(),
                describe(&mention.key)
            )));
        }
        target.mentions.push(place);
        slots.push(slot);
    }
    Ok((targets, slots))
}

fn add(targets: &mut Vec<Target>, id: Option<i64>, type_id: i64) -> usize {
    targets.push(Target {
        id,
        type_id,
        mentions: Vec::new(),
    });
    targets.len() - 1
}

/// Refuses a mention of a node that is not there and cannot become a new one.
fn check_new(
    kind: Kind,
    mention: &Mention<'_>,
    found: &HashMap<Key<'_>, i64>,
    fresh: &HashMap<&Key<'_>, usize>,
) -> Result<()> {
    let noun = kind.noun();
    if !mention.may_create {
        return Err(Error::NotFound(format!(
            "No {noun} with {} is known, and the event does not create one",
            describe(&mention.key)
        )));
    }
    match &mention.own_name {
        Some(name) if found.contains_key(name) || fresh.contains_key(name) => {
            Err(Error::AlreadyExists(format!(
                "No {noun} with {} is known, and another one has {}",
                describe(&mention.key),
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

/// The ids of the stored nodes that have one of the keys of the mentions.
async fn ids_by_keys<'e>(
    tx: &mut Tx,
    kind: Kind,
    mentions: &'e [Mention<'e>],
) -> Result<HashMap<Key<'e>, i64>> {
    let keys = mentions
        .iter()
        .flat_map(|mention| std::iter::once(&mention.key).chain(&mention.own_name));
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
    if tx.dialect().has_loose_collation() {
        add_look_alikes(tx, kind, &keys, &mut found).await?;
    }
    found.retain(|key, _| keys.contains(key));
    found.extend(ids.into_iter().map(|id| (Key::Id(id), id)));
    Ok(found)
}

/// Adds the ids of keys whose stored text is equal by the collation of the database and differs in
/// its letters. The database returned rows with such texts; it then decides which keys they equal.
async fn add_look_alikes<'e>(
    tx: &mut Tx,
    kind: Kind,
    keys: &BTreeSet<&Key<'e>>,
    found: &mut HashMap<Key<'e>, i64>,
) -> Result<()> {
    let unasked: Vec<Key<'e>> = found
        .keys()
        .filter(|key| !keys.contains(key))
        .cloned()
        .collect();
    let could_be = |key: &Key<'e>| {
        unasked.iter().any(|other| match (key, other) {
            (Key::Name(type_id, _), Key::Name(of, _)) => type_id == of,
            (Key::ExternalId(_), Key::ExternalId(_)) => true,
            _ => false,
        })
    };
    for key in keys.iter().filter(|key| could_be(key)) {
        let by = match key {
            Key::Name(type_id, name) => NodeKey::TypeAndName(*type_id, name),
            Key::ExternalId(text) => NodeKey::ExternalId(text),
            Key::Id(_) => continue,
        };
        if !found.contains_key(*key)
            && let Some(id) = nodes::find(tx, kind, by).await?
        {
            found.insert((*key).clone(), id);
        }
    }
    Ok(())
}
