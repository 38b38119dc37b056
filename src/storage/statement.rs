//! Instrumentation of statements: a span each, and a warning about slow ones.

use std::time::{Duration, Instant};

use tracing::{Instrument, debug_span};

/// A statement that takes this long is logged.
const SLOW_STATEMENT_TIME: Duration = Duration::from_secs(1);

/// Runs a statement in a span with this name.
pub(super) async fn instrument<T>(name: &'static str, statement: impl Future<Output = T>) -> T {
    let span = debug_span!("statement", otel.kind = "client", otel.name = name, name);
    let began = Instant::now();
    let done = statement.instrument(span).await;
    let took = began.elapsed();
    if took >= SLOW_STATEMENT_TIME {
        let took_ms = took.as_millis();
        tracing::warn!(statement = name, took_ms, "slow statement");
    }
    done
}
