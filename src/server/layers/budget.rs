//! Refuses requests beyond the limits of their caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::response::Response;

use super::access::{AccessControl, SeenRequest};
use super::body::{Guard, follow};
use super::classify::{Protocol, RequestShape};
use crate::error::Result;
use crate::identity::Principal;
use crate::policy::{MethodActions, PolicyMode};
use crate::security::SecuritySettings;
use crate::server::budgets::{CallerBudget, CallerBudgets};

/// Where the bytes of a write count. Clones share it.
#[derive(Clone)]
pub(super) struct WriteBudget {
    budget: Arc<CallerBudget>,
    /// Set where an excess is only counted.
    observer: Option<Arc<ExcessObserver>>,
}

/// Counts a request whose bytes would be refused, once.
struct ExcessObserver {
    access: AccessControl,
    seen: SeenRequest,
    has_counted: AtomicBool,
}

impl WriteBudget {
    /// Counts bytes that have arrived.
    ///
    /// # Errors
    ///
    /// Those of [`CallerBudget::write`], where limits are enforced.
    pub(super) fn write(&self, bytes: usize) -> Result<()> {
        let written = self.budget.write(bytes);
        let Some(observer) = &self.observer else {
            return written;
        };
        if let Err(error) = written
            && !observer.has_counted.swap(true, Ordering::Relaxed)
        {
            let reason = error.to_string();
            observer
                .access
                .observe_seen(&observer.seen, "limited", reason);
        }
        Ok(())
    }
}

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
    let budget = budgets.of(&subject, policy.limits_of(principal.who()));
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
    let method = MethodActions::find(request.method(), request.uri().path());
    if method.is_some_and(MethodActions::is_write) {
        let observer = (!is_enforced).then(|| {
            Arc::new(ExcessObserver {
                access: access.clone(),
                seen: SeenRequest::new(&request),
                has_counted: AtomicBool::new(false),
            })
        });
        request.extensions_mut().insert(WriteBudget {
            budget: used.budget.clone(),
            observer,
        });
    }
    follow(next(request).await, Guard(used))
}
