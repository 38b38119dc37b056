//! Calls of gRPC and other requests over HTTP/2 without the layers of a client library: the load
//! tool shares the processors with the server, so it has to be cheap.

use h2::client::SendRequest;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, TE};
use http::request::Builder;
use http::response::Parts;
use http::{HeaderMap, Request};
use prost::bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::net::TcpStream;

use crate::Result;

/// The flow-control window of a stream and of a connection, in bytes: large enough that responses
/// arrive without a pause.
const WINDOW_BYTES: u32 = 1 << 20;

/// The size of the header before a message, in bytes.
const HEADER_BYTES: usize = 5;

/// A connection of its own. A clone is the same connection.
#[derive(Clone)]
pub struct Caller {
    sender: SendRequest<Bytes>,
    /// The authority of the server, such as `127.0.0.1:8080`.
    authority: String,
    /// Whether the server knows callers by the token.
    has_token: bool,
}

/// The token of `benches/security.toml`.
const BEARER: &str = concat!(
    "Bearer ped_0123456789ab_",
    "0000000000000000000000000000000000000000000000000000000000000000"
);

impl Caller {
    pub async fn connect(authority: &str, has_token: bool) -> Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .handshake(stream)
            .await?;
        // The task ends with the last clone of the sender. Pending calls receive its errors.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            authority: authority.to_owned(),
            has_token,
        })
    }

    /// Sends a message to a method, by its path, and returns the answer.
    pub async fn call(&self, path: &str, message: &[u8]) -> Result<Bytes> {
        let mut body = BytesMut::with_capacity(HEADER_BYTES + message.len());
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len())?);
        body.put_slice(message);
        let request = Request::post(self.url(path))
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers");
        let (head, mut answer, trailers) = self.send(request, body.freeze()).await?;
        // An answer without a message has everything in its head.
        check(&trailers.unwrap_or(head.headers))?;
        if answer.len() < HEADER_BYTES {
            return Err("an answer has no message".into());
        }
        answer.advance(HEADER_BYTES);
        Ok(answer.freeze())
    }

    /// Posts JSON to a path, which must succeed.
    pub async fn post(&self, path: &str, body: Bytes) -> Result<()> {
        let request = Request::post(self.url(path)).header(CONTENT_TYPE, "application/json");
        let (head, answer, _) = self.send(request, body).await?;
        succeeded(&head, &answer)
    }

    /// Gets a page as a browser does, which must succeed.
    pub async fn visit(&self, path: &str) -> Result<()> {
        let request = Request::get(self.url(path))
            .header(ACCEPT, "text/html")
            .header(ACCEPT_ENCODING, "gzip");
        let (head, answer, _) = self.send(request, Bytes::new()).await?;
        succeeded(&head, &answer)
    }

    fn url(&self, path: &str) -> String {
        ["http://", &self.authority, path].concat()
    }

    /// Sends a request; returns the head, the body and the trailers of its response.
    async fn send(
        &self,
        mut request: Builder,
        body: Bytes,
    ) -> Result<(Parts, BytesMut, Option<HeaderMap>)> {
        if self.has_token {
            request = request.header(AUTHORIZATION, BEARER);
        }
        let request = request.body(())?;
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut sending) = sender.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            sending.send_data(body, true)?;
        }
        let (head, mut body) = response.await?.into_parts();
        let mut answer = BytesMut::new();
        while let Some(part) = body.data().await {
            let part = part?;
            body.flow_control().release_capacity(part.len())?;
            answer.put_slice(&part);
        }
        Ok((head, answer, body.trailers().await?))
    }
}

fn succeeded(head: &Parts, answer: &[u8]) -> Result<()> {
    if head.status.is_success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer);
    Err([head.status.as_str(), ": ", &text].concat().into())
}

fn check(trailers: &HeaderMap) -> Result<()> {
    let text = |name| {
        let value: Option<&http::HeaderValue> = trailers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    match text("grpc-status") {
        "0" => Ok(()),
        code => Err([code, ": ", text("grpc-message")].concat().into()),
    }
}
