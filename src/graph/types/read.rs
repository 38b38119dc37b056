//! Reads of types.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::external_ids;
use crate::model::{Kind, NodeType, SIMPLE_TYPES, Stored};
use crate::storage::Database;
use crate::storage::tables::types;

pub(in crate::graph) async fn by_name(
    database: &Database,
    kind: Kind,
    name: &str,
    version: Option<&str>,
) -> Result<Stored<NodeType>> {
    let version = version.filter(|version| !version.is_empty());
    let answered = database.answered_types();
    if let Some(found) = answered.and_then(|types| types.answer(kind, name, version)) {
        return Ok(found.as_ref().clone());
    }
    let mut tx = database.single_read().await?;
    let found = types::find(&mut tx, kind, name, version).await?;
    found.ok_or_else(|| {
        let version = version.unwrap_or("nullopt");
        Error::NotFound(format!(
            "No type found for query, name: `{name}`, version: `{version}`"
        ))
    })
}

pub(in crate::graph) async fn by_ids(
    database: &Database,
    kind: Kind,
    ids: &[i64],
) -> Result<Vec<Stored<NodeType>>> {
    let mut tx = database.single_read().await?;
    let found = types::by_ids(&mut tx, kind, ids).await?;
    let known: HashMap<_, _> = found.into_iter().map(|found| (found.id, found)).collect();
    let known = ids.iter().filter_map(|id| known.get(id).cloned());
    Ok(known.collect())
}

pub(in crate::graph) async fn all(
    database: &Database,
    kind: Kind,
) -> Result<Vec<Stored<NodeType>>> {
    let mut tx = database.single_read().await?;
    let mut found = types::all(&mut tx, kind).await?;
    found.retain(|found| !SIMPLE_TYPES.contains(&(kind, &found.value.name)));
    Ok(found)
}

pub(in crate::graph) async fn by_external_ids(
    database: &Database,
    kind: Kind,
    ids: &[String],
) -> Result<Vec<Stored<NodeType>>> {
    let ids = external_ids::distinct(ids)?;
    let mut tx = database.single_read().await?;
    let found = types::by_external_ids(&mut tx, kind, &ids).await?;
    if found.is_empty() && !ids.is_empty() {
        return Err(Error::NotFound("No types found for external_ids.".into()));
    }
    Ok(found)
}
