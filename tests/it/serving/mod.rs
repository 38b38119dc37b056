//! How the server is reached and watched: ports, health, gRPC-Web, TLS, limits, telemetry.

mod admin;
mod budgets;
mod connections;
mod cross_site;
mod deadline;
mod health;
mod http;
mod http2;
mod limits;
mod reflection;
mod tls;
mod traces;
mod web;

pub use http2::{Begun, Http2, more_of};
pub use tls::connect as connect_tls;
pub use tls::serve as serve_tls;
pub use tls::{Authority, CALL_TIMEOUT};
pub use web::{framed, frames, put_type};

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An answer over HTTP.
#[derive(Debug)]
pub struct Http {
    pub status: u16,
    /// With names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Http {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// Sends a request over a connection of its own. The head ends without its empty line.
pub async fn http(port: u16, head: &str, body: &[u8]) -> Http {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    http_over(stream, head, body).await
}

/// Sends the only request of a connection.
pub async fn http_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    head: &str,
    body: &[u8],
) -> Http {
    let length = body.len();
    let head = format!(
        "{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    parse(&bytes)
}

pub async fn get(port: u16, path: &str) -> Http {
    http(port, &format!("GET {path} HTTP/1.1"), b"").await
}

fn parse(bytes: &[u8]) -> Http {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let body = &bytes[end + 4..];
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    Http {
        status: status.parse().unwrap(),
        body: if chunked {
            unchunked(body)
        } else {
            body.to_vec()
        },
        headers,
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend(&rest[end + 2..][..length]);
        rest = &rest[end + 2 + length + 2..];
    }
}

/// A TCP proxy that can be closed, which its clients see as the end of the server behind it.
pub struct TcpProxy {
    pub port: u16,
    to: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl TcpProxy {
    /// A proxy before a server of this machine, closed at first.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self {
            port: listener.local_addr().unwrap().port(),
            to: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            open: None,
        }
    }

    pub async fn open(&mut self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap();
        let to = self.to;
        self.open = Some(tokio::spawn(async move {
            // Ends with this task, and its connections with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (mut from, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let mut to = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut from, &mut to).await
                });
            }
        }));
    }

    pub async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            open.await.unwrap_err();
        }
    }
}
