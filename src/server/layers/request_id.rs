//! Request ids: that of the client if it is valid, otherwise a new one.

use axum::extract::Request;
use http::{HeaderName, HeaderValue};
use tower_http::request_id::{MakeRequestId, RequestId};
use uuid::Uuid;

/// The header with the request id, of requests and responses.
pub(in crate::server) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Limit of a client's request id in bytes.
const MAX_ID_BYTES: usize = 128;

/// Removes a request id that is unusable: empty, too long, or not of visible ASCII characters.
pub(in crate::server) fn sanitize(mut request: Request) -> Request {
    let Some(id) = request.headers_mut().get_mut(REQUEST_ID) else {
        return request;
    };
    let length = 1..=MAX_ID_BYTES;
    if length.contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic) {
        without_compression(id);
    } else {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// Gives requests without an id a random UUID.
#[derive(Clone, Copy)]
pub(in crate::server) struct NewRequestId;

impl MakeRequestId for NewRequestId {
    fn make_request_id<B>(&mut self, _: &http::Request<B>) -> Option<RequestId> {
        let mut buffer = Uuid::encode_buffer();
        let id = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
        let mut id = HeaderValue::from_str(id).ok()?;
        without_compression(&mut id);
        Some(RequestId::new(id))
    }
}

/// Keeps an id, which occurs once, out of HTTP/2's table of headers, which is searched for each.
fn without_compression(id: &mut HeaderValue) {
    id.set_sensitive(true);
}
