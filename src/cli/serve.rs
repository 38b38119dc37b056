//! `pedigree serve`: the server, until it is asked to stop.

use rustix::process::Signal;
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
    let failed = |error| Failure(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    // A file that reaches the limit of its size fails one write; unhandled, it ends the process.
    let file_size = SignalKind::from_raw(Signal::XFSZ.as_raw());
    let _file_size_exceeded = signal(file_size).map_err(failed)?;
    let stop = CancellationToken::new();
    let mut serving = Box::pin(server::run(
        config,
        listeners,
        Clock::default(),
        stop.clone(),
    ));
    let served = tokio::select! {
        served = &mut serving => served,
        _ = terminate.recv() => end(serving, &stop).await,
        _ = interrupt.recv() => end(serving, &stop).await,
    };
    served?;
    tracing::info!("stopped");
    Ok(())
}

/// Asks a server to stop, and waits until it has.
async fn end<S: Future>(serving: S, stop: &CancellationToken) -> S::Output {
    tracing::info!("asked to stop; completing the requests in flight");
    stop.cancel();
    serving.await
}
