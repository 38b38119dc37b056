//! `pedigree migrate`: brings the schema of a database to another version, or says what that would
//! take.

use std::io::{Write, stdout};

use clap::Args;

use super::Failure;
use super::databases::TenantArgs;
use super::output::report;
use crate::config::{Config, ConfigArgs};
use crate::error::Result;
use crate::policy::TenantName;
use crate::server;
use crate::storage::Database;
use crate::storage::connect::Connect;
use crate::storage::migrate::{
    self, LIBRARY_VERSION, Migration, Plan, Planned, Prepared, sequences,
};

#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Also widen the columns of an existing PostgreSQL or MySQL database, for integers of 64 bits
    /// and, on PostgreSQL, long texts; ML Metadata's server can still use the database
    #[arg(long, conflicts_with = "downgrade_to")]
    widen: bool,

    /// Also make the history append-only, with triggers that refuse to change or delete its rows
    /// before their retention ends
    #[arg(long, conflicts_with = "downgrade_to")]
    append_only: bool,

    /// Downgrade the schema to this version, for an older server
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(0..))]
    downgrade_to: Option<i64>,

    #[command(flatten)]
    tenants: TenantArgs,

    #[command(flatten)]
    pub(super) options: ConfigArgs,
}

impl MigrateArgs {
    fn migration(&self) -> Migration {
        Migration {
            upgrade: true,
            widen: self.widen,
            append_only: self.append_only,
            downgrade_to: self.downgrade_to,
        }
    }
}

/// Runs the command.
pub(super) async fn run(args: &MigrateArgs, config: &Config) -> Result<(), Failure> {
    let migration = args.migration();
    let work = async |_: Option<&TenantName>, to: &Connect| {
        let out = &mut stdout();
        let done = if args.dry_run {
            dry_run(to, &migration, out).await
        } else {
            migrate(to, &migration, out).await
        };
        done.map_err(|error| to.unusable(error))
    };
    args.tenants.for_each(config, "migrated", work).await
}

/// Downgrades the schema as `--downgrade-schema-to` asks for, and prints upstream's sentence.
pub(super) async fn downgrade(config: &Config) -> Result<(), Failure> {
    let prepared = server::prepare(config).await;
    let (database, prepared) = prepared.map_err(|error| config.database.unusable(error))?;
    database.close().await;
    if let Prepared::Downgraded { version } = prepared {
        let sentence = format!(
            "Downgrade migration was performed. Connection to the downgraded database is Cancelled. \
             Now the database is at schema version {version}. \
             Connect to it with a library of that version."
        );
        report(&mut stdout(), sentence);
    }
    Ok(())
}

/// Migrates a database, which is created if it is missing. Prints each step.
async fn migrate(to: &Connect, migration: &Migration, out: &mut (impl Write + Send)) -> Result<()> {
    let database = Database::connect(to).await?;
    report(out, format_args!("database: {}", to.address));
    let mut done = |planned: Planned| report(out, line(&planned));
    let plan = migrate::run(&database, migration, &mut done).await;
    let advanced = match &plan {
        Ok(plan) if plan.reached == LIBRARY_VERSION => sequences::advance(&database).await,
        _ => Ok(Vec::new()),
    };
    database.close().await;
    let Plan {
        found,
        reached,
        scripts,
    } = plan?;
    for table in advanced? {
        report(out, format_args!("advanced the sequence of {table}"));
    }
    match found {
        _ if scripts.is_empty() => report(
            out,
            format_args!("nothing to do: the schema has version {reached}"),
        ),
        Some(found) if found != reached => report(
            out,
            format_args!("done: the schema had version {found} and has version {reached}"),
        ),
        _ => report(out, format_args!("done: the schema has version {reached}")),
    }
    Ok(())
}

/// Prints what [`migrate`] would do, and changes nothing.
async fn dry_run(to: &Connect, migration: &Migration, out: &mut (impl Write + Send)) -> Result<()> {
    let address = &to.address;
    let plan = if let Some(database) = Database::look(to).await? {
        report(out, format_args!("database: {address}"));
        let plan = migrate::plan(&database, migration).await;
        database.close().await;
        plan?
    } else {
        let plan = migrate::plan_new(address.dialect(), migration)?;
        report(
            out,
            format_args!("database: {address}, which is missing and would be created"),
        );
        plan
    };
    match plan.found {
        Some(version) => report(out, format_args!("schema: version {version}")),
        None => report(out, "schema: none"),
    }
    for planned in &plan.scripts {
        report(out, format_args!("would run: {}", line(planned)));
    }
    if plan.scripts.is_empty() {
        report(out, "nothing to do");
    } else {
        report(
            out,
            format_args!("the schema would have version {}", plan.reached),
        );
    }
    Ok(())
}

fn line(Planned { change, script }: &Planned) -> String {
    format!("{change}, {}", script.file)
}
