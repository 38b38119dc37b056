//! The way down: requests under way are finished, the file is left whole.

use std::error::Error;
use std::fs;
use std::net::TcpStream;
use std::path::Path;

use pb::{PutArtifactsRequest, PutArtifactsResponse};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use super::{artifact_names, put_type};
use crate::binary::{Server, wait_for};
use crate::sql::{query, sqlite};
use crate::support::Client;
use crate::support::prelude::*;

once! {
    requests_under_way_are_finished,
    requests_that_do_not_end_are_cut_off,
    no_call_of_32_writers_is_cut,
}

/// A request whose message has been sent, but not its end, for which the server waits.
pub struct Unfinished {
    end: mpsc::Sender<PutArtifactsRequest>,
    answer: JoinHandle<Result<PutArtifactsResponse, Status>>,
}

impl Unfinished {
    /// Has an artifact of this name put, but for the end of the request.
    pub async fn put(server: &Server, name: &str) -> Self {
        let channel = server.connect().await;
        let client = Client::new(channel.clone());
        let request = PutArtifactsRequest {
            artifacts: vec![Artifact::new(put_type(&client).await, name)],
            ..Default::default()
        };
        let (end, messages) = mpsc::channel(1);
        end.send(request).await.unwrap();
        let mut grpc = Grpc::new(channel);
        let answer = tokio::spawn(async move {
            grpc.ready().await.unwrap();
            let method = "/ml_metadata.MetadataStoreService/PutArtifacts";
            let messages = Request::new(ReceiverStream::new(messages));
            let codec = ProstCodec::default();
            grpc.client_streaming(messages, PathAndQuery::from_static(method), codec)
                .await
                .map(tonic::Response::into_inner)
        });
        // The message has left when there is room for another. The next request on the same
        // connection comes after it.
        drop(end.reserve().await.unwrap());
        let _ = Artifact::list(None).ask(client).await;
        Self { end, answer }
    }

    pub async fn finish(self) -> Result<PutArtifactsResponse, Status> {
        drop(self.end);
        self.answer.await.unwrap()
    }
}

/// Checks that a store which was closed is one file that is a whole database.
async fn assert_closed_well(dir: &Path) {
    let files = fs::read_dir(dir).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["store.db"]);
    let file = dir.join("store.db");
    assert_eq!(
        query(&sqlite(&file), "PRAGMA integrity_check").await,
        ["ok"]
    );
}

async fn requests_under_way_are_finished() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = TempDir::new().unwrap();
        let mut server = Server::start(dir.path(), "store.db", &[]);
        // A client that says nothing any more is not waited for.
        let idle = server.client().await;
        put_type(&idle).await;
        let unfinished = Unfinished::put(&server, "last").await;

        server.process.signal(signal);
        server.process.wait_for_log("asked to stop");
        wait_for("the port to close", || {
            TcpStream::connect(("127.0.0.1", server.port)).err()
        });
        let answer = unfinished.finish().await.unwrap();
        assert_eq!(answer.artifact_ids, [1]);
        let status = server.process.end();
        assert_eq!(status.code(), Some(0), "{}", server.process.log());
        assert!(server.process.log().contains("stopped"));
        assert_closed_well(dir.path()).await;
        let names = query(
            &sqlite(&dir.path().join("store.db")),
            "SELECT name FROM Artifact",
        )
        .await;
        assert_eq!(names, ["last"]);
    }
}

async fn requests_that_do_not_end_are_cut_off() {
    let dir = TempDir::new().unwrap();
    let mut server = Server::start(dir.path(), "store.db", &["--shutdown-grace", "0"]);
    let unfinished = Unfinished::put(&server, "lost").await;

    server.process.signal(Signal::TERM);
    let status = server.process.end();
    assert_eq!(status.code(), Some(0), "{}", server.process.log());
    assert!(server.process.log().contains("cut off"));
    unfinished.finish().await.unwrap_err();
    assert_closed_well(dir.path()).await;
    let names = query(
        &sqlite(&dir.path().join("store.db")),
        "SELECT name FROM Artifact",
    )
    .await;
    assert_eq!(names, [""; 0]);
}

/// Puts artifacts one after another until the server is gone. Returns the names of those that it
/// acknowledged.
async fn write(client: Client, type_id: i64, writer: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let name = format!("{writer} {}", acknowledged.len());
        let put = Artifact::put(vec![Artifact::new(type_id, &name)]);
        match put.ask(client.clone()).await {
            Ok(_) => acknowledged.push(name),
            Err(status) => {
                // An answer of the server has no cause on this side: the call never left.
                assert!(status.source().is_some(), "{status:?}");
                return acknowledged;
            }
        }
    }
}

/// What the server took it acknowledges: every stored write was, and every acknowledged one is
/// stored.
async fn no_call_of_32_writers_is_cut() {
    let dir = TempDir::new().unwrap();
    let mut server = Server::start(dir.path(), "store.db", &[]);
    let type_id = put_type(&server.client().await).await;
    let mut writers = Vec::new();
    for writer in 0..32 {
        let client = server.client().await;
        writers.push(tokio::spawn(write(client, type_id, writer)));
    }
    let watcher = server.client().await;
    while artifact_names(watcher.clone()).await.len() < 200 {
        tokio::task::yield_now().await;
    }
    server.process.signal(Signal::TERM);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let status = server.process.end();
    assert_eq!(status.code(), Some(0), "{}", server.process.log());
    assert!(!server.process.log().contains("cut off"));
    let file = sqlite(&dir.path().join("store.db"));
    let mut stored = query(&file, "SELECT name FROM Artifact").await;
    stored.sort();
    acknowledged.sort();
    assert_eq!(stored, acknowledged);
}
