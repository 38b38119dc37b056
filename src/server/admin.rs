//! The admin port: probes and metrics over HTTP.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::listener;
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
    let (failed, failure) = oneshot::channel();
    let listener = ReportingListener {
        listener,
        failed: Some(failed),
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    let served = tokio::select! {
        served = serving.into_future() => served,
        Ok(error) = failure => Err(error),
    };
    served.map_err(|error| Error::Internal {
        context: "the admin listener failed".into(),
        source: Some(error.into()),
    })
}

/// Reports the error that ends a listener, where axum would try again for ever.
struct ReportingListener {
    listener: TcpListener,
    failed: Option<oneshot::Sender<io::Error>>,
}

impl Listener for ReportingListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match listener::accept(&self.listener).await {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(failed) = self.failed.take() {
                    // The receiver is dropped only with this listener.
                    let _ = failed.send(error);
                }
                pending().await
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
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

/// All metrics, in version 0.0.4 of the Prometheus text format.
async fn scrape(State(admin): State<Admin>) -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, admin.metrics.render())
}
