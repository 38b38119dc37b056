//! The admin port: what operators and probes ask over plain HTTP.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use crate::error::{Error, Result};
use crate::telemetry::Metrics;

#[derive(Clone, Debug)]
struct Admin {
    health: Health,
    metrics: Metrics,
}

/// Serves `/livez`, `/readyz` and `/metrics` until `stop` is cancelled.
///
/// # Errors
///
/// `Internal` when the listener fails.
pub(super) async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(Admin { health, metrics });
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(|error| Error::Internal {
            context: "the admin listener failed".into(),
            source: Some(error.into()),
        })
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    if admin.health.is_serving() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database is not ready\n",
        )
    }
}

/// The text format 0.0.4 of Prometheus.
async fn scrape(State(admin): State<Admin>) -> impl IntoResponse {
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (text, admin.metrics.render())
}
