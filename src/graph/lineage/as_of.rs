//! Nodes as they were at an earlier time. A node was there from its creation on; its state is that
//! of the history. Of a node whose state then the history does not have, the state is today's.

use std::collections::HashMap;

use crate::error::Result;
use crate::graph::changes::history::History;
use crate::graph::changes::states::{AsOf, StatesByNode, states_as_of};
use crate::model::{Kind, Node};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// Nodes at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodesAsOf {
    /// Ascending by id.
    pub nodes: Vec<Node>,
    /// The ids of those whose states are today's, ascending.
    pub present_ids: Vec<i64>,
}

/// The earlier states of some nodes.
#[derive(Debug)]
pub(super) struct EarlierStates {
    time: i64,
    states: StatesByNode,
}

impl EarlierStates {
    /// The states at a time of nodes that were there.
    pub(super) async fn read<'i>(
        tx: &mut Tx,
        as_of: AsOf,
        wanted: impl IntoIterator<Item = (Kind, &'i [i64])>,
    ) -> Result<Self> {
        let time = as_of.time;
        let mut changed = HashMap::new();
        for (kind, ids) in wanted {
            let newer = nodes::changed_after(tx, kind, ids, time).await?;
            changed.extend(newer.into_iter().map(|(id, created)| ((kind, id), created)));
        }
        let states = states_as_of(tx, changed, as_of).await?;
        Ok(Self { time, states })
    }

    /// Puts nodes of a kind back into these states, and returns the ids of those that stay in their
    /// present state, though they have changed.
    pub(super) fn put_back(&mut self, kind: Kind, nodes: &mut [Node]) -> Vec<i64> {
        let mut present_ids = Vec::new();
        for node in nodes.iter_mut().filter(|it| it.update_time > self.time) {
            let Some(mut state) = self.states.remove(&(kind, node.id)) else {
                present_ids.push(node.id);
                continue;
            };
            if kind == Kind::Artifact {
                // As in reads of nodes.
                state.content.uri.get_or_insert_default();
            }
            *node = state;
        }
        present_ids
    }
}

/// Those of the nodes with these ids that were there at a time, as they were.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn nodes_as_of(
    history: &History,
    kind: Kind,
    ids: &[i64],
    as_of: AsOf,
) -> Result<NodesAsOf> {
    // The states of the last commits are in the outbox until then.
    history.sequence_outbox().await?;
    let mut tx = history.database.read().await?;
    read_as_of(&mut tx, kind, ids, as_of).await
}

/// [`nodes_as_of`], within a transaction that began after the outbox was sequenced.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn read_as_of(
    tx: &mut Tx,
    kind: Kind,
    ids: &[i64],
    as_of: AsOf,
) -> Result<NodesAsOf> {
    let mut found = nodes::by_ids(tx, kind, ids).await?;
    found.retain(|node| node.create_time <= as_of.time);
    let ids: Vec<i64> = found.iter().map(|node| node.id).collect();
    let mut earlier = EarlierStates::read(tx, as_of, [(kind, &*ids)]).await?;
    let present_ids = earlier.put_back(kind, &mut found);
    Ok(NodesAsOf {
        nodes: found,
        present_ids,
    })
}
