//! Limits of one caller: it is refused beyond them, and others are not.

use std::path::Path;
use std::time::Duration;

use pb::GetArtifactTypesRequest;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::{WatchRequest, WatchResponse};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::{MadeToken, put, with_authorization, write_file};
use crate::binary::Server;
use crate::serving::{framed, get, http, put_type};
use crate::streams::{Recording, message};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

once! {
    requests_at_once_are_limited_for_each_caller,
    streams_are_limited_for_each_caller,
    rates_are_limited_for_each_caller,
    written_bytes_are_limited_for_each_caller,
    limits_change_with_the_file_and_are_counted_only_in_mode_observe,
    written_bytes_are_counted_only_in_mode_observe,
    idle_streams_of_one_caller_keep_nobody_out,
}

/// A server whose file limits the first of two tokens.
struct Limited {
    server: Server,
    batch: MadeToken,
    other: MadeToken,
    folder: TempDir,
    _database: TestDatabase,
}

fn write(folder: &Path, tokens: [&MadeToken; 2], lines: &str, limits: &str) {
    let rule = if limits.is_empty() {
        String::new()
    } else {
        format!("[[limit]]\nsubjects = [\"token:batch\"]\n{limits}\n")
    };
    let [batch, other] = tokens;
    write_file(folder, &[lines, &batch.entry, &other.entry, &rule]);
}

impl Limited {
    fn serve(limits: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let [batch, other] = ["batch", "other"].map(|name| MadeToken::new(folder.path(), name));
        write(folder.path(), [&batch, &other], "", limits);
        let file = folder.path().join(super::FILE);
        let database = TestDatabase::new(Backend::SqliteMemory);
        let arguments = ["--security", file.to_str().unwrap(), "--admin-port=0"];
        Self {
            server: Server::on(&database, &arguments),
            batch,
            other,
            folder,
            _database: database,
        }
    }

    fn change(&self, lines: &str, limits: &str) {
        let tokens = [&self.batch, &self.other];
        write(self.folder.path(), tokens, lines, limits);
    }

    async fn put(&self, token: &MadeToken) -> Result<i64, Status> {
        let client = self.server.client().await;
        put(client, "Data", &[&token.bearer()]).await
    }

    /// The first refusal of a call that is made again and again.
    async fn refused(&self, token: &MadeToken) -> Status {
        loop {
            if let Err(status) = self.put(token).await {
                return status;
            }
        }
    }

    /// Ready when a call is served, after refusals.
    async fn served(&self, token: &MadeToken) {
        while let Err(status) = self.put(token).await {
            assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        }
    }
}

fn assert_limited(status: &Status, limit: &str) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let text = format!("the limit {limit} of the caller is reached; try again later");
    assert_eq!(status.message(), text);
}

/// When to try again, in milliseconds.
fn pushback(status: &Status) -> u64 {
    let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap();
    pushback.to_str().unwrap().parse().unwrap()
}

async fn requests_at_once_are_limited_for_each_caller() {
    let limited = Limited::serve("requests = 1");
    let port = limited.server.port;
    let bearer = limited.batch.bearer();
    // One whose body does not arrive.
    let mut half = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!(
        "POST /api/v1/lineage HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nAuthorization: {bearer}\r\nContent-Length: 2\r\n\r\n{{"
    );
    half.write_all(head.as_bytes()).await.unwrap();
    let status = limited.refused(&limited.batch).await;
    assert_limited(&status, "requests");
    assert_eq!(pushback(&status), 1000);
    let head = format!("GET /api/pedigree/v1/version HTTP/1.1\r\nAuthorization: {bearer}");
    let answer = http(port, &head, b"").await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let head = format!(
        "POST /ml_metadata.MetadataStoreService/PutArtifactType HTTP/1.1\r\n\
         Content-Type: application/grpc-web+proto\r\nAuthorization: {bearer}"
    );
    let answer = http(port, &head, &framed(&put_type("Data"))).await;
    assert_eq!(answer.header("grpc-status"), Some("8"), "{answer:?}");
    for _ in 0..10 {
        limited.put(&limited.other).await.unwrap();
    }
    half.write_all(b"}").await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    limited.served(&limited.batch).await;
    limited.server.stop();
}

async fn watch(channel: Channel, token: &MadeToken) -> Result<Streaming<WatchResponse>, Status> {
    let mut client = LineageServiceClient::new(channel);
    let request = with_authorization(WatchRequest::default(), &[&token.bearer()]);
    Ok(client.watch(request).await?.into_inner())
}

async fn streams_are_limited_for_each_caller() {
    let limited = Limited::serve("streams = 2");
    let channel = limited.server.connect().await;
    let first = watch(channel.clone(), &limited.batch).await.unwrap();
    let _second = watch(channel.clone(), &limited.batch).await.unwrap();
    let refused = watch(channel.clone(), &limited.batch).await.unwrap_err();
    assert_limited(&refused, "streams");
    let _other = watch(channel.clone(), &limited.other).await.unwrap();
    // Requests are counted apart.
    limited.put(&limited.batch).await.unwrap();
    drop(first);
    while watch(channel.clone(), &limited.batch).await.is_err() {}
    limited.server.stop();
}

async fn rates_are_limited_for_each_caller() {
    let limited = Limited::serve("requests_per_second = 1");
    let status = limited.refused(&limited.batch).await;
    assert_limited(&status, "requests_per_second");
    let delay = pushback(&status);
    assert!((1..=1000).contains(&delay), "{delay}");
    for _ in 0..20 {
        limited.put(&limited.other).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(delay)).await;
    limited.served(&limited.batch).await;
    limited.server.stop();
}

async fn read(client: &Client, token: &MadeToken) -> Result<(), Status> {
    let request = with_authorization(GetArtifactTypesRequest::default(), &[&token.bearer()]);
    client.clone().get_artifact_types(request).await.map(drop)
}

async fn written_bytes_are_limited_for_each_caller() {
    let limited = Limited::serve("written_bytes_per_hour = \"64KiB\"");
    let client = limited.server.client().await;
    let bearer = limited.batch.bearer();
    // Such a request would never be taken.
    let huge = put(client.clone(), &"x".repeat(100_000), &[&bearer]).await;
    assert_eq!(huge.unwrap_err().code(), Code::InvalidArgument);
    let stored = put(client.clone(), &"x".repeat(50), &[&bearer]).await;
    stored.unwrap();

    // A stream ends, and what it had said before is stored.
    let channel = limited.server.connect().await;
    let mut record = LineageServiceClient::new(channel);
    let messages = (0..100).map(|number| {
        let name = format!("{number}{}", "x".repeat(2000));
        message(
            &number.to_string(),
            Change::PutArtifactType(put_type(&name)),
        )
    });
    let messages = tokio_stream::iter(messages.collect::<Vec<_>>());
    let request = with_authorization(messages, &[&bearer]);
    let mut responses = record.record(request).await.unwrap().into_inner();
    let mut stored = 0;
    let ended = loop {
        match responses.message().await {
            Ok(response) => assert_eq!(response.unwrap().refused, None),
            Err(status) => break status,
        }
        stored += 1;
    };
    assert_limited(&ended, "written_bytes_per_hour");
    assert!((1..100).contains(&stored), "{stored}");

    let refused = limited.refused(&limited.batch).await;
    assert_limited(&refused, "written_bytes_per_hour");
    let body = vec![b' '; 4096];
    let head = format!(
        "POST /api/v1/lineage HTTP/1.1\r\nContent-Type: application/json\r\n\
         Authorization: {bearer}"
    );
    let answer = http(limited.server.port, &head, &body).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    let delay: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&delay), "{delay}");
    read(&client, &limited.batch).await.unwrap();
    limited.put(&limited.other).await.unwrap();

    let metrics = get(limited.server.admin(), "/metrics").await.text();
    let counted = "pedigree_limit_refusals_total{limit=\"written_bytes_per_hour\"} ";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(!metrics.contains("batch"), "{metrics}");
    limited.server.stop();
}

async fn limits_change_with_the_file_and_are_counted_only_in_mode_observe() {
    let limited = Limited::serve("requests_per_second = 1");
    limited.refused(&limited.batch).await;
    limited.change("", "requests_per_second = 1000000");
    let process = &limited.server.process;
    process.wait_for_log("is in force");
    for _ in 0..20 {
        limited.put(&limited.batch).await.unwrap();
    }
    limited.change("mode = \"observe\"\n", "requests_per_second = 1");
    let counted = "reason=\"limited\"";
    loop {
        // It is refused until the file is in force.
        let _ = limited.put(&limited.batch).await;
        let metrics = get(limited.server.admin(), "/metrics").await.text();
        if metrics.contains(counted) {
            break;
        }
    }
    for _ in 0..20 {
        limited.put(&limited.batch).await.unwrap();
    }
    limited.server.stop();
}

async fn written_bytes_are_counted_only_in_mode_observe() {
    let limited = Limited::serve("");
    limited.change("mode = \"observe\"\n", "written_bytes_per_hour = \"4KiB\"");
    limited.server.process.wait_for_log("is in force");
    let (client, bearer) = (limited.server.client().await, limited.batch.bearer());
    for length in [10, 3000, 3000, 8000] {
        let stored = put(client.clone(), &"x".repeat(length), &[&bearer]).await;
        stored.unwrap();
    }
    // A stream would end at its first message, and is counted once.
    let channel = limited.server.connect().await;
    let mut recording = Recording::start_as(channel, &[&bearer]).await;
    let messages = ["1", "2", "3"].map(|id| {
        let name = format!("{id}{}", "x".repeat(3000));
        message(id, Change::PutArtifactType(put_type(&name)))
    });
    let answers = recording.say(messages.into()).await;
    assert!(answers.iter().all(|it| it.refused.is_none()), "{answers:?}");
    let head = format!(
        "POST /api/v1/lineage HTTP/1.1\r\nContent-Type: application/json\r\n\
         Authorization: {bearer}"
    );
    let answer = http(limited.server.port, &head, &vec![b' '; 4096]).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    limited.put(&limited.other).await.unwrap();
    let metrics = get(limited.server.admin(), "/metrics").await.text();
    for (method, count) in [
        ("/ml_metadata.MetadataStoreService/PutArtifactType", 2),
        ("/pedigree.lineage.v1.LineageService/Record", 1),
        ("/api/v1/lineage", 1),
    ] {
        let counted = format!(
            "pedigree_authz_would_refuse_total{{method=\"{method}\",reason=\"limited\"}} {count}\n"
        );
        assert!(metrics.contains(&counted), "no {counted} in {metrics}");
    }
    limited.server.stop();
}

/// A caller has a quarter of the streams where the file says nothing.
async fn idle_streams_of_one_caller_keep_nobody_out() {
    const TRIED: usize = 1100;
    let limited = Limited::serve("");
    let mut open = Vec::new();
    let mut refused = 0;
    for number in 0..TRIED {
        let channel = match open.last() {
            Some((channel, _)) if number % 100 != 0 => Channel::clone(channel),
            _ => limited.server.connect().await,
        };
        match watch(channel.clone(), &limited.batch).await {
            Ok(stream) => open.push((channel, stream)),
            Err(status) => {
                assert_limited(&status, "streams");
                refused += 1;
            }
        }
    }
    assert_eq!((open.len(), refused), (256, TRIED - 256));
    let channel = limited.server.connect().await;
    let mut watched = watch(channel, &limited.other).await.unwrap();
    watched.message().await.unwrap().unwrap();
    limited.put(&limited.other).await.unwrap();
    limited.server.stop();
}
