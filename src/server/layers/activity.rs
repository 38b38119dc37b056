//! Marks the connection of a request as used until the response has ended.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use super::body::{Guard, follow};
use crate::server::listener::Peer;

pub(in crate::server) async fn mark(request: Request, next: Next) -> Response {
    let open = request.extensions().get().map(Peer::open_request);
    follow(next.run(request).await, Guard(open))
}
