//! Marks the connection of a request as in use until the response has ended, and the responses that
//! the client does not read.

use axum::extract::Request;
use axum::response::Response;

use super::body::{BodyEnd, Follower, follow};
use super::classify::RequestShape;
use crate::server::listener::{OpenRequest, Peer};

pub(in crate::server) async fn mark<F: Future<Output = Response>>(
    shape: RequestShape,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let open = request.extensions().get().map(Peer::open_request);
    let is_stream = shape.is_stream();
    follow(next(request).await, Reading { open, is_stream })
}

/// A response that the client reads.
struct Reading {
    open: Option<OpenRequest>,
    /// Whether its reader may wait as long as it likes.
    is_stream: bool,
}

impl Follower for Reading {
    fn end(self, _: BodyEnd<'_>) {}

    fn set_unread(&mut self, is_unread: bool) {
        if let Some(open) = &mut self.open {
            open.set_unread(is_unread && !self.is_stream);
        }
    }
}
