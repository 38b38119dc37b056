//! The commands `pedigree trace`, `record` and `watch`, run as a user runs them.

mod real;

use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use pb::event;
use pedigree::proto::pedigree::lineage::v1 as lineage;
use pedigree::proto::pedigree::lineage::v1::lineage_service_server::{
    LineageService, LineageServiceServer,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::binary::{self, Ended, Server};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    trace_prints_a_tree_json_or_a_graph,
    record_sends_again_what_was_not_answered,
    record_tells_of_refused_lines_and_sends_the_others,
    watch_goes_on_from_its_last_cursor,
}

/// A command line for the server at a port.
fn command(dir: &Path, port: u16, arguments: &[&str]) -> Command {
    let mut command = binary::pedigree(dir, arguments);
    command.env("PEDIGREE_SERVER", format!("http://127.0.0.1:{port}"));
    command
}

/// Runs the program against a server.
pub async fn ask(port: u16, arguments: &[&str], input: &str) -> Ended {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("input");
    std::fs::write(&path, input).unwrap();
    let mut command = command(dir.path(), port, arguments);
    command.stdin(Stdio::from(std::fs::File::open(path).unwrap()));
    let run = tokio::task::spawn_blocking(move || binary::run(command));
    run.await.unwrap()
}

async fn trace_prints_a_tree_json_or_a_graph() {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    let client = server.client().await;
    let data = Artifact::put_type("Data", &[])
        .ask(client.clone())
        .await
        .unwrap();
    let train = Execution::put_type("Train", &[])
        .ask(client.clone())
        .await
        .unwrap();
    let artifacts = vec![Artifact::new(data, "images"), Artifact::new(data, "model")];
    Artifact::put(artifacts).ask(client.clone()).await.unwrap();
    let run = vec![Execution::new(train, "run")];
    Execution::put(run).ask(client.clone()).await.unwrap();
    let events = vec![
        event(1, 1, event::Type::Input),
        event(2, 1, event::Type::Output),
    ];
    put_events(events).ask(client).await.unwrap();

    let tree = ask(server.port, &["trace", "--artifacts", "name = 'model'"], "").await;
    assert!(tree.status.success(), "{tree:?}");
    assert_eq!(
        tree.stdout,
        "artifact 2 Data model\n└─ execution 1 Train run\n   └─ artifact 1 Data images\n"
    );
    let impact = [
        "trace",
        "--artifact",
        "1",
        "--direction",
        "impact",
        "--max-hops",
        "1",
    ];
    let impact = ask(server.port, &impact, "").await;
    assert!(
        impact
            .stdout
            .ends_with("└─ execution 1 Train run\n… and more, beyond the limit\n")
    );
    let json = ask(
        server.port,
        &["trace", "--execution", "1", "--format", "json"],
        "",
    )
    .await;
    let lines: Vec<serde_json::Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["executions"][0]["name"], "run");
    assert_eq!(lines.last().unwrap()["end"]["nodes"], "2");
    let dot = ask(
        server.port,
        &["trace", "--artifact", "2", "--format", "dot"],
        "",
    )
    .await;
    assert!(dot.stdout.contains("e1 -> a2"), "{dot:?}");
    let drawing = ask(
        server.port,
        &["trace", "--artifact", "2", "--format", "svg"],
        "",
    );
    let drawing = drawing.await;
    for part in ["<?xml", "data-key=\"a2\"", "data-from=\"e1\"", "</svg>"] {
        assert!(drawing.stdout.contains(part), "{part}: {drawing:?}");
    }
    let refused = ask(server.port, &["trace", "--artifact", "77"], "").await;
    assert!(!refused.status.success());
    assert_eq!(
        refused.stderr,
        "pedigree: NOT_FOUND: there is no node to start from\n"
    );
    server.stop();
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A server that stores ids in a list, loses each stream after some messages, and refuses those
/// called `bad`.
#[derive(Clone, Default)]
struct Fake {
    stored: Arc<Mutex<Vec<String>>>,
    /// After how many messages streams are lost, one after the other; the rest is not.
    losses: Arc<Mutex<VecDeque<usize>>>,
    watched: Arc<Mutex<Vec<lineage::WatchRequest>>>,
}

#[tonic::async_trait]
impl LineageService for Fake {
    type RecordStream = Responses<lineage::RecordResponse>;
    type WatchStream = Responses<lineage::WatchResponse>;
    type TraceStream = Responses<lineage::TraceResponse>;
    type TraceColumnsStream = Responses<lineage::TraceColumnsResponse>;
    type GetFacetsStream = Responses<lineage::GetFacetsResponse>;

    async fn record(
        &self,
        requests: Request<Streaming<lineage::RecordRequest>>,
    ) -> Result<Response<Self::RecordStream>, Status> {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let (fake, mut requests) = (self.clone(), requests.into_inner());
        let loss = self.losses.lock().unwrap().pop_front();
        tokio::spawn(async move {
            let mut count = 0;
            while let Some(Ok(request)) = requests.next().await {
                let mut response = lineage::RecordResponse {
                    id: request.id.clone(),
                    ..Default::default()
                };
                if request.id == "bad" {
                    response.refused = Some(lineage::Status {
                        code: Code::InvalidArgument.into(),
                        message: "no".to_owned(),
                    });
                } else {
                    let mut stored = fake.stored.lock().unwrap();
                    response.repeated = stored.contains(&request.id);
                    if !response.repeated {
                        stored.push(request.id);
                    }
                }
                count += 1;
                // The last one is stored, and its answer is lost.
                if Some(count) == loss {
                    let _ = sender.send(Err(Status::unavailable("going"))).await;
                    break;
                }
                let _ = sender.send(Ok(response)).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn watch(
        &self,
        request: Request<lineage::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut watched = self.watched.lock().unwrap();
        watched.push(request.into_inner());
        let number = watched.len();
        let response = |change: lineage::change::Subject| lineage::WatchResponse {
            cursor: format!("cursor{number}"),
            changes: vec![lineage::Change {
                operation: lineage::Operation::Created.into(),
                time: 0,
                subject: Some(change),
            }],
        };
        let artifact = Artifact {
            id: Some(i64::try_from(number).unwrap()),
            ..Default::default()
        };
        let end = match number {
            1 => Status::unavailable("going"),
            _ => Status::out_of_range("too old"),
        };
        let artifact = response(lineage::change::Subject::Artifact(artifact));
        let responses = tokio_stream::iter([Ok(artifact), Err(end)]);
        Ok(Response::new(Box::pin(responses)))
    }

    async fn trace(
        &self,
        _: Request<lineage::TraceRequest>,
    ) -> Result<Response<Self::TraceStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn trace_columns(
        &self,
        _: Request<lineage::TraceColumnsRequest>,
    ) -> Result<Response<Self::TraceColumnsStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_facets(
        &self,
        _: Request<lineage::GetFacetsRequest>,
    ) -> Result<Response<Self::GetFacetsStream>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

async fn serve(fake: Fake) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tonic::transport::Server::builder().add_service(LineageServiceServer::new(fake));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    port
}

async fn record_sends_again_what_was_not_answered() {
    let fake = Fake::default();
    fake.losses.lock().unwrap().extend([1, 7, 30]);
    let port = serve(fake.clone()).await;
    let ids: Vec<String> = (0..100).map(|number| format!("m{number}")).collect();
    let lines = ids
        .iter()
        .map(|id| format!("{{\"id\": \"{id}\", \"putTypes\": {{}}}}\n"));
    let ended = ask(
        port,
        &["record", "--window", "10"],
        &lines.collect::<String>(),
    )
    .await;
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(*fake.stored.lock().unwrap(), ids);
    assert!(
        ended
            .stderr
            .contains("100 stored, of them 3 before; 0 refused"),
        "{ended:?}"
    );
}

async fn record_tells_of_refused_lines_and_sends_the_others() {
    let fake = Fake::default();
    let port = serve(fake.clone()).await;
    let lines = "{\"id\": \"a\"}\n\n{\"id\": \"bad\"}\nnoise\n{\"putTypes\": {}}\n{\"id\": \"b\"}";
    let ended = ask(port, &["record"], lines).await;
    assert!(!ended.status.success());
    assert_eq!(*fake.stored.lock().unwrap(), ["a", "b"]);
    for told in [
        "line 3: INVALID_ARGUMENT: no\n",
        "line 4: ",
        "line 5: it has no id",
        "2 stored, of them 0 before; 3 refused\n",
        "pedigree: 3 messages were refused\n",
    ] {
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    }
    let ended = ask(
        port,
        &["record", "--id-prefix", "f"],
        "\n{\"putTypes\": {}}",
    )
    .await;
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(*fake.stored.lock().unwrap(), ["a", "b", "f:2"]);
}

async fn watch_goes_on_from_its_last_cursor() {
    use lineage::watch_request::{Since, Start};
    let fake = Fake::default();
    let port = serve(fake.clone()).await;
    let arguments = [
        "watch",
        "--since",
        "beginning",
        "--subject",
        "artifact",
        "--format",
        "json",
    ];
    let ended = ask(port, &arguments, "").await;
    assert!(!ended.status.success());
    assert!(
        ended.stderr.ends_with("pedigree: OUT_OF_RANGE: too old\n"),
        "{ended:?}"
    );
    let lines: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["cursor"], "cursor2");
    assert_eq!(lines[1]["change"]["artifact"]["id"], "2");
    let watched = fake.watched.lock().unwrap();
    let since: Vec<_> = watched
        .iter()
        .map(|request| request.since.clone().unwrap())
        .collect();
    assert_eq!(
        since,
        [
            Since::Start(Start::Beginning.into()),
            Since::Cursor("cursor1".to_owned())
        ]
    );
    assert_eq!(watched[1].subjects, [i32::from(lineage::Subject::Artifact)]);
}
