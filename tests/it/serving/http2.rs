//! A client of HTTP/2 that adds nothing to what it is told to send, and sees all that comes.

use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use prost::bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::codegen::http::Request;
use tonic::codegen::http::response::Parts;

use super::Http;

/// The next bytes of an answer, as the sender gives them; nothing at the end.
pub async fn more_of(body: &mut RecvStream) -> Option<Bytes> {
    let data = body.data().await?.unwrap();
    body.flow_control().release_capacity(data.len()).unwrap();
    Some(data)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let uri = format!("http://localhost{path}");
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// All of an answer, with its trailers after the headers.
async fn read(head: Parts, mut body: RecvStream) -> Http {
    let mut bytes = Vec::new();
    while let Some(data) = more_of(&mut body).await {
        bytes.extend(data);
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    let headers = head.headers.iter().chain(&trailers);
    Http {
        status: head.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: bytes,
    }
}

/// A connection.
pub struct Http2 {
    sender: SendRequest<Bytes>,
    connection: JoinHandle<()>,
}

/// A request that has no end yet.
pub struct Begun {
    answer: ResponseFuture,
    sending: SendStream<Bytes>,
}

impl Begun {
    /// Sends more of the request.
    pub fn send(&mut self, body: Vec<u8>) -> Result<(), h2::Error> {
        self.sending.send_data(body.into(), false)
    }

    /// The answer to what has been sent.
    pub async fn answer(self) -> Http {
        let (head, body) = self.answer.await.unwrap().into_parts();
        let answer = read(head, body).await;
        drop(self.sending);
        answer
    }
}

impl Http2 {
    /// A connection without TLS.
    pub async fn to(port: u16) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", port)).await.unwrap()).await
    }

    /// A connection that goes over this.
    pub async fn over(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (sender, connection) = h2::client::handshake(io).await.unwrap();
        let connection = tokio::spawn(async move {
            // How it ended is told by the requests on it.
            let _ = connection.await;
        });
        Self { sender, connection }
    }

    /// A connection that takes the heads of answers alone.
    pub async fn for_heads(port: u16) -> Self {
        let io = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut client = h2::client::Builder::new();
        let (sender, connection) = client.initial_window_size(0).handshake(io).await.unwrap();
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { sender, connection }
    }

    /// Sends a request. What it is answered with begins with this, and is read as the caller likes.
    pub async fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (Parts, RecvStream) {
        let request = request("POST", path, headers);
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (answer, mut sending) = sender.send_request(request, false).unwrap();
        // A server that has already answered takes no body. What counts is its answer.
        let _ = sending.send_data(body.into(), true);
        answer.await.unwrap().into_parts()
    }

    /// The answer to a request without a body.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Http {
        let request = request("GET", path, headers);
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (answer, _) = sender.send_request(request, true).unwrap();
        let (head, body) = answer.await.unwrap().into_parts();
        read(head, body).await
    }

    /// The answer to a request, whose trailers come after the headers.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Http {
        let (head, body) = self.send(path, headers, body).await;
        read(head, body).await
    }

    /// Sends a request that does not end.
    pub async fn begin(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Begun {
        let request = request("POST", path, headers);
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (answer, mut sending) = sender.send_request(request, false).unwrap();
        sending.send_data(body.into(), false).unwrap();
        Begun { answer, sending }
    }

    /// The answer to a request with a frame for each byte of the body.
    pub async fn post_in_frames(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Http {
        let request = request("POST", path, headers);
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (answer, mut sending) = sender.send_request(request, false).unwrap();
        let body = Bytes::from(body);
        for at in 0..body.len() {
            let is_last = at + 1 == body.len();
            sending.send_data(body.slice(at..=at), is_last).unwrap();
        }
        let (head, body) = answer.await.unwrap().into_parts();
        read(head, body).await
    }

    /// Waits until the server has closed it.
    pub async fn closed(self) {
        self.connection.await.unwrap();
    }
}
