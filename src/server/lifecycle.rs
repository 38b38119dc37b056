//! The database behind the server: opened when it is reachable, probed from then on.

use std::net::SocketAddr;
use std::time::Duration;

use backon::{ConstantBuilder, ExponentialBuilder, Retryable};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::health::Health;
use crate::config::Config;
use crate::error::{Error, Result, StartError};
use crate::graph::{Clock, Graph, Graphs, Retention};
use crate::storage::connect::Connect;
use crate::storage::migrate::{self, Migration, Prepared};
use crate::storage::{Answer, Database, Finding, is_busy};

/// Interval between two attempts while another server migrates the schema.
const MIGRATION_RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Shortest and longest delay between two attempts to open a database that is away.
const MIN_OPEN_DELAY: Duration = Duration::from_millis(100);
const MAX_OPEN_DELAY: Duration = Duration::from_secs(5);

/// Interval between two probes of the database.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// Time limit of a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit for the tasks of requests that were cut off.
const TASKS_TIMEOUT: Duration = Duration::from_secs(1);

/// Time limit for closing the database.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Connects to the database of a configuration and prepares its schema. Waits while another process
/// creates the schema.
///
/// # Errors
///
/// `Unavailable` when it cannot be reached; those of [`migrate::prepare`].
pub async fn prepare(config: &Config) -> Result<(Database, Prepared)> {
    prepare_database(&config.database, &config.migration).await
}

async fn prepare_database(to: &Connect, migration: &Migration) -> Result<(Database, Prepared)> {
    let database = Database::connect(to).await?;
    let prepared = (|| migrate::prepare(&database, migration))
        .retry(
            ConstantBuilder::default()
                .with_delay(MIGRATION_RETRY_INTERVAL)
                .with_max_times(to.retries),
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
    open_at(&config.database, config).await
}

/// As [`open`], for the database of a tenant.
///
/// # Errors
///
/// As [`open`].
pub async fn open_at(to: &Connect, config: &Config) -> Result<Database> {
    open_database(to, &config.migration, config.history).await
}

/// As [`open`], for any database.
pub(super) async fn open_database(
    to: &Connect,
    migration: &Migration,
    history: Retention,
) -> Result<Database> {
    let (database, prepared) = prepare_database(to, migration).await?;
    if let Prepared::Downgraded { version } = prepared {
        let text = format!("the schema was downgraded to version {version}");
        return Err(Error::FailedPrecondition(text));
    }
    let graph = Graph::new(database.clone(), history, Clock::default());
    graph.put_simple_types().await?;
    Ok(database)
}

/// Opens the database, publishes its graph, and keeps its history and the health up to date until
/// `stop` is cancelled. Waits for a database that cannot be reached, without limit. The clock gives
/// the times that the graph stores; `address` is that of the main port.
///
/// # Errors
///
/// Those of opening the database that do not pass with time, such as a schema that is too old.
pub(super) async fn keep(
    config: &Config,
    address: SocketAddr,
    graphs: &Graphs,
    health: &Health,
    clock: Clock,
    stop: &CancellationToken,
) -> Result<Option<Graph>, StartError> {
    let opening = (|| open(config))
        .retry(opening_delays())
        .when(|error| config.database.waits_for(error))
        .notify(|error, pause| {
            let error = error.chain();
            tracing::warn!(error, ?pause, "the database is not there yet");
        });
    let database = tokio::select! {
        database = opening => database.map_err(|error| config.database.unusable(error))?,
        () = stop.cancelled() => return Ok(None),
    };
    let graph = Graph::new(database.clone(), config.history, clock);
    graphs.set(graph.clone());
    let mut probe = Probe {
        database: &database,
        health,
        problem: None,
    };
    health.set_details(look_into(&database).await);
    probe.once().await;
    let name = config.database.address.to_string();
    tracing::info!(database = name, "opened the database");
    // The words of ML Metadata's server, for which test harnesses wait.
    tracing::info!("Server listening on {address}");
    let history = graph.maintain_history(stop);
    let standby = stop.run_until_cancelled(open_standby(config, &graph));
    tokio::join!(history, probe.repeat(stop), standby);
    Ok(Some(graph))
}

/// The pauses between attempts to open a database, without end.
fn opening_delays() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(MIN_OPEN_DELAY)
        .with_max_delay(MAX_OPEN_DELAY)
        .with_jitter()
        .without_max_times()
}

/// Opens the standby of a configuration, if there is one, as soon as it is there.
async fn open_standby(config: &Config, graph: &Graph) {
    let Some(to) = &config.standby else { return };
    let name = to.address.to_string();
    let opening = (|| Database::connect(to))
        .retry(opening_delays())
        .notify(|error, pause| {
            let error = error.chain();
            tracing::warn!(
                standby = name,
                error,
                ?pause,
                "the standby is not there yet"
            );
        });
    if let Ok(standby) = opening.await {
        graph.use_standby(standby);
        tracing::info!(standby = name, "opened the standby");
    }
}

/// Tries what the server relies on, logs what was found, and returns it.
async fn look_into(database: &Database) -> Vec<String> {
    let findings = database.probe().await;
    for finding in &findings {
        match &finding.answer {
            Answer::Good(_) => tracing::info!("{finding}"),
            Answer::Bad(_) | Answer::Unknown(_) => tracing::warn!("{finding}"),
        }
    }
    findings.iter().map(Finding::to_string).collect()
}

/// Probes the database and reports the health.
struct Probe<'a> {
    database: &'a Database,
    health: &'a Health,
    /// Why the database cannot be used, as it was logged last.
    problem: Option<String>,
}

impl Probe<'_> {
    async fn repeat(mut self, stop: &CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(PROBE_INTERVAL))
            .await
            .is_some()
        {
            self.once().await;
        }
    }

    async fn once(&mut self) {
        let problem = match timeout(PROBE_TIMEOUT, self.database.check()).await {
            Err(_) => Some("the database does not answer".to_owned()),
            Ok(Err(error)) if !is_busy(&error) => Some(error.chain()),
            Ok(_) => None,
        };
        if let Some(error) = &problem
            && self.problem != problem
        {
            tracing::error!(error, "the database cannot be used");
        }
        self.health.set_serving(problem.is_none()).await;
        self.problem = problem;
        self.database.count_connections();
    }
}

/// Closes the databases after the tasks of requests. Those of requests that were cut off may still
/// run.
pub(super) async fn close(graph: Graph, tasks: &TaskTracker) {
    tasks.close();
    if timeout(TASKS_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::warn!(tasks = tasks.len(), "tasks of requests were cut off");
    }
    if timeout(CLOSE_TIMEOUT, graph.close()).await.is_err() {
        tracing::warn!("the database was left while in use");
    }
}
