//! Refuses what the caller may not do.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;

use super::access::{AccessControl, SeenRequest, who};
use super::classify::Protocol;
use super::tenant;
use crate::api::call::{MissingRight, RequestContext};
use crate::error::Error;
use crate::model::{Access, Outcome};
use crate::policy::{Decision, MethodActions, PolicyMode};
use crate::security::SecuritySettings;

/// Without settings, everything is allowed.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    access: &AccessControl,
    settings: Option<&SecuritySettings>,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let Some(settings) = settings else {
        return next(request).await;
    };
    if let Err(error) = tenant::choose(access, settings, &mut request) {
        return P::refusal(error);
    }
    let policy = &settings.policy;
    let context = request.extensions().get::<RequestContext>();
    let who = who(&request);
    let tenant = context.and_then(|context| context.tenant.clone());
    let tenant = &tenant.unwrap_or_default();
    let method = MethodActions::find(request.method(), request.uri().path());
    let decision = policy.decide(who, tenant, method);
    let changes = method.map_or(decision, |method| {
        policy.decide_changes(who, tenant, method)
    });
    let is_enforced = policy.mode == PolicyMode::Enforce;
    if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
        context.access = Access {
            method: method.map_or("", |method| method.path).into(),
            grant: grant(changes).or(grant(decision)),
        };
    }
    if decision.is_allowed() {
        if method.is_some_and(|method| settings.audits(method)) {
            access.record(&request, Outcome::Allowed, decision.to_string());
        }
        if !changes.is_allowed() {
            let right = missing_right(access, &request, changes, is_enforced);
            if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
                context.missing_right = Some(Arc::new(right));
            }
        }
        return next(request).await;
    }
    if !is_enforced {
        access.observe(&mut request, decision.label(), decision.to_string());
        return next(request).await;
    }
    tracing::info!(%decision, "refused a request");
    access.record(&request, Outcome::PermissionDenied, decision.to_string());
    P::refusal(Error::PermissionDenied(
        "the caller has no permission for this method".into(),
    ))
}

/// The right to change types, which the caller of a request lacks by this decision.
fn missing_right(
    access: &AccessControl,
    request: &Request,
    changes: Decision,
    is_enforced: bool,
) -> MissingRight {
    let (access, seen) = (access.clone(), SeenRequest::new(request));
    MissingRight::new(is_enforced, move || {
        if is_enforced {
            tracing::info!(%changes, "refused a request");
            access.record_seen(&seen, Outcome::PermissionDenied, changes.to_string());
        } else {
            access.observe_seen(&seen, changes.label(), changes.to_string());
        }
    })
}

/// The line of the grant that allows a request.
fn grant(decision: Decision) -> Option<u32> {
    match decision {
        Decision::Granted { line } => u32::try_from(line).ok(),
        _ => None,
    }
}
