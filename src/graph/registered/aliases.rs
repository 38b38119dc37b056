//! Aliases of registered models: which version each names, and which ones it named before.

use std::collections::HashMap;

use super::models::{self, principal};
use super::names::alias_property;
use super::rules;
use super::schema::RegistryTypes;
use super::versions;
use crate::error::{Error, Result};
use crate::graph::nodes::locked::LockedNode;
use crate::graph::tracking::fields::text;
use crate::graph::write::Write;
use crate::model::{Kind, Origin, Value};
use crate::storage::Tx;
use crate::storage::tables::alias_moves::{self, AliasMoveRow};

/// A move of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasMove {
    /// The version that it named; empty if it was new.
    pub before: String,
    /// The version that it names; empty if it was deleted.
    pub after: String,
    /// Milliseconds since epoch.
    pub time: i64,
    /// Who moved it; empty if that is not known.
    pub principal: String,
}

impl From<AliasMoveRow> for AliasMove {
    fn from(row: AliasMoveRow) -> Self {
        Self {
            before: row.before,
            after: row.after,
            time: row.time,
            principal: row.principal,
        }
    }
}

/// Moves of aliases of a model that is locked.
#[derive(Debug)]
pub(super) struct AliasMoves {
    context_id: i64,
    last_numbers: HashMap<String, i64>,
    new: Vec<AliasMoveRow>,
}

impl AliasMoves {
    /// No moves of a model.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) async fn begin(tx: &mut Tx, context_id: i64) -> Result<Self> {
        let last_numbers = alias_moves::last_numbers(tx, context_id).await?;
        Ok(Self {
            context_id,
            last_numbers: last_numbers.into_iter().collect(),
            new: Vec::new(),
        })
    }

    /// Adds a move from a version to another. An empty text is none.
    pub(super) fn add(&mut self, alias: &str, before: &str, after: &str, origin: &Origin) {
        let number = self.last_numbers.entry(alias.to_owned()).or_default();
        *number += 1;
        self.new.push(AliasMoveRow {
            context_id: self.context_id,
            alias: alias.to_owned(),
            number: *number,
            before: before.to_owned(),
            after: after.to_owned(),
            time: origin.time,
            principal: principal(origin).to_owned(),
        });
    }
}

/// Stores the moves.
pub(super) async fn store(tx: &mut Tx, moves: AliasMoves) -> Result<()> {
    alias_moves::insert(tx, &moves.new).await
}

/// Lets an alias of a model name another version.
#[derive(Clone, Debug)]
pub struct MoveAlias {
    pub model: String,
    pub alias: String,
    pub to: AliasTarget,
    /// The version that it must name now, or an empty text for none.
    pub expected: Option<String>,
}

/// What an alias is to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasTarget {
    Version(String),
    /// The version that it named before its last move.
    Previous,
    /// The alias is deleted. One that is missing is no error.
    Nothing,
}

impl Write for MoveAlias {
    /// The move; `None` if the alias named the version already.
    type Answer = Option<AliasMove>;

    /// # Errors
    ///
    /// `NotFound` for an unknown model or version; `FailedPrecondition` when the alias does not
    /// name the expected version, and when it named none before; `InvalidArgument` for what is no
    /// alias.
    async fn apply(&self, tx: &mut Tx, origin: &Origin) -> Result<Option<AliasMove>> {
        if self.to != AliasTarget::Nothing {
            rules::check_alias(&self.alias)?;
        }
        let types = RegistryTypes::ensure(tx, origin).await?;
        let mut edit = models::lock(tx, types, &self.model).await?;
        let id = edit.stored().id;
        let property = alias_property(&self.alias);
        let before = text(&edit.content.custom_properties, &property);
        if let Some(expected) = &self.expected
            && *expected != before
        {
            let present = if before.is_empty() {
                "no version"
            } else {
                &before
            };
            return Err(Error::FailedPrecondition(format!(
                "the alias {} names {present}, not {}",
                self.alias,
                if expected.is_empty() {
                    "none"
                } else {
                    expected
                },
            )));
        }
        let after = match &self.to {
            AliasTarget::Version(version) => version.clone(),
            AliasTarget::Nothing => String::new(),
            AliasTarget::Previous => previous(tx, id, &self.alias, &before).await?,
        };
        if after == before {
            return Ok(None);
        }
        let custom = &mut edit.content.custom_properties;
        if after.is_empty() {
            custom.remove(&property);
        } else {
            let known = versions::find(tx, types, id, &after).await?;
            known.ok_or_else(|| versions::unknown(&self.model, &after))?;
            custom.insert(property, Value::String(after.clone()));
        }
        let mut moves = AliasMoves::begin(tx, id).await?;
        moves.add(&self.alias, &before, &after, origin);
        let made = moves.new.last().cloned().map(Into::into);
        store(tx, moves).await?;
        LockedNode::store(tx, Kind::Context, vec![edit], origin.time).await?;
        Ok(made)
    }
}

/// The version that an alias named before its last move.
async fn previous(tx: &mut Tx, model: i64, alias: &str, present: &str) -> Result<String> {
    let last = alias_moves::last(tx, model, alias, 1).await?.pop();
    let before = last.filter(|last| last.after == present && !last.before.is_empty());
    let before = before.map(|last| last.before);
    before.ok_or_else(|| {
        Error::FailedPrecondition(format!("the alias {alias} named no version before"))
    })
}
