//! Versions of registered models: contexts below those of their models, with their numbers in
//! properties.

use crate::error::Result;
use crate::storage::Tx;

/// What statements need to know of the properties of versions. All are custom ones.
#[derive(Clone, Copy, Debug)]
pub struct VersionProperties {
    /// The number of a version.
    pub number: &'static str,
    /// Its stage. Versions without it are in none.
    pub stage: &'static str,
    /// When it was deleted; others lack it.
    pub deleted: &'static str,
}

/// The highest number of a version of a model, deleted ones included.
///
/// # Errors
///
/// Those of the database.
pub async fn last_number(
    tx: &mut Tx,
    model: i64,
    properties: &VersionProperties,
) -> Result<Option<i64>> {
    let mut query = tx.sql(
        "versions::last_number",
        "SELECT MAX(p.int_value) FROM ParentContext l \
         JOIN ContextProperty p ON p.context_id = l.context_id AND p.name = ?",
    );
    query.bind(properties.number);
    query.push(" AND p.is_custom_property = ?").bind(true);
    query.push(" WHERE l.parent_context_id = ?").bind(model);
    let last: Option<Option<i64>> = tx.first(query).await?;
    Ok(last.flatten())
}

/// The names of the newest contexts of a type below a context.
///
/// # Errors
///
/// Those of the database.
pub async fn newest_names(
    tx: &mut Tx,
    model: i64,
    type_id: i64,
    limit: i64,
) -> Result<Vec<Option<String>>> {
    let mut query = tx.sql(
        "versions::newest_names",
        "SELECT c.name FROM ParentContext l JOIN Context c ON c.id = l.context_id \
         WHERE l.parent_context_id = ? AND c.type_id = ? ORDER BY l.context_id DESC LIMIT ?",
    );
    query.bind(model).bind(type_id).bind(limit);
    tx.all(query).await
}

/// The highest number of a version in each stage of models, as model and number.
///
/// # Errors
///
/// Those of the database.
pub async fn latest(
    tx: &mut Tx,
    models: &[i64],
    properties: &VersionProperties,
) -> Result<Vec<(i64, i64)>> {
    if models.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "versions::latest",
        "SELECT l.parent_context_id, MAX(p.int_value) FROM ParentContext l \
         JOIN ContextProperty p ON p.context_id = l.context_id AND p.name = ?",
    );
    query.bind(properties.number);
    query.push(" AND p.is_custom_property = ?").bind(true);
    query.push(" LEFT JOIN ContextProperty s ON s.context_id = l.context_id AND s.name = ?");
    query.bind(properties.stage);
    query.push(" AND s.is_custom_property = ?").bind(true);
    query.push(" LEFT JOIN ContextProperty d ON d.context_id = l.context_id AND d.name = ?");
    query.bind(properties.deleted);
    query.push(" AND d.is_custom_property = ?").bind(true);
    query.push(" WHERE l.parent_context_id").push_in(models);
    query.push(" AND d.context_id IS NULL GROUP BY l.parent_context_id, s.string_value");
    tx.all(query).await
}

/// The first versions of a model in a stage, but for one version.
///
/// # Errors
///
/// Those of the database.
pub async fn first_in_stage(
    tx: &mut Tx,
    (model, but): (i64, i64),
    stage: &str,
    properties: &VersionProperties,
    limit: i64,
) -> Result<Vec<i64>> {
    let mut query = tx.sql(
        "versions::first_in_stage",
        "SELECT l.context_id FROM ParentContext l \
         JOIN ContextProperty s ON s.context_id = l.context_id AND s.name = ?",
    );
    query.bind(properties.stage);
    query.push(" AND s.is_custom_property = ?").bind(true);
    query.push(" AND s.string_value = ?").bind(stage);
    query.push(" WHERE l.parent_context_id = ?").bind(model);
    query.push(" AND l.context_id <> ?").bind(but);
    query.push(" ORDER BY l.context_id LIMIT ?").bind(limit);
    tx.all(query).await
}

/// Those of the artifacts that are in a context of this type without the custom property
/// `deleted`, each with the name of one such context.
///
/// # Errors
///
/// Those of the database.
pub async fn of_artifacts(
    tx: &mut Tx,
    type_id: i64,
    artifacts: &[i64],
    deleted: &'static str,
) -> Result<Vec<(i64, Option<String>)>> {
    if artifacts.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "versions::of_artifacts",
        "SELECT a.artifact_id, MIN(c.name) FROM Attribution a JOIN Context c ON c.id = a.context_id \
         LEFT JOIN ContextProperty d ON d.context_id = c.id AND d.name = ?",
    );
    query.bind(deleted);
    query.push(" AND d.is_custom_property = ?").bind(true);
    query.push(" WHERE a.artifact_id").push_in(artifacts);
    query.push(" AND c.type_id = ?").bind(type_id);
    query.push(" AND d.context_id IS NULL GROUP BY a.artifact_id");
    tx.all(query).await
}
