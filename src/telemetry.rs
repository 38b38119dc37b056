//! Logs: one event a line, on standard error.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::config::{Log, LogFormat};

/// Installs the subscriber of the process. Later calls change nothing.
pub fn start(log: &Log) {
    let filter: Targets = log.level.parse().unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // A second subscriber, as tests would install, is no error.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
}
