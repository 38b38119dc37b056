//! A set of public keys (JWKS, RFC 7517).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The maximum number of keys of an issuer.
const MAX_KEYS: usize = 100;

#[derive(Deserialize)]
struct JsonWebKeySet {
    keys: Vec<Value>,
}

/// The usable keys of an issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet(Vec<PublicKey>);

#[derive(Clone, Debug)]
struct PublicKey {
    id: Option<String>,
    /// The algorithms whose signatures it can check.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// The keys of a document. Those of unknown kinds and for other uses are left out.
    ///
    /// # Errors
    ///
    /// If it is no key set, has no usable key, or too many.
    pub(super) fn parse(json: &[u8]) -> Result<Self, &'static str> {
        let document: JsonWebKeySet =
            serde_json::from_slice(json).map_err(|_| "it is no key set")?;
        if document.keys.len() > MAX_KEYS {
            return Err("it has too many keys");
        }
        let keys: Vec<_> = document.keys.into_iter().filter_map(public_key).collect();
        if keys.is_empty() {
            return Err("it has no usable key");
        }
        Ok(Self(keys))
    }

    /// The one key with this id for an algorithm. A token without an id has to leave no choice.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self.0.iter().filter(|key| {
            (id.is_none() || key.id.as_deref() == id) && key.algorithms.contains(&algorithm)
        });
        let found = fitting.next()?;
        fitting.next().is_none().then_some(&found.key)
    }
}

fn public_key(json: Value) -> Option<PublicKey> {
    let jwk: Jwk = serde_json::from_value(json).ok()?;
    let is_for_signatures = matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    let mut algorithms = algorithms(&jwk.algorithm);
    if let Some(only) = jwk.common.key_algorithm {
        algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == only);
    }
    if !is_for_signatures || algorithms.is_empty() {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let id = jwk.common.key_id;
    Some(PublicKey {
        id,
        algorithms,
        key,
    })
}

/// The algorithms of a kind of key. A shared secret has none.
fn algorithms(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![EdDSA]
        }
        _ => Vec::new(),
    }
}
