//! One caller attacks with all it has, and another one is served all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pb::{GetArtifactsByIdRequest, GetArtifactsRequest, PutArtifactsRequest};
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::{WatchRequest, WatchResponse};
use prost::bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout};
use tonic::Streaming;
use tonic::transport::Channel;

use super::{FILE, MadeToken, put, with_authorization, write_file};
use crate::binary::{Process, Server, pedigree_on, with_memory_limit};
use crate::python::sized;
use crate::serving::{Http2, get};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

on_every_database! {
    one_caller_attacks_and_another_is_served,
}

const PUT: &str = "/ml_metadata.MetadataStoreService/PutArtifacts";

/// How long the attack goes on at least.
const ATTACK_TIME: Duration = Duration::from_secs(5);

/// How long a call may take while the machine has much to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// Calls of the attacker.
struct Attacker {
    server: Server,
    bearer: String,
    other: String,
    is_over: Arc<AtomicBool>,
}

/// A message with its prefix, which may promise more.
fn prefixed(length: usize, message: &[u8]) -> Bytes {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat().into()
}

/// What an attacker holds.
#[expect(dead_code, reason = "it is held and not used")]
struct Held {
    halves: Vec<(Http2, Vec<crate::serving::Begun>)>,
    watching: Vec<(Channel, Streaming<WatchResponse>)>,
}

impl Attacker {
    fn headers(&self) -> [(&str, &str); 3] {
        [
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("authorization", &self.bearer),
        ]
    }

    /// Half-sent calls, half uploads, and streams that nobody reads.
    async fn hold(&self) -> Held {
        let (half, upload) = (
            prefixed(10, b""),
            prefixed(30 << 20, &vec![0; sized(4 << 20, 20 << 20)]),
        );
        // Those of a caller have 256 places.
        let (calls, uploads) = (sized(200, 1100), sized(8, 40));
        let mut halves = Vec::new();
        for number in 0..calls + uploads {
            if number % 100 == 0 {
                halves.push((Http2::to(self.server.port).await, Vec::new()));
            }
            let body = if number < calls { &half } else { &upload };
            let (connection, begun) = halves.last_mut().unwrap();
            begun.push(connection.begin(PUT, &self.headers(), body.clone()).await);
        }
        let mut watching = Vec::new();
        let mut channel = self.server.connect().await;
        for number in 1..=sized(300, 1100) {
            if number % 100 == 0 {
                channel = self.server.connect().await;
            }
            let mut client = LineageServiceClient::new(channel.clone());
            let request = with_authorization(WatchRequest::default(), &[&self.bearer]);
            if let Ok(stream) = client.watch(request).await {
                watching.push((channel.clone(), stream.into_inner()));
            }
        }
        Held { halves, watching }
    }

    /// Requests that are much larger in memory than on the wire, again and again.
    async fn decode_much(&self) {
        let client = Http2::to(self.server.port).await;
        while !self.is_over.load(Ordering::Relaxed) {
            for (method, field, count) in [
                ("PutArtifacts", 1_u8, 99_000),
                ("PutTypes", 1, 4_000_000),
                ("PutEvents", 1, 900_000),
                ("GetArtifactsByURI", 2, 900_000),
            ] {
                let path = format!("/ml_metadata.MetadataStoreService/{method}");
                let message = [field << 3 | 2, 0].repeat(count);
                let body = prefixed(message.len(), &message);
                client.post(&path, &self.headers(), body.into()).await;
            }
        }
    }

    /// Costly filters, and values that could spoil a list.
    async fn filter_much(&self, type_id: i64) {
        let mut client = self.server.client().await;
        let named = |name: &str, value: &str| {
            Artifact {
                type_id: Some(type_id),
                ..Artifact::default()
            }
            .with_custom(name, text(value))
        };
        let long = named("long", &"a".repeat(4 << 20));
        for artifact in [long, named("spoiled", "mlmd-struct::!!!")] {
            let request = PutArtifactsRequest {
                artifacts: vec![artifact],
                ..PutArtifactsRequest::default()
            };
            // It may be refused while there are too many.
            let request = with_authorization(request, &[&self.bearer]);
            let _ = client.put_artifacts(request).await;
        }
        let contexts = (0..12).map(|number| format!("contexts_{number}.id > 0"));
        let product = contexts.collect::<Vec<_>>().join(" AND ");
        let search = "custom_properties.long.string_value LIKE '%a%a%a%a%a%a%a%ab'".to_owned();
        while !self.is_over.load(Ordering::Relaxed) {
            for filter in [&product, &search] {
                let request = GetArtifactsRequest {
                    options: Some(matching(filter)),
                    ..GetArtifactsRequest::default()
                };
                let request = with_authorization(request, &[&self.bearer]);
                let _ = timeout(Duration::from_secs(2), client.get_artifacts(request)).await;
            }
        }
    }
}

/// A write and a read of what it stored, by the other caller.
async fn put_and_get(client: &mut Client, bearer: &str, type_id: i64) -> i64 {
    let artifact = Artifact {
        type_id: Some(type_id),
        ..Artifact::default()
    };
    let request = PutArtifactsRequest {
        artifacts: vec![artifact],
        ..PutArtifactsRequest::default()
    };
    let stored = client.put_artifacts(with_authorization(request, &[bearer]));
    let ids = stored.await.unwrap().into_inner().artifact_ids;
    let request = GetArtifactsByIdRequest {
        artifact_ids: ids.clone(),
        ..GetArtifactsByIdRequest::default()
    };
    let found = client.get_artifacts_by_id(with_authorization(request, &[bearer]));
    assert_eq!(found.await.unwrap().into_inner().artifacts.len(), 1);
    ids[0]
}

async fn one_caller_attacks_and_another_is_served(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let [attacker, other] = ["attacker", "other"].map(|name| MadeToken::new(folder.path(), name));
    let file = write_file(folder.path(), &[&attacker.entry, &other.entry]);
    assert!(file.ends_with(FILE));
    let database = TestDatabase::new(backend);
    let arguments = ["--security", file.to_str().unwrap(), "--admin-port=0"];
    let command = with_memory_limit(&pedigree_on(&database, &arguments));
    let attacker = Arc::new(Attacker {
        server: Server::wait(Process::start(command)),
        bearer: attacker.bearer(),
        other: other.bearer(),
        is_over: Arc::default(),
    });
    let server = &attacker.server;
    let client = server.client().await;
    let mut client = client.max_decoding_message_size(usize::MAX);
    let type_id = put(client.clone(), "Data", &[&attacker.other]).await;
    let type_id = type_id.unwrap();

    let held = attacker.hold().await;
    assert!(held.watching.len() <= 256, "{}", held.watching.len());
    let mut attacks = JoinSet::new();
    for _ in 0..2 {
        let own = attacker.clone();
        attacks.spawn(async move { own.decode_much().await });
    }
    for _ in 0..sized(2, 8) {
        let own = attacker.clone();
        attacks.spawn(async move { own.filter_much(type_id).await });
    }
    let began = Instant::now();
    let (mut latencies, mut ids) = (Vec::new(), Vec::new());
    while began.elapsed() < ATTACK_TIME || latencies.len() < 100 {
        let sent = Instant::now();
        let done = put_and_get(&mut client, &attacker.other, type_id);
        ids.push(timeout(PATIENCE, done).await.unwrap());
        latencies.push(sent.elapsed());
        if latencies.len() % 20 == 0 {
            assert_eq!(get(server.admin(), "/readyz").await.status, 200);
        }
    }
    attacker.is_over.store(true, Ordering::Relaxed);
    attacks.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), latencies.len());
    latencies.sort_unstable();
    let p99 = latencies[latencies.len() * 99 / 100];
    println!("{} writes and reads under attack, p99 {p99:?}", ids.len());
    let bound = sized(Duration::from_secs(10), Duration::from_millis(100));
    assert!(p99 <= bound, "{p99:?}");
    drop(held);
    // What the attacker stored spoils no list.
    let request = with_authorization(GetArtifactsRequest::default(), &[&attacker.other]);
    let listed = client.get_artifacts(request).await.unwrap().into_inner();
    assert!(listed.artifacts.len() >= ids.len());
}
