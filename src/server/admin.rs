//! The admin port: probes and metrics over HTTP.

use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::layers::classify::Http;
use super::layers::cross_site::{self, CrossSitePolicy};
use super::listener;
use crate::config::serving::{Connections, Hosts};
use crate::error::{Error, Result};
use crate::server::tenants::Tenants;
use crate::telemetry::Metrics;

/// The limits of connections to the admin port. They leave the main port enough file descriptors.
const CONNECTIONS: Connections = Connections {
    max_metadata: 16 << 10,
    max: 64,
    max_per_address: 32,
    max_age: None,
    max_idle: Duration::from_mins(5),
    max_unread: Duration::from_secs(30),
    keepalive: Duration::from_mins(1),
    keepalive_timeout: Duration::from_secs(20),
};

#[derive(Clone, Debug)]
struct Admin {
    health: Health,
    metrics: Metrics,
    tenants: Option<Tenants>,
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
    tenants: Option<Tenants>,
    hosts: Hosts,
    stop: CancellationToken,
) -> Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(Admin {
            health,
            metrics,
            tenants,
        })
        .layer(from_fn_with_state(
            CrossSitePolicy::new(hosts, &[]),
            cross_site::layer::<Http>,
        ));
    let served = listener::serve(listener, None, &CONNECTIONS, router, stop).await;
    served.map_err(|error| Error::Internal {
        context: "the admin listener failed".into(),
        source: Some(error.into()),
    })
}

/// The readiness, and with `?verbose`, as Kubernetes' own servers have it, what the database was
/// found to do, and the tenants that are open.
async fn ready(State(admin): State<Admin>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let (status, line) = if admin.health.is_serving() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database is not ready\n",
        )
    };
    let mut body = line.to_owned();
    if query.is_some_and(|query| query.split('&').any(|name| name == "verbose")) {
        let tenants = admin.tenants.as_ref().map(Tenants::details);
        let tenants = tenants.unwrap_or_default();
        for detail in admin.health.details().iter().chain(&tenants) {
            body.extend([detail, "\n"]);
        }
    }
    (status, body)
}

/// All metrics, in version 0.0.4 of the Prometheus text format.
async fn scrape(State(admin): State<Admin>) -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, admin.metrics.render())
}
