//! Changes of stored nodes that depend on what is stored.

use crate::error::Result;
use crate::graph::nodes::{immutable, rules};
use crate::model::{Change, Kind, Node, NodeContent, Subject};
use crate::storage::Tx;
use crate::storage::tables::{locks, nodes, properties};

/// A node that is locked, as it is stored and as it will be.
#[derive(Clone, Debug)]
pub(in crate::graph) struct LockedNode {
    stored: Node,
    /// To be changed.
    pub content: NodeContent,
    is_touched: bool,
}

impl LockedNode {
    /// Locks a node and reads it. `None` if there is none.
    ///
    /// # Errors
    ///
    /// `Contention` when the lock is not acquired in time.
    pub(in crate::graph) async fn lock(tx: &mut Tx, kind: Kind, id: i64) -> Result<Option<Self>> {
        Ok(Self::lock_all(tx, kind, &[id]).await?.pop())
    }

    /// [`Self::lock`] for several nodes.
    ///
    /// # Errors
    ///
    /// As [`Self::lock`].
    pub(in crate::graph) async fn lock_all(
        tx: &mut Tx,
        kind: Kind,
        ids: &[i64],
    ) -> Result<Vec<Self>> {
        locks::nodes(tx, kind, ids).await?;
        let edit = |stored: Node| Self {
            content: stored.content.clone(),
            stored,
            is_touched: false,
        };
        let found = nodes::by_ids(tx, kind, ids).await?;
        Ok(found.into_iter().map(edit).collect())
    }

    /// Has the node updated even if its content is not changed.
    pub(in crate::graph) const fn touch(&mut self) {
        self.is_touched = true;
    }

    /// The node as it is stored.
    pub(in crate::graph) const fn stored(&self) -> &Node {
        &self.stored
    }

    /// Stores the changes of nodes of a kind, and returns the nodes as they are now. `now` is in
    /// milliseconds since epoch.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a value that cannot be stored; `AlreadyExists` for a name that is
    /// taken; those of [`immutable::check`].
    pub(in crate::graph) async fn store(
        tx: &mut Tx,
        kind: Kind,
        edits: Vec<Self>,
        now: i64,
    ) -> Result<Vec<Node>> {
        let mut pairs = Vec::with_capacity(edits.len());
        for edit in edits {
            let (stored, content) = (edit.stored, edit.content);
            rules::check_values(&content, &stored.content)?;
            let is_change = edit.is_touched || stored.content != content;
            let update_time = if is_change { now } else { stored.update_time };
            let after = Node {
                content,
                update_time,
                ..stored.clone()
            };
            pairs.push((stored, after, is_change));
        }
        let changed = pairs.iter().filter(|(_, _, is_change)| *is_change);
        let changed: Vec<(&Node, &Node)> = changed.map(|(old, new, _)| (old, new)).collect();
        immutable::check(tx, kind, &changed).await?;
        let after: Vec<&Node> = changed.iter().map(|(_, after)| *after).collect();
        nodes::update(tx, kind, &after).await?;
        properties::update(tx, kind, &changed).await?;
        let change = |node: &Node| Change::updated(Subject::Node(kind, node.clone()));
        tx.note_change(|| after.into_iter().map(change));
        Ok(pairs.into_iter().map(|(_, after, _)| after).collect())
    }
}
