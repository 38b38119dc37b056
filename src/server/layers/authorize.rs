//! Refuses what the caller may not do.

use axum::extract::Request;
use axum::response::Response;

use super::access::AccessControl;
use super::classify::Protocol;
use crate::api::call::RequestContext;
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
    let policy = &settings.policy;
    let context = request.extensions().get::<RequestContext>();
    let subject = context.map_or("", |context| &*context.principal);
    let method = MethodActions::find(request.uri().path());
    let decision = policy.decide(subject, method);
    if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
        context.access = Access {
            method: method.map_or("", |method| method.path).into(),
            grant: grant(decision),
        };
    }
    if decision.is_allowed() {
        if method.is_some_and(|method| settings.audits(method)) {
            access.record(&request, Outcome::Allowed, decision.to_string());
        }
        return next(request).await;
    }
    if policy.mode == PolicyMode::Observe {
        access.observe(&mut request, decision.label(), decision.to_string());
        return next(request).await;
    }
    tracing::info!(%decision, "refused a request");
    access.record(&request, Outcome::PermissionDenied, decision.to_string());
    P::refusal(Error::PermissionDenied(
        "the caller has no permission for this method".into(),
    ))
}

/// The line of the grant that allows a request.
fn grant(decision: Decision) -> Option<u32> {
    match decision {
        Decision::Granted { line } => u32::try_from(line).ok(),
        _ => None,
    }
}
