//! Finds out who calls, and refuses requests without valid credentials.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header::AUTHORIZATION;
use tracing::Span;

use super::authorize::count_observed;
use super::classify::{Protocol, is_health_check};
use super::expiry::OpenCalls;
use crate::api::call::RequestContext;
use crate::error::Error;
use crate::graph::Clock;
use crate::identity::{CredentialError, Credentials};
use crate::policy::PolicyMode;
use crate::security::{SecurityFile, SecuritySettings};
use crate::server::listener::Peer;

/// Who is known to the server.
#[derive(Debug, Default)]
pub(in crate::server) struct Authentication {
    /// Without a file, no credentials are needed.
    pub(in crate::server) security: Option<Arc<SecurityFile>>,
    pub(in crate::server) clock: Clock,
    pub(in crate::server) open: Arc<OpenCalls>,
}

impl Authentication {
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
}

/// Leaves the subject in the request's context, and takes its secret away.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    settings: Option<&SecuritySettings>,
    clock: &Clock,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let Some(settings) = settings else {
        return next(request).await;
    };
    let peer = request.extensions().get::<Peer>();
    let credentials = Credentials {
        headers: request.headers(),
        certificate: peer.and_then(Peer::certificate),
        is_exposed: peer.is_none_or(Peer::is_exposed),
    };
    let identified = settings.identities.identify(&credentials, clock.now());
    match identified.await {
        Ok(principal) => {
            Span::current().record("principal", &*principal.subject);
            if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
                context.principal = principal.subject.clone();
            }
            request.extensions_mut().insert(principal);
            request.headers_mut().remove(AUTHORIZATION);
            next(request).await
        }
        Err(_) if settings.policy.mode == PolicyMode::Observe => {
            count_observed(&mut request, "unauthenticated");
            request.headers_mut().remove(AUTHORIZATION);
            next(request).await
        }
        Err(reason) => {
            tracing::info!(%reason, "refused the credentials of a request");
            P::refusal(match reason {
                CredentialError::NoKeys(_) => Error::IssuerUnavailable,
                _ => Error::Unauthenticated,
            })
        }
    }
}
