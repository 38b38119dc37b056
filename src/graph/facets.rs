//! The facets of a node, with their texts as they were sent (`GetFacets`).

use std::collections::{BTreeMap, HashMap};

use crate::error::{Error, Result};
use crate::graph::ingest::runs::facets::known;
use crate::model::Kind;
use crate::storage::tables::{facets, nodes};
use crate::storage::{Database, Tx};

/// A facet of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacet {
    pub key: String,
    /// Of the event that had it, in microseconds since epoch.
    pub microseconds: i64,
    /// The SHA-256 of its content, as hexadecimal digits; `None` for a deleted facet.
    pub digest: Option<String>,
    /// The size of its text, in bytes; `None` if the text was not kept.
    pub bytes: Option<usize>,
}

/// The reads.
#[derive(Clone, Debug)]
pub struct GraphFacets(pub(in crate::graph) Database);

impl GraphFacets {
    /// The facets of a node, by key: those with one of these keys, or all without any
    /// (`GetFacets`).
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such node.
    pub async fn of_node(&self, kind: Kind, id: i64, keys: &[String]) -> Result<Vec<NodeFacet>> {
        let mut tx = self.0.read().await?;
        let found = nodes::by_ids(&mut tx, kind, &[id]).await?;
        let Some(node) = found.first() else {
            return Err(Error::NotFound(format!("there is no {} {id}", kind.noun())));
        };
        let is_asked_for = |key: &String| keys.is_empty() || keys.contains(key);
        let asked_for = known(&node.content).filter(|(key, _, _)| is_asked_for(key));
        let asked_for: Vec<(String, i64, Option<String>)> = asked_for.collect();
        let digests: Vec<&str> = asked_for
            .iter()
            .filter_map(|(_, _, digest)| digest.as_deref())
            .collect();
        let mut sizes: HashMap<String, usize> = HashMap::new();
        for (digest, size) in facets::part_sizes(&mut tx, &digests).await? {
            *sizes.entry(digest).or_default() += usize::try_from(size).unwrap_or_default();
        }
        let facet = |(key, microseconds, digest): (String, i64, Option<String>)| NodeFacet {
            key,
            microseconds,
            bytes: digest.as_ref().and_then(|it| sizes.get(it).copied()),
            digest,
        };
        Ok(asked_for.into_iter().map(facet).collect())
    }

    /// The texts of facets with these digests, as far as they were kept, by digest.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn texts(&self, digests: &[&str]) -> Result<BTreeMap<String, String>> {
        texts(&mut self.0.single_read().await?, digests).await
    }
}

/// The stored texts with these digests, by digest.
///
/// # Errors
///
/// `DataLoss` for one that is no text.
pub(in crate::graph) async fn texts(
    tx: &mut Tx,
    digests: &[&str],
) -> Result<BTreeMap<String, String>> {
    let mut bytes: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (digest, part) in facets::parts(tx, digests).await? {
        bytes.entry(digest).or_default().extend(part);
    }
    let text = |(digest, bytes): (String, Vec<u8>)| match String::from_utf8(bytes) {
        Ok(text) => Ok((digest, text)),
        Err(_) => Err(Error::DataLoss(format!("the facet {digest} is no text"))),
    };
    bytes.into_iter().map(text).collect()
}
