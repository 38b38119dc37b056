//! How long connections live.

use super::http2::Http2;
use super::web::{framed, put_type};
use crate::binary::Server;
use crate::process::Unfinished;
use crate::support::{Backend, TestDatabase};

once! {
    idle_ones_are_closed_and_those_with_a_request_are_not,
    idle_ones_are_closed_although_they_are_asked_for_signs_of_life,
    old_ones_are_closed_after_their_last_request,
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
