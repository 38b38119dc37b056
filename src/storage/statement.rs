//! What all statements have in common: a span each, and a warning about slow ones.

use std::pin::Pin;
use std::time::{Duration, Instant};

use tracing::{Instrument, debug_span};

/// A statement that takes this long is logged.
const SLOW_STATEMENT_TIME: Duration = Duration::from_secs(1);

/// A future behind a pointer. The compiler checks here that it is `Send`, and not again in each of
/// the functions that lead to it: for the whole crate, that took it minutes.
pub(super) fn boxed<'a, T>(
    statement: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(statement)
}

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
