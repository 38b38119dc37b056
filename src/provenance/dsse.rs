//! Signatures of statements: DSSE envelopes with Ed25519.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

/// The type of the payload: a statement of in-toto.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A private key of Ed25519.
#[derive(Debug)]
pub struct SigningKey {
    pair: Ed25519KeyPair,
    /// The SHA-256 of the public key, in hexadecimal digits.
    id: String,
}

impl SigningKey {
    /// Reads a key in PEM (PKCS#8), as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    ///
    /// Says what is wrong, and nothing of the content.
    pub fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem);
        let der = der.map_err(|_| "it is no private key in PEM (PKCS#8)")?;
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der());
        let pair = pair.map_err(|_| "it is no key of Ed25519")?;
        let public: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|_| "it has no public key")?;
        let id = hex::encode(digest(&SHA256, public.as_ref()));
        Ok(Self { pair, id })
    }

    /// The envelope of a statement.
    #[must_use]
    pub fn envelope(&self, statement: &Value) -> Value {
        let payload = statement.to_string();
        let signed = format!(
            "DSSEv1 {} {PAYLOAD_TYPE} {} {payload}",
            PAYLOAD_TYPE.len(),
            payload.len()
        );
        let signature = self.pair.sign(signed.as_bytes());
        json!({
            "payload": STANDARD.encode(&payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "keyid": self.id, "sig": STANDARD.encode(signature.as_ref()) }],
        })
    }
}
