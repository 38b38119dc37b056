//! Refuses cross-site requests, which a web page of another site could send through the browser of
//! a user (cross-site request forgery).
//!
//! After DNS rebinding such a page reaches the server under its own host name, so the host must be
//! an expected one. Otherwise the browser sends the page's origin, which must be listed or be the
//! server's own. Clients that are no browsers send no origin.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderValue, Uri};

use super::classify::Protocol;
use crate::config::serving::Hosts;
use crate::error::{Error, Result};
use crate::security::SecurityFile;

/// The hosts and origins whose requests are served. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::server) struct CrossSitePolicy {
    rules: Arc<Rules>,
    /// Whose tenants have hosts of their own.
    security: Option<Arc<SecurityFile>>,
}

#[derive(Debug)]
struct Rules {
    hosts: Hosts,
    /// The origins whose pages may call; `*` stands for all.
    origins: Vec<HeaderValue>,
}

impl CrossSitePolicy {
    pub(in crate::server) fn new(hosts: Hosts, origins: &[HeaderValue]) -> Self {
        let rules = Rules {
            hosts,
            origins: origins.to_vec(),
        };
        Self {
            rules: Arc::new(rules),
            security: None,
        }
    }

    /// The same, with the hosts of a security file's tenants.
    pub(in crate::server) fn with_tenants(mut self, security: Option<Arc<SecurityFile>>) -> Self {
        self.security = security;
        self
    }

    /// Whether a host is one of a tenant's.
    fn is_of_tenant(&self, host: &str) -> bool {
        let settings = self.security.as_ref().map(|security| security.current());
        settings.is_some_and(|settings| settings.tenants.of_host(host).is_some())
    }

    fn check(&self, request: &Request) -> Result<()> {
        let Rules { hosts, origins } = &*self.rules;
        let authority = authority(request)?;
        if let Some(authority) = &authority
            && !hosts.allow(authority.host())
            && !self.is_of_tenant(authority.host())
        {
            return Err(Error::Misdirected(
                "the server does not serve this host name (see --hosts)".into(),
            ));
        }
        let is_listed = |origin: &&HeaderValue| {
            let listed = |known: &HeaderValue| known == "*" || known == *origin;
            origins.iter().any(listed)
        };
        match request.headers().get(ORIGIN) {
            None => Ok(()),
            Some(origin) if is_listed(&origin) => Ok(()),
            Some(origin) if is_own(origin, authority.as_ref()) => Ok(()),
            Some(_) => Err(Error::PermissionDenied(
                "web pages of this origin may not call the server (see --web-origins)".into(),
            )),
        }
    }
}

/// For the router of a port that has no other layers.
pub(in crate::server) async fn layer<P: Protocol>(
    State(policy): State<CrossSitePolicy>,
    request: Request,
    next: Next,
) -> Response {
    enforce::<P, _>(&policy, request, |request| next.run(request)).await
}

pub(in crate::server) async fn enforce<P: Protocol, F: Future<Output = Response>>(
    policy: &CrossSitePolicy,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    match policy.check(&request) {
        Ok(()) => next(request).await,
        Err(error) => P::refusal(error),
    }
}

/// The host that the client asked for. Every browser names it.
pub(super) fn authority(request: &Request) -> Result<Option<Authority>> {
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.clone()));
    }
    let Some(host) = request.headers().get(HOST) else {
        return Ok(None);
    };
    Authority::try_from(host.as_bytes())
        .map(Some)
        .map_err(|_| Error::invalid("the header `host` is not a host"))
}

/// Whether the page came from this server.
fn is_own(origin: &HeaderValue, authority: Option<&Authority>) -> bool {
    let (Ok(origin), Some(own)) = (Uri::try_from(origin.as_bytes()), authority) else {
        return false;
    };
    let default_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    origin.authority().is_some_and(|page| {
        page.host().eq_ignore_ascii_case(own.host())
            && page.port_u16().unwrap_or(default_port) == own.port_u16().unwrap_or(default_port)
    })
}
