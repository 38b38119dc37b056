//! Refuses what the caller may not do.

use axum::extract::Request;
use axum::response::Response;
use metrics::counter;

use super::classify::Protocol;
use crate::api::call::RequestContext;
use crate::error::Error;
use crate::policy::{MethodActions, PolicyMode};
use crate::security::SecuritySettings;

/// The label of a request whose path has no actions.
const UNKNOWN_METHOD: &str = "unknown";

/// Without settings, everything is allowed.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    settings: Option<&SecuritySettings>,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let Some(SecuritySettings { policy, .. }) = settings else {
        return next(request).await;
    };
    let context = request.extensions().get::<RequestContext>();
    let subject = context.map_or("", |context| &*context.principal);
    let method = MethodActions::find(request.uri().path());
    let decision = policy.decide(subject, method);
    if decision.is_allowed() {
        return next(request).await;
    }
    if policy.mode == PolicyMode::Observe {
        count_observed(&mut request, decision.label());
        return next(request).await;
    }
    tracing::info!(%decision, "refused a request");
    P::refusal(Error::PermissionDenied(
        "the caller has no permission for this method".into(),
    ))
}

/// Marks a request that has been counted, for one of its reasons.
#[derive(Clone, Copy)]
struct Observed;

/// Counts a request that is served although it would be refused.
pub(super) fn count_observed(request: &mut Request, reason: &'static str) {
    if request.extensions_mut().insert(Observed).is_some() {
        return;
    }
    let method = MethodActions::find(request.uri().path());
    let method = method.map_or(UNKNOWN_METHOD, |row| row.path);
    counter!("pedigree_authz_would_refuse_total", "method" => method, "reason" => reason)
        .increment(1);
}
