//! Put and get artifacts, executions and contexts.

pub(in crate::graph) mod page;
pub(in crate::graph) mod rules;
pub(in crate::graph) mod stream;
pub(in crate::graph) mod writer;

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::nodes::rules::{FULL_MASK, Mask};
use crate::graph::nodes::writer::{NodeWriter, PutOptions};
use crate::graph::{Graph, Write, distinct_external_ids, distinct_texts};
use crate::model::{Kind, Node, NodeType, Origin};
use crate::storage::Tx;
use crate::storage::tables::{nodes, types};

/// Creates or updates nodes of one kind (`PutArtifacts`, `PutExecutions`, `PutContexts`).
#[derive(Clone, Debug)]
pub struct PutNodes {
    pub kind: Kind,
    pub nodes: Vec<Node>,
    /// What updates touch; everything when unset.
    pub mask: Option<Mask>,
    /// Refuse a node whose stored last update time is not the given one.
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
        writer.finish(tx).await
    }
}

impl Graph {
    /// The nodes with these ids, ascending by id; unknown ids are left out.
    ///
    /// # Errors
    ///
    /// Those of the database, and of stored values that cannot be decoded; so for every read of nodes.
    pub async fn nodes_by_ids(&self, kind: Kind, ids: &[i64]) -> Result<Vec<Node>> {
        let mut tx = self.database.single_read().await?;
        nodes::by_ids(&mut tx, kind, ids).await
    }

    /// As [`Self::nodes_by_ids`], with the types of the nodes found, each once.
    ///
    /// # Errors
    ///
    /// As [`Self::nodes_by_ids`].
    pub async fn nodes_and_types_by_ids(
        &self,
        kind: Kind,
        ids: &[i64],
    ) -> Result<(Vec<Node>, Vec<NodeType>)> {
        let mut tx = self.read().await?;
        let found = nodes::by_ids(&mut tx, kind, ids).await?;
        let mut type_ids: Vec<i64> = found.iter().filter_map(|node| node.type_id).collect();
        type_ids.sort_unstable();
        type_ids.dedup();
        let types = types::by_ids(&mut tx, kind, &type_ids).await?;
        Ok((found, types))
    }

    /// The node of that type, version and name; an empty version is none.
    ///
    /// # Errors
    ///
    /// As [`Self::nodes_by_ids`].
    pub async fn node_by_type_and_name(
        &self,
        kind: Kind,
        type_name: &str,
        version: Option<&str>,
        name: &str,
    ) -> Result<Option<Node>> {
        let version = version.filter(|version| !version.is_empty());
        let mut tx = self.database.single_read().await?;
        match types::id(&mut tx, kind, type_name, version).await? {
            Some(type_id) => nodes::by_name(&mut tx, kind, type_id, name).await,
            None => Ok(None),
        }
    }

    /// The nodes with these external ids, each once, ascending by id.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for an empty external id, `NotFound` when ids are given and none is known.
    pub async fn nodes_by_external_ids(&self, kind: Kind, ids: &[String]) -> Result<Vec<Node>> {
        let ids = distinct_external_ids(ids)?;
        let mut tx = self.database.single_read().await?;
        let found = nodes::by_external_ids(&mut tx, kind, &ids).await?;
        if found.is_empty() && !ids.is_empty() {
            return Err(Error::NotFound(format!(
                "No {} found for external_ids.",
                kind.plural()
            )));
        }
        Ok(found)
    }

    /// The artifacts with these URIs: in the order of the URIs, ascending by id within one.
    ///
    /// # Errors
    ///
    /// As [`Self::nodes_by_ids`].
    pub async fn artifacts_by_uris(&self, uris: &[String]) -> Result<Vec<Node>> {
        let uris = distinct_texts(uris);
        let mut tx = self.database.single_read().await?;
        let mut found = nodes::by_uris(&mut tx, &uris).await?;
        let places: HashMap<&str, usize> = uris.into_iter().zip(0..).collect();
        found.sort_by_key(|node| {
            let place = node.uri.as_deref().and_then(|uri| places.get(uri));
            (place.copied(), node.id)
        });
        Ok(found)
    }
}
