//! Client certificates: with a security file they name the caller, and clients may have other
//! credentials instead.

use std::fs;

use rcgen::{CertificateParams, DistinguishedName, DnType, SanType, date_time_ymd};
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{FILE, GRANT, MadeToken, put, write_file, write_policy};
use crate::binary::Server;
use crate::python::{python, sized};
use crate::serving::{Authority, CALL_TIMEOUT, serve_tls};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

blocking_on_every_database! {
    the_test_file_of_the_wheel_passes_with_a_certificate,
}
once! {
    a_certificate_names_the_caller,
    unusable_certificates_are_refused,
    revoked_certificates_are_refused,
    a_denied_subject_is_refused_with_a_valid_certificate,
}

const SPIFFE_ID: &str = "spiffe://example.org/ns/ml/sa/trainer";

/// The file of revoked certificates.
const LIST: &str = "crl.pem";

struct Secured {
    server: Server,
    authority: Authority,
    token: MadeToken,
    folder: TempDir,
    _database: TestDatabase,
}

impl Secured {
    fn serve(backend: Backend) -> Self {
        Self::serve_with(backend, Authority::new(), None)
    }

    /// With a list of revoked certificates too, if there is one.
    fn serve_with(backend: Backend, authority: Authority, revoked: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        authority.write_to(folder.path());
        fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
        let token = MadeToken::new(folder.path(), "ci");
        write_file(folder.path(), &[&token.entry]);
        let database = TestDatabase::new(backend);
        let mut arguments = vec![
            "--tls-client-ca",
            "ca.pem",
            "--security",
            FILE,
            "--log-level=debug",
        ];
        if let Some(list) = revoked {
            fs::write(folder.path().join(LIST), list).unwrap();
            arguments.extend(["--tls-client-crl", LIST]);
        }
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
        let connected = endpoint.timeout(CALL_TIMEOUT).connect().await;
        connected.map_err(|error| tonic::Status::unavailable(error.to_string()))
    }

    /// Replaces the list of revoked certificates, and waits until the new one is in force.
    async fn replace_list(&self, list: &str) {
        let reloads = || {
            let log = self.server.process.log();
            log.matches("serving new certificates").count()
        };
        let before = reloads();
        let new = self.folder.path().join("new.pem");
        fs::write(&new, list).unwrap();
        fs::rename(new, self.folder.path().join(LIST)).unwrap();
        while reloads() == before {
            tokio::task::yield_now().await;
        }
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

async fn revoked_certificates_are_refused() {
    let authority = Authority::new();
    let none = authority.revoke(&[], 2100);
    let secured = Secured::serve_with(Backend::SqliteMemory, authority, Some(&none));
    let [stolen, kept] = [7_u64, 8].map(|serial| {
        let mut params = trainer();
        params.serial_number = Some(serial.into());
        signed(&secured.authority, &params)
    });
    let call = async |identity: &Identity| secured.call(Some(identity.clone()), &[]).await;
    assert_eq!(
        (call(&stolen).await, call(&kept).await),
        (Code::Ok, Code::Ok)
    );

    let revoked = secured.authority.revoke(&[7], 2100);
    secured.replace_list(&revoked).await;
    assert_ne!(call(&stolen).await, Code::Ok);
    assert_eq!(call(&kept).await, Code::Ok);
    // A list that has expired, and a list of another authority, refuse every certificate.
    for useless in [
        secured.authority.revoke(&[], 2021),
        Authority::new().revoke(&[], 2100),
    ] {
        secured.replace_list(&useless).await;
        assert_ne!(call(&kept).await, Code::Ok);
        secured.replace_list(&revoked).await;
        assert_eq!(call(&kept).await, Code::Ok);
    }
    // The list before stays in force where the new one cannot be read.
    fs::write(secured.folder.path().join(LIST), "no list").unwrap();
    secured
        .server
        .process
        .wait_for_log("the old certificates are served on");
    assert_eq!(call(&kept).await, Code::Ok);
    assert_ne!(call(&stolen).await, Code::Ok);
    let log = secured.server.process.log();
    for reason in [
        "Revoked",
        "certificate revocation list expired",
        "certificate revocation list: BadSignature",
    ] {
        assert!(log.contains(reason), "no {reason} in {log}");
    }
    secured.server.stop();
}

async fn a_denied_subject_is_refused_with_a_valid_certificate() {
    let secured = Secured::serve(Backend::SqliteMemory);
    let mut other = CertificateParams::default();
    other.distinguished_name.push(DnType::CommonName, "other");
    let [denied, other] = [trainer(), other].map(|params| signed(&secured.authority, &params));
    let call = async |identity: &Identity| secured.call(Some(identity.clone()), &[]).await;
    assert_eq!(
        (call(&denied).await, call(&other).await),
        (Code::Ok, Code::Ok)
    );
    let denial = format!("[[deny]]\nsubjects = [\"{SPIFFE_ID}\"]\nactions = [\"type.read\"]\n");
    write_policy(
        secured.folder.path(),
        &[&secured.token.entry, GRANT, &denial],
    );
    while call(&denied).await == Code::Ok {}
    assert_eq!(call(&denied).await, Code::PermissionDenied);
    assert_eq!(call(&other).await, Code::Ok);
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
        ["--every", sized("6", "1")],
    ];
    python("upstream_tests.py", arguments.as_flattened());
    let log = secured.server.process.log();
    let answered = log.lines().filter(|line| line.contains(": answered "));
    let (named, others): (Vec<_>, Vec<_>) =
        answered.partition(|line| line.contains(&format!("principal=\"{SPIFFE_ID}\"")));
    assert!(!named.is_empty() && others.is_empty(), "{others:?}");
    secured.server.stop();
}
