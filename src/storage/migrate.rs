//! Creates, checks, upgrades and downgrades the schema when a database is opened.
//!
//! The schema and its versions are ML Metadata's. Each step between two versions is a pair of SQL files in `migrations/`,
//! which `scripts` lists for each dialect; `layout` knows which tables and columns there are and should be.

mod layout;
mod scripts;
#[cfg(test)]
mod tests;

use super::column::Int;
use super::{Database, Tx};
use crate::error::{Error, Result};
use layout::{Completeness, Layout};
use scripts::Scripts;

/// The version of the schema that this library reads and writes.
pub const LIBRARY_VERSION: i64 = 10;

/// What may be done to a database whose schema has another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// Whether an older schema is upgraded; otherwise it is refused.
    pub upgrade: bool,
    /// The version to bring the schema down to, instead of using the database. A negative one means none.
    pub downgrade_to: Option<i64>,
}

/// Makes sure that the database has the schema of [`LIBRARY_VERSION`], in one transaction: creates it where there is none
/// and runs the steps that `options` allow.
///
/// # Errors
///
/// - `FailedPrecondition` for a schema that is too new, or too old without leave to upgrade it.
/// - `Contention` when the schema is there in part, as while somebody else creates it.
/// - `DataLoss` when it has several versions at once.
/// - `Cancelled` after a downgrade: the database is not for this library any more.
/// - `InvalidArgument` for a downgrade that cannot be.
///
/// Codes and the first sentences of the texts are those of ML Metadata.
pub async fn prepare(database: &Database, options: &Migration) -> Result<()> {
    let scripts = Scripts::of(database.dialect())?;
    let target = options.downgrade_to.filter(|target| *target >= 0);
    if let Some(target) = target {
        check_target(scripts, target)?;
    }
    let mut tx = database.write().await?;
    let layout = Layout::read(&mut tx).await?;
    let found = version(&mut tx, &layout).await?;
    if let Some(target) = target {
        let reached = downgrade(&mut tx, scripts, found, target).await?;
        tx.commit().await?;
        return Err(Error::Cancelled(format!(
            "Downgrade migration was performed. Connection to the downgraded database is Cancelled. \
             Now the database is at schema version {reached}. \
             Connect to it with a library of that version."
        )));
    }
    let layout = match found {
        Some(version) if version != LIBRARY_VERSION => {
            upgrade(&mut tx, scripts, version, options.upgrade).await?;
            Layout::read(&mut tx).await?
        }
        _ => layout,
    };
    complete(&mut tx, scripts, &layout).await?;
    tx.commit().await
}

/// The version that the database says it has, or `None` when it has no schema.
async fn version(tx: &mut Tx, layout: &Layout) -> Result<Option<i64>> {
    if !layout.has("MLMDEnv", ["schema_version"]) {
        return Ok(layout.is_version_0().then_some(0));
    }
    let versions: Vec<(Int,)> = tx.all(tx.sql("SELECT schema_version FROM MLMDEnv")).await?;
    match versions.as_slice() {
        [(version,)] => Ok(Some(version.0)),
        [] => Err(Error::Contention(
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

async fn upgrade(tx: &mut Tx, scripts: &Scripts, from: i64, allowed: bool) -> Result<()> {
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
             Back the database up and enable the upgrade, or use a library of its version."
        )));
    }
    if from < scripts.oldest() {
        return Err(Error::FailedPrecondition(format!(
            "MLMD database version {from} is too old for library version {LIBRARY_VERSION}: \
             on this kind of database it upgrades from version {} on.",
            scripts.oldest()
        )));
    }
    for step in scripts.steps.iter().filter(|step| step.version > from) {
        let done = tx.script(step.up).await;
        done.map_err(|error| step_failed(&format!("upgrade to version {}", step.version), error))?;
    }
    tracing::info!(from, to = LIBRARY_VERSION, "upgraded the schema");
    Ok(())
}

/// Refuses a version that no steps lead down to.
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

/// Brings the schema down to `target`, or leaves an older one as it is. Returns the version it then has.
async fn downgrade(tx: &mut Tx, scripts: &Scripts, found: Option<i64>, target: i64) -> Result<i64> {
    let from = found.ok_or_else(|| {
        Error::invalid("Empty database is given. Downgrade operation is not needed.")
    })?;
    if from > LIBRARY_VERSION {
        return Err(Error::FailedPrecondition(format!(
            "MLMD database version {from} is greater than library version {LIBRARY_VERSION}. \
             The current library does not know how to downgrade it; use a newer one."
        )));
    }
    let steps = scripts.steps.iter().rev();
    for step in steps.filter(|step| (target + 1..=from).contains(&step.version)) {
        let below = step.version - 1;
        let done = tx.script(step.down).await;
        done.map_err(|error| step_failed(&format!("downgrade to version {below}"), error))?;
    }
    let reached = from.min(target);
    tracing::info!(from, to = reached, "downgraded the schema");
    Ok(reached)
}

/// Creates the schema where there is none, and refuses one with gaps.
async fn complete(tx: &mut Tx, scripts: &Scripts, layout: &Layout) -> Result<()> {
    match layout.completeness() {
        Completeness::Complete => Ok(()),
        Completeness::Absent => {
            let done = tx.script(scripts.create).await;
            done.map_err(|error| step_failed("creation", error))?;
            tracing::info!(version = LIBRARY_VERSION, "created the schema");
            Ok(())
        }
        Completeness::Partial { missing } => Err(Error::Contention(format!(
            "There are a subset of tables in MLMD instance. \
             Another process may be creating them; try again. Missing or incomplete: {}.",
            missing.join(", ")
        ))),
    }
}

/// Says which step the database refused; an error that names its own cause stays.
fn step_failed(what: &str, error: Error) -> Error {
    match error {
        Error::Internal { .. } | Error::AlreadyExists(_) => Error::Internal {
            context: format!("the {what} of the schema failed"),
            source: Some(error.into()),
        },
        other => other,
    }
}
