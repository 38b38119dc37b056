//! The page of changes, and the stream of those to come.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{page, put_tour};
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    changes_come_as_events_and_resume,
    the_page_has_the_newest_changes,
}
once! {
    streams_are_limited_and_end_with_the_server,
    the_page_says_why_there_are_no_changes,
}

/// A stream of events, as a browser reads it.
struct EventStream {
    lines: BufReader<TcpStream>,
    head: String,
}

impl EventStream {
    /// Begins, after the event with an id if there is one.
    async fn open(store: &Store, last: Option<&str>) -> Self {
        let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, store.port()));
        let mut connection = connection.await.unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!(
            "GET /activity/stream HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            last.unwrap_or_default()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Self {
            lines: BufReader::new(connection),
            head: String::new(),
        };
        while !stream.head.ends_with("\r\n\r\n") {
            let read = stream.lines.read_line(&mut stream.head).await.unwrap();
            assert!(read > 0, "{}", stream.head);
        }
        stream
    }

    /// The next event: its id and its data; `None` at the end.
    async fn next(&mut self) -> Option<(String, Json)> {
        let (mut id, mut data) = (None, None);
        while id.is_none() || data.is_none() {
            let mut line = String::new();
            if self.lines.read_line(&mut line).await.unwrap() == 0 {
                return None;
            }
            let line = line.trim_end();
            id = line.strip_prefix("id: ").map(str::to_owned).or(id);
            let found = line.strip_prefix("data: ");
            data = found
                .map(|text| serde_json::from_str(text).unwrap())
                .or(data);
        }
        id.zip(data)
    }

    /// Waits for changes of things with these texts, in this order. Returns the id of the last
    /// event and its changes.
    async fn expect(&mut self, texts: &[&str]) -> (String, Json) {
        let mut found = Vec::new();
        loop {
            let (id, data) = self.next().await.unwrap();
            let changes = data["changes"].as_array().unwrap();
            let text = |change: &Json| change["text"].as_str().unwrap().to_owned();
            found.extend(changes.iter().map(text));
            if found.len() >= texts.len() {
                assert_eq!(found, texts);
                return (id, data["changes"].clone());
            }
        }
    }
}

async fn changes_come_as_events_and_resume(store: Store) {
    let model = store.put_type::<Artifact>("Model", &[]).await;
    let mut stream = EventStream::open(&store, None).await;
    assert!(stream.head.starts_with("HTTP/1.1 200"), "{}", stream.head);
    assert!(stream.head.contains("text/event-stream"), "{}", stream.head);
    let first = store.put_named::<Artifact>(model, &["<b>first"]).await[0];
    let (id, changes) = stream.expect(&["<b>first"]).await;
    assert_eq!(changes[0]["word"], "created", "{changes}");
    assert_eq!(changes[0]["touched"][0], format!("a{first}"), "{changes}");
    drop(stream);

    // What happened meanwhile comes once, and what comes next, too.
    store.put_named::<Artifact>(model, &["second"]).await;
    let mut stream = EventStream::open(&store, Some(&id)).await;
    let (id, _) = stream.expect(&["second"]).await;
    store.put_named::<Artifact>(model, &["third"]).await;
    stream.expect(&["third"]).await;
    let mut other = EventStream::open(&store, Some(&id)).await;
    other.expect(&["third"]).await;

    let wrong = EventStream::open(&store, Some("1@another")).await;
    assert!(wrong.head.starts_with("HTTP/1.1 400"), "{}", wrong.head);
}

async fn the_page_has_the_newest_changes(store: Store) {
    let empty = page(&store, "/activity").await;
    assert!(empty.contains("Nothing has changed yet"), "{empty}");
    put_tour(&store).await;
    let shown = page(&store, "/activity").await;
    for part in [
        "score-nightly 12",
        "Trainer",
        "as output of execution",
        "in context",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let rows = shown.matches("<tr><td").count();
    assert!((20..=100).contains(&rows), "{rows}");
    // The newest is the first, and the stream goes on after it.
    let place = |text: &str| shown.find(text).unwrap();
    assert!(place("in context") < place("score-nightly 12"));
    let (_, rest) = shown.split_once("data-cursor=\"").unwrap();
    let cursor = rest.split_once('"').unwrap().0;
    let mut stream = EventStream::open(&store, Some(cursor)).await;
    let later = store.find::<Context>("name = 'churn'").await[0];
    let of_type = store.get::<Context>(later).await.type_id.unwrap();
    store.put_named::<Context>(of_type, &["later"]).await;
    stream.expect(&["later"]).await;
}

async fn streams_are_limited_and_end_with_the_server() {
    let store =
        Store::open_with(Backend::SqliteFile, |config| config.serving.max_streams = 2).await;
    let mut first = EventStream::open(&store, None).await;
    // It begins with the place from which it can resume.
    let (_, data) = first.next().await.unwrap();
    assert_eq!(data["changes"], Json::Array(Vec::new()));
    let _second = EventStream::open(&store, None).await;
    let refused = EventStream::open(&store, None).await;
    assert!(refused.head.starts_with("HTTP/1.1 429"), "{}", refused.head);
    drop(store);
    assert_eq!(first.next().await, None);
}

async fn the_page_says_why_there_are_no_changes() {
    let store = Store::open_with(Backend::SqliteFile, |config| {
        config.history.changes = Duration::ZERO;
    })
    .await;
    let shown = page(&store, "/activity").await;
    assert!(shown.contains("keeps no history"), "{shown}");
}
