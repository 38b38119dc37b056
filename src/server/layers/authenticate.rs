//! Finds out who calls, and refuses requests without valid credentials.

use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tracing::Span;

use super::access::AccessControl;
use super::classify::Protocol;
use crate::api::call::RequestContext;
use crate::error::Error;
use crate::identity::{CredentialError, Credentials};
use crate::model::Outcome;
use crate::policy::PolicyMode;
use crate::security::SecuritySettings;
use crate::server::listener::Peer;

/// Leaves the subject in the request's context, and takes its secret away.
pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    access: &AccessControl,
    settings: Option<&SecuritySettings>,
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
    let identified = settings
        .identities
        .identify(&credentials, access.clock.now());
    match identified.await {
        Ok(principal) => {
            Span::current().record("principal", &*principal.subject);
            if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
                context.principal = principal.subject.clone();
            }
            request.extensions_mut().insert(principal);
            remove_credentials(settings, request.headers_mut());
            next(request).await
        }
        Err(reason) if settings.policy.mode == PolicyMode::Observe => {
            access.observe(&mut request, "unauthenticated", reason.to_string());
            remove_credentials(settings, request.headers_mut());
            next(request).await
        }
        Err(reason) => {
            tracing::info!(%reason, "refused the credentials of a request");
            access.record(&request, Outcome::Unauthenticated, reason.to_string());
            P::refusal(match reason {
                CredentialError::NoKeys(_) => Error::IssuerUnavailable,
                _ => Error::Unauthenticated,
            })
        }
    }
}

fn remove_credentials(settings: &SecuritySettings, headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    settings.identities.proxies.remove_headers(headers);
}
