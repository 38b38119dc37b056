//! TLS on the main port. Certificates in files are reloaded: new connections get the new
//! certificate, open ones go on.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
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
    let refused = |what: &str, why: &dyn std::fmt::Display| {
        StartError::Certificates(format!("cannot use the TLS {what}: {why}"))
    };
    let chain = certificates(&pems.certificate).map_err(|why| refused("certificate", &why))?;
    let key = PrivateKeyDer::from_pem_slice(&pems.key).map_err(|why| refused("key", &why))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|why| refused("protocol versions", &why))?;
    let builder = match &pems.client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let authorities = Authorities::of(pem);
            if authorities.usable.is_empty() {
                return Err(refused("client CA", &"it has no usable certificate"));
            }
            authorities.log("the client CA");
            let roots = authorities.store().into();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = match client_auth {
                ClientAuth::Required => verifier,
                ClientAuth::Optional => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build().map_err(|why| refused("client CA", &why))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|why| refused("certificate and key", &why))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// All certificates of a PEM text, which has at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, pki_types::pem::Error> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(pki_types::pem::Error::NoItemsFound);
    }
    Ok(all)
}
