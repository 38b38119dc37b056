//! The content types of gRPC and gRPC-Web. Others are refused: a page may send a form or plain text
//! to another site without a CORS preflight, but none of the types of gRPC.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use crate::api::http::problem::Problem;

/// gRPC-Web in base64, which is answered in base64.
const WEB_TEXT: [&str; 2] = [
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

const OTHERS: [&str; 4] = [
    "application/grpc",
    "application/grpc+proto",
    "application/grpc-web",
    "application/grpc-web+proto",
];

/// Whether this is a content type of gRPC, by the type alone.
pub(in crate::server) fn is_grpc(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

pub(in crate::server) async fn check(mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let content_type = headers.get(CONTENT_TYPE).and_then(essence);
    let Some(content_type) = content_type else {
        return unsupported();
    };
    if let Some(text) = WEB_TEXT
        .iter()
        .find(|text| text.eq_ignore_ascii_case(content_type))
    {
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        if !accept.is_some_and(|accept| accept.contains("application/grpc-web")) {
            let text = HeaderValue::from_static(text);
            request.headers_mut().insert(ACCEPT, text);
        }
    } else if !OTHERS
        .iter()
        .any(|other| other.eq_ignore_ascii_case(content_type))
    {
        return unsupported();
    }
    next.run(request).await
}

/// A content type without its parameters.
fn essence(content_type: &HeaderValue) -> Option<&str> {
    let essence = content_type.to_str().ok()?.split(';').next()?;
    Some(essence.trim())
}

fn unsupported() -> Response {
    let detail = "a gRPC method takes content type application/grpc or application/grpc-web";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).into_response()
}
