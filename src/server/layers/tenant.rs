//! Finds out which tenant a request is for, and gives the request its graph.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use tracing::Span;

use super::access::{AccessControl, door, who};
use super::body::{Guard, follow};
use super::classify::{Protocol, RequestShape};
use super::cross_site::authority;
use crate::api::call::RequestContext;
use crate::error::Result;
use crate::identity::Principal;
use crate::model::{Door, Outcome};
use crate::policy::{Decision, PolicyMode, TENANT_HEADER, TenantName, WORKSPACE_HEADER};
use crate::security::{NamedTenant, SecuritySettings, TenantChoice};
use crate::server::tenants::{Tenants, no_tenant};

/// The end of the path at which clients of `MLflow` ask whether there are workspaces, with the
/// header already.
const SERVER_INFO: &str = "/mlflow/server-info";

/// Leaves the tenant in the request's context.
///
/// # Errors
///
/// `PermissionDenied` for one in which the caller has nothing, as for one that is not there.
pub(super) fn choose(
    access: &AccessControl,
    settings: &SecuritySettings,
    request: &mut Request,
) -> Result<()> {
    let refusal = Decision::NoTenant;
    if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
        context.has_tenants = !settings.tenants.is_empty();
    }
    let tenant = match choice(settings, request) {
        TenantChoice::Chosen(name) => name,
        TenantChoice::Foreign(name) if settings.policy.mode == PolicyMode::Observe => {
            access.observe(request, refusal.label(), refusal.to_string());
            name
        }
        TenantChoice::Foreign(_) | TenantChoice::Missing => {
            tracing::info!(decision = %refusal, "refused a request");
            access.record(request, Outcome::PermissionDenied, refusal.to_string());
            return Err(no_tenant());
        }
    };
    if !tenant.is_default() {
        Span::current().record("tenant", tenant.as_str());
        if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
            context.tenant = Some(tenant);
        }
    }
    Ok(())
}

/// The workspaces that the headers of a request to `MLflow`'s door name.
fn workspaces(request: &Request) -> impl Iterator<Item = &HeaderValue> {
    let path = request.uri().path();
    let is_read = door(path) == Door::MlFlow && !path.ends_with(SERVER_INFO);
    let named = is_read.then(|| request.headers().get_all(WORKSPACE_HEADER));
    let named = named.into_iter().flatten();
    named.filter(|name| !name.as_bytes().trim_ascii().is_empty())
}

fn choice(settings: &SecuritySettings, request: &Request) -> TenantChoice {
    let named = request.headers().get_all(TENANT_HEADER).iter();
    let has_tenants = !settings.tenants.is_empty();
    let workspaces = workspaces(request).filter(|_| has_tenants);
    let mut headers = named.chain(workspaces);
    let header = headers.next();
    let principal = request.extensions().get::<Principal>();
    let bound = principal.and_then(|principal| principal.tenant.as_ref());
    if header.is_none() && bound.is_none() && !has_tenants {
        return TenantChoice::Chosen(TenantName::default());
    }
    if headers.next().is_some() {
        return TenantChoice::Missing;
    }
    let authority = authority(request).ok().flatten();
    let named = NamedTenant {
        header: header.map(|value| value.to_str().unwrap_or_default()),
        host: authority.as_ref().map(http::uri::Authority::host),
        bound,
    };
    settings.tenant_of(who(request), named)
}

/// Has a request handled with the graph of its tenant, which stays open until the end of the
/// response. It is no further layer around the handler: the type of each doubles that of all.
pub(in crate::server) async fn handle<P: Protocol>(
    tenants: Option<Tenants>,
    shape: RequestShape,
    mut request: Request,
    next: Next,
) -> Response {
    let context = request.extensions().get::<RequestContext>();
    // The request cannot be shared while the database is opened.
    let tenant = context.and_then(|context| context.tenant.clone());
    let needs_none = matches!(
        shape,
        RequestShape::Operator | RequestShape::OperatorStream | RequestShape::Unknown
    );
    let (Some(tenant), Some(tenants), false) = (tenant, tenants, needs_none) else {
        return next.run(request).await;
    };
    let leased = tenants.lease(&tenant).await;
    let opened: Result<_> = leased.and_then(|lease| Ok((lease.graph()?.clone(), lease)));
    match opened {
        Ok((graph, lease)) => {
            if let Some(context) = request.extensions_mut().get_mut::<RequestContext>() {
                context.tenant_graph = Some(graph);
            }
            follow(next.run(request).await, Guard(lease))
        }
        Err(error) => P::refusal(error),
    }
}
