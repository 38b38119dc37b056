//! The command `pedigree migrate`: what is to be done to a database's schema, done or only said.

use std::io::Write;

use crate::config::Config;
use crate::error::Result;
use crate::storage::Database;
use crate::storage::migrate::{self, Plan, Planned};

/// Migrates the database of a configuration, and creates it where it is missing. Says line by line what it does.
///
/// # Errors
///
/// Those of [`Database::connect`] and [`migrate::run`].
pub async fn run(config: &Config, out: &mut (impl Write + Send)) -> Result<()> {
    let database = Database::connect(&config.database).await?;
    say(out, format_args!("database: {}", config.database.address));
    let mut done = |planned: Planned| say(out, line(&planned));
    let plan = migrate::run(&database, &config.migration, &mut done).await;
    database.close().await;
    let Plan {
        found,
        reached,
        scripts,
    } = plan?;
    match found {
        _ if scripts.is_empty() => say(
            out,
            format_args!("nothing to do: the schema has version {reached}"),
        ),
        Some(found) if found != reached => say(
            out,
            format_args!("done: the schema had version {found} and has version {reached}"),
        ),
        _ => say(out, format_args!("done: the schema has version {reached}")),
    }
    Ok(())
}

/// Says what [`run`] would do, and changes nothing.
///
/// # Errors
///
/// Those of [`Database::look`] and [`migrate::plan`].
pub async fn dry_run(config: &Config, out: &mut (impl Write + Send)) -> Result<()> {
    let address = &config.database.address;
    let plan = if let Some(database) = Database::look(&config.database).await? {
        say(out, format_args!("database: {address}"));
        let plan = migrate::plan(&database, &config.migration).await;
        database.close().await;
        plan?
    } else {
        let plan = migrate::plan_new(address.dialect(), &config.migration)?;
        say(
            out,
            format_args!("database: {address}, which is missing and would be created"),
        );
        plan
    };
    match plan.found {
        Some(version) => say(out, format_args!("schema: version {version}")),
        None => say(out, format_args!("schema: none")),
    }
    for planned in &plan.scripts {
        say(out, format_args!("would run: {}", line(planned)));
    }
    if plan.scripts.is_empty() {
        say(out, format_args!("nothing to do"));
    } else {
        say(
            out,
            format_args!("the schema would have version {}", plan.reached),
        );
    }
    Ok(())
}

fn line(Planned { change, script }: &Planned) -> String {
    format!("{change}, {}", script.file)
}

/// Writes a line. That nobody reads it is no reason to stop half-way.
fn say(out: &mut impl Write, line: impl std::fmt::Display) {
    let _ = writeln!(out, "{line}");
}
