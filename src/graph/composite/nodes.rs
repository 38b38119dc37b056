//! Puts of nodes of one kind.

use std::borrow::Cow;

use crate::error::Result;
use crate::graph::datasets::join;
use crate::graph::nodes::mask::{FULL_MASK, Mask};
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::write::Write;
use crate::model::{Kind, NodeInput, Origin};
use crate::storage::Tx;

/// Creates or updates nodes of one kind (`PutArtifacts`, `PutExecutions`, `PutContexts`).
#[derive(Clone, Debug)]
pub struct PutNodes {
    pub kind: Kind,
    pub nodes: Vec<NodeInput>,
    /// The fields that updates write; all of them when unset.
    pub mask: Option<Mask>,
    /// Refuse a node whose stored update time is not the given one.
    pub abort_if_changed: bool,
}

impl Write for PutNodes {
    /// The ids, aligned with the nodes.
    type Answer = Vec<i64>;

    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<Vec<i64>> {
        let now = origin.time;
        let options = PutOptions {
            mask: self.mask.as_ref().unwrap_or(&FULL_MASK),
            abort_if_changed: self.abort_if_changed,
            ..PutOptions::default()
        };
        let mut writer = NodeWriter::new(tx, self.kind, self.nodes.iter(), options, now).await?;
        for node in &self.nodes {
            writer.put(tx, Cow::Borrowed(node)).await?;
        }
        let ids = writer.finish(tx).await?;
        if self.kind != Kind::Artifact {
            return Ok(ids);
        }
        if self.mask.is_some() {
            // The URIs may not be among the fields that were written.
            join::stored(tx, &ids, now).await?;
        } else {
            let artifacts = self.nodes.iter().zip(ids.iter().copied());
            join::written(tx, artifacts, &[], now).await?;
        }
        Ok(ids)
    }
}
