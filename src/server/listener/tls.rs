//! TLS on the main port. Certificates in files are reloaded: new connections get the new
//! certificate, open ones go on.

use std::sync::Arc;
use std::{fmt, io};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificates::Authorities;
use crate::config::tls::{Certificates, Pems};
use crate::error::StartError;
use crate::reloaded::Reloaded;

/// What the clients' certificate authorities are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum ClientAuth {
    /// Every client must show a certificate.
    Required,
    /// A client may show one. The layers refuse requests without any credentials.
    Optional,
}

/// The acceptor of new connections with the current certificates.
pub(in crate::server) struct Tls {
    source: Certificates,
    client_auth: ClientAuth,
    current: Reloaded<Pems, TlsAcceptor>,
}

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    ///
    /// If they cannot be read or do not fit together.
    pub(in crate::server) fn new(
        source: Certificates,
        client_auth: ClientAuth,
    ) -> Result<Self, StartError> {
        let pems = source.read()?;
        let acceptor = acceptor(&pems, client_auth)?;
        if let Some(file) = source.exposed_key_file() {
            tracing::warn!(
                ?file,
                "everybody on this host may use the file of the TLS key"
            );
        }
        Ok(Self {
            source,
            client_auth,
            current: Reloaded::new(pems, acceptor),
        })
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.current.current();
        acceptor.accept(stream).await
    }

    /// Reads the files again, and returns whether they have changed. The certificates from before
    /// stay if they cannot be used.
    pub(in crate::server) fn reload(&self) -> Result<bool, StartError> {
        let pems = self.source.read()?;
        self.current
            .replace(pems, |pems, _| acceptor(pems, self.client_auth))
    }
}

fn acceptor(pems: &Pems, client_auth: ClientAuth) -> Result<TlsAcceptor, StartError> {
    let chain = items(&pems.certificate).map_err(|why| refused("certificate", &why))?;
    let key = PrivateKeyDer::from_pem_slice(&pems.key).map_err(|why| refused("key", &why))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|why| refused("protocol versions", &why))?;
    let builder = match &pems.client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => builder.with_client_cert_verifier(client_verifier(
            pem,
            pems.client_crl.as_deref(),
            client_auth,
        )?),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|why| refused("certificate and key", &why))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Verifies the certificates of clients by authorities in PEM, and by what these have revoked.
fn client_verifier(
    authorities: &[u8],
    revoked: Option<&[u8]>,
    client_auth: ClientAuth,
) -> Result<Arc<dyn ClientCertVerifier>, StartError> {
    let authorities = Authorities::of(authorities);
    if authorities.usable.is_empty() {
        return Err(refused("client CA", &"it has no usable certificate"));
    }
    authorities.log("the client CA");
    let roots = authorities.store().into();
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
    if client_auth == ClientAuth::Optional {
        verifier = verifier.allow_unauthenticated();
    }
    if let Some(pem) = revoked {
        let lists = items::<CertificateRevocationListDer<'_>>(pem);
        let lists = lists.map_err(|why| refused("client CRL", &why))?;
        verifier = verifier.with_crls(lists).enforce_revocation_expiration();
    }
    let verifier = verifier.build();
    verifier.map_err(|why| refused("client CA or CRL", &why))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn refused(what: &str, why: &dyn fmt::Display) -> StartError {
    StartError::Certificates(format!("cannot use the TLS {what}: {why}"))
}

/// All items of a kind in a PEM text, which has at least one.
fn items<T: PemObject>(pem: &[u8]) -> Result<Vec<T>, pki_types::pem::Error> {
    let all: Vec<_> = T::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(pki_types::pem::Error::NoItemsFound);
    }
    Ok(all)
}
