//! Whether the server can serve requests, for `grpc.health.v1` and the admin port.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Services that need the database; `""` is the server as a whole.
const SERVICES: [&str; 6] = [
    "",
    "ml_metadata.MetadataStoreService",
    "pedigree.audit.v1.AuditService",
    "pedigree.reproduction.v1.ReproductionService",
    "pedigree.lineage.v1.LineageService",
    "pedigree.registry.v1.RegistryService",
];

/// The health of the server. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Health {
    reporter: HealthReporter,
    serving: Arc<AtomicBool>,
    /// What the database was found to do at the start, a line each.
    details: Arc<OnceLock<Vec<String>>>,
}

impl Health {
    /// A health that is not serving yet.
    pub(super) async fn new(reporter: HealthReporter) -> Self {
        let health = Self {
            reporter,
            serving: Arc::default(),
            details: Arc::default(),
        };
        health.report(false).await;
        health
    }

    pub(super) fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
    }

    /// What the database was found to do; nothing before it is open.
    pub(super) fn details(&self) -> &[String] {
        self.details.get().map_or(&[], Vec::as_slice)
    }

    /// Notes what the database was found to do, once.
    pub(super) fn set_details(&self, details: Vec<String>) {
        // There is one start.
        let _ = self.details.set(details);
    }

    /// Reports the health to all clients that watch it, if it has changed.
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
        for service in SERVICES {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
