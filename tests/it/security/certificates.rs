//! Client certificates: with a security file they name the caller, and clients may have other
//! credentials instead.

use std::fs;

use rcgen::{CertificateParams, DistinguishedName, DnType, SanType, date_time_ymd};
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{FILE, MadeToken, put, write_file};
use crate::binary::Server;
use crate::python::python;
use crate::serving::{Authority, serve_tls};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

blocking_on_every_database! {
    the_test_file_of_the_wheel_passes_with_a_certificate,
}
once! {
    a_certificate_names_the_caller,
    unusable_certificates_are_refused,
}

const SPIFFE_ID: &str = "spiffe://example.org/ns/ml/sa/trainer";

struct Secured {
    server: Server,
    authority: Authority,
    token: MadeToken,
    folder: TempDir,
    _database: TestDatabase,
}

impl Secured {
    fn serve(backend: Backend) -> Self {
        let authority = Authority::new();
        let folder = TempDir::new().unwrap();
        authority.write_to(folder.path());
        fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
        let token = MadeToken::new(folder.path(), "ci");
        write_file(folder.path(), &[&token.entry]);
        let database = TestDatabase::new(backend);
        let arguments = [
            "--tls-client-ca",
            "ca.pem",
            "--security",
            FILE,
            "--log-level=debug",
        ];
        Self {
            server: serve_tls(&database, &folder, &arguments),
            authority,
            token,
            folder,
            _database: database,
        }
    }

    /// A connection that shows a certificate, if there is one.
    async fn connect(&self, identity: Option<Identity>) -> Result<Channel, tonic::Status> {
        let ca = Certificate::from_pem(&self.authority.pem);
        let mut tls = ClientTlsConfig::new().ca_certificate(ca);
        if let Some(identity) = identity {
            tls = tls.identity(identity);
        }
        let url = format!("https://localhost:{}", self.server.port);
        let endpoint = Channel::from_shared(url).unwrap().tls_config(tls).unwrap();
        let connected = endpoint.connect().await;
        connected.map_err(|error| tonic::Status::unavailable(error.to_string()))
    }

    /// What becomes of a call with a certificate and these headers `authorization`.
    async fn call(&self, identity: Option<Identity>, values: &[&str]) -> Code {
        let called = match self.connect(identity).await {
            Ok(channel) => put(Client::new(channel), "Data", values).await,
            Err(error) => Err(error),
        };
        called.map_or_else(|status| status.code(), |_| Code::Ok)
    }
}

fn trainer() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(SPIFFE_ID.try_into().unwrap())];
    params
}

fn signed(authority: &Authority, params: &CertificateParams) -> Identity {
    let (certificate, key) = authority.sign_as(params);
    Identity::from_pem(certificate, key)
}

async fn a_certificate_names_the_caller() {
    let secured = Secured::serve(Backend::SqliteMemory);
    let identity = || Some(signed(&secured.authority, &trainer()));
    assert_eq!(secured.call(identity(), &[]).await, Code::Ok);
    let log = secured.server.process.log();
    assert!(log.contains(&format!("principal=\"{SPIFFE_ID}\"")), "{log}");

    // The header comes first, and a wrong one is not made good by the certificate.
    let bearer = secured.token.bearer();
    assert_eq!(secured.call(identity(), &[&bearer]).await, Code::Ok);
    assert_eq!(secured.call(None, &[&bearer]).await, Code::Ok);
    for (identity, values) in [(identity(), &["Bearer x"][..]), (None, &[])] {
        assert_eq!(secured.call(identity, values).await, Code::Unauthenticated);
    }
    let channel = secured.connect(None).await.unwrap();
    let mut health = HealthClient::new(channel);
    health.check(HealthCheckRequest::default()).await.unwrap();
    secured.server.stop();
}

async fn unusable_certificates_are_refused() {
    let secured = Secured::serve(Backend::SqliteMemory);
    let mut unnamed = CertificateParams::default();
    unnamed.distinguished_name = DistinguishedName::new();
    let mut doubled = trainer();
    let other = SanType::URI("spiffe://example.org/other".try_into().unwrap());
    doubled.subject_alt_names.push(other);
    for params in [unnamed, doubled] {
        let identity = signed(&secured.authority, &params);
        let code = secured.call(Some(identity), &[]).await;
        assert_eq!(code, Code::Unauthenticated);
    }
    // These are refused in the handshake.
    let mut expired = trainer();
    expired.not_after = date_time_ymd(2020, 1, 1);
    let mut stranger = trainer();
    stranger
        .distinguished_name
        .push(DnType::CommonName, "trainer");
    for identity in [
        signed(&secured.authority, &expired),
        signed(&Authority::new(), &stranger),
    ] {
        let code = secured.call(Some(identity), &[]).await;
        assert!(![Code::Ok, Code::Unauthenticated].contains(&code), "{code}");
    }
    let log = secured.server.process.log();
    for reason in [
        "has no SPIFFE id",
        "has two SPIFFE ids",
        "certificate expired",
    ] {
        assert!(log.contains(reason), "no {reason} in {log}");
    }
    secured.server.stop();
}

/// The library cannot send a token: a certificate is its only credential.
fn the_test_file_of_the_wheel_passes_with_a_certificate(backend: Backend) {
    let secured = Secured::serve(backend);
    let (certificate, key) = secured.authority.sign_as(&trainer());
    let path = |name: &str| secured.folder.path().join(name).display().to_string();
    fs::write(path("client.pem"), certificate).unwrap();
    fs::write(path("client-key.pem"), key).unwrap();
    let arguments = [
        ["--port", &secured.server.port.to_string()],
        ["--ca", &path("ca.pem")],
        ["--certificate", &path("client.pem")],
        ["--key", &path("client-key.pem")],
    ];
    python("upstream_tests.py", arguments.as_flattened());
    let log = secured.server.process.log();
    let answered = log.lines().filter(|line| line.contains(": answered "));
    let (named, others): (Vec<_>, Vec<_>) =
        answered.partition(|line| line.contains(&format!("principal=\"{SPIFFE_ID}\"")));
    assert!(named.len() > 100 && others.is_empty(), "{others:?}");
    secured.server.stop();
}
