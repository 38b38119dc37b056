//! Runs and models, as other parts of the graph find them.

use super::fields::text;
use super::models::{artifact_ids, is_deleted};
use super::names::ARTIFACT_URI;
use super::schema::TrackingTypes;
use crate::error::Result;
use crate::model::{Kind, Node};
use crate::storage::Tx;
use crate::storage::tables::nodes;

/// The execution of a run, and where its files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::graph) struct RunFiles {
    pub execution_id: i64,
    pub artifact_uri: String,
}

/// The run with an id.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn run(tx: &mut Tx, id: &str) -> Result<Option<RunFiles>> {
    let Some(types) = TrackingTypes::find(tx).await? else {
        return Ok(None);
    };
    let found = nodes::by_name(tx, Kind::Execution, types.run, id).await?;
    Ok(found.map(|node| RunFiles {
        execution_id: node.id,
        artifact_uri: text(&node.content.properties, ARTIFACT_URI),
    }))
}

/// The artifact of the model with an id, unless it is deleted.
///
/// # Errors
///
/// Those of the database.
pub(in crate::graph) async fn model(tx: &mut Tx, id: &str) -> Result<Option<Node>> {
    let Some(types) = TrackingTypes::find(tx).await? else {
        return Ok(None);
    };
    let ids = artifact_ids(tx, types, &[id]).await?;
    let ids: Vec<i64> = ids.get(id).copied().into_iter().collect();
    let found = nodes::by_ids(tx, Kind::Artifact, &ids).await?.pop();
    Ok(found.filter(|node| !is_deleted(&node.content)))
}
