//! Reads of nodes by what identifies them.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::external_ids::{self, distinct_texts};
use crate::model::{Kind, Node, NodeType, Stored, distinct_ids};
use crate::storage::tables::{nodes, types};
use crate::storage::{Database, Tx};

pub(in crate::graph) async fn by_ids(
    database: &Database,
    kind: Kind,
    ids: &[i64],
) -> Result<Vec<Node>> {
    let mut tx = database.single_read().await?;
    nodes::by_ids(&mut tx, kind, ids).await
}

/// The nodes with these ids, in their order.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn in_order(tx: &mut Tx, kind: Kind, ids: &[i64]) -> Result<Vec<Node>> {
    let found = nodes::by_ids(tx, kind, ids).await?;
    let mut by_id: HashMap<i64, Node> = found.into_iter().map(|node| (node.id, node)).collect();
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}

pub(in crate::graph) async fn with_types(
    database: &Database,
    kind: Kind,
    ids: &[i64],
) -> Result<(Vec<Node>, Vec<Stored<NodeType>>)> {
    let mut tx = database.read().await?;
    let found = nodes::by_ids(&mut tx, kind, ids).await?;
    let type_ids = distinct_ids(found.iter().map(|node| node.type_id));
    let types = types::by_ids(&mut tx, kind, &type_ids).await?;
    Ok((found, types))
}

pub(in crate::graph) async fn by_type_and_name(
    database: &Database,
    kind: Kind,
    (type_name, version): (&str, Option<&str>),
    name: &str,
) -> Result<Option<Node>> {
    let version = version.filter(|version| !version.is_empty());
    let mut tx = database.single_read().await?;
    match types::id(&mut tx, kind, type_name, version).await? {
        Some(type_id) => nodes::by_name(&mut tx, kind, type_id, name).await,
        None => Ok(None),
    }
}

pub(in crate::graph) async fn by_external_ids(
    database: &Database,
    kind: Kind,
    ids: &[String],
) -> Result<Vec<Node>> {
    let ids = external_ids::distinct(ids)?;
    let mut tx = database.single_read().await?;
    let found = nodes::by_external_ids(&mut tx, kind, &ids).await?;
    if found.is_empty() && !ids.is_empty() {
        let plural = kind.plural();
        return Err(Error::NotFound(format!(
            "No {plural} found for external_ids."
        )));
    }
    Ok(found)
}

pub(in crate::graph) async fn artifacts_by_uris(
    database: &Database,
    uris: &[String],
) -> Result<Vec<Node>> {
    let uris = distinct_texts(uris);
    let mut tx = database.single_read().await?;
    let mut found = nodes::by_uris(&mut tx, &uris).await?;
    let places: HashMap<&str, usize> = uris.into_iter().zip(0..).collect();
    found.sort_by_key(|node| {
        let place = node.content.uri.as_deref().and_then(|uri| places.get(uri));
        (place.copied(), node.id)
    });
    Ok(found)
}
