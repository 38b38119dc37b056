//! The hierarchy of contexts.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::error::{Error, Result};
use crate::graph::edges::memberships::created;
use crate::graph::write::Write;
use crate::model::{Kind, Membership, Node, Origin, ParentContext};
use crate::storage::tables::memberships::{self, MembershipEnd};
use crate::storage::tables::{locks, nodes};
use crate::storage::{Database, Tx};

/// Makes contexts the parents of others (`PutParentContexts`).
#[derive(Clone, Debug)]
pub struct PutParentContexts {
    pub links: Vec<ParentContext>,
}

impl Write for PutParentContexts {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx, _: &Origin) -> Result<()> {
        locks::structure(tx).await?;
        let ends = self
            .links
            .iter()
            .flat_map(|link| [link.parent_id, link.child_id]);
        let ids: Vec<i64> = ends.flatten().collect();
        let existing = nodes::existing(tx, Kind::Context, &ids).await?;
        let mut ancestry = Ancestry::above(tx, &ids).await?;
        let mut valid = Vec::with_capacity(self.links.len());
        let mut refused = None;
        for link in &self.links {
            match check(link, &existing, &ancestry) {
                Ok(link) => {
                    ancestry.add(link);
                    valid.push(link);
                }
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        memberships::insert(tx, Kind::Context, &valid)
            .await
            .map_err(|error| error.on_duplicate(|| already_exists(&valid)))?;
        tx.note_change(|| created(Kind::Context, valid));
        refused.map_or(Ok(()), Err)
    }
}

/// The contexts that a context is linked to, on one side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relatives {
    Parents,
    Children,
}

/// Whether all of these links from parents to children are there.
pub(in crate::graph) async fn are_linked(tx: &mut Tx, links: &[Membership]) -> Result<bool> {
    let children: Vec<i64> = links.iter().map(|link| link.node_id).collect();
    let found = memberships::find(tx, Kind::Context, MembershipEnd::Node, &children).await?;
    let found: HashSet<Membership> = found.into_iter().collect();
    Ok(links.iter().all(|link| found.contains(link)))
}

/// Makes contexts that exist the parents of others, in order, where they are not yet. Who calls
/// this with links that are missing holds the lock of the structure.
///
/// # Errors
///
/// `InvalidArgument` when a context would come to be above itself.
pub(in crate::graph) async fn link_missing(tx: &mut Tx, links: &[Membership]) -> Result<()> {
    if are_linked(tx, links).await? {
        return Ok(());
    }
    let ends = links
        .iter()
        .flat_map(|link| [link.context_id, link.node_id]);
    let mut ancestry = Ancestry::above(tx, &ends.collect::<Vec<i64>>()).await?;
    let mut missing = Vec::new();
    for &link in links {
        if ancestry.has(link) {
            continue;
        }
        if link.context_id == link.node_id || ancestry.is_above(link.node_id, link.context_id) {
            return Err(cycle());
        }
        ancestry.add(link);
        missing.push(link);
    }
    memberships::insert(tx, Kind::Context, &missing).await?;
    tx.note_change(|| created(Kind::Context, missing));
    Ok(())
}

fn cycle() -> Error {
    Error::invalid("There is a cycle detected of the given relationship.")
}

fn check(link: &ParentContext, existing: &HashSet<i64>, ancestry: &Ancestry) -> Result<Membership> {
    let (Some(parent), Some(child)) = (link.parent_id, link.child_id) else {
        return Err(Error::invalid(format!(
            "Missing parent / child id in the parent_context: {}",
            describe(link)
        )));
    };
    if parent == child || !existing.contains(&parent) || !existing.contains(&child) {
        return Err(Error::invalid(format!(
            "Given parent / child id in the parent_context cannot be found: {}",
            describe(link)
        )));
    }
    if ancestry.is_above(child, parent) {
        return Err(cycle());
    }
    Ok(Membership {
        context_id: parent,
        node_id: child,
    })
}

fn describe(link: &ParentContext) -> String {
    let text = |id: Option<i64>| id.map_or_else(|| "unset".to_owned(), |id| id.to_string());
    format!(
        "parent {}, child {}",
        text(link.parent_id),
        text(link.child_id)
    )
}

fn already_exists(links: &[Membership]) -> String {
    let pairs: Vec<String> = links
        .iter()
        .take(3)
        .map(|link| format!("parent {}, child {}", link.context_id, link.node_id))
        .collect();
    let more = if links.len() > 3 { "; ..." } else { "" };
    format!(
        "Given parent_context already exists: {}{more}",
        pairs.join("; ")
    )
}

/// The parents of contexts, and theirs, up to the roots.
#[derive(Debug, Default)]
struct Ancestry {
    parents: HashMap<i64, Vec<i64>>,
}

impl Ancestry {
    /// Walks up from these contexts, one statement a level.
    async fn above(tx: &mut Tx, ids: &[i64]) -> Result<Self> {
        let mut ancestry = Self::default();
        let mut seen: HashSet<i64> = ids.iter().copied().collect();
        let mut frontier: Vec<i64> = seen.iter().copied().collect();
        while !frontier.is_empty() {
            let links =
                memberships::find(tx, Kind::Context, MembershipEnd::Node, &frontier).await?;
            frontier.clear();
            for link in links {
                ancestry.add(link);
                if seen.insert(link.context_id) {
                    frontier.push(link.context_id);
                }
            }
        }
        Ok(ancestry)
    }

    fn add(&mut self, link: Membership) {
        self.parents
            .entry(link.node_id)
            .or_default()
            .push(link.context_id);
    }

    fn has(&self, link: Membership) -> bool {
        let parents = self.parents.get(&link.node_id);
        parents.is_some_and(|parents| parents.contains(&link.context_id))
    }

    fn is_above(&self, ancestor: i64, of: i64) -> bool {
        let mut seen = HashSet::from([of]);
        let mut next = vec![of];
        while let Some(id) = next.pop() {
            for &parent in self.parents.get(&id).into_iter().flatten() {
                if parent == ancestor {
                    return true;
                }
                if seen.insert(parent) {
                    next.push(parent);
                }
            }
        }
        false
    }
}

/// The parents or the children of contexts, ascending by id, by the context that they are asked
/// for. A context without any has no entry.
///
/// # Errors
///
/// `InvalidArgument` when no context is given.
pub(in crate::graph) async fn relatives(
    database: &Database,
    of: Relatives,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<Node>>> {
    if ids.is_empty() {
        return Err(Error::invalid("Given context_ids is empty."));
    }
    let end = match of {
        Relatives::Parents => MembershipEnd::Node,
        Relatives::Children => MembershipEnd::Context,
    };
    let mut tx = database.read().await?;
    let links = memberships::find(&mut tx, Kind::Context, end, ids).await?;
    // (the context asked for, its relative)
    let mut pairs: Vec<(i64, i64)> = links
        .into_iter()
        .map(|link| match of {
            Relatives::Parents => (link.node_id, link.context_id),
            Relatives::Children => (link.context_id, link.node_id),
        })
        .collect();
    pairs.sort_unstable();
    let relatives: Vec<i64> = pairs.iter().map(|(_, relative)| *relative).collect();
    let found = nodes::by_ids(&mut tx, Kind::Context, &relatives).await?;
    let known: HashMap<i64, Node> = found.into_iter().map(|node| (node.id, node)).collect();
    let mut answer: BTreeMap<i64, Vec<Node>> = BTreeMap::new();
    for (id, relative) in pairs {
        if let Some(node) = known.get(&relative) {
            answer.entry(id).or_default().push(node.clone());
        }
    }
    Ok(answer)
}
