//! Plans: the scripts that a database needs.

use std::fmt;

use super::layout::{Completeness, Layout};
use super::scripts::{MigrationStep, Script, Scripts};
use super::{LIBRARY_VERSION, Migration};
use crate::error::{Error, Result};
use crate::storage::Tx;

/// The scripts that a database needs, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The version that the schema has, or `None` when there is none.
    pub found: Option<i64>,
    /// The version that it has afterwards.
    pub reached: i64,
    pub scripts: Vec<Planned>,
}

/// A script and its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    pub change: SchemaChange,
    pub script: Script,
}

/// A change of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaChange {
    Create,
    /// To this version, from the one below.
    Upgrade(i64),
    /// To this version, from the one above.
    Downgrade(i64),
    Widen,
    /// Brings an older table of our own up to date.
    Renew,
    /// Creates our own tables.
    Extend,
    /// Makes the history append-only.
    Protect,
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("creation"),
            Self::Upgrade(version) => write!(f, "upgrade to version {version}"),
            Self::Downgrade(version) => write!(f, "downgrade to version {version}"),
            Self::Widen => f.write_str("widening"),
            Self::Renew => f.write_str("renewal of a table of our own"),
            Self::Extend => f.write_str("extension by tables of our own"),
            Self::Protect => f.write_str("protection of the history"),
        }
    }
}

impl SchemaChange {
    const fn by(self, script: Script) -> Planned {
        Planned {
            change: self,
            script,
        }
    }
}

impl Plan {
    pub(super) async fn make(tx: &mut Tx, scripts: &Scripts, options: &Migration) -> Result<Self> {
        let layout = Layout::read(tx).await?;
        let found = version(tx, scripts, &layout).await?;
        if let Some(target) = options.target() {
            return downgrade(scripts, found, target);
        }
        let mut planned = match found {
            None => create(scripts, &layout)?,
            Some(LIBRARY_VERSION) => {
                layout.check()?;
                Vec::new()
            }
            Some(version) => upgrade(scripts, version, options.upgrade)?,
        };
        if options.widen && found.is_some() {
            planned.extend(widen(tx, scripts).await?);
        }
        if layout.has_old_own() {
            planned.push(SchemaChange::Renew.by(scripts.renew_own));
        }
        if !layout.has_own(tx.dialect()) || !has_own_rows(tx).await? {
            planned.push(SchemaChange::Extend.by(scripts.own));
        }
        if options.append_only && !is_append_only(tx, scripts).await? {
            planned.push(SchemaChange::Protect.by(scripts.append_only.script));
        }
        Ok(Self {
            found,
            reached: LIBRARY_VERSION,
            scripts: planned,
        })
    }

    /// The plan for a new database.
    pub(super) fn for_new(scripts: &Scripts, options: &Migration) -> Result<Self> {
        if let Some(target) = options.target() {
            return downgrade(scripts, None, target);
        }
        let mut planned = vec![
            SchemaChange::Create.by(scripts.create),
            SchemaChange::Extend.by(scripts.own),
        ];
        if options.append_only {
            planned.push(SchemaChange::Protect.by(scripts.append_only.script));
        }
        Ok(Self {
            found: None,
            reached: LIBRARY_VERSION,
            scripts: planned,
        })
    }
}

/// The version that the database stores, or `None` without a schema or with one whose creation was
/// cut off.
async fn version(tx: &mut Tx, scripts: &Scripts, layout: &Layout) -> Result<Option<i64>> {
    if layout.is_creation_pending() {
        return Ok(None);
    }
    if !layout.has("MLMDEnv", ["schema_version"]) {
        return Ok(layout.is_version_0().then_some(0));
    }
    let versions: Vec<i64> = tx
        .all(tx.sql("migrate::version", "SELECT schema_version FROM MLMDEnv"))
        .await?;
    match versions.as_slice() {
        [version] => Ok(Some(*version)),
        [] => Err((scripts.no_version)(
            "In the given db, MLMDEnv table exists but no schema_version can be found. \
             Another process may be creating the schema; try again."
                .into(),
        )),
        several => Err(Error::DataLoss(format!(
            "In the given db, MLMDEnv table exists but schema_version cannot be resolved: \
             it has {} rows instead of one.",
            several.len()
        ))),
    }
}

fn create(scripts: &Scripts, layout: &Layout) -> Result<Vec<Planned>> {
    let creation = || Ok(vec![SchemaChange::Create.by(scripts.create)]);
    match layout.completeness() {
        Completeness::Absent => creation(),
        _ if layout.is_creation_pending() => creation(),
        Completeness::Complete | Completeness::Partial { .. } => {
            layout.check().map(|()| Vec::new())
        }
    }
}

fn upgrade(scripts: &Scripts, from: i64, allowed: bool) -> Result<Vec<Planned>> {
    if from > LIBRARY_VERSION {
        return Err(Error::FailedPrecondition(format!(
            "MLMD database version {from} is greater than library version {LIBRARY_VERSION}. \
             Use a newer library, or downgrade the database with one."
        )));
    }
    if !allowed {
        return Err(Error::FailedPrecondition(format!(
            "MLMD database version {from} is older than library version {LIBRARY_VERSION}. \
             Schema migration is disabled. \
             Back the database up and run `pedigree migrate` or start with --upgrade-schema; \
             or use a library of its version."
        )));
    }
    if from < scripts.oldest() {
        return Err(Error::FailedPrecondition(format!(
            "MLMD database version {from} is too old for library version {LIBRARY_VERSION}: \
             on this kind of database it upgrades from version {} on.",
            scripts.oldest()
        )));
    }
    let steps = scripts.steps.iter().filter(|step| step.version > from);
    Ok(steps
        .map(|step| SchemaChange::Upgrade(step.version).by(step.up))
        .collect())
}

/// Refuses a target that no steps reach.
fn check_target(scripts: &Scripts, target: i64) -> Result<()> {
    if (scripts.oldest()..=LIBRARY_VERSION).contains(&target) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "MLMD cannot be downgraded to schema_version: {target}. \
         On this kind of database the version must be from {} to {LIBRARY_VERSION}.",
        scripts.oldest()
    )))
}

/// Plans a downgrade to `target`. An older schema stays as it is.
fn downgrade(scripts: &Scripts, found: Option<i64>, target: i64) -> Result<Plan> {
    check_target(scripts, target)?;
    let from = found.ok_or_else(|| {
        Error::invalid("Empty database is given. Downgrade operation is not needed.")
    })?;
    if from > LIBRARY_VERSION {
        return Err(Error::FailedPrecondition(format!(
            "MLMD database version {from} is greater than library version {LIBRARY_VERSION}. \
             The current library does not know how to downgrade it; use a newer one."
        )));
    }
    let undone = |step: &&MigrationStep| (target + 1..=from).contains(&step.version);
    let steps = scripts.steps.iter().rev().filter(undone);
    Ok(Plan {
        found,
        reached: from.min(target),
        scripts: steps
            .map(|step| SchemaChange::Downgrade(step.version - 1).by(step.down))
            .collect(),
    })
}

/// Whether the tables of our own have the rows that their script inserts.
async fn has_own_rows(tx: &mut Tx) -> Result<bool> {
    let query = tx.sql(
        "migrate::has_own_rows",
        // The last one of the locks.
        "SELECT COUNT(*) FROM PedigreeStore, PedigreeLock WHERE name = 'adoption'",
    );
    let rows: Option<i64> = tx.first(query).await?;
    Ok(rows.is_some_and(|count| count > 0))
}

async fn is_append_only(tx: &mut Tx, scripts: &Scripts) -> Result<bool> {
    let protection = &scripts.append_only;
    let query = tx.sql("migrate::is_append_only", protection.existing);
    let existing: Option<i64> = tx.first(query).await?;
    Ok(existing == Some(protection.triggers))
}

async fn widen(tx: &mut Tx, scripts: &Scripts) -> Result<Option<Planned>> {
    let Some(widening) = &scripts.widening else {
        return Ok(None);
    };
    let narrow: Option<i64> = tx.first(tx.sql("migrate::widen", widening.narrow)).await?;
    Ok(narrow
        .filter(|count| *count > 0)
        .map(|_| SchemaChange::Widen.by(widening.script)))
}
