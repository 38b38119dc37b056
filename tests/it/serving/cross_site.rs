//! Cross-site requests, which a browser sends for pages of other sites, are refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http2::Http2;
use super::web::{framed, put_type};
use super::{Http, parse};
use crate::binary::Server;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    other_content_types_are_refused_over_http_1_and_2,
    other_hosts_are_refused_on_both_ports,
    named_hosts_are_served,
    other_origins_are_refused,
    text_is_answered_in_text_without_being_asked,
}

const METHOD: &str = "/ml_metadata.MetadataStoreService/PutArtifactType";
const VERSION: &str = "/api/pedigree/v1/version";
const WEB: (&str, &str) = ("content-type", "application/grpc-web+proto");

/// The answer over HTTP/1.1 to exactly these headers.
async fn send(port: u16, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Http {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "{line} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n{}\r\n",
        body.len(),
        lines.concat()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    parse(&bytes)
}

async fn put(port: u16, headers: &[(&str, &str)]) -> Http {
    let line = format!("POST {METHOD}");
    send(port, &line, headers, &framed(&put_type("Data"))).await
}

/// The code of gRPC, wherever it is.
fn code(answer: &Http) -> Option<String> {
    let trailers = String::from_utf8_lossy(&answer.body).into_owned();
    let in_trailers = trailers.split_once("grpc-status:").map(|(_, code)| code);
    let code = answer.header("grpc-status").or(in_trailers)?;
    Some(
        code.trim()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect(),
    )
}

async fn types(server: &Server) -> usize {
    let mut client = server.client().await;
    let answer = client.get_artifact_types(pb::GetArtifactTypesRequest::default());
    answer.await.unwrap().into_inner().artifact_types.len()
}

async fn other_content_types_are_refused_over_http_1_and_2() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    let client = Http2::to(server.port).await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
        "application/grpc+json",
        "application/grpcweb",
        "",
    ] {
        let headers: &[_] = match kind {
            "" => &[],
            kind => &[("content-type", kind)],
        };
        let body = framed(&put_type("Data"));
        let answer = client.post(METHOD, headers, body).await;
        assert_eq!(answer.status, 415, "{kind}: {answer:?}");
        let headers = [&[("host", "localhost")], headers].concat();
        let answer = put(server.port, &headers).await;
        assert_eq!(answer.status, 415, "{kind}: {answer:?}");
    }
    assert_eq!(types(&server).await, 0);
    let good = [
        ("content-type", "Application/gRPC+proto; x=y"),
        ("te", "trailers"),
    ];
    let answer = client.post(METHOD, &good, framed(&put_type("Data"))).await;
    assert_eq!(answer.header("grpc-status"), Some("0"), "{answer:?}");
    server.stop();
}

async fn other_hosts_are_refused_on_both_ports() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &["--admin-port", "0"]);
    let evil = "evil.example:8080";
    for headers in [
        &[("host", evil), WEB][..],
        &[("host", evil), ("origin", "http://evil.example:8080"), WEB],
    ] {
        let answer = put(server.port, headers).await;
        assert_eq!(code(&answer).as_deref(), Some("9"), "{answer:?}");
    }
    assert_eq!(types(&server).await, 0);
    let version = format!("GET {VERSION}");
    let answer = send(server.port, &version, &[("host", evil)], b"").await;
    assert_eq!(answer.status, 421, "{answer:?}");
    assert!(answer.text().contains("--hosts"), "{answer:?}");
    // The other place of the host in a request.
    let absolute = format!("GET http://{evil}{VERSION}");
    let answer = send(server.port, &absolute, &[("host", "localhost")], b"").await;
    assert_eq!(answer.status, 421, "{answer:?}");
    let admin = server.admin();
    for path in ["/metrics", "/readyz", "/livez", "/none"] {
        let line = format!("GET {path}");
        let answer = send(admin, &line, &[("host", evil)], b"").await;
        assert_eq!(answer.status, 421, "{answer:?}");
    }
    for host in ["localhost", "LocalHost:1", "127.0.0.1:8080", "[::1]:8080"] {
        let answer = send(server.port, &version, &[("host", host)], b"").await;
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
        let answer = send(admin, "GET /livez", &[("host", host)], b"").await;
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
    }
    server.stop();
}

async fn named_hosts_are_served() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &["--hosts", "ui.example, 127.0.0.1"]);
    let version = format!("GET {VERSION}");
    for (host, status) in [
        ("UI.example:443", 200),
        ("127.0.0.1", 200),
        ("localhost", 421),
    ] {
        let answer = send(server.port, &version, &[("host", host)], b"").await;
        assert_eq!(answer.status, status, "{host}: {answer:?}");
    }
    server.stop();
    let server = Server::on(&database, &["--hosts", "*"]);
    let answer = send(server.port, &version, &[("host", "any.example")], b"").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    server.stop();
}

async fn other_origins_are_refused() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &["--web-origins", "https://ui.example"]);
    let own_host = format!("localhost:{}", server.port);
    let host = ("host", own_host.as_str());
    for foreign in [
        "https://evil.example",
        "http://localhost:1",
        "http://ui.example",
        "null",
        "",
    ] {
        let origin = ("origin", foreign);
        let answer = put(server.port, &[host, origin, WEB]).await;
        assert_eq!(code(&answer).as_deref(), Some("7"), "{foreign}: {answer:?}");
        let version = format!("GET {VERSION}");
        let answer = send(server.port, &version, &[host, origin], b"").await;
        assert_eq!(answer.status, 403, "{foreign}: {answer:?}");
    }
    assert_eq!(types(&server).await, 0);
    let own = format!("http://{own_host}");
    for served in ["https://ui.example", &own] {
        let answer = put(server.port, &[host, ("origin", served), WEB]).await;
        assert_eq!(code(&answer).as_deref(), Some("0"), "{served}: {answer:?}");
    }
    server.stop();
}

/// Browsers' own functions accept anything.
async fn text_is_answered_in_text_without_being_asked() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    let body = STANDARD.encode(framed(&put_type("Data")));
    let text = ("content-type", "application/grpc-web-text");
    for headers in [
        &[("host", "localhost"), text][..],
        &[("host", "localhost"), text, ("accept", "*/*")],
    ] {
        let line = format!("POST {METHOD}");
        let answer = send(server.port, &line, headers, body.as_bytes()).await;
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("application/grpc-web-text"), "{answer:?}");
        assert!(answer.text().is_ascii(), "{answer:?}");
    }
    server.stop();
}
