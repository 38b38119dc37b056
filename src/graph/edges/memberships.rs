//! Which artifacts and executions are in which contexts.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::graph::write::Write;
use crate::model::{Change, Kind, Membership, Node, Origin, Subject};
use crate::storage::tables::memberships::{self, Nodes};
use crate::storage::tables::nodes;
use crate::storage::{Database, Tx};

/// Puts artifacts and executions into contexts (`PutAttributionsAndAssociations`). An unset id
/// counts as 0.
#[derive(Clone, Debug, Default)]
pub struct PutMemberships {
    pub attributions: Vec<Membership>,
    pub associations: Vec<Membership>,
}

impl Write for PutMemberships {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx, _: &Origin) -> Result<()> {
        for (kind, members) in [
            (Kind::Artifact, &self.attributions),
            (Kind::Execution, &self.associations),
        ] {
            check(tx, kind, members).await?;
            put_missing(tx, kind, members.clone(), Nodes::Any).await?;
        }
        Ok(())
    }
}

async fn check(tx: &mut Tx, kind: Kind, members: &[Membership]) -> Result<()> {
    let context_ids: Vec<i64> = members.iter().map(|member| member.context_id).collect();
    let node_ids: Vec<i64> = members.iter().map(|member| member.node_id).collect();
    let contexts = nodes::existing(tx, Kind::Context, &context_ids).await?;
    let existing = nodes::existing(tx, kind, &node_ids).await?;
    for member in members {
        if !contexts.contains(&member.context_id) {
            return Err(Error::invalid("Context id not found."));
        }
        if !existing.contains(&member.node_id) {
            return Err(Error::invalid(format!("{kind} id not found.")));
        }
    }
    Ok(())
}

/// Puts every one of the nodes into every one of the contexts; what is in already stays.
pub(in crate::graph) async fn put_all(
    tx: &mut Tx,
    kind: Kind,
    context_ids: &[i64],
    node_ids: &[i64],
    nodes: Nodes,
) -> Result<()> {
    let pairs = context_ids
        .iter()
        .flat_map(|&context_id| {
            node_ids.iter().map(move |&node_id| Membership {
                context_id,
                node_id,
            })
        })
        .collect();
    put_missing(tx, kind, pairs, nodes).await.map(|_| ())
}

/// Puts nodes that exist into contexts that exist; what is in already stays. Returns what was not.
pub(in crate::graph) async fn put_missing(
    tx: &mut Tx,
    kind: Kind,
    mut pairs: Vec<Membership>,
    nodes: Nodes,
) -> Result<Vec<Membership>> {
    let mut seen = HashSet::new();
    pairs.retain(|pair| seen.insert(*pair));
    let new = memberships::insert_missing(tx, kind, &pairs, nodes).await?;
    tx.note_change(|| created(kind, new.iter().copied()));
    Ok(new)
}

/// The changes that made these.
pub(in crate::graph) fn created(
    kind: Kind,
    new: impl IntoIterator<Item = Membership>,
) -> impl Iterator<Item = Change> {
    let change = move |member| Change::created(Subject::Membership(kind, member));
    new.into_iter().map(change)
}

/// The contexts that an artifact or an execution is in, ascending by id.
///
/// # Errors
///
/// `NotFound` when there is none, also for a node that does not exist.
pub(in crate::graph) async fn contexts_of(
    database: &Database,
    kind: Kind,
    id: i64,
) -> Result<Vec<Node>> {
    let mut tx = database.single_read().await?;
    let contexts = nodes::contexts_of(&mut tx, kind, id).await?;
    if contexts.is_empty() {
        let noun = kind.noun();
        return Err(Error::NotFound(format!(
            "No contexts found for {noun}_id: {id}"
        )));
    }
    Ok(contexts)
}
