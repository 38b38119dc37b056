//! How long connections live.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::get;
use super::http2::Http2;
use super::web::{framed, put_type};
use crate::binary::{Process, Server, pedigree_on, with_ulimit};
use crate::process::Unfinished;
use crate::support::{Backend, TestDatabase};

once! {
    idle_ones_are_closed_and_those_with_a_request_are_not,
    idle_ones_are_closed_although_they_are_asked_for_signs_of_life,
    old_ones_are_closed_after_their_last_request,
    silent_ones_are_closed_on_both_ports,
    those_with_a_slow_body_are_closed_on_both_ports,
    those_beyond_the_limits_are_closed_at_once,
    a_limit_of_open_files_lowers_their_number,
    many_small_frames_do_not_end_one,
}

const METHOD: &str = "/ml_metadata.MetadataStoreService/PutArtifactType";

async fn put(client: &Http2) {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = client
        .post(METHOD, &headers, framed(&put_type("Data")))
        .await;
    assert_eq!(answer.header("grpc-status"), Some("0"), "{answer:?}");
}

/// Serves with connections that are closed after a while, while another has a request that is older
/// than theirs. The while is long enough for a call on a busy machine.
async fn closes(arguments: &[&str]) {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, arguments);
    let unfinished = Unfinished::put(&server, "long").await;
    let silent = Http2::to(server.port).await;
    let used = Http2::to(server.port).await;
    put(&used).await;
    silent.closed().await;
    used.closed().await;
    assert_eq!(unfinished.finish().await.unwrap().artifact_ids, [1]);
    // New ones are as welcome as before.
    put(&Http2::to(server.port).await).await;
    server.stop();
}

async fn idle_ones_are_closed_and_those_with_a_request_are_not() {
    closes(&["--max-connection-idle", "3"]).await;
    closes(&["--grpc_channel_arguments=grpc.max_connection_idle_ms=3000"]).await;
}

/// The server asks on an idle connection too whether somebody is there. The answer is no use of it.
async fn idle_ones_are_closed_although_they_are_asked_for_signs_of_life() {
    closes(&["--max-connection-idle", "3", "--keepalive", "1"]).await;
}

async fn old_ones_are_closed_after_their_last_request() {
    closes(&["--max-connection-age", "3"]).await;
    closes(&["--grpc_channel_arguments=grpc.max_connection_age_ms=3000"]).await;
}

async fn dial(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap()
}

/// Waits until the server has closed a connection, on which it may have said something.
async fn until_closed(mut stream: TcpStream) {
    let mut said = Vec::new();
    // A reset closes it as well.
    let _ = stream.read_to_end(&mut said).await;
}

/// One that says nothing, one that stops in the preface of HTTP/2 or after it, and one whose
/// headers never end.
async fn silent_ones_are_closed_on_both_ports() {
    const BEGINNINGS: [&[u8]; 4] = [
        b"",
        b"PRI * HTTP/2.0",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"GET /livez HTTP/1.1\r\n",
    ];
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &["--admin-port", "0"]);
    let began = Instant::now();
    let mut closed = JoinSet::new();
    for port in [server.port, server.admin()] {
        for beginning in BEGINNINGS {
            let mut stream = dial(port).await;
            stream.write_all(beginning).await.unwrap();
            closed.spawn(until_closed(stream));
        }
        // A header each second brings no request.
        let stream = dial(port).await;
        closed.spawn(async move {
            let (mut reading, mut writing) = stream.into_split();
            let slow = async {
                let mut header = writing.write_all(b"GET /livez HTTP/1.1\r\n").await;
                while header.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    header = writing.write_all(b"X-More: 1\r\n").await;
                }
            };
            let closing = async {
                let _ = reading.read_to_end(&mut Vec::new()).await;
            };
            tokio::select! {
                () = slow => {}
                () = closing => {}
            }
        });
    }
    closed.join_all().await;
    assert!(began.elapsed() >= Duration::from_secs(9));
    assert!(began.elapsed() < Duration::from_secs(40));
    assert_eq!(get(server.admin(), "/livez").await.status, 200);
    server.stop();
}

/// Over HTTP/1.1 a connection ends with the request that it could not read to its end.
async fn those_with_a_slow_body_are_closed_on_both_ports() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let arguments = ["--admin-port", "0", "--request-body-timeout", "2s"];
    let server = Server::on(&database, &arguments);
    let mut closed = JoinSet::new();
    for (port, path) in [
        (server.port, METHOD),
        (server.port, "/api/pedigree/v1/version"),
        (server.admin(), "/livez"),
    ] {
        let mut stream = dial(port).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\
             Content-Type: application/grpc-web+proto\r\n\r\nslow"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        closed.spawn(until_closed(stream));
    }
    closed.join_all().await;
    server.stop();
}

async fn those_beyond_the_limits_are_closed_at_once() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let limits = ["--max-connections", "3", "--admin-port", "0"];
    let server = Server::on(&database, &limits);
    // Half of them are for one address.
    let (first, second) = (Http2::to(server.port).await, Http2::to(server.port).await);
    put(&first).await;
    put(&second).await;
    until_closed(dial(server.port).await).await;
    put(&second).await;
    let metrics = get(server.admin(), "/metrics").await.text();
    let counted = "pedigree_connections_refused_total{limit=\"max-connections-per-address\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
    drop(first);
    // The place of one that has ended is free again.
    let answers = async {
        loop {
            let mut stream = dial(server.port).await;
            let request = b"GET /api/pedigree/v1/version HTTP/1.1\r\nHost: localhost\r\n\r\n";
            let mut answer = [0; 12];
            let written = stream.write_all(request).await;
            if written.is_ok() && stream.read_exact(&mut answer).await.is_ok() {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_mins(1), answers).await;
    assert_eq!(&answer.unwrap(), b"HTTP/1.1 200");
    server.stop();
}

async fn a_limit_of_open_files_lowers_their_number() {
    let database = TestDatabase::new(Backend::SqliteFile);
    for (requested, lowered) in [("76", true), ("75", false)] {
        let command = pedigree_on(&database, &["--max-connections", requested]);
        let server = Server::wait(Process::start(with_ulimit(&command, "-n 100")));
        let log = server.process.log();
        let line = "`ulimit -n` lowers --max-connections requested=76 max=75\n";
        assert_eq!(log.contains(line), lowered, "{log}");
        server.stop();
    }
}

/// The frames of a message of one byte each, which wait until the call before has been stored.
async fn many_small_frames_do_not_end_one() {
    const FRAMES: usize = 20_000;
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &[]);
    let client = Http2::to(server.port).await;
    let name = "d".repeat(FRAMES);
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = client
        .post_in_frames(METHOD, &headers, framed(&put_type(&name)))
        .await;
    assert_eq!(answer.header("grpc-status"), Some("0"), "{answer:?}");
    server.stop();
}
