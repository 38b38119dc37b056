//! The table `PedigreeAliasMove`: the moves of aliases of registered models.

use crate::error::Result;
use crate::storage::Tx;
use crate::storage::bulk::ColumnType::{Int as IntColumn, Text};
use crate::storage::bulk::{Rows, Table};
use crate::storage::column::{FromRow, Row};

static ALIAS_MOVE: Table = Table {
    name: "PedigreeAliasMove",
    columns: &[
        ("context_id", IntColumn),
        ("alias", Text),
        ("move_number", IntColumn),
        ("version_before", Text),
        ("version_after", Text),
        ("milliseconds_since_epoch", IntColumn),
        ("principal", Text),
    ],
    unwritten: &[],
    key: 3,
};

/// A move of an alias from one version to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasMoveRow {
    /// The registered model.
    pub context_id: i64,
    pub alias: String,
    /// From 1 on, for each alias.
    pub number: i64,
    /// Empty if the alias was new.
    pub before: String,
    /// Empty if the alias was deleted.
    pub after: String,
    /// Milliseconds since epoch.
    pub time: i64,
    /// Who moved it.
    pub principal: String,
}

impl FromRow for AliasMoveRow {
    fn from_row<R: Row>(row: &R) -> Result<Self, R::Error> {
        Ok(Self {
            context_id: row.get(0)?,
            alias: row.get(1)?,
            number: row.get(2)?,
            before: row.get(3)?,
            after: row.get(4)?,
            time: row.get(5)?,
            principal: row.get(6)?,
        })
    }
}

/// Stores moves.
///
/// # Errors
///
/// `AlreadyExists` when an alias has a move with that number.
pub async fn insert(tx: &mut Tx, moves: &[AliasMoveRow]) -> Result<()> {
    let mut rows = Rows::new(&ALIAS_MOVE);
    for it in moves {
        rows.push([
            it.context_id.into(),
            it.alias.as_str().into(),
            it.number.into(),
            it.before.as_str().into(),
            it.after.as_str().into(),
            it.time.into(),
            it.principal.as_str().into(),
        ]);
    }
    tx.insert_rows(&rows).await
}

/// The last moves of an alias, the newest first.
///
/// # Errors
///
/// Those of the database.
pub async fn last(
    tx: &mut Tx,
    context_id: i64,
    alias: &str,
    limit: i64,
) -> Result<Vec<AliasMoveRow>> {
    let mut query = tx.sql(
        "alias_moves::last",
        "SELECT context_id, alias, move_number, version_before, version_after, \
         milliseconds_since_epoch, principal FROM PedigreeAliasMove \
         WHERE context_id = ? AND alias = ? ORDER BY move_number DESC LIMIT ?",
    );
    query.bind(context_id).bind(alias).bind(limit);
    tx.all(query).await
}

/// The last moves of each alias of these models until a time in milliseconds since epoch, if one is
/// given: the models and the aliases ascending, and of each alias the newest move first.
///
/// # Errors
///
/// Those of the database.
pub async fn last_of_models(
    tx: &mut Tx,
    context_ids: &[i64],
    until: Option<i64>,
    limit: i64,
) -> Result<Vec<AliasMoveRow>> {
    if context_ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tx.sql(
        "alias_moves::last_of_models",
        "SELECT context_id, alias, move_number, version_before, version_after, \
         milliseconds_since_epoch, principal FROM ( \
         SELECT m.*, ROW_NUMBER() OVER ( \
         PARTITION BY m.context_id, m.alias ORDER BY m.move_number DESC) AS place \
         FROM PedigreeAliasMove m WHERE m.context_id",
    );
    query.push_in(context_ids);
    if let Some(time) = until {
        query
            .push(" AND m.milliseconds_since_epoch <= ?")
            .bind(time);
    }
    query
        .push(") AS numbered WHERE place <= ? ORDER BY context_id, alias, move_number DESC")
        .bind(limit);
    tx.all(query).await
}

/// The number of the last move of each alias of a model.
///
/// # Errors
///
/// Those of the database.
pub async fn last_numbers(tx: &mut Tx, context_id: i64) -> Result<Vec<(String, i64)>> {
    let mut query = tx.sql(
        "alias_moves::last_numbers",
        "SELECT alias, MAX(move_number) FROM PedigreeAliasMove WHERE context_id = ? GROUP BY alias",
    );
    query.bind(context_id);
    tx.all(query).await
}
