//! Whether requests can be served, as `grpc.health.v1` and the admin port tell it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// What is known about the server. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Health {
    reporter: HealthReporter,
    services: &'static [&'static str],
    serving: Arc<AtomicBool>,
}

impl Health {
    /// Not serving yet. `services` are those that need the database; the server as a whole, `""`, is one of them.
    pub(super) async fn new(reporter: HealthReporter, services: &'static [&'static str]) -> Self {
        let health = Self {
            reporter,
            services,
            serving: Arc::default(),
        };
        health.report(false).await;
        health
    }

    /// Whether requests can be served now.
    pub(super) fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
    }

    /// Tells whether requests can be served from now on.
    pub(super) async fn set_serving(&self, serving: bool) {
        if self.serving.swap(serving, Ordering::Relaxed) != serving {
            tracing::info!(serving, "health");
            self.report(serving).await;
        }
    }

    async fn report(&self, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
