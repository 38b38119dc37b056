//! Streams through nginx and HAProxy, with the settings of `docs/operations.md` and shorter
//! time-outs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pedigree::proto::pedigree::lineage::v1::{RecordResponse, WatchRequest};
use tempfile::TempDir;
use tonic::transport::Channel;

use super::heartbeats::{empty, heartbeat};
use super::{PATIENCE, Recording, Watcher, code_of, from_now};
use crate::binary::{Process, Server};
use crate::container::free_port;
use crate::support::nginx::{PROXY_PATH, nginx};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    silent_streams_live_behind_nginx,
    silent_streams_live_behind_haproxy,
}

/// Between heartbeats, in milliseconds.
const HEARTBEAT: i64 = 100;

/// Between heartbeats of a stream that has none before the time-outs of the proxies.
const NO_HEARTBEAT: i64 = 3_600_000;

/// As many heartbeats as come in twice the time-out of the proxies, which is a second.
const HEARTBEATS: usize = 20;

/// More messages, with ids of 255 bytes, than nginx lets through by default: a body may have 1 MB.
const MESSAGES: usize = 4_500;

async fn silent_streams_live_behind_nginx() {
    behind(|dir, port, server| {
        let block = format!(
            "listen 127.0.0.1:{port} http2;
             client_max_body_size 0;
             client_body_timeout 1h;
             grpc_read_timeout 1s;
             grpc_send_timeout 1s;
             location / {{ grpc_pass grpc://127.0.0.1:{server}; }}"
        );
        nginx(dir, &block)
    })
    .await;
}

async fn silent_streams_live_behind_haproxy() {
    behind(|dir, port, server| {
        let config = format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 1s\n timeout server 1s\n\
             frontend clients\n bind 127.0.0.1:{port} proto h2\n default_backend pedigree\n\
             backend pedigree\n server pedigree 127.0.0.1:{server} proto h2\n"
        );
        fs::write(dir.join("haproxy.cfg"), config).unwrap();
        let mut command = Command::new("haproxy");
        command.env("PATH", PROXY_PATH).current_dir(dir);
        command.args(["-db", "-f", "haproxy.cfg"]);
        command
    })
    .await;
}

/// Starts a server and a proxy before it, whose command depends on a folder of its own, its port
/// and that of the server.
async fn behind(proxy: impl FnOnce(&Path, u16, u16) -> Command) {
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = Server::on(&database, &[]);
    let dir = TempDir::new().unwrap();
    let port = free_port();
    let mut command = proxy(dir.path(), port, server.port);
    command.stdin(Stdio::null());
    let proxy = Process::start(command);
    let channel = connect(port, &proxy).await;

    watch(&channel, &proxy).await;
    record(&channel, &proxy).await;
    drop(proxy);
    server.stop();
}

/// A watch without changes lives by its heartbeats, and not without them.
async fn watch(channel: &Channel, proxy: &Process) {
    let watch = async |heartbeat| {
        let request = WatchRequest {
            heartbeat,
            ..from_now()
        };
        Watcher::start(channel.clone(), request).await.responses
    };
    let mut silent = watch(NO_HEARTBEAT).await;
    assert!(silent.message().await.is_err(), "{}", proxy.log());

    let mut watching = watch(HEARTBEAT).await;
    for _ in 0..HEARTBEATS {
        let response = watching.message().await.unwrap().unwrap();
        assert!(response.changes.is_empty(), "{}", proxy.log());
    }
}

/// A stream of messages lives by its heartbeats, and not without them. It may be long.
async fn record(channel: &Channel, proxy: &Process) {
    let mut silent = Recording::start(channel.clone()).await;
    let answered = silent.say(vec![empty("first")]).await;
    assert_eq!(code_of(&answered[0]), Code::Ok);
    assert!(silent.responses.message().await.is_err(), "{}", proxy.log());

    let mut recording = Recording::start(channel.clone()).await;
    recording.requests.send(heartbeat(HEARTBEAT)).await.unwrap();
    for _ in 0..HEARTBEATS {
        let response = recording.responses.message().await.unwrap();
        assert_eq!(response, Some(RecordResponse::default()), "{}", proxy.log());
    }
    let requests = recording.requests.clone();
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            let message = empty(&format!("{number:0255}"));
            requests.send(message).await.unwrap();
        }
    });
    let mut answered = 0;
    while answered < MESSAGES {
        let response = recording.responses.message().await.unwrap().unwrap();
        if response != RecordResponse::default() {
            assert_eq!(code_of(&response), Code::Ok, "{response:?}");
            answered += 1;
        }
    }
    sending.await.unwrap();
}

/// A connection to a proxy that has just been started.
async fn connect(port: u16, proxy: &Process) -> Channel {
    let endpoint = Channel::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
    let end = Instant::now() + PATIENCE;
    loop {
        match endpoint.connect().await {
            Ok(channel) => return channel,
            Err(error) => assert!(Instant::now() < end, "{error}: {}", proxy.log()),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
