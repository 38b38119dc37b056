//! What is told of every statement: a span with its name, and a word when it was slow.

use std::time::{Duration, Instant};

use tracing::{Instrument, debug_span};

/// From what time on a statement is slow.
const SLOW: Duration = Duration::from_secs(1);

/// Runs a statement that logs and traces know by this name.
pub(super) async fn told<T>(name: &'static str, statement: impl Future<Output = T>) -> T {
    let span = debug_span!("statement", otel.kind = "client", otel.name = name, name);
    let began = Instant::now();
    let done = statement.instrument(span).await;
    let took = began.elapsed();
    if took >= SLOW {
        let took_ms = took.as_millis();
        tracing::warn!(statement = name, took_ms, "slow statement");
    }
    done
}
