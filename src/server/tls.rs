//! TLS: certificates from files or from the configuration. Files are read again, so that a new certificate is served to new
//! connections, and those that are open go on.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, pki_types};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::config::tls::{Certificates, Pems};
use crate::error::{Error, Result};

/// How often the files are read.
const RELOAD: Duration = Duration::from_secs(2);

/// What new connections are accepted with.
pub(super) struct Tls {
    from: Certificates,
    current: RwLock<(Pems, TlsAcceptor)>,
}

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when they cannot be read or do not fit together.
    pub(super) fn new(from: Certificates) -> Result<Self> {
        let pems = from.read()?;
        let acceptor = acceptor(&pems)?;
        Ok(Self {
            from,
            current: RwLock::new((pems, acceptor)),
        })
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            current.1.clone()
        };
        acceptor.accept(stream).await
    }

    /// Follows the files until `stop` is cancelled. What cannot be used is reported once, and what was served is served on.
    pub(super) async fn follow(&self, stop: &CancellationToken) {
        let mut refused = None;
        while stop
            .run_until_cancelled(tokio::time::sleep(RELOAD))
            .await
            .is_some()
        {
            match self.reload() {
                Ok(true) => tracing::info!("serving new certificates"),
                Ok(false) => refused = None,
                Err(error) => {
                    let error = error.chain();
                    if refused.as_ref() != Some(&error) {
                        tracing::error!(error, "the old certificates are served on");
                        refused = Some(error);
                    }
                }
            }
        }
    }

    /// Takes what the files hold now. Whether it is something new.
    fn reload(&self) -> Result<bool> {
        let pems = self.from.read()?;
        {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            if current.0 == pems {
                return Ok(false);
            }
        }
        let acceptor = acceptor(&pems)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = (pems, acceptor);
        Ok(true)
    }
}

fn acceptor(pems: &Pems) -> Result<TlsAcceptor> {
    let refused = |what: &str, why: &dyn std::fmt::Display| {
        Error::invalid(format!("cannot use the TLS {what}: {why}"))
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
            let mut roots = RootCertStore::empty();
            for root in certificates(pem).map_err(|why| refused("client CA", &why))? {
                roots.add(root).map_err(|why| refused("client CA", &why))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .map_err(|why| refused("client CA", &why))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|why| refused("certificate and key", &why))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// All certificates of a PEM text, of which there must be one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, pki_types::pem::Error> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(pki_types::pem::Error::NoItemsFound);
    }
    Ok(all)
}
