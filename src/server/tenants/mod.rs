//! The tenants beside the default one. Their databases are opened when requests need them, and
//! closed when no request has needed them for long.
//!
//! * `tenant`: one tenant, and the leases of its graph.
//! * `opening`: how its database is opened.

mod opening;
mod tenant;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use self::opening::OpeningSettings;
pub use self::opening::tenant_database;
use self::tenant::Tenant;
pub(super) use self::tenant::TenantLease;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::graph::{Clock, Graphs};
use crate::policy::TenantName;
use crate::security::{SecurityFile, TenantRules};
use crate::storage::ConnectionBudget;
use crate::storage::connect::Connect;

/// Interval between two looks at the tenants that are open.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Time limit for closing the databases at the stop.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The tenants of a server. Clones share them.
#[derive(Clone)]
pub(in crate::server) struct Tenants(Arc<SharedTenants>);

struct SharedTenants {
    security: Arc<SecurityFile>,
    settings: OpeningSettings,
    /// How long a request waits for a database to be opened.
    wait: Duration,
    /// How long a tenant without requests stays open.
    idle: Duration,
    tenants: Mutex<HashMap<TenantName, Arc<Tenant>>>,
    tasks: TaskTracker,
}

impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

/// The error of a tenant that is not there. It is that of a tenant in which the caller has nothing.
pub(in crate::server) fn no_tenant() -> Error {
    Error::PermissionDenied("the caller has no permission in this tenant".into())
}

impl Tenants {
    /// The tenants of a security file, which share the settings of the default database.
    pub(in crate::server) fn new(
        config: &Config,
        budget: ConnectionBudget,
        security: Arc<SecurityFile>,
        default: Graphs,
        clock: Clock,
    ) -> Self {
        Self(Arc::new(SharedTenants {
            security,
            settings: OpeningSettings {
                database: Connect {
                    budget: Some(budget),
                    ..config.database.clone()
                },
                migration: config.migration,
                history: config.history,
                clock,
                default,
            },
            wait: config.serving.startup_wait,
            idle: config.database.idle,
            tenants: Mutex::default(),
            tasks: TaskTracker::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantName, Arc<Tenant>>> {
        let tenants = self.0.tenants.lock();
        tenants.unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to use the graph of a tenant, which is opened if it is closed. It stays open until
    /// the lease is dropped.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` for a tenant that is not in the security file; `FailedPrecondition` when
    /// its schema cannot be used; `Unavailable` when its database cannot be reached.
    pub(in crate::server) async fn lease(&self, name: &TenantName) -> Result<TenantLease> {
        let settings = self.0.security.current();
        let rules = settings.tenants.find(name).ok_or_else(no_tenant)?;
        let lease = self.lease_of(name, rules);
        match timeout(self.0.wait, lease.opened()).await {
            Ok(Ok(())) => Ok(lease),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::Unavailable(
                "the database of the tenant is not open yet".into(),
            )),
        }
    }

    /// A lease of a tenant that is open or being opened.
    fn lease_of(&self, name: &TenantName, rules: &Arc<TenantRules>) -> TenantLease {
        let mut tenants = self.lock();
        if let Some(tenant) = tenants.get(name)
            && tenant.is_usable(rules)
        {
            return TenantLease::of(tenant);
        }
        let tenant = Arc::new(Tenant::new(name.clone(), rules.clone()));
        let lease = TenantLease::of(&tenant);
        if let Some(before) = tenants.insert(name.clone(), tenant.clone()) {
            self.close_in_background(before);
        }
        let settings = self.0.settings.clone();
        self.0.tasks.spawn(tenant.serve(settings, self.clone()));
        lease
    }

    fn close_in_background(&self, tenant: Arc<Tenant>) {
        self.0.tasks.spawn(async move { tenant.close().await });
    }

    /// Another tenant that is open on the database with this id.
    fn on_store(&self, tenant: &Tenant, store_id: &str) -> Option<TenantName> {
        let tenants = self.lock();
        let is_same =
            |other: &&Arc<Tenant>| other.name != tenant.name && other.store_id() == Some(store_id);
        tenants.values().find(is_same).map(|it| it.name.clone())
    }

    /// Closes tenants that are idle, that have left the security file, or whose database is another
    /// one now, as long as the server runs.
    pub(in crate::server) async fn sweep_forever(self) -> Result<()> {
        loop {
            sleep(SWEEP_INTERVAL).await;
            self.sweep();
        }
    }

    fn sweep(&self) {
        if let Some(budget) = &self.0.settings.database.budget {
            budget.count();
        }
        let settings = self.0.security.current();
        let mut tenants = self.lock();
        let ended = tenants.extract_if(|name, tenant| {
            let rules = settings.tenants.find(name);
            let is_current = rules.is_some_and(|rules| tenant.is_current(rules));
            tenant.count_connections();
            !is_current || tenant.is_idle(self.0.idle)
        });
        let ended: Vec<_> = ended.collect();
        drop(tenants);
        for (_, tenant) in ended {
            self.close_in_background(tenant);
        }
    }

    /// A line about each tenant that is open, being opened, or could not be opened.
    pub(in crate::server) fn details(&self) -> Vec<String> {
        let tenants = self.lock();
        let mut lines: Vec<_> = tenants.values().map(|tenant| tenant.detail()).collect();
        lines.sort();
        lines
    }

    /// Closes all databases at the stop.
    pub(in crate::server) async fn close(&self) {
        let ended: Vec<_> = self.lock().drain().collect();
        for (_, tenant) in ended {
            self.close_in_background(tenant);
        }
        self.0.tasks.close();
        if timeout(CLOSE_TIMEOUT, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("databases of tenants were left while in use");
        }
    }
}
