//! Trusted proxies: a header names the user, if it comes from the proxy.

use std::fs;

use pedigree::proto::pedigree::audit::v1::audit_service_client::AuditServiceClient;
use pedigree::proto::pedigree::audit::v1::{ListRequest, Outcome};
use pedigree::proto::pedigree::lineage::v1::WatchRequest;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use rcgen::{CertificateParams, SanType};
use serde_json::json;
use tempfile::TempDir;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Request, Status};

use super::{FILE, MadeToken, with_authorization, write_policy};
use crate::binary::Server;
use crate::serving::{Authority, connect_tls, framed, http_over, put_type, serve_tls};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

on_every_database! {
    a_user_counts_from_its_proxy_and_from_nobody_else,
}
once! {
    a_stream_ends_with_the_entry_of_its_proxy,
    a_mesh_names_clients_by_their_certificates_and_groups,
}

const UI: &str = "spiffe://example.org/ns/kubeflow/sa/ui";

const TRAINER: &str = "spiffe://example.org/ns/ml/sa/trainer";

const HEADER: &str = "kubeflow-userid";

const USER: &str = "proxy:kfp:ada@example.org";

const PROXY: &str = "[[proxy]]\nname = \"kfp\"\nheader = \"Kubeflow-UserID\"\n\
                     peers = [\"spiffe://example.org/ns/kubeflow/sa/ui\"]\n\
                     prefix = \"accounts.google.com:\"\n";

const ADA: &str = "accounts.google.com:ada@example.org";

/// A server that trusts a proxy, and the certificates of the proxy and of another client.
struct Proxied {
    server: Server,
    authority: Authority,
    auditor: MadeToken,
    ui: (String, String),
    trainer: (String, String),
    folder: TempDir,
    _database: TestDatabase,
}

fn named(authority: &Authority, id: &str) -> (String, String) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    authority.sign_as(&params)
}

impl Proxied {
    fn serve(backend: Backend) -> Self {
        let authority = Authority::new();
        let folder = TempDir::new().unwrap();
        authority.write_to(folder.path());
        fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
        let auditor = MadeToken::new(folder.path(), "auditor");
        write(&folder, &auditor, PROXY);
        let database = TestDatabase::new(backend);
        let arguments = ["--tls-client-ca", "ca.pem", "--security", FILE];
        Self {
            server: serve_tls(&database, &folder, &arguments),
            auditor,
            ui: named(&authority, UI),
            trainer: named(&authority, TRAINER),
            authority,
            folder,
            _database: database,
        }
    }

    /// Puts another file in force.
    fn change(&self, proxy: &str) {
        write(&self.folder, &self.auditor, proxy);
        self.server.process.wait_for_log("is in force");
    }

    async fn channel(&self, (certificate, key): &(String, String)) -> Channel {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&self.authority.pem))
            .identity(Identity::from_pem(certificate, key));
        let url = format!("https://localhost:{}", self.server.port);
        let endpoint = Channel::from_shared(url).unwrap().tls_config(tls).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// What becomes of a write by every door, with these headers.
    async fn call(&self, peer: &(String, String), headers: &[&str]) -> [Code; 4] {
        let mut request = Request::new(put_type("Data"));
        *request.metadata_mut() = metadata(headers);
        let called = Client::new(self.channel(peer).await)
            .put_artifact_type(request)
            .await;
        let grpc = called.map_or_else(|status| status.code(), |_| Code::Ok);

        let line = |value: &&str| format!("\r\n{HEADER}: {value}");
        let lines = headers.iter().map(line).collect::<Vec<_>>().concat();
        let post = async |head: &str, body: &[u8]| {
            let stream = connect_tls(&self.server, &self.authority, &[], Some(peer)).await;
            http_over(stream, &format!("{head}{lines}"), body).await
        };
        let head = "POST /ml_metadata.MetadataStoreService/PutArtifactType HTTP/1.1\r\n\
                    Content-Type: application/grpc-web+proto";
        let answer = post(head, &framed(&put_type("Data"))).await;
        let web = match answer.header("grpc-status") {
            Some(code) => Code::from_bytes(code.as_bytes()),
            None if answer.body.ends_with(b"grpc-status:0\r\n") => Code::Ok,
            None => panic!("{answer:?}"),
        };

        let of_status = |status| match status {
            200 | 201 => Code::Ok,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            other => panic!("{other}"),
        };
        let version = post("GET /api/pedigree/v1/version HTTP/1.1", b"").await;
        let event = json!({
            "eventType": "START",
            "eventTime": "2025-11-27T03:00:00Z",
            "producer": "https://example.com/producer",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": "r1"},
            "job": {"namespace": "team", "name": "train"},
        });
        let head = "POST /api/v1/lineage HTTP/1.1\r\nContent-Type: application/json";
        let told = post(head, event.to_string().as_bytes()).await;
        [grpc, web, of_status(version.status), of_status(told.status)]
    }

    /// The subjects of all records with an outcome.
    async fn subjects(&self, outcome: Outcome) -> Vec<String> {
        let mut client = AuditServiceClient::new(self.channel(&self.trainer).await);
        let (mut subjects, mut cursor) = (Vec::new(), String::new());
        loop {
            let request = ListRequest { cursor };
            let request = with_authorization(request, &[&self.auditor.bearer()]);
            let page = client.list(request).await.unwrap().into_inner();
            if page.records.is_empty() {
                return subjects;
            }
            let found = page.records.iter().filter(|it| it.outcome() == outcome);
            subjects.extend(found.map(|it| it.subject.clone()));
            cursor = page.cursor;
        }
    }
}

fn write(folder: &TempDir, auditor: &MadeToken, proxy: &str) {
    let grants = format!(
        "[[grant]]\nsubjects = [\"{USER}\"]\nrole = \"writer\"\n\
         [[grant]]\nsubjects = [\"token:auditor\"]\nrole = \"auditor\"\n"
    );
    write_policy(folder.path(), &[&auditor.entry, proxy, &grants]);
}

fn metadata(headers: &[&str]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for value in headers {
        metadata.append(HEADER, value.parse().unwrap());
    }
    metadata
}

async fn a_user_counts_from_its_proxy_and_from_nobody_else(backend: Backend) {
    let proxied = Proxied::serve(backend);
    let (ui, trainer) = (&proxied.ui, &proxied.trainer);
    assert_eq!(proxied.call(ui, &[ADA]).await, [Code::Ok; 4]);
    let written = proxied.subjects(Outcome::Written).await;
    assert!(written.len() >= 2, "{written:?}");
    assert!(written.iter().all(|it| it == USER), "{written:?}");

    // The proxy itself, another user, and the header from somebody else.
    let denied = [Code::PermissionDenied; 4];
    assert_eq!(proxied.call(ui, &[]).await, denied);
    let eve = "accounts.google.com:eve@example.org";
    assert_eq!(proxied.call(ui, &[eve]).await, denied);
    assert_eq!(proxied.call(trainer, &[ADA]).await, denied);
    assert_eq!(proxied.call(trainer, &[ADA, ADA]).await, denied);
    let unauthenticated = [Code::Unauthenticated; 4];
    let joined = format!("{ADA}, {ADA}");
    for wrong in [&[ADA, ADA][..], &["ada@example.org"], &[&joined]] {
        assert_eq!(proxied.call(ui, wrong).await, unauthenticated, "{wrong:?}");
    }
    let mut refused = Vec::new();
    for subject in [UI, TRAINER, "proxy:kfp:eve@example.org", "anonymous"] {
        // Refusals are recorded a little later.
        while !refused.iter().any(|found| found == subject) {
            refused = proxied.subjects(Outcome::PermissionDenied).await;
            refused.extend(proxied.subjects(Outcome::Unauthenticated).await);
        }
    }
    assert!(refused.iter().all(|found| found != USER), "{refused:?}");

    proxied.change(&format!("{PROXY}strict = true\n"));
    assert_eq!(proxied.call(trainer, &[ADA]).await, unauthenticated);
    assert_eq!(proxied.call(trainer, &[]).await, denied);
    assert_eq!(proxied.call(ui, &[ADA]).await, [Code::Ok; 4]);
    let written = proxied.subjects(Outcome::Written).await;
    assert!(written.iter().all(|it| it == USER), "{written:?}");
    proxied.server.stop();
}

async fn a_stream_ends_with_the_entry_of_its_proxy() {
    let proxied = Proxied::serve(Backend::SqliteMemory);
    let mut client = LineageServiceClient::new(proxied.channel(&proxied.ui).await);
    let mut request = Request::new(WatchRequest::default());
    *request.metadata_mut() = metadata(&[ADA]);
    let mut watched = client.watch(request).await.unwrap().into_inner();
    watched.message().await.unwrap().unwrap();
    proxied.change(&PROXY.replace("ns/kubeflow", "ns/other"));
    let ended: Status = loop {
        match watched.message().await {
            Ok(response) => assert!(response.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unauthenticated, "{ended:?}");
    proxied.server.stop();
}

/// Envoy says which certificate its client had.
async fn a_mesh_names_clients_by_their_certificates_and_groups() {
    const XFCC: &str = "x-forwarded-client-cert";
    let proxied = Proxied::serve(Backend::SqliteMemory);
    let mesh = PROXY.replace("Kubeflow-UserID", XFCC);
    let mesh = mesh.replace("prefix = \"accounts.google.com:\"", "format = \"xfcc\"");
    let rules = "groups_header = \"x-groups\"\n\
                 [[grant]]\nsubjects = [\"proxy:kfp:spiffe://td/a\"]\nrole = \"writer\"\n\
                 [[grant]]\nsubjects = [\"group:ml\"]\nrole = \"reader\"\n";
    proxied.change(&format!("{mesh}{rules}"));
    let put = async |peer, headers: &[(&'static str, &str)]| {
        let mut request = Request::new(put_type("Data"));
        for (name, value) in headers {
            request.metadata_mut().append(*name, value.parse().unwrap());
        }
        let mut client = Client::new(proxied.channel(peer).await);
        let put = client.put_artifact_type(request).await;
        put.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    let (ui, trainer) = (&proxied.ui, &proxied.trainer);
    let one = (
        XFCC,
        "By=spiffe://td/b;Hash=1;Subject=\"\";URI=spiffe://td/a",
    );
    let other = (XFCC, "Hash=1;Subject=\"CN=spiffe://td/a,O=x\"");
    let (ok, denied) = (Code::Ok, Code::PermissionDenied);
    assert_eq!(put(ui, &[other]).await, denied);
    assert_eq!(put(trainer, &[one]).await, denied);
    assert_eq!(put(ui, &[one]).await, ok);
    // A group that may put again what is stored.
    assert_eq!(put(ui, &[other]).await, denied);
    assert_eq!(put(ui, &[other, ("x-groups", "a, ml")]).await, ok);
    assert_eq!(put(trainer, &[("x-groups", "ml")]).await, denied);
    let joined = format!("{},{}", one.1, one.1);
    for wrong in [
        &[one, one][..],
        &[one, other],
        &[(XFCC, &*joined)],
        &[(XFCC, "spiffe://td/a")],
        &[(XFCC, "URI=spiffe://td/a;URI=spiffe://td/a")],
        &[one, ("x-groups", "a"), ("x-groups", "ml")],
    ] {
        assert_eq!(put(ui, wrong).await, Code::Unauthenticated, "{wrong:?}");
    }
    proxied.server.stop();
}
