//! API tokens over every protocol, and the subject in the history.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pedigree::graph::{Clock, Graph, Retention, Since, WatchQuery};
use pedigree::storage::Database;
use tempfile::TempDir;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use super::{MadeToken, put, with_authorization, write_file};
use crate::binary::Server;
use crate::serving::{Http, framed, http, put_type};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    a_write_has_the_subject_of_its_token,
    a_refused_write_stores_nothing,
}
once! {
    every_protocol_asks_for_credentials,
    health_needs_no_credentials_and_reflection_does,
    anonymous_calls_are_served_where_the_file_says_so,
    neither_an_expired_token_nor_its_digest_lets_anybody_in,
    no_secret_is_logged,
}

const NO_CREDENTIALS: &str = "no valid credentials";

/// A server with a security file, and the token that it knows.
async fn open(backend: Backend) -> (Store, MadeToken) {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::new(folder.path(), "ci");
    let file = write_file(folder.path(), &[&token.entry]);
    let configure = |config: &mut pedigree::config::Config| config.serving.security = Some(file);
    (Store::open_with(backend, configure).await, token)
}

/// The principals of all changes.
pub async fn principals(store: &Store) -> Vec<String> {
    let database = Database::open(store.url(), 4).await.unwrap();
    let graph = Graph::new(database.clone(), Retention::default(), Clock::default());
    let query = WatchQuery {
        since: Since::Beginning,
        ..WatchQuery::default()
    };
    let mut watch = graph.watch(query).await.unwrap();
    let changes = watch.next(Duration::ZERO).await.unwrap().changes;
    database.close().await;
    let principal =
        |entry: pedigree::model::JournalEntry| entry.origin.caller.principal.to_string();
    changes.into_iter().map(principal).collect()
}

async fn a_write_has_the_subject_of_its_token(backend: Backend) {
    let (store, token) = open(backend).await;
    put(store.client(), "Data", &[&token.bearer()])
        .await
        .unwrap();
    assert_eq!(principals(&store).await, ["token:ci"]);
}

fn assert_refused(refused: Result<i64, Status>) {
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    assert_eq!(status.message(), NO_CREDENTIALS);
}

async fn a_refused_write_stores_nothing(backend: Backend) {
    let (store, token) = open(backend).await;
    let bearer = token.bearer();
    let shorter = &bearer[..bearer.len() - 1];
    let changed = format!("{shorter}g");
    for wrong in [
        &[][..],
        &["Bearer a.b.c"],
        &[shorter],
        &[&changed],
        &[&bearer, &bearer],
    ] {
        assert_refused(put(store.client(), "Data", wrong).await);
    }
    assert!(principals(&store).await.is_empty());
}

struct Secured {
    server: Server,
    token: MadeToken,
    _folder: TempDir,
    _database: TestDatabase,
}

/// A process with a security file that begins with `lines`.
fn serve(lines: &str) -> Secured {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::new(folder.path(), "ci");
    let file = write_file(folder.path(), &[lines, &token.entry]);
    let database = TestDatabase::new(Backend::SqliteMemory);
    let arguments = ["--security", file.to_str().unwrap(), "--log-level=trace"];
    Secured {
        server: Server::on(&database, &arguments),
        token,
        _folder: folder,
        _database: database,
    }
}

async fn get_version(port: u16, authorization: &str) -> Http {
    let head = format!("GET /api/pedigree/v1/version HTTP/1.1{authorization}");
    http(port, &head, b"").await
}

async fn put_over_web(port: u16, authorization: &str) -> Http {
    let head = format!(
        "POST /ml_metadata.MetadataStoreService/PutArtifactType HTTP/1.1\r\n\
         Content-Type: application/grpc-web+proto{authorization}"
    );
    http(port, &head, &framed(&put_type("Data"))).await
}

async fn every_protocol_asks_for_credentials() {
    let secured = serve("");
    let port = secured.server.port;
    let text = &secured.token.text;
    let basic = STANDARD.encode(format!("user:{text}"));
    for right in [format!("Bearer {text}"), format!("Basic {basic}")] {
        let client = secured.server.client().await;
        put(client, "Data", &[&right]).await.unwrap();
        let header = format!("\r\nAuthorization: {right}");
        assert_eq!(get_version(port, &header).await.status, 200);
        let answer = put_over_web(port, &header).await;
        assert!(answer.body.ends_with(b"grpc-status:0\r\n"), "{answer:?}");
    }
    for wrong in ["", "\r\nAuthorization: Bearer x"] {
        let answer = get_version(port, wrong).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert!(answer.text().contains(NO_CREDENTIALS), "{answer:?}");
        let answer = put_over_web(port, wrong).await;
        assert_eq!(answer.header("grpc-status"), Some("16"), "{answer:?}");
    }
    // Refusals tell nothing about what exists.
    let unknown = http(port, "GET /unknown HTTP/1.1", b"").await;
    assert_eq!(unknown.status, 401);
    secured.server.stop();
}

async fn health_needs_no_credentials_and_reflection_does() {
    let secured = serve("");
    let channel = secured.server.connect().await;
    let mut health = HealthClient::new(channel.clone());
    health.check(HealthCheckRequest::default()).await.unwrap();
    health.watch(HealthCheckRequest::default()).await.unwrap();
    let mut reflection = ServerReflectionClient::new(channel);
    let mut ask = async |values: &[&str]| {
        let requests = tokio_stream::iter([ServerReflectionRequest::default()]);
        let request = with_authorization(requests, values);
        reflection.server_reflection_info(request).await.map(drop)
    };
    assert_eq!(ask(&[]).await.unwrap_err().code(), Code::Unauthenticated);
    ask(&[&secured.token.bearer()]).await.unwrap();
    secured.server.stop();
}

async fn anonymous_calls_are_served_where_the_file_says_so() {
    let secured = serve("allow_anonymous = true\n");
    let client = secured.server.client().await;
    put(client.clone(), "Data", &[]).await.unwrap();
    assert_refused(put(client, "Data", &["Bearer x"]).await);
    secured.server.stop();
}

async fn neither_an_expired_token_nor_its_digest_lets_anybody_in() {
    let (store, token) = open(Backend::SqliteMemory).await;
    let bearer = token.bearer();
    put(store.client(), "Data", &[&bearer]).await.unwrap();
    // A digest has the form of a secret.
    let entry: toml::Table = token.entry.parse().unwrap();
    let digest = entry["token"][0]["sha256"].as_str().unwrap();
    let (known, secret) = bearer.split_at(bearer.len() - 64);
    assert_eq!(digest.len(), secret.len());
    assert_refused(put(store.client(), "Data", &[&format!("{known}{digest}")]).await);
    store.wait(Duration::from_hours(90 * 24 - 1));
    put(store.client(), "Data", &[&bearer]).await.unwrap();
    store.wait(Duration::from_hours(2));
    assert_refused(put(store.client(), "Data", &[&bearer]).await);
}

async fn no_secret_is_logged() {
    let secured = serve("");
    let client = secured.server.client().await;
    let right = secured.token.bearer();
    put(client.clone(), "Data", &[&right]).await.unwrap();
    let (known, secret) = right.split_at(right.len() - 64);
    let wrong = format!("{known}{}", secret.chars().rev().collect::<String>());
    assert_refused(put(client, "Data", &[&wrong]).await);
    let log = secured.server.process.log();
    assert!(log.contains("principal=\"token:ci\""), "{log}");
    assert!(log.contains("wrong secret for the API token"), "{log}");
    for secret in [secret, &wrong[known.len()..]] {
        assert!(!log.contains(secret), "{log}");
    }
    secured.server.stop();
}
