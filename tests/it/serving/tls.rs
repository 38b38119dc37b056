//! TLS on the main port, with certificates of our own that change while the server runs.

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use super::http2::Http2;
use super::web::{framed, put_type};
use crate::binary::{Process, Server, pedigree_on};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

once! {
    clients_know_the_server_and_the_server_its_clients,
    new_certificates_are_served_and_no_call_fails,
    pages_reach_it_over_http2,
}
blocking_once! {
    a_key_that_everybody_may_read_is_warned_of,
    certificates_that_cannot_be_used_are_refused_at_once,
}

/// An authority that signs.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for this machine and its key.
    pub fn sign(&self) -> (String, String) {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        self.sign_as(&CertificateParams::new(names).unwrap())
    }

    /// A certificate with these contents and its key.
    pub fn sign_as(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// The list of what it has revoked, by serial numbers, which counts until the first day of a
    /// year.
    pub fn revoke(&self, serials: &[u64], next_year: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next_year, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// Writes a new certificate and its key, and returns the certificate.
    pub fn write_to(&self, folder: &Path) -> CertificateDer<'static> {
        let (certificate, key) = self.sign();
        let key_file = folder.join("key.pem");
        fs::write(&key_file, key).unwrap();
        fs::set_permissions(&key_file, Permissions::from_mode(0o600)).unwrap();
        fs::write(folder.join("cert.pem"), &certificate).unwrap();
        CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
    }
}

const FILES: [&str; 4] = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];

pub fn serve(database: &TestDatabase, folder: &TempDir, more: &[&str]) -> Server {
    let mut command = pedigree_on(database, &[&FILES, more].concat());
    command.current_dir(folder.path());
    Server::wait(Process::start(command))
}

/// A call whose connection was refused can wait for ever.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

async fn client(server: &Server, tls: ClientTlsConfig) -> Result<Client, tonic::transport::Error> {
    let url = format!("https://localhost:{}", server.port);
    let channel = Channel::from_shared(url).unwrap().timeout(CALL_TIMEOUT);
    Ok(Client::new(channel.tls_config(tls)?.connect().await?))
}

fn trusting(authority: &Authority) -> ClientTlsConfig {
    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority.pem))
}

/// A new connection, whose client would rather have these protocols on it, and shows a certificate
/// if it has one with its key.
pub async fn connect(
    server: &Server,
    authority: &Authority,
    protocols: &[&[u8]],
    identity: Option<&(String, String)>,
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port))
        .await
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

/// The certificate that a new connection is shown.
async fn shown(server: &Server, authority: &Authority) -> CertificateDer<'static> {
    let stream = connect(server, authority, &[], None).await;
    let (_, session) = stream.get_ref();
    session.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn clients_know_the_server_and_the_server_its_clients() {
    let [authority, stranger] = [Authority::new(), Authority::new()];
    let folder = TempDir::new().unwrap();
    authority.write_to(folder.path());
    fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let database = TestDatabase::new(Backend::SqliteMemory);
    let put = async |client: Client| Artifact::put_type("Data", &[]).ask(client).await;

    let server = serve(&database, &folder, &[]);
    put(client(&server, trusting(&authority)).await.unwrap())
        .await
        .unwrap();
    client(&server, trusting(&stranger)).await.unwrap_err();
    // Plain text is not understood.
    let plain = Channel::from_shared(format!("http://127.0.0.1:{}", server.port));
    if let Ok(channel) = plain.unwrap().timeout(CALL_TIMEOUT).connect().await {
        put(Client::new(channel)).await.unwrap_err();
    }
    server.stop();

    // An authority that cannot be used does not keep the others out.
    let ca = fs::read_to_string(folder.path().join("ca.pem")).unwrap();
    let unusable = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(folder.path().join("bundle.pem"), [unusable, &ca].concat()).unwrap();
    let server = serve(&database, &folder, &["--tls-client-ca", "bundle.pem"]);
    let with = |authority: &Authority| {
        let (certificate, key) = authority.sign();
        Identity::from_pem(certificate, key)
    };
    let known = trusting(&authority).identity(with(&authority));
    put(client(&server, known).await.unwrap()).await.unwrap();
    let unknown = trusting(&authority).identity(with(&stranger));
    for refused in [trusting(&authority), unknown] {
        // The server may tell after the handshake.
        if let Ok(client) = client(&server, refused).await {
            put(client).await.unwrap_err();
        }
    }
    server.stop();
}

async fn new_certificates_are_served_and_no_call_fails() {
    let authority = Authority::new();
    let folder = TempDir::new().unwrap();
    let old = authority.write_to(folder.path());
    let database = TestDatabase::new(Backend::SqliteFile);
    let server = serve(&database, &folder, &[]);
    assert_eq!(shown(&server, &authority).await, old);

    let end = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..8 {
        let client = client(&server, trusting(&authority)).await.unwrap();
        let end = end.clone();
        writers.push(tokio::spawn(async move {
            let mut calls = 0;
            while !end.load(Ordering::Relaxed) {
                let name = format!("{writer} {calls}");
                let put = Artifact::put_type(&name, &[]);
                put.ask(client.clone()).await.unwrap();
                calls += 1;
            }
            calls
        }));
    }
    // A key that does not fit is not taken.
    let (_, other_key) = authority.sign();
    let key = fs::read(folder.path().join("key.pem")).unwrap();
    fs::write(folder.path().join("key.pem"), other_key).unwrap();
    server
        .process
        .wait_for_log("the old certificates are served on");
    assert_eq!(shown(&server, &authority).await, old);
    fs::write(folder.path().join("key.pem"), key).unwrap();

    let new = authority.write_to(folder.path());
    server.process.wait_for_log("serving new certificates");
    assert_eq!(shown(&server, &authority).await, new);
    end.store(true, Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await.unwrap() > 0);
    }
    server.stop();
}

/// As browsers do: they speak HTTP/2 with those only who say so in the handshake.
async fn pages_reach_it_over_http2() {
    let authority = Authority::new();
    let folder = TempDir::new().unwrap();
    authority.write_to(folder.path());
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = serve(&database, &folder, &[]);
    let stream = connect(&server, &authority, &[b"h2", b"http/1.1"], None).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let client = Http2::over(stream).await;
    let path = "/ml_metadata.MetadataStoreService/PutArtifactType";
    let headers = [("content-type", "application/grpc-web+proto")];
    let answer = client.post(path, &headers, framed(&put_type("Data"))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.ends_with(b"grpc-status:0\r\n"), "{answer:?}");
    server.stop();
}

fn certificates_that_cannot_be_used_are_refused_at_once() {
    let folder = TempDir::new().unwrap();
    let database = TestDatabase::new(Backend::SqliteMemory);
    let refused = |arguments: &[&str], expected: &str| {
        let mut command = pedigree_on(&database, arguments);
        command.current_dir(folder.path());
        let ended = crate::binary::run(command);
        assert!(!ended.status.success());
        assert!(ended.stderr.contains(expected), "{ended:?}");
    };
    refused(&FILES, "cannot read cert.pem");
    fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    fs::write(folder.path().join("key.pem"), "no key").unwrap();
    refused(&FILES, "cannot use the TLS certificate");
    refused(&FILES[..2], "tls-cert and tls-key go together");
    let crl = ["--tls-client-crl", "crl.pem"];
    refused(
        &[&FILES[..], &crl].concat(),
        "tls-client-crl needs tls-client-ca",
    );
    let authority = Authority::new();
    authority.write_to(folder.path());
    fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    fs::write(folder.path().join("crl.pem"), "no list").unwrap();
    let client_files = [&["--tls-client-ca", "ca.pem"], &crl[..]].concat();
    refused(
        &[&FILES[..], &client_files].concat(),
        "cannot use the TLS client CRL",
    );
}

fn a_key_that_everybody_may_read_is_warned_of() {
    let database = TestDatabase::new(Backend::SqliteMemory);
    let folder = TempDir::new().unwrap();
    Authority::new().write_to(folder.path());
    let warning = "everybody on this host may use the file of the TLS key";
    let server = serve(&database, &folder, &[]);
    assert!(!server.process.log().contains(warning));
    server.stop();
    let key_file = folder.path().join("key.pem");
    fs::set_permissions(key_file, Permissions::from_mode(0o644)).unwrap();
    let server = serve(&database, &folder, &[]);
    assert!(server.process.log().contains(warning));
    server.stop();
}
