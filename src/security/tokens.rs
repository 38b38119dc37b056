//! The entries `[[token]]` of a security file.

use serde::Deserialize;
use toml::value::Datetime;

use crate::identity::token::{self, ApiToken};
use crate::policy::TenantName;

/// What the subjects of API tokens begin with.
const TOKEN_ORIGIN: &str = "token:";

/// The maximum length of a token's name in bytes.
const MAX_NAME_BYTES: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenEntry {
    id: TokenId,
    sha256: TokenDigest,
    subject: TokenSubject,
    expires: UtcTime,
    pub(super) tenant: Option<TenantName>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct TokenId(String);

impl TryFrom<String> for TokenId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rule = "an id is 12 hexadecimal digits in lower case";
        token::is_id(&text).then_some(Self(text)).ok_or(rule)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct TokenDigest(token::Sha256);

impl TryFrom<String> for TokenDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rule = "the SHA-256 of a token is 64 hexadecimal digits in lower case";
        token::sha256_from_hex(&text).map(Self).ok_or(rule)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct TokenSubject(String);

impl TryFrom<String> for TokenSubject {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rule =
            "the subject of a token is token:NAME, with letters, digits and -._@/ in the name";
        is_token_subject(&text).then_some(Self(text)).ok_or(rule)
    }
}

/// Whether a text can be the subject of a token.
#[must_use]
pub fn is_token_subject(text: &str) -> bool {
    let name = text.strip_prefix(TOKEN_ORIGIN).unwrap_or_default();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@/".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// Milliseconds since epoch.
#[derive(Deserialize)]
#[serde(try_from = "Datetime")]
struct UtcTime(i64);

impl TryFrom<Datetime> for UtcTime {
    type Error = &'static str;

    fn try_from(time: Datetime) -> Result<Self, Self::Error> {
        let rule = "a time is in UTC, such as 2030-01-31T00:00:00Z";
        let time = humantime::parse_rfc3339(&time.to_string()).map_err(|_| rule)?;
        let since_epoch = time.duration_since(std::time::UNIX_EPOCH);
        let milliseconds = since_epoch.map_err(|_| rule)?.as_millis();
        Ok(Self(i64::try_from(milliseconds).map_err(|_| rule)?))
    }
}

impl TokenEntry {
    /// The token.
    pub(super) fn token(self) -> ApiToken {
        ApiToken {
            id: self.id.0,
            sha256: self.sha256.0,
            subject: self.subject.0.into(),
            expires: self.expires.0,
            tenant: self.tenant,
        }
    }
}
