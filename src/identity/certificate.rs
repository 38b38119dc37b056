//! Client certificates. TLS has verified the chain; this reads the name.

use std::sync::Arc;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::groups::Groups;
use super::{CredentialError, CredentialSource, Principal, subject_of};

/// The scheme of SPIFFE ids.
const SPIFFE: &str = "spiffe://";

/// What the subject of a certificate begins with that has a DNS name only.
const DNS_NAME: &str = "cert:DNS=";

/// What the subject of a certificate begins with that has a common name only.
const COMMON_NAME: &str = "cert:CN=";

/// What the subjects of client certificates begin with.
pub const SUBJECT_ORIGINS: [&str; 3] = [SPIFFE, DNS_NAME, COMMON_NAME];

/// The principal of a certificate in DER: its SPIFFE id, otherwise its first DNS name, otherwise
/// its common name.
///
/// # Errors
///
/// If the certificate is malformed, has two SPIFFE ids, or has no usable name.
pub fn principal(der: &[u8]) -> Result<Principal, CredentialError> {
    let malformed = CredentialError::Certificate("is malformed");
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| malformed.clone())?;
    let end = certificate.validity().not_after.timestamp();
    Ok(Principal {
        subject: subject(&certificate)?,
        groups: Groups::default(),
        expires: Some(end.checked_mul(1000).ok_or(malformed)?),
        source: CredentialSource::Certificate,
        tenant: None,
    })
}

fn subject(certificate: &X509Certificate<'_>) -> Result<Arc<str>, CredentialError> {
    let names = certificate.subject_alternative_name();
    let names = names.map_err(|_| CredentialError::Certificate("has malformed names"))?;
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    let mut ids = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => uri.starts_with(SPIFFE).then_some(*uri),
        _ => None,
    });
    if let Some(id) = ids.next() {
        // Two would be two identities: SPIFFE's X.509 profile allows one.
        return match ids.next() {
            None => usable("", id),
            Some(_) => Err(CredentialError::Certificate("has two SPIFFE ids")),
        };
    }
    let dns = names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    if let Some(name) = dns {
        return usable(DNS_NAME, name);
    }
    let common_name = certificate.subject().iter_common_name().next();
    let common_name = common_name.and_then(|name| name.as_str().ok());
    let unnamed = CredentialError::Certificate("has no SPIFFE id, DNS name or common name");
    usable(COMMON_NAME, common_name.ok_or(unnamed)?)
}

fn usable(origin: &str, name: &str) -> Result<Arc<str>, CredentialError> {
    subject_of(origin, name).ok_or(CredentialError::Certificate("has an unusable name"))
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn subject_of(names: Vec<SanType>, common_name: &str) -> Result<String, CredentialError> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.distinguished_name = rcgen::DistinguishedName::new();
        if !common_name.is_empty() {
            params
                .distinguished_name
                .push(DnType::CommonName, common_name);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let principal = principal(certificate.der())?;
        assert!(principal.expires.is_some());
        Ok(principal.subject.to_string())
    }

    fn text(text: &str) -> Ia5String {
        text.try_into().unwrap()
    }

    #[test]
    fn the_most_specific_name_is_the_subject() {
        let spiffe = || SanType::URI(text("spiffe://example.org/ns/ml/sa/trainer"));
        let dns = |name| SanType::DnsName(text(name));
        let of = |names, expected: &str| {
            assert_eq!(subject_of(names, "trainer").unwrap(), expected);
        };
        of(
            vec![dns("a"), spiffe()],
            "spiffe://example.org/ns/ml/sa/trainer",
        );
        of(
            vec![SanType::URI(text("https://a")), dns("a"), dns("b")],
            "cert:DNS=a",
        );
        of(vec![], "cert:CN=trainer");
        // A name of one kind is never that of another.
        assert_eq!(subject_of(vec![], "DNS=a").unwrap(), "cert:CN=DNS=a");
    }

    #[test]
    fn a_certificate_without_one_usable_name_is_refused() {
        let spiffe = |id| SanType::URI(text(id));
        let two = vec![spiffe("spiffe://a/b"), spiffe("spiffe://a/c")];
        subject_of(two, "trainer").unwrap_err();
        for name in ["", " ", "a ", "a\nb", "a\u{0}b"] {
            subject_of(vec![], name).unwrap_err();
        }
        principal(b"no certificate").unwrap_err();
    }
}
