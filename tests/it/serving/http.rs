//! HTTP routes of the main port.

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::http2::Http2;
use super::limits::{hold_writes, let_go, put_type_when_admitted};
use super::tls::{Authority, connect, serve};
use super::web::{framed, put_type};
use super::{Http, get, http, parse};
use crate::binary::Server;
use crate::support::{Backend, TestDatabase};

const VERSION: &str = "/api/pedigree/v1/version";

fn assert_version(answer: &Http) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-request-id").map(str::len), Some(36));
    let version: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let expected = serde_json::json!({
        "name": "pedigree",
        "version": env!("CARGO_PKG_VERSION"),
        "commit": pedigree::build_info::COMMIT,
    });
    assert_eq!(version, expected);
}

fn assert_problem(answer: &Http, status: u16, title: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let content_type = answer.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
    assert!(answer.header("x-request-id").is_some());
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["title"], title);
    assert_eq!(problem["status"], status);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_is_served_over_http_1_and_2() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    assert_version(&get(server.port, VERSION).await);
    let client = Http2::to(server.port).await;
    assert_version(&client.get(VERSION, &[]).await);
    let head = http(server.port, &format!("HEAD {VERSION} HTTP/1.1"), b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0), "{head:?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_is_served_over_tls() {
    let authority = Authority::new();
    let folder = TempDir::new().unwrap();
    authority.write_to(folder.path());
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = serve(&database, &folder, &[]);
    let stream = connect(&server, &authority, &[b"h2"], None).await;
    assert_version(&Http2::over(stream).await.get(VERSION, &[]).await);
    let mut stream = connect(&server, &authority, &[b"http/1.1"], None).await;
    let request = format!("GET {VERSION} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert_version(&parse(&bytes));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_and_methods_are_problems() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    let client = Http2::to(server.port).await;
    for path in ["/none", "/api/pedigree/v1/version/"] {
        assert_problem(&get(server.port, path).await, 404, "Not Found");
        assert_problem(&client.get(path, &[]).await, 404, "Not Found");
    }
    let answer = client.post(VERSION, &[], Vec::new()).await;
    assert_problem(&answer, 405, "Method Not Allowed");
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    server.stop();
}

/// The content type tells the protocol of a request at an unknown path.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_methods_of_grpc_are_unimplemented() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &["--admin-port", "0"]);
    let client = Http2::to(server.port).await;
    let paths = [
        "/none.Service/None",
        "/ml_metadata.MetadataStoreService/None",
    ];
    for path in paths {
        for kind in ["application/grpc", "application/grpc-web+proto"] {
            let headers = [("content-type", kind)];
            let body = framed(&put_type("Data"));
            let answer = client.post(path, &headers, body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let content_type = answer.header("content-type").unwrap();
            assert!(content_type.starts_with(kind), "{answer:?}");
            assert_eq!(answer.header("grpc-status"), Some("12"), "{answer:?}");
        }
    }
    let metrics = get(server.admin(), "/metrics").await.text();
    let counted = "pedigree_rpc_requests_total{method=\"unknown\",code=\"UNIMPLEMENTED\"} 4\n";
    assert!(metrics.contains(counted), "{metrics}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_by_their_route() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &["--admin-port", "0"]);
    for path in [VERSION, VERSION, "/secret/path"] {
        get(server.port, path).await;
    }
    let head = http(server.port, &format!("HEAD {VERSION} HTTP/1.1"), b"").await;
    assert_eq!(head.status, 200);
    http(server.port, "INVENT /none HTTP/1.1", b"").await;
    let metrics = get(server.admin(), "/metrics").await.text();
    let route = format!("route=\"{VERSION}\"");
    for counted in [
        format!("pedigree_http_requests_total{{method=\"GET\",{route},code=\"200\"}} 2\n"),
        format!("pedigree_http_requests_total{{method=\"HEAD\",{route},code=\"200\"}} 1\n"),
        format!("pedigree_http_duration_seconds_count{{method=\"GET\",{route}}} 2\n"),
        "pedigree_http_requests_total{method=\"GET\",route=\"unknown\",code=\"404\"} 1\n"
            .to_owned(),
        "pedigree_http_requests_total{method=\"other\",route=\"unknown\",code=\"404\"} 1\n"
            .to_owned(),
        "pedigree_http_in_flight 0\n".to_owned(),
    ] {
        assert!(metrics.contains(&counted), "no {counted} in {metrics}");
    }
    assert!(!metrics.contains("secret"), "{metrics}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_have_ids() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let arguments = ["--log-format", "json", "--log-level", "debug"];
    let server = Server::on(&database, &arguments);
    let client = Http2::to(server.port).await;
    let answer = client.get(VERSION, &[("x-request-id", "run-7")]).await;
    assert_eq!(answer.header("x-request-id"), Some("run-7"));
    for unusable in ["", "two words", &"x".repeat(129)] {
        let answer = client.get(VERSION, &[("x-request-id", unusable)]).await;
        assert_eq!(answer.header("x-request-id").map(str::len), Some(36));
    }
    let log = server.process.log();
    let line = log
        .lines()
        .find(|line| line.contains("\"message\":\"answered\"") && line.contains("run-7"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(line["code"], "200");
    assert_eq!(line["span"]["http.route"], VERSION);
    assert_eq!(line["span"]["http.response.status_code"], 200);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_the_bound_are_refused() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &["--max-requests", "1"]);
    let client = server.client().await;
    let holder = hold_writes(&database).await;
    let put = tokio::spawn(put_type_when_admitted(client));
    let answer = loop {
        let answer = get(server.port, VERSION).await;
        // The call before it may not have begun.
        if answer.status != 200 {
            break answer;
        }
    };
    assert_problem(&answer, 429, "Too Many Requests");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let_go(holder).await;
    put.await.unwrap().unwrap();
    // The server may still be ending the call whose response has arrived.
    let until_served = async {
        while get(server.port, VERSION).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), until_served)
        .await
        .unwrap();
    server.stop();
}
