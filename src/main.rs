//! The program: an allocator, a runtime, and the exit code of a command.

use std::env::args_os;
use std::process::ExitCode;
use std::thread::available_parallelism;

use mimalloc::MiMalloc;
use pedigree::cli;
use tokio::runtime::Builder;

/// Also allocates for SQLite, as it replaces the C library's. It is built without huge pages, which
/// would almost double the memory of an idle server.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // One more than the processors, as SQLite's commits block a thread: see `storage/sqlite/`.
    let threads = available_parallelism().map_or(2, |processors| processors.get() + 1);
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime
            .block_on(cli::run(args_os()))
            .map_err(|failure| failure.to_string()),
        Err(error) => Err(format!("cannot start threads: {error}")),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("pedigree: {error}");
            ExitCode::FAILURE
        }
    }
}
