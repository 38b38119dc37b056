//! Finds out who calls, and refuses requests without valid credentials.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header::AUTHORIZATION;
use tracing::Span;

use super::authorize::count_observed;
use super::classify::{Protocol, is_health_check};
use crate::api::call::RequestContext;
use crate::error::Error;
use crate::graph::Clock;
use crate::identity::{CredentialError, Credentials, Principal};
use crate::policy::PolicyMode;
use crate::security::SecurityFile;
use crate::server::listener::Peer;

/// Who is known to the server.
#[derive(Debug, Default)]
pub(in crate::server) struct Authentication {
    /// Without a file, no credentials are needed.
    pub(in crate::server) security: Option<Arc<SecurityFile>>,
    pub(in crate::server) clock: Clock,
}

/// Leaves the subject in the request's context, and takes its secret away. Health checks need no
/// credentials: orchestrators have none.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    authentication: &Authentication,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let Some(security) = &authentication.security else {
        return next(request).await;
    };
    if is_health_check(&request) {
        return next(request).await;
    }
    match identify(security, &authentication.clock, &request) {
        Ok(principal) => {
            Span::current().record("principal", &*principal.subject);
            if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
                context.principal = principal.subject;
            }
            request.headers_mut().remove(AUTHORIZATION);
            next(request).await
        }
        Err(_) if security.current().policy.mode == PolicyMode::Observe => {
            count_observed(&request, "unauthenticated");
            request.headers_mut().remove(AUTHORIZATION);
            next(request).await
        }
        Err(reason) => {
            tracing::info!(%reason, "refused the credentials of a request");
            P::refusal(Error::Unauthenticated)
        }
    }
}

fn identify(
    security: &SecurityFile,
    clock: &Clock,
    request: &Request,
) -> Result<Principal, CredentialError> {
    let peer = request.extensions().get::<Peer>();
    let credentials = Credentials {
        headers: request.headers(),
        certificate: peer.and_then(Peer::certificate),
        is_exposed: peer.is_none_or(Peer::is_exposed),
    };
    let identities = &security.current().identities;
    identities.identify(&credentials, clock.now())
}
