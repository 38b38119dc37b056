//! How long cases take: each is written down, and one that exceeds its budget fails.

use std::env;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::python::sized;

/// Seconds that a case may take unless [`BUDGETS_SECONDS`] lists it. Most take less than one, so
/// that a slow machine, or one with other work, is within it too.
const BUDGET_SECONDS: u64 = 90;

/// Seconds that cases may take whose names contain a text, with the reason.
const BUDGETS_SECONDS: [(&str, u64); 0] = [];

/// How many times as long cases may take at full size.
const FULL_SIZE_FACTOR: u32 = 20;

/// Names the file to which every case adds a line: seconds, a tab and the name of the case.
const TIMES_VARIABLE: &str = "PEDIGREE_TEST_TIMES";

/// Runs a case.
pub async fn timed(name: &str, case: impl Future<Output = ()>) {
    let timer = Timer::start(name);
    case.await;
    timer.check();
}

/// [`timed`] for a case that is not asynchronous.
pub fn timed_blocking(name: &str, case: impl FnOnce()) {
    let timer = Timer::start(name);
    case();
    timer.check();
}

struct Timer<'a> {
    name: &'a str,
    start: Instant,
}

impl<'a> Timer<'a> {
    fn start(name: &'a str) -> Self {
        Self {
            name: name.trim_start_matches("it::"),
            start: Instant::now(),
        }
    }

    fn check(&self) {
        let (taken, budget) = (self.start.elapsed(), budget(self.name));
        assert!(
            taken <= budget,
            "{} took {taken:.1?}, and its budget is {budget:?}: make it shorter, or list it in support/time.rs with the reason",
            self.name
        );
    }
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
