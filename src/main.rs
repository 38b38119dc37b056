//! The program: arguments, logs, then a server on its listener or another task, exit code.

use std::io::stdout;
use std::process::ExitCode;

use pedigree::config::{Config, Task};
use pedigree::error::{Error, Result};
use pedigree::{migrate, server, telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        // A downgrade that was asked for ends here, done.
        Err(Error::Cancelled(done)) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pedigree: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let (task, config) = Config::from_process()?;
    telemetry::start(&config.log);
    let done = match task {
        Task::Serve if !config.migration.downgrades() => return serve(&config).await,
        Task::Serve => server::open(&config).await.map(drop),
        Task::Migrate => migrate::run(&config, &mut stdout()).await,
        Task::PlanMigration => migrate::dry_run(&config, &mut stdout()).await,
    };
    done.map_err(|error| unusable(&config, error))
}

async fn serve(config: &Config) -> Result<()> {
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| Error::invalid(format!("cannot listen on {}: {error}", config.listen)))?;
    let database = server::open(config)
        .await
        .map_err(|error| unusable(config, error))?;
    let opened = config.database.address.to_string();
    tracing::info!(database = opened, "opened the database");
    let address = listener.local_addr().unwrap_or(config.listen);
    tracing::info!(%address, "listening");
    let stop = stop_on_signal()?;
    server::run(config, database, listener, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Says of which database an error is. A downgrade that was asked for stays what it is.
fn unusable(config: &Config, error: Error) -> Error {
    match error {
        Error::Cancelled(_) => error,
        error => Error::invalid(format!(
            "cannot use the database {}: {}",
            config.database.address,
            error.chain()
        )),
    }
}

/// A token that is cancelled by Ctrl-C and by SIGTERM.
fn stop_on_signal() -> Result<CancellationToken> {
    let failed = |error: std::io::Error| Error::Internal {
        context: "cannot listen for signals".into(),
        source: Some(error.into()),
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop; finishing the requests under way");
        stopped.cancel();
    });
    Ok(stop)
}
