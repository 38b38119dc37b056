//! Puts the [`RequestContext`] into the extensions of a request, for the other layers and handlers.

use axum::extract::Request;
use tokio::time::Instant;
use tower_http::request_id::RequestId;

use super::classify::Protocol;
use crate::api::call::RequestContext;
use crate::server::listener::Peer;

pub(in crate::server) fn attach<P: Protocol>(mut request: Request) -> Request {
    let extensions = request.extensions();
    let id = extensions.get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok());
    let timeout = P::timeout(request.headers());
    let context = RequestContext {
        peer: extensions.get::<Peer>().map(|peer| peer.address.clone()),
        request_id: id.unwrap_or_default().into(),
        deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        ..RequestContext::default()
    };
    request.extensions_mut().insert(context);
    request
}
