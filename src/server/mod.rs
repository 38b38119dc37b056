//! The server: its listeners, the router with the layers around every request, health, start and
//! stop.

mod admin;
mod audit;
mod budgets;
mod exports;
mod health;
mod layers;
mod lifecycle;
mod listener;
mod memory;
mod reload;
mod router;
mod tenants;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::api::call::Calls;
use crate::config::Config;
use crate::error::{Error, Result, StartError};
use crate::graph::{Clock, Graph};
use crate::security::SecurityFile;
use crate::storage::ConnectionBudget;
use crate::telemetry::Metrics;
use audit::{AuditFlush, AuditQueues, AuditTarget};
use health::Health;
use layers::access::AccessControl;
pub use lifecycle::{open, open_at, prepare};
use listener::{ClientAuth, Tls};
use reload::{ReloadMessages, reload_forever};
use tenants::Tenants;
pub use tenants::tenant_database;

const CERTIFICATES: ReloadMessages = ReloadMessages {
    changed: "serving new certificates",
    kept: "the old certificates are served on",
};

const SECURITY_FILE: ReloadMessages = ReloadMessages {
    changed: "the security file has changed and is in force",
    kept: "the security file is wrong; what it said before stays in force",
};

/// The listeners of a server.
#[derive(Debug)]
pub struct Listeners {
    /// gRPC, gRPC-Web and HTTP.
    pub main: TcpListener,
    /// Probes and metrics over HTTP.
    pub admin: Option<TcpListener>,
}

impl Listeners {
    /// Binds the addresses of a configuration.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound.
    pub async fn bind(config: &Config) -> Result<Self, StartError> {
        let listeners = Self {
            main: bind(config.listen).await?,
            admin: match config.serving.admin {
                Some(address) => Some(bind(address).await?),
                None => None,
            },
        };
        let address = listeners.main.local_addr().unwrap_or(config.listen);
        let admin = listeners
            .admin
            .as_ref()
            .and_then(|admin| admin.local_addr().ok());
        let admin = admin.map(tracing::field::display);
        tracing::info!(%address, admin, "listening");
        Ok(listeners)
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Listen { address, source })
}

/// Serves until `stop` is cancelled. The clock gives the times that the graph stores.
///
/// Both ports are served at once; until the database is ready, requests get `Unavailable`. At the
/// stop, no more connections are accepted, and open requests have the configured grace period to
/// end. A failure of a listener stops the server in the same way.
///
/// # Errors
///
/// If certificates or the security file cannot be used, a listener or another part fails, or the
/// database cannot be opened for a reason that does not pass with time.
pub async fn run(
    config: &Config,
    listeners: Listeners,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let metrics = Metrics::of_process()?;
    let (requested, max) = (
        config.serving.requested_connections,
        config.serving.connections.max,
    );
    if max < requested {
        tracing::info!(requested, max, "`ulimit -n` lowers --max-connections");
    }
    let security = security(config)?;
    let tls = tls(config, security.is_some())?;
    let targets = exports::open(config.openlineage_targets.as_deref())?;
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let health = Health::new(reporter).await;
    let calls = Calls::new(config.serving.startup_wait);
    let stop = stop.child_token();

    let (config, tenants) = with_tenants(config, security.as_ref(), &calls, &clock);
    let config = &config;

    let mut background = JoinSet::new();
    // The admin port serves to the very end.
    let ended = CancellationToken::new();
    let _ended = ended.clone().drop_guard();
    if let Some(listener) = listeners.admin {
        let hosts = config.serving.admin_hosts.clone();
        let (health, tenants) = (health.clone(), tenants.clone());
        let serving = admin::serve(listener, health, metrics, tenants, hosts, ended);
        background.spawn(serving);
    }
    if let Some(tls) = tls.clone() {
        background.spawn(reload_forever(CERTIFICATES, move || tls.reload()));
    }
    if let Some(security) = security.clone() {
        let reload = reload_security(security, clock.clone());
        background.spawn(reload_forever(SECURITY_FILE, reload));
    }
    let mut access = AccessControl {
        security: security.clone(),
        clock: clock.clone(),
        tenants: tenants.clone(),
        ..AccessControl::default()
    };
    let mut last_records = None;
    if let (Some(security), Some(tenants)) = (security, &tenants) {
        let open = access.open.clone();
        background.spawn(open.end_invalid_forever(security, clock.clone()));
        let (queue, writer, flush) = audit::queue();
        let queues = AuditQueues::new(queue, tenants.clone(), clock.clone());
        access.audit = Some(queues.clone());
        last_records = Some((flush, queues));
        let target = AuditTarget::Default(calls.graphs.clone());
        background.spawn(writer.write_forever(target, clock.clone()));
        background.spawn(tenants.clone().sweep_forever());
    }
    let router = router::router(config, &calls, health_service, access, &stop)?;
    let limits = &config.serving.connections;
    let address = listeners.main.local_addr().unwrap_or(config.listen);
    let serving = listener::serve(listeners.main, tls, limits, router, stop.clone());
    let serving = async {
        tokio::select! {
            served = serving => served.map_err(|error| {
                stop.cancel();
                Error::Internal {
                    context: "the listener failed".into(),
                    source: Some(error.into()),
                }
            }),
            () = grace_period(config, &stop) => Ok(()),
        }
    };
    let stopping = async {
        stop.cancelled().await;
        health.set_serving(false).await;
    };
    let sending = exports::send(targets, &calls.graphs, &clock, &stop);
    let database = async {
        // It is the largest part of the task, and lives as long.
        let keep = lifecycle::keep(
            config,
            address,
            &calls.graphs,
            &health,
            clock.clone(),
            &stop,
        );
        let kept = Box::pin(keep).await;
        if kept.is_err() {
            stop.cancel();
        }
        kept
    };
    let work = Box::pin(async {
        let (served, graph, (), ()) = tokio::join!(serving, database, stopping, sending);
        close(graph?, &calls, last_records, tenants).await;
        Ok(served?)
    });
    supervise(work, background, &stop).await
}

/// The certificates of the main port. With a security file, clients may have other credentials.
fn tls(config: &Config, has_security: bool) -> Result<Option<Arc<Tls>>, StartError> {
    let client_auth = if has_security {
        ClientAuth::Optional
    } else {
        ClientAuth::Required
    };
    let source = config.serving.tls.clone();
    let tls = source.map(|source| Tls::new(source, client_auth));
    Ok(tls.transpose()?.map(Arc::new))
}

/// The configuration and the tenants of a security file, whose databases share the connections.
fn with_tenants(
    config: &Config,
    security: Option<&Arc<SecurityFile>>,
    calls: &Calls,
    clock: &Clock,
) -> (Config, Option<Tenants>) {
    let mut config = config.clone();
    let tenants = security.map(|security| {
        let (budget, of_default) = ConnectionBudget::new(config.database.connections);
        config.database.budget = Some(of_default);
        let default = calls.graphs.clone();
        Tenants::new(&config, budget, security.clone(), default, clock.clone())
    });
    (config, tenants)
}

/// Stores the last records of the audit, and closes the databases.
async fn close(
    graph: Option<Graph>,
    calls: &Calls,
    last_records: Option<(AuditFlush, AuditQueues)>,
    tenants: Option<Tenants>,
) {
    if let Some((flush, queues)) = last_records {
        tokio::join!(queues.flush(), async {
            if graph.is_some() {
                flush.flush().await;
            }
        });
    }
    if let Some(graph) = graph {
        lifecycle::close(graph, &calls.tasks).await;
    }
    if let Some(tenants) = tenants {
        tenants.close().await;
    }
}

/// Reads a security file again, and logs what has no effect in it: at once, and when the file has
/// changed.
fn reload_security(file: Arc<SecurityFile>, clock: Clock) -> impl Fn() -> Result<bool, StartError> {
    log_warnings(&file, &clock);
    move || {
        let has_changed = file.reload()?;
        if has_changed {
            log_warnings(&file, &clock);
        }
        Ok(has_changed)
    }
}

fn log_warnings(file: &SecurityFile, clock: &Clock) {
    for warning in file.current().warnings(clock.now()) {
        tracing::warn!(line = warning.line, "the security file: {}", warning.text);
    }
}

/// The security file of a configuration. Without one, everybody who reaches the server may call.
fn security(config: &Config) -> Result<Option<Arc<SecurityFile>>, StartError> {
    if let Some(path) = &config.serving.security {
        return Ok(Some(Arc::new(SecurityFile::open(path)?)));
    }
    if !config.listen.ip().is_loopback() {
        tracing::warn!("without --security, everybody who reaches the port may read and write");
    }
    Ok(None)
}

/// Ready when the open requests have had their time after the stop.
async fn grace_period(config: &Config, stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(config.grace).await;
    tracing::warn!(
        grace_seconds = config.grace.as_secs(),
        "requests were cut off"
    );
}

/// Runs `work` to its end beside its background tasks. A failed task stops the work, and its error
/// is the result.
async fn supervise(
    mut work: impl Future<Output = Result<(), StartError>> + Unpin,
    mut background: JoinSet<Result<()>>,
    stop: &CancellationToken,
) -> Result<(), StartError> {
    let mut failure = Ok(());
    loop {
        tokio::select! {
            worked = &mut work => return failure.and(worked),
            Some(ended) = background.join_next() => {
                let ended = ended.unwrap_or_else(|error| Err(panicked(error)));
                if ended.is_err() {
                    stop.cancel();
                    failure = failure.and(ended.map_err(StartError::from));
                }
            }
        }
    }
}

fn panicked(error: JoinError) -> Error {
    Error::Internal {
        context: "a background task failed".into(),
        source: Some(error.into()),
    }
}
