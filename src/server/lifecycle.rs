//! The database behind the server: opened when it can be had, watched from then on.

use std::time::Duration;

use backon::{ConstantBuilder, ExponentialBuilder, Retryable};
use tokio_util::sync::CancellationToken;

use super::health::Health;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::graph::{Clock, Graph, Graphs};
use crate::storage::Database;
use crate::storage::migrate::{self, Prepared};

/// The time between two looks at a schema that is not complete.
const RETRY: Duration = Duration::from_millis(500);

/// The longest pause between two attempts to open a database that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often the database is asked whether it is there.
const PULSE: Duration = Duration::from_secs(2);

/// How long it may take to answer.
const PULSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the database may take to close.
const CLOSING: Duration = Duration::from_secs(3);

/// Connects to the database of a configuration and prepares its schema. Waits while another process
/// creates the schema.
///
/// # Errors
///
/// `Unavailable` when it cannot be reached; those of [`migrate::prepare`].
pub async fn prepare(config: &Config) -> Result<(Database, Prepared)> {
    let database = Database::connect(&config.database).await?;
    let prepared = (|| migrate::prepare(&database, &config.migration))
        .retry(
            ConstantBuilder::default()
                .with_delay(RETRY)
                .with_max_times(config.database.retries),
        )
        .when(|error| matches!(error, Error::Contention(_)))
        .await?;
    Ok((database, prepared))
}

/// Opens the database of a configuration for use.
///
/// # Errors
///
/// Those of [`prepare`]; `FailedPrecondition` after a downgrade.
pub async fn open(config: &Config) -> Result<Database> {
    let (database, prepared) = prepare(config).await?;
    if let Prepared::Downgraded { version } = prepared {
        let text = format!("the schema was downgraded to version {version}");
        return Err(Error::FailedPrecondition(text));
    }
    let graph = Graph::new(database.clone(), config.history, Clock::default());
    graph.put_simple_types().await?;
    Ok(database)
}

/// Opens the database, hands out its graph, and keeps the health true until `stop` is cancelled. A database that cannot be
/// reached is waited for, however long that takes. The clock gives the times that the graph stores.
///
/// # Errors
///
/// Those of opening it that waiting does not mend, such as a schema that is too old.
pub(super) async fn keep(
    config: &Config,
    graphs: &Graphs,
    health: &Health,
    clock: Clock,
    stop: &CancellationToken,
) -> Result<Option<Database>> {
    let opening = (|| open(config))
        .retry(
            ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(100))
                .with_max_delay(LONGEST_PAUSE)
                .with_jitter()
                .without_max_times(),
        )
        .when(|error| config.database.waits_for(error))
        .notify(|error, pause| {
            let error = error.chain();
            tracing::warn!(error, ?pause, "the database is not there yet");
        });
    let database = tokio::select! {
        database = opening => database.map_err(|error| config.database.name_in(&error))?,
        () = stop.cancelled() => return Ok(None),
    };
    let address = config.database.address.to_string();
    tracing::info!(database = address, "opened the database");
    database.count_connections();
    let graph = Graph::new(database.clone(), config.history, clock);
    graphs.set(graph.clone());
    health.set_serving(true).await;
    let keeping = graph.keep_history(stop);
    let watching = watch(&database, health, stop);
    tokio::join!(keeping, watching);
    Ok(Some(database))
}

/// Keeps the health true until `stop` is cancelled.
async fn watch(database: &Database, health: &Health, stop: &CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(PULSE))
        .await
        .is_some()
    {
        health.set_serving(answers(database).await).await;
        database.count_connections();
    }
}

/// Whether the database answers. One whose connections are all in use does.
async fn answers(database: &Database) -> bool {
    match tokio::time::timeout(PULSE_TIMEOUT, database.ping()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => !matches!(error, Error::Unavailable(_)),
        Err(_) => false,
    }
}

/// Closes the database. A transaction of a request that was cut off may still run.
pub(super) async fn close(database: Database) {
    if tokio::time::timeout(CLOSING, database.close())
        .await
        .is_err()
    {
        tracing::warn!("the database was left while in use");
    }
}
