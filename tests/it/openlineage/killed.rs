//! `kill -9` while clients send events: what was acknowledged is there, and sending everything
//! again completes the graph.

use tokio::task::JoinSet;

use super::PATH;
use super::facets::all_texts;
use super::scenarios::{graph, recorded};
use crate::binary::Server;
use crate::support::{Backend, Store, TestDatabase};

on_every_database! {
    a_kill_loses_no_acknowledged_event,
}

async fn a_kill_loses_no_acknowledged_event(backend: Backend) {
    let events = recorded("spark-features");
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    let port = server.port;
    let mut clients = JoinSet::new();
    for event in events.clone() {
        clients.spawn(async move { try_post(port, &event).await });
    }
    // Some are answered before the end of the server, and some are not.
    clients.join_next().await.unwrap().unwrap();
    server.kill();
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let store = Store::on(database, |_| {}).await;
    // What is stored of an event has all of its facets.
    all_texts(&store).await;
    for event in &events {
        assert!(try_post(store.port(), event).await, "{event}");
    }
    let whole = Store::open(backend).await;
    for event in &events {
        assert!(try_post(whole.port(), event).await, "{event}");
    }
    assert_eq!(graph(&store).await, graph(&whole).await);
}

/// Whether an event was acknowledged.
async fn try_post(port: u16, event: &str) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    );
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let mut answer = Vec::new();
    let is_sent = stream.write_all(request.as_bytes()).await.is_ok();
    let is_read = stream.read_to_end(&mut answer).await.is_ok();
    is_sent && is_read && answer.starts_with(b"HTTP/1.1 201 ")
}
