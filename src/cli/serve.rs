//! `pedigree serve`: the server, until it is asked to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, migrate};
use crate::config::Config;
use crate::graph::Clock;
use crate::server::{self, Listeners};

/// Serves until the process receives SIGINT (Ctrl-C) or SIGTERM.
pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    if config.migration.downgrades() {
        return migrate::downgrade(config).await;
    }
    let listeners = Listeners::bind(config).await?;
    let stop = stop_on_signal()?;
    Box::pin(server::run(config, listeners, Clock::default(), stop)).await?;
    tracing::info!("stopped");
    Ok(())
}

/// A token that is cancelled by SIGINT and SIGTERM.
fn stop_on_signal() -> Result<CancellationToken, Failure> {
    let failed = |error| Failure(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop; completing the requests in flight");
        stopped.cancel();
    });
    Ok(stop)
}
