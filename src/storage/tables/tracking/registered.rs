//! Searches of registered models and of their versions, which are contexts.

use super::search::SearchSql;
use crate::error::Result;
use crate::model::{Kind, RegistryField, TrackingQuery};
use crate::storage::Tx;
use crate::storage::tables::joins::NODE_ID;

/// The contexts of a page of the models that a search finds among those of this type, in its order.
/// Those with the property `deleted` are left out.
///
/// # Errors
///
/// Those of the database.
pub async fn search_models(
    tx: &mut Tx,
    type_id: i64,
    deleted: &'static str,
    asked: &TrackingQuery<RegistryField>,
) -> Result<Vec<i64>> {
    let begin = tx.sql("registered::search_models", "SELECT n.id FROM Context n");
    let mut sql = SearchSql::new(begin, Kind::Context, NODE_ID);
    sql.push_scope("n.type_id", &[type_id]);
    sql.push_without_property("n.id", deleted);
    tx.all(sql.finish(asked, NODE_ID)).await
}

/// The contexts of a page of the versions that a search finds among those of the second type whose
/// models have the first type, in its order. Those with the property `deleted` are left out, and
/// those of such models.
///
/// # Errors
///
/// Those of the database.
pub async fn search_versions(
    tx: &mut Tx,
    (model_type, version_type): (i64, i64),
    deleted: &'static str,
    asked: &TrackingQuery<RegistryField>,
) -> Result<Vec<i64>> {
    let begin = tx.sql(
        "registered::search_versions",
        "SELECT n.id FROM Context n JOIN ParentContext l ON l.context_id = n.id \
         JOIN Context m ON m.id = l.parent_context_id",
    );
    let mut sql = SearchSql::new(begin, Kind::Context, NODE_ID);
    sql.push_scope("n.type_id", &[version_type]);
    sql.push_scope("m.type_id", &[model_type]);
    sql.push_without_property("n.id", deleted);
    sql.push_without_property("m.id", deleted);
    tx.all(sql.finish(asked, NODE_ID)).await
}
