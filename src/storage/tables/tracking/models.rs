//! Searches of logged models, which are artifacts in the contexts of experiments.

use super::search::SearchSql;
use crate::error::Result;
use crate::model::{ArtifactState, Kind, ModelField, TrackingQuery};
use crate::storage::Tx;
use crate::storage::tables::joins::NODE_ID;

/// The artifacts of a page of the models that a search finds among those of this type in these
/// contexts, in its order. Deleted ones are left out. Models that were created later come first
/// where the order leaves it open.
///
/// # Errors
///
/// Those of the database.
pub async fn search(
    tx: &mut Tx,
    type_id: i64,
    contexts: &[i64],
    asked: &TrackingQuery<ModelField>,
) -> Result<Vec<i64>> {
    let begin = tx.sql(
        "models::search",
        "SELECT n.id FROM Attribution a JOIN Artifact n ON n.id = a.artifact_id",
    );
    let mut sql = SearchSql::new(begin, Kind::Artifact, NODE_ID);
    sql.push_scope("a.context_id", contexts);
    sql.push_scope("n.type_id", &[type_id]);
    sql.push_without_state(ArtifactState::Deleted.number());
    tx.all(sql.finish(asked, "n.create_time_since_epoch DESC, n.id DESC"))
        .await
}
