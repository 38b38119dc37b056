//! Creates, checks, upgrades, widens and downgrades the schema when a database is opened.
//!
//! The schema and its versions are ML Metadata's. Each step between two versions is a pair of SQL
//! files in `migrations/`, which `scripts` lists for each dialect. `layout` compares tables and
//! columns with the schema, `plan` selects the scripts, and this file runs them.

mod layout;
mod plan;
mod scripts;
pub mod sequences;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::storage::sqlite::retry_locked;
use crate::storage::{Database, Dialect, Tx};
use layout::Layout;
pub use plan::{Plan, Planned, SchemaChange};
pub use scripts::Script;
use scripts::Scripts;

/// The version of the schema that this library reads and writes.
pub const LIBRARY_VERSION: i64 = 10;

/// Permitted changes of a database whose schema differs from that of a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// Whether an older schema is upgraded; otherwise it is refused.
    pub upgrade: bool,
    /// Whether columns of 32 bits become as wide as in a new database, and indexes on long text as
    /// narrow, so that any integer and any text can be stored. ML Metadata can still use the
    /// database.
    pub widen: bool,
    /// Whether triggers refuse changes of the history from now on.
    pub append_only: bool,
    /// The target version of a downgrade, after which the database is not used. A negative one
    /// means none.
    pub downgrade_to: Option<i64>,
}

impl Migration {
    /// Whether the schema is to be brought down, and the database not to be used.
    #[must_use]
    pub fn downgrades(&self) -> bool {
        self.target().is_some()
    }

    fn target(&self) -> Option<i64> {
        self.downgrade_to.filter(|target| *target >= 0)
    }
}

/// What [`prepare`] made of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The schema has the version of this library.
    Ready,
    /// The schema was downgraded to this version, which this library cannot use.
    Downgraded { version: i64 },
}

/// Brings the schema to [`LIBRARY_VERSION`], or down to the version that the options ask for. Logs
/// each change.
///
/// # Errors
///
/// Those of [`run`].
pub async fn prepare(database: &Database, options: &Migration) -> Result<Prepared> {
    let mut log = |Planned { change, script }: Planned| {
        tracing::info!(file = script.file, "changed the schema: {change}");
    };
    let version = run(database, options, &mut log).await?.reached;
    Ok(if options.downgrades() {
        Prepared::Downgraded { version }
    } else {
        Prepared::Ready
    })
}

/// Creates the schema where there is none and runs the steps that `options` allow. Calls `done`
/// after each step. Returns the steps. Of several concurrent processes, one runs the steps; the
/// others wait and find them done.
///
/// All scripts run in one transaction, except on MySQL, where statements about the schema commit:
/// after a failure the database keeps the completed part, and the next run continues from there.
///
/// # Errors
///
/// - `FailedPrecondition` for a schema that is too new, or too old without leave to upgrade it.
/// - `Contention` when the schema is there in part, as while another process creates it.
/// - `DataLoss` when it has several versions at once, or on PostgreSQL none.
/// - `InvalidArgument` for a downgrade that cannot be.
///
/// Codes and the first sentences of the texts are those of ML Metadata.
pub async fn run(
    database: &Database,
    options: &Migration,
    done: &mut (dyn FnMut(Planned) + Send),
) -> Result<Plan> {
    let scripts = Scripts::of(database.dialect());
    // On SQLite this is the lock, which another process holds as long as its migration takes.
    let mut tx = retry_locked(|| database.write()).await?;
    lock(&mut tx, scripts).await?;
    let migrated = migrate(&mut tx, scripts, options, done).await;
    // A lock outside the transaction would stay with the connection, so it is released after errors
    // too.
    let unlocked = unlock(&mut tx, scripts).await;
    let plan = migrated?;
    unlocked?;
    tx.commit().await?;
    Ok(plan)
}

/// The plan of [`run`] for the database as it is now. Nothing is changed or locked.
///
/// # Errors
///
/// As [`run`] before it changes anything.
pub async fn plan(database: &Database, options: &Migration) -> Result<Plan> {
    let mut tx = database.read().await?;
    Plan::make(&mut tx, Scripts::of(database.dialect()), options).await
}

/// The plan of [`run`] for a new database.
///
/// # Errors
///
/// `InvalidArgument` for a downgrade.
pub fn plan_new(dialect: Dialect, options: &Migration) -> Result<Plan> {
    Plan::for_new(Scripts::of(dialect), options)
}

async fn migrate(
    tx: &mut Tx,
    scripts: &Scripts,
    options: &Migration,
    done: &mut (dyn FnMut(Planned) + Send),
) -> Result<Plan> {
    let plan = Plan::make(tx, scripts, options).await?;
    let mut is_sound = options.downgrades() || plan.scripts.is_empty();
    for planned in &plan.scripts {
        let Planned { change, script } = *planned;
        // Our own tables are created on a complete schema only.
        if change == SchemaChange::Extend && !is_sound {
            Layout::read(tx).await?.check()?;
            is_sound = true;
        }
        let ran = tx.script(script.sql).await;
        ran.map_err(|error| failed(change, scripts, error))?;
        done(*planned);
    }
    if !is_sound {
        Layout::read(tx).await?.check()?;
    }
    Ok(plan)
}

async fn lock(tx: &mut Tx, scripts: &Scripts) -> Result<()> {
    let Some(lock) = &scripts.lock else {
        return Ok(());
    };
    match tx
        .first::<Option<i64>>(tx.sql("migrate::lock", lock.take))
        .await?
    {
        Some(Some(1)) => Ok(()),
        _ => Err(Error::Contention(
            "another process is changing the schema; try again".into(),
        )),
    }
}

async fn unlock(tx: &mut Tx, scripts: &Scripts) -> Result<()> {
    if let Some(release) = scripts.lock.as_ref().and_then(|lock| lock.release) {
        tx.first::<Option<i64>>(tx.sql("migrate::unlock", release))
            .await?;
    }
    Ok(())
}

/// Adds the failed change to an error; an error that names its own cause stays.
fn failed(change: SchemaChange, scripts: &Scripts, error: Error) -> Error {
    let left = if scripts.atomic {
        ""
    } else {
        "; what was done until then stays, and doing it again goes on from there"
    };
    match error {
        // The lock does not hold for other nodes of a cluster.
        Error::AlreadyExists(_) if !scripts.atomic && change == SchemaChange::Create => {
            Error::Contention("another process is creating the schema; try again".into())
        }
        Error::Internal { .. } | Error::AlreadyExists(_) => Error::Internal {
            context: format!("the {change} of the schema failed{left}"),
            source: Some(error.into()),
        },
        other => other,
    }
}
