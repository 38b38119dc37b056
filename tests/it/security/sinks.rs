//! Where the audit is exported to: a collector and syslog, which may be away or blocked.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use rustix::process::Signal;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::audit::write_tokens;
use super::{FILE, with_authorization};
use crate::binary::{Process, Server, pedigree, run, with_ulimit};
use crate::serving::{Authority, put_type};
use crate::support::{Backend, TestDatabase};

once! {
    a_blocked_collector_delays_no_write_and_the_export_loses_none,
    a_syslog_server_that_breaks_off_gets_every_record,
    a_syslog_server_over_tls_has_to_be_the_named_one,
    a_full_disk_holds_no_part_of_a_page,
}
blocking_once! {
    a_sink_needs_its_cursor,
}

/// A server and its tokens: of a writer and of who reads the audit.
struct Audited {
    server: Server,
    writer: String,
    folder: TempDir,
    _database: TestDatabase,
}

impl Audited {
    fn serve() -> Self {
        let folder = TempDir::new().unwrap();
        let tokens = write_tokens(folder.path(), "", &["writer", "auditor"]);
        std::fs::write(folder.path().join("token"), &tokens[1].text).unwrap();
        let file = folder.path().join(FILE);
        let database = TestDatabase::new(Backend::SqliteFile);
        Self {
            server: Server::on(&database, &["--security", file.to_str().unwrap()]),
            writer: tokens[0].bearer(),
            folder,
            _database: database,
        }
    }

    /// Stores types, each by a request with its name as id.
    async fn write(&self, names: &[String]) {
        let mut client = self.server.client().await;
        for name in names {
            let mut request = with_authorization(put_type(name), &[&self.writer]);
            let id = name.parse().unwrap();
            request.metadata_mut().insert("x-request-id", id);
            client.put_artifact_type(request).await.unwrap();
        }
    }

    fn export(&self, arguments: &[&str]) -> std::process::Command {
        export(self.folder.path(), self.server.port, arguments)
    }
}

fn export(folder: &Path, port: u16, arguments: &[&str]) -> std::process::Command {
    let mut command = pedigree(folder, &[&["audit", "export"], arguments].concat());
    command
        .env("PEDIGREE_SERVER", format!("http://127.0.0.1:{port}"))
        .env("PEDIGREE_TOKEN_FILE", "token");
    command
}

fn names(lead: &str) -> Vec<String> {
    (0..20).map(|number| format!("{lead}-{number}")).collect()
}

/// A collector of logs.
#[derive(Clone)]
struct Collector {
    /// Whether it answers.
    is_open: Arc<watch::Sender<bool>>,
    /// How many requests it has begun.
    asked: Arc<AtomicUsize>,
    /// How many requests it refuses.
    refusals: Arc<AtomicUsize>,
    /// The ids of requests that were written.
    written: Arc<Mutex<BTreeSet<String>>>,
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut is_open = self.is_open.subscribe();
        is_open.wait_for(|is_open| *is_open).await.unwrap();
        let fewer = |count: usize| count.checked_sub(1);
        let refusals = &self.refusals;
        if refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer)
            .is_ok()
        {
            return Err(Status::unavailable("not now"));
        }
        let logs = request.into_inner().resource_logs.into_iter();
        let logs = logs.flat_map(|logs| logs.scope_logs);
        for record in logs.flat_map(|logs| logs.log_records) {
            assert_eq!(record.event_name, "pedigree.audit");
            assert!(record.time_unix_nano > 0);
            let attribute = |key: &str| {
                let found = record.attributes.iter().find(|it| it.key == key);
                match found?.value.clone()?.value? {
                    Value::StringValue(text) => Some(text),
                    other => panic!("{other:?}"),
                }
            };
            if attribute("audit.outcome").unwrap() == "WRITTEN" {
                assert_eq!(attribute("audit.subject").unwrap(), "token:writer");
                let id = attribute("audit.request_id").unwrap();
                self.written.lock().unwrap().insert(id);
            }
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> (Self, u16) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = Self {
            is_open: Arc::new(watch::Sender::new(false)),
            asked: Arc::default(),
            refusals: Arc::default(),
            written: Arc::default(),
        };
        let server = tonic::transport::Server::builder()
            .add_service(LogsServiceServer::new(collector.clone()));
        let incoming = TcpIncoming::from(listener);
        tokio::spawn(async move { server.serve_with_incoming(incoming).await });
        (collector, port)
    }

    async fn has_all(&self, names: &[String]) {
        loop {
            let written = self.written.lock().unwrap().clone();
            if names.iter().all(|name| written.contains(name)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn a_blocked_collector_delays_no_write_and_the_export_loses_none() {
    let audited = Audited::serve();
    let (collector, port) = Collector::start().await;
    let url = format!("http://127.0.0.1:{port}");
    let arguments = ["--otlp", &url, "--cursor", "otlp.cursor", "--follow"];
    let start = || Process::start(audited.export(&arguments));
    audited.write(&names("first")).await;
    let mut exporter = start();
    while collector.asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // It does not answer, and is killed before it does.
    audited.write(&names("second")).await;
    exporter.signal(Signal::KILL);
    exporter.end();
    assert!(!audited.folder.path().join("otlp.cursor").exists());
    collector.is_open.send_replace(true);
    let exporter = start();
    collector.has_all(&names("first")).await;
    collector.has_all(&names("second")).await;
    // It is away for a while.
    collector.refusals.store(3, Ordering::SeqCst);
    audited.write(&names("third")).await;
    collector.has_all(&names("third")).await;
    assert_eq!(collector.refusals.load(Ordering::SeqCst), 0);
    assert!(
        exporter.log().contains("trying again"),
        "{}",
        exporter.log()
    );
    drop(exporter);
    // The next one goes on from there.
    collector.written.lock().unwrap().clear();
    audited.write(&names("fourth")).await;
    let arguments = &arguments[..4];
    let done = run(audited.export(arguments));
    assert!(done.status.success(), "{done:?}");
    let written = collector.written.lock().unwrap().clone();
    assert!(written.is_superset(&names("fourth").into_iter().collect()));
    assert!(!written.contains("first-0"), "{written:?}");
    audited.server.stop();
}

/// The ids of written requests in what a client has sent to its end.
async fn received(mut stream: impl AsyncRead + Unpin) -> BTreeSet<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let mut rest = text.as_str();
    let mut written = BTreeSet::new();
    while let Some((length, after)) = rest.split_once(' ') {
        let (message, next) = after.split_at(length.parse().unwrap());
        assert!(message.contains(" - pedigree - "), "{message}");
        assert!(message.contains("CEF:0|Pedigree|pedigree|"), "{message}");
        if message.contains("|WRITTEN|") {
            let (_, id) = message.split_once(" cs1=").unwrap();
            written.insert(id.split(' ').next().unwrap().to_owned());
        }
        rest = next;
    }
    assert_eq!(rest, "");
    written
}

async fn a_syslog_server_that_breaks_off_gets_every_record() {
    let audited = Audited::serve();
    audited.write(&names("first")).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("tcp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let exporter = Process::start(audited.export(&["--syslog", &url, "--cursor", "cursor"]));
    let (mut first, _) = listener.accept().await.unwrap();
    let mut some = [0; 10];
    first.read_exact(&mut some).await.unwrap();
    // What it has not read makes this a reset.
    drop(first);
    let (stream, _) = listener.accept().await.unwrap();
    let written = received(stream).await;
    assert!(written.is_superset(&names("first").into_iter().collect()));
    // Reads of the audit itself may follow.
    let more = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            received(stream).await;
        }
    });
    let mut exporter = exporter;
    let ended = tokio::task::spawn_blocking(move || exporter.end()).await;
    assert!(ended.unwrap().success());
    more.abort();
    assert!(audited.folder.path().join("cursor").exists());
    audited.server.stop();
}

async fn a_syslog_server_over_tls_has_to_be_the_named_one() {
    let audited = Audited::serve();
    audited.write(&names("first")).await;
    let [authority, stranger] = [Authority::new(), Authority::new()];
    let (certificate, key) = authority.sign();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("tls://localhost:{}", listener.local_addr().unwrap().port());
    let all = Arc::new(Mutex::new(BTreeSet::new()));
    let found = all.clone();
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                let written = received(stream).await;
                found.lock().unwrap().extend(written);
            }
        }
    });
    for (name, authority) in [("ca.pem", &authority), ("stranger.pem", &stranger)] {
        std::fs::write(audited.folder.path().join(name), &authority.pem).unwrap();
    }
    let export = |ca: &'static str| {
        let more = ["--cursor", "cursor", "--retry", "1s", "--sink-ca", ca];
        let command = audited.export(&[&["--syslog", &url], &more[..]].concat());
        tokio::task::spawn_blocking(move || run(command))
    };
    let refused = export("stranger.pem").await.unwrap();
    assert!(!refused.status.success(), "{refused:?}");
    assert!(all.lock().unwrap().is_empty());
    let exported = export("ca.pem").await.unwrap();
    assert!(exported.status.success(), "{exported:?}");
    let written = all.lock().unwrap().clone();
    assert!(written.is_superset(&names("first").into_iter().collect()));
    serving.abort();
    audited.server.stop();
}

async fn a_full_disk_holds_no_part_of_a_page() {
    let audited = Audited::serve();
    audited.write(&names("first")).await;
    let file = audited.folder.path().join("audit.jsonl");
    let export = audited.export(&["audit.jsonl", "--retry", "0s"]);
    // Half of the records fit, as a limit of the file's size says: 4 blocks of 512 bytes.
    let full = run(with_ulimit(&export, "-f 4; trap '' XFSZ"));
    assert!(!full.status.success(), "{full:?}");
    assert!(full.stderr.contains("audit.jsonl"), "{full:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
    let exported = run(export);
    assert!(exported.status.success(), "{exported:?}");
    let lines = std::fs::read_to_string(&file).unwrap();
    for name in names("first") {
        assert_eq!(lines.matches(&format!("{name}\"")).count(), 1, "{lines}");
    }
    audited.server.stop();
}

fn a_sink_needs_its_cursor() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &[][..],
        &["--otlp", "http://127.0.0.1:1"],
        &["--syslog", "tcp://127.0.0.1:1"],
        &[
            "audit.jsonl",
            "--otlp",
            "http://127.0.0.1:1",
            "--cursor",
            "c",
        ],
        &["--otlp", "ftp://127.0.0.1:1", "--cursor", "c"],
        &["--otlp", "https://127.0.0.1:1", "--cursor", "c"],
        &["--syslog", "udp://127.0.0.1:1", "--cursor", "c"],
        &["--syslog", "tcp:x", "--cursor", "c"],
    ] {
        let refused = run(export(folder.path(), 1, arguments));
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(!refused.stderr.contains("UNAVAILABLE"), "{refused:?}");
    }
}
