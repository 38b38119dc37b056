//! Workspaces of `MLflow`, which are the tenants of this server. A layer has chosen the tenant.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::refusal::MlflowRefusal;
use crate::api::call::RequestContext;
use crate::policy::{TenantName, WORKSPACE_HEADER};

/// Refuses the header of a workspace where there are no tenants, unless it names the default one.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let context = request.extensions().get::<RequestContext>();
    let has_tenants = context.is_some_and(|context| context.has_tenants);
    let mut named = request.headers().get_all(WORKSPACE_HEADER).iter();
    let is_served = named.all(|name| {
        let name = name.to_str().map(str::trim);
        name.is_ok_and(|name| name.is_empty() || name == TenantName::default().as_str())
    });
    if has_tenants || is_served {
        return next.run(request).await;
    }
    let text = "this server has no workspaces: its operator has set up no tenants";
    MlflowRefusal::disabled(text).into_response()
}
