//! Bearer tokens that are JWTs (RFC 7519), by the rules of RFC 8725.
//!
//! The issuer is found by the claim `iss`, and everything else is the issuer's: its keys, its
//! algorithms, its audiences. A token whose header names a key (`jku`, `jwk`, `x5u`, `x5c`) is
//! refused.

mod claims;
mod fetch;
mod issuer;
mod key_cache;
mod keys;
mod verified;

use std::collections::HashMap;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::decode_header;

use self::claims::Claims;
pub use self::fetch::{KeyLocation, WebLocation};
pub use self::issuer::{DEFAULT_ALGORITHMS, Issuer, IssuerRules, SubjectRule, algorithm};
pub use self::key_cache::KeyCache;
use self::verified::VerifiedTokens;
use super::{CredentialError, Principal};

/// The maximum length of a token in bytes.
const MAX_TOKEN_BYTES: usize = 12 << 10;

/// The issuers whose tokens are accepted.
#[derive(Debug, Default)]
pub struct Issuers {
    /// By the claim `iss` of their tokens.
    by_url: HashMap<String, Issuer>,
    verified: VerifiedTokens,
}

impl Issuers {
    /// Issuers with different URLs.
    pub fn new(issuers: impl IntoIterator<Item = Issuer>) -> Self {
        let by_url = |issuer: Issuer| (issuer.rules.url.clone(), issuer);
        Self {
            by_url: issuers.into_iter().map(by_url).collect(),
            verified: VerifiedTokens::default(),
        }
    }

    /// Takes over the keys of issuers that are still the same, so that an issuer that is away is
    /// no reason not to change the file.
    pub fn keep_keys_of(&mut self, before: &Self) {
        for (url, issuer) in &mut self.by_url {
            if let Some(old) = before.by_url.get(url) {
                issuer.keep_keys_of(old);
            }
        }
    }

    /// What the subjects of each begin with.
    pub fn origins(&self) -> impl Iterator<Item = String> {
        self.by_url.values().map(|issuer| issuer.rules.origin())
    }

    /// What the groups of each begin with, if its subjects have groups.
    pub fn group_origins(&self) -> impl Iterator<Item = String> {
        let rules = self.by_url.values().map(|issuer| &issuer.rules);
        rules.filter_map(|rules| rules.group_origin())
    }

    /// Whether an issuer still has these rules.
    pub(super) fn has(&self, rules: &IssuerRules) -> bool {
        let known = self.by_url.get(&rules.url);
        known.is_some_and(|issuer| *issuer.rules == *rules)
    }

    /// Whether a text has the form of a JWT.
    pub(super) fn is_token(text: &str) -> bool {
        text.matches('.').count() == 2
    }

    /// The principal of a token, which may have expired, at a time in milliseconds since epoch.
    ///
    /// # Errors
    ///
    /// If the token is refused, or the keys of its issuer are not known.
    pub(super) async fn identify(
        &self,
        token: &str,
        now: i64,
    ) -> Result<Principal, CredentialError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(CredentialError::MalformedToken("is too long"));
        }
        if let Some(principal) = self.verified.find(token, now) {
            return Ok(principal);
        }
        let malformed = |_| CredentialError::MalformedToken("cannot be decoded");
        let header = decode_header(token).map_err(malformed)?;
        let claims: Claims = insecure_decode_claims(token).map_err(malformed)?;
        let url = claims.text("iss");
        let url = url.ok_or(CredentialError::MalformedToken("has no issuer"))?;
        let issuer = self.by_url.get(url).ok_or(CredentialError::UnknownIssuer)?;
        let principal = issuer.verify(token, &header, now).await?;
        self.verified.remember(token, &principal, now);
        Ok(principal)
    }
}
