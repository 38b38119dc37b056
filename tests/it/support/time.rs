//! How long cases take: each is written down, and one that exceeds its budget fails.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use crate::python::sized;

/// Seconds that a case may take unless [`BUDGETS_SECONDS`] lists it. Most take less than one, so
/// that a slow machine, or one with other work, is within it too.
const BUDGET_SECONDS: u64 = 180;

/// Seconds that cases may take whose names contain a text.
const BUDGETS_SECONDS: [(&str, u64); 2] = [
    // They fill large tables.
    ("plans::", 400),
    // Those of one cluster wait for each other.
    ("replicated::", 300),
];

/// How many times as long cases may take at full size.
const FULL_SIZE_FACTOR: u32 = 20;

/// Names the file to which every case adds a line: seconds, a tab and the name of the case.
const TIMES_VARIABLE: &str = "PEDIGREE_TEST_TIMES";

/// How many budgets pass before the whole run ends, for a case that cannot be cancelled: one that
/// blocks its thread, or whose runtime waits for such a one.
const BUDGETS_TO_THE_END: u32 = 2;

/// Runs a case, and cancels it when its budget is used up.
pub async fn timed(name: &str, case: impl Future<Output = ()>) {
    let timer = Timer::start(name);
    if tokio::time::timeout(timer.budget, case).await.is_err() {
        timer.exceeded();
    }
}

/// [`timed`] for a case that is not asynchronous, and is not cancelled.
pub fn timed_blocking(name: &str, case: impl FnOnce()) {
    let timer = Timer::start(name);
    case();
    if timer.start.elapsed() > timer.budget {
        timer.exceeded();
    }
}

struct Timer<'a> {
    name: &'a str,
    start: Instant,
    budget: Duration,
    /// Ends the watchdog when it is dropped.
    _watchdog: Sender<()>,
}

impl<'a> Timer<'a> {
    fn start(name: &'a str) -> Self {
        let name = name.trim_start_matches("it::");
        let budget = budget(name);
        Self {
            name,
            start: Instant::now(),
            budget,
            _watchdog: start_watchdog(name.to_owned(), budget * BUDGETS_TO_THE_END),
        }
    }

    fn exceeded(&self) {
        panic!(
            "{} exceeded its budget of {:?}: make it shorter, or list it in support/time.rs with the reason",
            self.name, self.budget
        );
    }
}

/// A thread that ends this process when so much time has passed before the sender is dropped.
fn start_watchdog(name: String, limit: Duration) -> Sender<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        if receiver.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs: it has taken {limit:?}, and ends all cases");
            process::abort();
        }
    });
    sender
}

/// Also for a case that fails.
impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let Some(file) = env::var_os(TIMES_VARIABLE) else {
            return;
        };
        let line = format!("{:.3}\t{}\n", self.start.elapsed().as_secs_f64(), self.name);
        let file = File::options().append(true).create(true).open(file);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

fn budget(name: &str) -> Duration {
    let listed = BUDGETS_SECONDS.iter().find(|(text, _)| name.contains(text));
    let seconds = listed.map_or(BUDGET_SECONDS, |(_, seconds)| *seconds);
    Duration::from_secs(seconds) * sized(1, FULL_SIZE_FACTOR)
}
