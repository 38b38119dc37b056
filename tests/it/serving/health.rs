//! `grpc.health.v1`, and a server whose database comes late or goes away.

use std::time::Duration;

use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{TcpProxy, get};
use crate::binary::{Process, Server, pedigree_on};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once!(every_service_has_its_health);
on_every_server!(
    health_follows_the_database,
    requests_wait_for_the_database_to_be_opened,
);

const SERVICE: &str = "ml_metadata.MetadataStoreService";

/// How long the health may lag behind the database.
const LAG: Duration = Duration::from_secs(10);

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

async fn status(server: &Server, service: &str) -> Result<ServingStatus, Code> {
    let mut client = HealthClient::new(server.connect().await);
    let answer = client.check(of(service)).await;
    answer
        .map(|answer| answer.into_inner().status())
        .map_err(|status| status.code())
}

async fn every_service_has_its_health() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    assert_eq!(status(&server, "").await, Ok(ServingStatus::Serving));
    assert_eq!(status(&server, SERVICE).await, Ok(ServingStatus::Serving));
    assert_eq!(status(&server, "none").await, Err(Code::NotFound));
    server.stop();
}

async fn next(changes: &mut tonic::Streaming<HealthCheckResponse>) -> ServingStatus {
    let next = tokio::time::timeout(LAG, changes.next()).await.unwrap();
    next.unwrap().unwrap().status()
}

/// The database is away at first, comes, goes, and comes again. The server is never restarted.
async fn health_follows_the_database(backend: Backend) {
    let mut database = TestDatabase::new(backend);
    let mut proxy = TcpProxy::to(database.port()).await;
    database.go_through(proxy.port);
    let arguments = [
        ["--admin-port", "0"],
        ["--startup-wait", "0"],
        ["--database-acquire-timeout", "1s"],
    ];
    let server = Server::early(Process::start(pedigree_on(
        &database,
        arguments.as_flattened(),
    )));
    let client = server.client().await;
    let put_type = || Artifact::put_type("Data", &[]).ask(client.clone());

    assert_eq!(
        status(&server, SERVICE).await,
        Ok(ServingStatus::NotServing)
    );
    for _ in 0..3 {
        let refused = put_type().await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(refused.message(), "the database is not open yet");
    }
    // The log has one line for all of them.
    let log = server.process.log();
    assert_eq!(log.matches("request failed").count(), 1, "{log}");
    assert_eq!(get(server.admin(), "/livez").await.status, 200);
    assert_eq!(get(server.admin(), "/readyz").await.status, 503);

    let mut health = HealthClient::new(server.connect().await);
    let mut changes = health.watch(of(SERVICE)).await.unwrap().into_inner();
    assert_eq!(next(&mut changes).await, ServingStatus::NotServing);
    for _ in 0..2 {
        proxy.open().await;
        assert_eq!(next(&mut changes).await, ServingStatus::Serving);
        assert_eq!(get(server.admin(), "/readyz").await.status, 200);
        put_type().await.unwrap();

        proxy.close().await;
        assert_eq!(next(&mut changes).await, ServingStatus::NotServing);
        assert_eq!(get(server.admin(), "/readyz").await.status, 503);
        assert_eq!(get(server.admin(), "/livez").await.status, 200);
        assert_eq!(put_type().await.unwrap_err().code(), Code::Unavailable);
    }
    server.stop();
}

/// A test harness calls once the port listens.
async fn requests_wait_for_the_database_to_be_opened(backend: Backend) {
    let mut database = TestDatabase::new(backend);
    let mut proxy = TcpProxy::to(database.port()).await;
    database.go_through(proxy.port);
    let server = Server::early(Process::start(pedigree_on(
        &database,
        &["--admin-port", "0"],
    )));
    let client = server.client().await;
    let hasty = client
        .clone()
        .get_artifact_types(with_deadline(Duration::from_millis(300)))
        .await;
    let code = hasty.unwrap_err().code();
    assert!(
        matches!(code, Code::DeadlineExceeded | Code::Cancelled),
        "{code:?}"
    );
    let waiting = tokio::spawn(Artifact::put_type("Data", &[]).ask(client));
    while !get(server.admin(), "/metrics")
        .await
        .text()
        .contains("pedigree_rpc_in_flight 1\n")
    {
        tokio::task::yield_now().await;
    }
    proxy.open().await;
    waiting.await.unwrap().unwrap();
    server.stop();
}

fn with_deadline(limit: Duration) -> tonic::Request<pb::GetArtifactTypesRequest> {
    let mut request = tonic::Request::new(pb::GetArtifactTypesRequest::default());
    request.set_timeout(limit);
    request
}
