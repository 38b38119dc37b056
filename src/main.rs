//! The program: arguments, logs, then a server on its listener or another task, exit code.

use std::io::stdout;
use std::process::ExitCode;
use std::thread::available_parallelism;

use mimalloc::MiMalloc;
use pedigree::cli;
use pedigree::config::{Config, Program, Task};
use pedigree::error::{Error, Result};
use pedigree::server::{self, Listeners};
use pedigree::telemetry::Telemetry;
use pedigree::{migrate, reconcile};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Also SQLite's, as it takes the place of the C library's. Without huge pages, which would almost double what an idle server has.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // One more than the processors, for a thread that waits for the disk: where that is, `storage/sqlite.rs` tells.
    let threads = available_parallelism().map_or(2, |processors| processors.get() + 1);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(start()),
        Err(error) => {
            eprintln!("pedigree: cannot start threads: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> ExitCode {
    let ended = match Program::from_process() {
        Ok(Program::Server(task, config)) => run(task, *config).await,
        Ok(Program::Client(command)) => return ask(*command).await,
        Err(error) => Err(error),
    };
    match ended {
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

async fn ask(command: cli::Command) -> ExitCode {
    match cli::run(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("pedigree: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task, config: Config) -> Result<()> {
    let telemetry = Telemetry::start(&config.log, config.otlp_endpoint.as_deref())?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let named = |error| config.database.name_in(error);
    let done = match task {
        Task::PrintConfig => {
            print!("{config}");
            Ok(())
        }
        Task::Serve if !config.migration.downgrades() => serve(&config).await,
        Task::Serve => server::open(&config).await.map(drop).map_err(named),
        Task::Migrate => migrate::run(&config, &mut stdout()).await.map_err(named),
        Task::Reconcile { all } => {
            let done = reconcile::run(&config, all, &mut stdout()).await;
            done.map_err(named)
        }
        Task::PlanMigration => {
            let said = migrate::dry_run(&config, &mut stdout()).await;
            said.map_err(named)
        }
    };
    telemetry.flush();
    done
}

async fn serve(config: &Config) -> Result<()> {
    let listeners = Listeners::bind(config).await?;
    let stop = stop_on_signal()?;
    Box::pin(server::run(config, listeners, stop)).await?;
    tracing::info!("stopped");
    Ok(())
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
