//! Certificate authorities in PEM. Bundles, as those of systems, may have some that cannot be used.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The authorities that web browsers trust.
#[must_use]
pub fn public_authorities() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

/// Where a certificate begins and ends.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of a PEM text.
#[derive(Debug, Default)]
pub struct Authorities {
    /// Those that can be used as authorities, in PEM.
    pub usable: Vec<String>,
    /// How many cannot.
    pub unusable: usize,
}

impl Authorities {
    /// Reads all certificates, whatever stands between them.
    #[must_use]
    pub fn of(pem: &[u8]) -> Self {
        let text = String::from_utf8_lossy(pem);
        let mut authorities = Self::default();
        for rest in text.split(BEGIN).skip(1) {
            let body = rest.split_once(END).map(|(body, _)| body);
            let certificate = body.map(|body| [BEGIN, body, END, "\n"].concat());
            match certificate.filter(|certificate| is_usable(certificate)) {
                Some(certificate) => authorities.usable.push(certificate),
                None => authorities.unusable += 1,
            }
        }
        authorities
    }

    /// The usable ones as a store.
    #[must_use]
    pub fn store(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let usable = self.usable.iter().map(String::as_bytes);
        roots.add_parsable_certificates(
            usable.filter_map(|pem| CertificateDer::from_pem_slice(pem).ok()),
        );
        roots
    }

    /// Logs how many of a source are left out, if any.
    pub fn log(&self, source: &str) {
        if self.unusable > 0 {
            let (unusable, usable) = (self.unusable, self.usable.len());
            tracing::warn!(source, unusable, usable, "left out unusable authorities");
        }
    }
}

fn is_usable(pem: &str) -> bool {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes());
    certificate.is_ok_and(|certificate| RootCertStore::empty().add(certificate).is_ok())
}
