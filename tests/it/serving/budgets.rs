//! One client never takes what all need: places, streams, memory.

use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::{WatchRequest, WatchResponse};
use prost::bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, interval};
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::Http;
use super::http2::Http2;
use crate::binary::{Process, Server, pedigree_on, with_memory_limit};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    requests_that_have_not_arrived_take_no_place,
    streams_have_places_of_their_own,
    decoding_takes_no_more_than_the_budget,
    uploads_take_no_more_than_the_budget,
    requests_that_are_no_message_are_refused,
    requests_that_stand_still_or_drip_are_ended,
    responses_that_nobody_reads_keep_no_place,
    a_server_within_a_limit_of_memory_outlives_all_attacks_at_once,
}

const PUT: &str = "/ml_metadata.MetadataStoreService/PutArtifacts";
const RECORD: &str = "/pedigree.lineage.v1.LineageService/Record";
const GRPC: [(&str, &str); 2] = [("content-type", "application/grpc"), ("te", "trailers")];

/// A message with its prefix, which may promise more.
fn prefixed(length: usize, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

/// A request of empty messages, two bytes each.
fn empty_messages(field: u8, count: usize) -> Vec<u8> {
    [field << 3 | 2, 0].repeat(count)
}

fn assert_refused(answer: &Http, code: Code, pushback: Option<&str>) {
    let expected = (code as i32).to_string();
    let status = answer.header("grpc-status");
    assert_eq!(status, Some(expected.as_str()), "{answer:?}");
    let given = answer.header("grpc-retry-pushback-ms");
    assert_eq!(given, pushback, "{answer:?}");
}

/// A request of another client, which is answered at once.
async fn is_served(server: &Server) {
    let client = server.client().await;
    let list = Artifact::list(None).ask(client);
    let answer = tokio::time::timeout(Duration::from_secs(10), list).await;
    answer.unwrap().unwrap();
}

async fn requests_that_have_not_arrived_take_no_place() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let arguments = ["--max-requests", "2", "--request-body-timeout", "2s"];
    let server = Server::on(&database, &arguments);
    let mut halves = Vec::new();
    for _ in 0..4 {
        let client = Http2::to(server.port).await;
        for _ in 0..10 {
            let half = client.begin(PUT, &GRPC, prefixed(10, b"")).await;
            halves.push(half);
        }
    }
    for _ in 0..10 {
        is_served(&server).await;
    }
    for half in halves {
        let answer = half.answer().await;
        assert_refused(&answer, Code::DeadlineExceeded, None);
    }
    server.stop();
}

async fn watch(channel: &Channel) -> Result<Streaming<WatchResponse>, Status> {
    let mut client = LineageServiceClient::new(channel.clone());
    let watching = client.watch(WatchRequest::default()).await;
    watching.map(tonic::Response::into_inner)
}

async fn streams_have_places_of_their_own() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let arguments = ["--max-requests", "1", "--max-streams", "4"];
    let server = Server::on(&database, &arguments);
    let [first, second, third] = [
        server.connect().await,
        server.connect().await,
        server.connect().await,
    ];
    let mut open = Vec::new();
    for channel in [&first, &first, &second] {
        open.push(watch(channel).await.unwrap());
    }
    let refused = watch(&first).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(
        refused.message().contains("on this connection"),
        "{refused:?}"
    );
    open.push(watch(&third).await.unwrap());
    let refused = watch(&third).await.unwrap_err();
    assert_eq!(refused.message(), "too many streams at once; try again");
    let pushback = refused.metadata().get("grpc-retry-pushback-ms");
    assert_eq!(pushback.unwrap(), "1000");
    for _ in 0..10 {
        is_served(&server).await;
    }
    drop(open);
    while watch(&third).await.is_err() {
        tokio::task::yield_now().await;
    }
    server.stop();
}

/// Two bytes on the wire are an artifact in memory.
async fn decoding_takes_no_more_than_the_budget() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &["--request-memory", "32MiB"]);
    is_served(&server).await;
    let before = server.process.memory("VmHWM");
    let client = Http2::to(server.port).await;
    let types = "/ml_metadata.MetadataStoreService/PutTypes";
    let nodes = empty_messages(1, 90_000);
    // A message of Record with all of them as its field 14.
    let message = [&[0x72, 0xa0, 0xfe, 0x0a][..], &nodes].concat();
    for (path, request) in [
        (PUT, nodes),
        (RECORD, message),
        (PUT, empty_messages(1, 3_000_000)),
        (types, empty_messages(1, 4_000_000)),
        (PUT, empty_messages(1, 400_000)),
    ] {
        let body = prefixed(request.len(), &request);
        let answer = client.post(path, &GRPC, body).await;
        assert_refused(&answer, Code::InvalidArgument, None);
    }
    let grown = server.process.memory("VmHWM") - before;
    assert!(grown < 64 << 20, "{grown}");
    is_served(&server).await;
    server.stop();
}

async fn uploads_take_no_more_than_the_budget() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &["--request-memory", "32MiB"]);
    is_served(&server).await;
    let before = server.process.memory("VmHWM");
    let mut uploads = JoinSet::new();
    let mut held = Vec::new();
    let body = Bytes::from(prefixed(4 << 20, &vec![0; 1 << 20]));
    for _ in 0..40 {
        let client = Http2::to(server.port).await;
        let upload = client.begin(PUT, &GRPC, body.clone()).await;
        held.push(client);
        uploads.spawn(upload.answer());
    }
    // The budget has room for some of them; the others are refused and may come again.
    for _ in 0..25 {
        let answer = uploads.join_next().await.unwrap().unwrap();
        assert_refused(&answer, Code::ResourceExhausted, Some("1000"));
        is_served(&server).await;
    }
    let grown = server.process.memory("VmHWM") - before;
    assert!(grown < 128 << 20, "{grown}");
    let large = prefixed(33 << 20, b"");
    let answer = held[0].post(PUT, &GRPC, large).await;
    assert_refused(&answer, Code::OutOfRange, None);
    server.stop();
}

/// What a client gets wrong is its mistake, and no fault of the server.
async fn requests_that_are_no_message_are_refused() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    let client = Http2::to(server.port).await;
    let compressed = [&[1][..], &prefixed(2, &[0x0a, 0])[1..]].concat();
    let twice = prefixed(0, b"").repeat(2);
    let not_utf8 = prefixed(3, &[0x0a, 1, 0xff]);
    for (path, body, text) in [
        (PUT, Vec::new(), "no message"),
        (PUT, vec![0, 0], "within a message"),
        (PUT, prefixed(3, &[0x0a]), "within a message"),
        (PUT, compressed.clone(), "compressed"),
        (PUT, twice, "more than one message"),
        (PUT, prefixed(2, &[0x0a, 5]), "decode"),
        (RECORD, prefixed(3, &[0x0a]), "within a message"),
        (RECORD, compressed, "compressed"),
        (RECORD, not_utf8, "decode"),
    ] {
        let answer = client.post(path, &GRPC, body).await;
        assert_refused(&answer, Code::InvalidArgument, None);
        let message = answer.header("grpc-message").unwrap();
        let message = message.replace("%20", " ");
        assert!(message.contains(text), "{text}: {answer:?}");
    }
    is_served(&server).await;
    server.stop();
}

/// Beginnings of messages of which the rest never comes, or byte by byte. A stream may be silent
/// before a message.
async fn requests_that_stand_still_or_drip_are_ended() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &["--request-body-timeout", "2s"]);
    let client = Http2::to(server.port).await;
    let mut silent = client.begin(RECORD, &GRPC, Bytes::new()).await;
    for path in [PUT, RECORD] {
        let half = client.begin(path, &GRPC, prefixed(10, &[0x0a])).await;
        let answer = half.answer().await;
        assert_refused(&answer, Code::DeadlineExceeded, None);

        let mut drip = client.begin(path, &GRPC, prefixed(1 << 20, b"")).await;
        let mut ticks = interval(Duration::from_millis(100));
        // The server resets the request with its answer.
        while drip.send(vec![0]).is_ok() {
            ticks.tick().await;
        }
        let answer = drip.answer().await;
        assert_refused(&answer, Code::DeadlineExceeded, None);
    }
    silent.send(prefixed(3, &[0x0a, 1, 0xff])).unwrap();
    let answer = silent.answer().await;
    assert_refused(&answer, Code::InvalidArgument, None);
    server.stop();
}

/// Clients that read the heads of responses alone lose their connection.
async fn responses_that_nobody_reads_keep_no_place() {
    const TYPES: &str = "/ml_metadata.MetadataStoreService/GetArtifactTypes";
    let database = TestDatabase::new(Backend::SqliteFile);
    let limits = ["--max-requests", "2", "--max-streams", "2"];
    let timeouts = [
        "--request-body-timeout",
        "2s",
        "--slow-reader-timeout",
        "1s",
    ];
    let server = Server::on(&database, &[limits, timeouts].concat());
    let unread = Http2::for_heads(server.port).await;
    let mut responses = Vec::new();
    for _ in 0..4 {
        responses.push(unread.send(TYPES, &GRPC, prefixed(0, b"")).await);
    }
    let client = server.client().await;
    let list = || Artifact::list(None).ask(client.clone());
    let refused = list().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    unread.closed().await;
    while let Err(refused) = list().await {
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    }
    server.stop();
}

/// Costly requests, one after the other: each is refused, or answered.
async fn decode_much(port: u16) {
    const SERVICE: &str = "/ml_metadata.MetadataStoreService";
    let client = Http2::to(port).await;
    // The largest requests that the limits of items let pass, and larger ones.
    for (method, request) in [
        ("PutArtifacts", empty_messages(1, 99_000)),
        ("PutArtifacts", empty_messages(1, 3_000_000)),
        ("PutTypes", empty_messages(1, 4_000_000)),
        ("PutEvents", empty_messages(1, 900_000)),
        ("PutLineageSubgraph", empty_messages(1, 99_000)),
        ("GetArtifactsByURI", empty_messages(2, 900_000)),
    ] {
        let path = format!("{SERVICE}/{method}");
        let body = prefixed(request.len(), &request);
        let answer = client.post(&path, &GRPC, body).await;
        let status = answer.header("grpc-status").unwrap().parse().unwrap();
        let expected = [Code::Ok, Code::InvalidArgument, Code::ResourceExhausted];
        assert!(expected.contains(&Code::from_i32(status)), "{answer:?}");
    }
}

async fn a_server_within_a_limit_of_memory_outlives_all_attacks_at_once() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let command = with_memory_limit(&pedigree_on(&database, &[]));
    let server = Server::wait(Process::start(command));
    let client = server.client().await;
    let put_type = Artifact::put_type("Data", &[]).ask(client.clone());
    let type_id = put_type.await.unwrap();

    let mut attackers = Vec::new();
    let mut held = Vec::new();
    let mut watching = Vec::new();
    let upload = Bytes::from(prefixed(30 << 20, &vec![0; 20 << 20]));
    for _ in 0..12 {
        let attacker = Http2::to(server.port).await;
        for _ in 0..100 {
            held.push(attacker.begin(PUT, &GRPC, prefixed(10, b"")).await);
        }
        for _ in 0..4 {
            held.push(attacker.begin(PUT, &GRPC, upload.clone()).await);
        }
        attackers.push(attacker);
        let channel = server.connect().await;
        for _ in 0..100 {
            watching.extend(watch(&channel).await.ok());
        }
    }
    let mut decoding = JoinSet::new();
    for _ in 0..4 {
        decoding.spawn(decode_much(server.port));
    }
    let mut latencies = Vec::new();
    while !decoding.is_empty() {
        let node = Artifact::new(type_id, &format!("{}", latencies.len()));
        let put = Artifact::put(vec![node]).ask(client.clone());
        let sent = Instant::now();
        let answer = tokio::time::timeout(Duration::from_mins(1), put).await;
        answer.unwrap().unwrap();
        latencies.push(sent.elapsed());
        while let Some(ended) = decoding.try_join_next() {
            ended.unwrap();
        }
    }
    assert_eq!(watching.len(), 1024);
    let stored = Artifact::list(None).ask(client).await.unwrap().nodes;
    assert_eq!(stored.len(), latencies.len());
    latencies.sort_unstable();
    let p99 = latencies[latencies.len() * 99 / 100];
    println!("{} writes under attack, p99 {p99:?}", latencies.len());
    drop((attackers, held, watching));
    is_served(&server).await;
    server.stop();
}
