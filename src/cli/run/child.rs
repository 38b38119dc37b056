//! The process of a command. Signals to this process are passed on to it.

use std::io::{IsTerminal, stdin};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// What shells answer for a program that cannot be found, and for one that cannot be run.
const NOT_FOUND_CODE: u8 = 127;
const NOT_RUNNABLE_CODE: u8 = 126;

/// What shells add to the number of the signal that ended a process.
const SIGNAL_BASE_CODE: i32 = 128;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandEnd {
    /// As a shell has it.
    pub code: u8,
    /// Why it failed; `None` when it succeeded.
    pub problem: Option<String>,
}

/// Runs a command to its end.
///
/// # Errors
///
/// If signals cannot be received.
pub(super) async fn run(words: &[String]) -> std::io::Result<CommandEnd> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (program, arguments) = words
        .split_first()
        .map_or(("", words), |(program, rest)| (program.as_str(), rest));
    let mut child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(error) => {
            let is_missing = error.kind() == std::io::ErrorKind::NotFound;
            return Ok(CommandEnd {
                code: if is_missing {
                    NOT_FOUND_CODE
                } else {
                    NOT_RUNNABLE_CODE
                },
                problem: Some(format!("cannot start {program}: {error}")),
            });
        }
    };
    // A terminal sends an interrupt to the command too.
    let passes_interrupts = !stdin().is_terminal();
    loop {
        let passed = tokio::select! {
            status = child.wait() => return status.map(ended),
            _ = interrupt.recv() => passes_interrupts.then_some(Signal::INT),
            _ = terminate.recv() => Some(Signal::TERM),
            _ = hang_up.recv() => Some(Signal::HUP),
        };
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid
            && let Some(passed) = passed
        {
            // It may have ended meanwhile.
            let _ = kill_process(pid, passed);
        }
    }
}

fn ended(status: ExitStatus) -> CommandEnd {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, number) => SIGNAL_BASE_CODE + number.unwrap_or_default(),
    };
    CommandEnd {
        code: u8::try_from(code).unwrap_or(u8::MAX),
        problem: (!status.success()).then(|| format!("the command failed: {status}")),
    }
}
