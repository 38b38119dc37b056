//! Shared by the layers of authentication and authorization: the security file, and the records of
//! refusals.

use std::sync::Arc;

use axum::extract::Request;
use metrics::counter;

use super::classify::is_health_check;
use super::expiry::OpenCalls;
use crate::api::call::RequestContext;
use crate::graph::Clock;
use crate::identity::Principal;
use crate::model::{ANONYMOUS, Access, AccessRecord, Caller, Door, Outcome};
use crate::policy::{MethodActions, TenantName, Who};
use crate::security::{SecurityFile, SecuritySettings};
use crate::server::audit::AuditQueues;
use crate::server::tenants::Tenants;

/// The label of a request whose path has no actions.
const UNKNOWN_METHOD: &str = "unknown";

/// The security file in force, and where refusals are recorded.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct AccessControl {
    /// Without a file, no credentials are needed.
    pub(in crate::server) security: Option<Arc<SecurityFile>>,
    pub(in crate::server) clock: Clock,
    pub(in crate::server) open: Arc<OpenCalls>,
    pub(in crate::server) audit: Option<AuditQueues>,
    /// The tenants beside the default one.
    pub(in crate::server) tenants: Option<Tenants>,
}

/// Marks a request that has been counted, for one of its reasons.
#[derive(Clone, Copy)]
struct Observed;

impl AccessControl {
    /// What the security file says now, for all layers around a request. `None` for a request that
    /// needs no credentials and no permission: without a file, and for health checks, as
    /// orchestrators have no credentials.
    pub(in crate::server) fn settings_for(
        &self,
        request: &Request,
    ) -> Option<Arc<SecuritySettings>> {
        let security = self.security.as_ref()?;
        (!is_health_check(request)).then(|| security.current())
    }

    /// Counts and records a request that is served although it would be refused.
    pub(super) fn observe(&self, request: &mut Request, label: &'static str, reason: String) {
        let seen = SeenRequest::new(request);
        request.extensions_mut().insert(Observed);
        self.observe_seen(&seen, label, reason);
    }

    /// As [`Self::observe`], for a request that has been handed on.
    pub(super) fn observe_seen(&self, seen: &SeenRequest, label: &'static str, reason: String) {
        if seen.is_observed {
            return;
        }
        let method = seen.method;
        counter!("pedigree_authz_would_refuse_total", "method" => method, "reason" => label)
            .increment(1);
        self.record_seen(seen, Outcome::Observed, reason);
    }

    /// Records a request that changes nothing.
    pub(super) fn record(&self, request: &Request, outcome: Outcome, reason: String) {
        self.record_seen(&SeenRequest::new(request), outcome, reason);
    }

    /// As [`Self::record`], for a request that has been handed on.
    pub(super) fn record_seen(&self, seen: &SeenRequest, outcome: Outcome, reason: String) {
        let Some(audit) = &self.audit else {
            return;
        };
        let record = AccessRecord {
            origin: Arc::new(seen.caller.at(self.clock.now())),
            outcome,
            reason,
            count: 1,
        };
        audit.add(seen.tenant.as_ref(), record);
    }
}

/// What a record has of a request.
pub(super) struct SeenRequest {
    caller: Caller,
    method: &'static str,
    /// `None` for the default one.
    tenant: Option<TenantName>,
    /// Whether it has been counted.
    is_observed: bool,
}

impl SeenRequest {
    pub(super) fn new(request: &Request) -> Self {
        let context = request.extensions().get::<RequestContext>().cloned();
        let mut context = context.unwrap_or_default();
        let method = method_name(request);
        if context.access.method.is_empty() {
            context.access = Access {
                method: method.into(),
                grant: None,
            };
        }
        Self {
            tenant: context.tenant.take(),
            caller: context.caller(door(request.uri().path())),
            method,
            is_observed: request.extensions().get::<Observed>().is_some(),
        }
    }
}

/// The caller of a request: `anonymous` without credentials, as mode `observe` allows.
pub(super) fn who(request: &Request) -> Who<'_> {
    match request.extensions().get::<Principal>() {
        Some(principal) => principal.who(),
        None => ANONYMOUS.into(),
    }
}

/// The path of a method. A path that a client invented is no name.
fn method_name(request: &Request) -> &'static str {
    let method = MethodActions::find(request.method(), request.uri().path());
    method.map_or(UNKNOWN_METHOD, |row| row.path)
}

/// What paths of `MLflow`'s API begin with.
const MLFLOW_PREFIXES: [&str; 5] = [
    "/api/2.0/",
    "/api/3.0/",
    "/ajax-api/",
    "/get-artifact",
    "/model-versions/get-artifact",
];

/// What the first segments of paths of the web pages are.
const WEB_SEGMENTS: [&str; 9] = [
    "",
    "about",
    "artifacts",
    "assets",
    "contexts",
    "executions",
    "lineage",
    "search",
    "types",
];

pub(super) fn door(path: &str) -> Door {
    let first = path.split('/').nth(1);
    if path.starts_with("/ml_metadata.") {
        Door::MlMetadata
    } else if path.starts_with("/pedigree.") {
        Door::Pedigree
    } else if path.starts_with("/api/v1/") {
        Door::OpenLineage
    } else if MLFLOW_PREFIXES
        .iter()
        .any(|prefix| path.starts_with(prefix))
    {
        Door::MlFlow
    } else if first.is_some_and(|first| WEB_SEGMENTS.contains(&first)) {
        Door::Web
    } else {
        Door::Unknown
    }
}
