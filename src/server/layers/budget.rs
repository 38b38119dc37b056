//! Refuses requests beyond the limits of their caller.

use axum::extract::Request;
use axum::response::Response;

use super::access::AccessControl;
use super::body::{Guard, follow};
use super::classify::{Protocol, RequestShape};
use crate::identity::Principal;
use crate::policy::{MethodActions, PolicyMode};
use crate::security::SecuritySettings;
use crate::server::budgets::CallerBudgets;

/// A request counts from its head to the end of its response. A write leaves the budget in the
/// extensions, for its bytes.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    access: &AccessControl,
    budgets: &CallerBudgets,
    settings: Option<&SecuritySettings>,
    shape: RequestShape,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let is_operator = matches!(shape, RequestShape::Operator | RequestShape::OperatorStream);
    let principal = request.extensions().get::<Principal>();
    let (Some(settings), Some(principal), false) = (settings, principal, is_operator) else {
        return next(request).await;
    };
    let policy = &settings.policy;
    let subject = principal.subject.clone();
    let budget = budgets.of(&subject, policy.limits_of(&subject));
    let is_enforced = policy.mode == PolicyMode::Enforce;
    let used = match budget.begin(shape.is_stream()) {
        Ok(used) => used,
        Err(error) if is_enforced => {
            tracing::debug!(%error, "refused a request");
            return P::refusal(error);
        }
        Err(error) => {
            access.observe(&mut request, "limited", error.to_string());
            return next(request).await;
        }
    };
    let method = MethodActions::find(request.uri().path());
    if is_enforced && method.is_some_and(MethodActions::is_write) {
        request.extensions_mut().insert(used.budget.clone());
    }
    follow(next(request).await, Guard(used))
}
