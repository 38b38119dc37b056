//! One tenant: its graph, once its database is open, and how many requests use it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::sync::SetOnce;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Tenants;
use super::opening::{OpenTenant, OpeningSettings, open};
use crate::api::call::TenantGraph;
use crate::error::{Error, Result};
use crate::policy::TenantName;
use crate::security::TenantRules;

/// How long a database that could not be opened is not tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How long the requests of a tenant that is closed may go on.
const REQUESTS_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval between two looks whether they have ended.
const REQUESTS_INTERVAL: Duration = Duration::from_millis(50);

/// A tenant whose database is open, is being opened, or could not be opened.
pub(super) struct Tenant {
    pub(super) name: TenantName,
    rules: Arc<TenantRules>,
    opened: SetOnce<Result<OpenTenant, OpenFailure>>,
    leases: AtomicUsize,
    /// When the last lease ended.
    used: Mutex<Instant>,
    /// Cancelled when the tenant is to be closed.
    ended: CancellationToken,
}

/// Why a database could not be opened, and since when.
struct OpenFailure {
    error: Arc<Error>,
    failed: Instant,
}

impl OpenFailure {
    /// The error of a request. The text has nothing of the database but the state of its schema.
    fn of_request(&self) -> Error {
        match &*self.error {
            Error::FailedPrecondition(text) => Error::FailedPrecondition(text.clone()),
            _ => Error::Unavailable(self.error.clone().into()),
        }
    }
}

impl Tenant {
    pub(super) fn new(name: TenantName, rules: Arc<TenantRules>) -> Self {
        Self {
            name,
            rules,
            opened: SetOnce::new(),
            leases: AtomicUsize::new(0),
            used: Mutex::new(Instant::now()),
            ended: CancellationToken::new(),
        }
    }

    /// Opens the database, and keeps its history until the tenant is closed.
    pub(super) async fn serve(self: Arc<Self>, settings: OpeningSettings, tenants: Tenants) {
        let (tenant, rules) = (self.clone(), self.rules.clone());
        // A task of its own: a panic is one more way not to be opened.
        let tasks = tenants.0.tasks.clone();
        let opening = tasks.spawn(async move {
            let opened = open(&tenant.name, &rules, &settings).await?;
            if let Some(other) = tenants.on_store(&tenant, &opened.store_id) {
                opened.graph.graph.close().await;
                let text = format!("its database is that of the tenant {other}");
                return Err(Error::FailedPrecondition(text));
            }
            Ok(opened)
        });
        let broken = |_| Err(Error::internal("the opening of a tenant failed"));
        let opened = opening.await.unwrap_or_else(broken);
        let tenant = self.name.as_str();
        let outcome = if opened.is_ok() { "opened" } else { "failed" };
        counter!("pedigree_tenant_openings_total", "tenant" => tenant.to_owned(), "outcome" => outcome)
            .increment(1);
        self.count_open(opened.is_ok());
        match &opened {
            Ok(_) => tracing::info!(tenant, "opened the database of a tenant"),
            Err(error) => {
                let error = error.chain();
                tracing::warn!(tenant, error, "cannot open the database of a tenant");
            }
        }
        let opened = opened.map_err(|error| OpenFailure {
            error: Arc::new(error),
            failed: Instant::now(),
        });
        // This is the only place that sets it.
        let _ = self.opened.set(opened);
        if let Some(Ok(open)) = self.opened.get() {
            open.graph.graph.maintain_history(&self.ended).await;
        }
    }

    /// Counts the tenant as open or closed. The names are those of the security file.
    fn count_open(&self, is_open: bool) {
        let tenant = self.name.to_string();
        gauge!("pedigree_tenant_open", "tenant" => tenant).set(u8::from(is_open));
    }

    /// Whether requests by these rules may use it, or share its failure.
    pub(super) fn is_usable(&self, rules: &TenantRules) -> bool {
        let may_be_tried = |failure: &OpenFailure| failure.failed.elapsed() >= RETRY_INTERVAL;
        let has_failed = matches!(self.opened.get(), Some(Err(failure)) if may_be_tried(failure));
        self.rules.has_database_of(rules) && !has_failed
    }

    /// Whether its database is that of these rules, also where a file has the URL.
    pub(super) fn is_current(&self, rules: &TenantRules) -> bool {
        let has_url = match self.opened.get() {
            Some(Ok(open)) => open.has_url_of(rules),
            _ => true,
        };
        self.rules.has_database_of(rules) && has_url
    }

    /// Whether no request has used it for so long.
    pub(super) fn is_idle(&self, limit: Duration) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.leases.load(Ordering::Acquire) == 0 && used.elapsed() >= limit
    }

    /// The id of its database, once it is open.
    pub(super) fn store_id(&self) -> Option<&str> {
        match self.opened.get() {
            Some(Ok(open)) => Some(&open.store_id),
            _ => None,
        }
    }

    /// Counts the connections as the metrics of this moment.
    pub(super) fn count_connections(&self) {
        if let Some(Ok(open)) = self.opened.get() {
            open.database.count_connections();
        }
    }

    /// What operators want to know of it, in a line.
    pub(super) fn detail(&self) -> String {
        let state = match self.opened.get() {
            None => "is being opened",
            Some(Ok(_)) => "is open",
            Some(Err(_)) => "cannot be opened",
        };
        let requests = self.leases.load(Ordering::Acquire);
        format!("tenant {} {state}; requests: {requests}", self.name)
    }

    /// Closes the database. Requests that still use it have a while to end.
    pub(super) async fn close(&self) {
        self.ended.cancel();
        let Ok(open) = self.opened.wait().await else {
            return;
        };
        let requests_ended = async {
            while self.leases.load(Ordering::Acquire) > 0 {
                sleep(REQUESTS_INTERVAL).await;
            }
        };
        // Those that remain lose their connections.
        let _ = timeout(REQUESTS_TIMEOUT, requests_ended).await;
        open.graph.graph.close().await;
        open.database.count_connections();
        self.count_open(false);
        tracing::info!(
            tenant = self.name.as_str(),
            "closed the database of a tenant"
        );
    }
}

/// The right to use the graph of a tenant, which stays open until this is dropped.
pub(in crate::server) struct TenantLease(Arc<Tenant>);

impl TenantLease {
    pub(super) fn of(tenant: &Arc<Tenant>) -> Self {
        tenant.leases.fetch_add(1, Ordering::AcqRel);
        Self(tenant.clone())
    }

    /// Waits until the database is open.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub(super) async fn opened(&self) -> Result<()> {
        let opened = self.0.opened.wait().await;
        opened.as_ref().map(|_| ()).map_err(OpenFailure::of_request)
    }

    /// The graph.
    ///
    /// # Errors
    ///
    /// If it is not open.
    pub(in crate::server) fn graph(&self) -> Result<&TenantGraph> {
        match self.0.opened.get() {
            Some(Ok(open)) => Ok(&open.graph),
            Some(Err(failure)) => Err(failure.of_request()),
            None => Err(Error::NotReady),
        }
    }
}

impl Drop for TenantLease {
    fn drop(&mut self) {
        *self.0.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.leases.fetch_sub(1, Ordering::AcqRel);
    }
}
