//! API tokens: `ped_ID_SECRET`. The security file has the SHA-256 of each token. A slow hash, as
//! for passwords, would add nothing to a secret of 256 random bits.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use aws_lc_rs::rand;

use super::groups::Groups;
use super::{CredentialError, CredentialSource, Principal};
use crate::error::{Error, Result};
use crate::policy::TenantName;

/// What every token begins with, so that scanners find leaked ones.
const PREFIX: &str = "ped_";

/// Length of a token's id in bytes.
const ID_BYTES: usize = 6;

/// Length of a token's secret in bytes.
const SECRET_BYTES: usize = 32;

/// A SHA-256 digest.
pub type Sha256 = [u8; SHA256_OUTPUT_LEN];

/// A token as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// 12 hexadecimal digits.
    pub id: String,
    /// The digest of the whole token.
    pub sha256: Sha256,
    pub subject: Arc<str>,
    /// Milliseconds since epoch.
    pub expires: i64,
    /// The only tenant that it is for.
    pub tenant: Option<TenantName>,
}

/// A token that was just made.
#[derive(Debug)]
pub struct NewToken {
    /// For the client. It cannot be computed from `token`.
    pub text: String,
    pub token: ApiToken,
}

/// The tokens of a server, by their ids.
#[derive(Debug, Default)]
pub struct ApiTokens(HashMap<String, Arc<ApiToken>>);

impl NewToken {
    /// A random token, which expires at a time in milliseconds since epoch.
    ///
    /// # Errors
    ///
    /// `Internal` when the system has no random numbers.
    pub fn random(subject: Arc<str>, expires: i64) -> Result<Self> {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        let filled = rand::fill(&mut id).and_then(|()| rand::fill(&mut secret));
        filled.map_err(|_| Error::internal("the system has no random numbers"))?;
        let id = hex::encode(id);
        let text = format!("{PREFIX}{id}_{}", hex::encode(secret));
        let token = ApiToken {
            id,
            sha256: sha256(&text),
            subject,
            expires,
            tenant: None,
        };
        Ok(Self { text, token })
    }
}

impl ApiTokens {
    /// Tokens with different ids.
    pub fn new(tokens: impl IntoIterator<Item = ApiToken>) -> Self {
        let by_id = |token: ApiToken| (token.id.clone(), Arc::new(token));
        Self(tokens.into_iter().map(by_id).collect())
    }

    /// The principal of a token, which may have expired.
    pub(super) fn find(&self, text: &str) -> Result<Principal, CredentialError> {
        let id = id_of(text).ok_or(CredentialError::UnknownKind)?;
        let token = self.0.get(id);
        let token = token.ok_or_else(|| CredentialError::UnknownToken(id.to_owned()))?;
        // In constant time, so that the time of an answer does not show how much was right.
        verify_slices_are_equal(&sha256(text), &token.sha256)
            .map_err(|_| CredentialError::WrongSecret(id.to_owned()))?;
        Ok(Principal {
            subject: token.subject.clone(),
            groups: Groups::default(),
            expires: Some(token.expires),
            source: CredentialSource::Token(token.clone()),
            tenant: token.tenant.clone(),
        })
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &ApiToken> {
        self.0.values().map(Arc::as_ref)
    }

    /// Whether this token is still one of them.
    pub(super) fn has(&self, token: &ApiToken) -> bool {
        let known = self.0.get(&token.id);
        known.is_some_and(|known| **known == *token)
    }
}

/// Whether a text has the form of a token's id.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES && is_hex(text)
}

/// The digest with these 64 hexadecimal digits.
#[must_use]
pub fn sha256_from_hex(text: &str) -> Option<Sha256> {
    if !is_hex(text) {
        return None;
    }
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// The id in the text of a token.
fn id_of(text: &str) -> Option<&str> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_token = is_id(id) && secret.len() == 2 * SECRET_BYTES && is_hex(secret);
    is_token.then_some(id)
}

fn is_hex(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.bytes().all(is_digit)
}

/// The digest of a text.
pub(super) fn sha256(text: &str) -> Sha256 {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}
