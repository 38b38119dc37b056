//! Authentication: who calls. One file per source of identities.
//!
//! The first credential that a request has decides. One that is present and wrong is refused: the
//! request is never identified by the next source, nor anonymous.

mod authorization;
pub mod certificate;
pub mod groups;
pub mod jwt;
pub mod proxy;
pub mod token;
mod xfcc;

use std::sync::{Arc, LazyLock};

use http::HeaderMap;

use self::authorization::bearer_text;
use self::groups::Groups;
use self::jwt::{IssuerRules, Issuers};
use self::proxy::{ProxyRules, TrustedProxies};
use self::token::{ApiToken, ApiTokens};
use crate::model::ANONYMOUS;
use crate::policy::{TenantName, Who};

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name with its origin, such as `token:ci` or `spiffe://example.org/trainer`. Names of two
    /// sources are never equal.
    pub subject: Arc<str>,
    pub groups: Groups,
    /// The end of the credential's validity, in milliseconds since epoch.
    pub expires: Option<i64>,
    pub source: CredentialSource,
    /// The only tenant for which the credential is good, if there is one.
    pub tenant: Option<TenantName>,
}

impl Principal {
    /// Whose rights are asked for.
    #[must_use]
    pub fn who(&self) -> Who<'_> {
        Who {
            subject: &self.subject,
            groups: &self.groups,
        }
    }
}

/// What identified a caller, as the security file had it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    Token(Arc<ApiToken>),
    Issuer(Arc<IssuerRules>),
    Certificate,
    Proxy(Arc<ProxyRules>),
    Anonymous,
}

/// The sources of identities. Client certificates are a source wherever a connection has one.
#[derive(Debug, Default)]
pub struct IdentitySources {
    pub tokens: ApiTokens,
    pub issuers: Issuers,
    pub proxies: TrustedProxies,
    /// Whether a request without credentials is served, as [`ANONYMOUS`].
    pub allows_anonymous: bool,
    /// Whether secrets may arrive from other machines in plain text.
    pub allows_plaintext_credentials: bool,
}

/// What a request and its connection show of the caller.
#[derive(Debug)]
pub struct Credentials<'a> {
    pub headers: &'a HeaderMap,
    /// The principal of the connection's certificate.
    pub certificate: Option<&'a Result<Principal, CredentialError>>,
    /// Whether the request came from another machine in plain text.
    pub is_exposed: bool,
}

/// The maximum length of a name in bytes: that of a SPIFFE id.
const MAX_NAME_BYTES: usize = 2048;

/// The subject of a name with an origin, if the name can stand in a log line and in a security
/// file.
fn subject_of(origin: &str, name: &str) -> Option<Arc<str>> {
    let is_usable = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.trim() == name
        && !name.contains(char::is_control);
    is_usable.then(|| [origin, name].concat().into())
}

/// Why credentials were refused. The text is for logs: it has no secret, and no client sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("no credentials")]
    Missing,
    #[error("more than one header `authorization`")]
    Ambiguous,
    #[error("the header `authorization` is malformed, or of an unknown scheme")]
    MalformedHeader,
    #[error("the bearer token is of an unknown kind")]
    UnknownKind,
    #[error("credentials in plain text from another machine")]
    PlainText,
    #[error("no API token has the id {0}")]
    UnknownToken(String),
    #[error("wrong secret for the API token {0}")]
    WrongSecret(String),
    #[error("the credential of {0} has expired")]
    Expired(Arc<str>),
    #[error("the client certificate {0}")]
    Certificate(&'static str),
    #[error("a JWT {0}")]
    MalformedToken(&'static str),
    #[error("a JWT of an unknown issuer")]
    UnknownIssuer,
    #[error("a JWT of {issuer} {problem}")]
    Token {
        /// The name of the issuer in the security file.
        issuer: String,
        problem: &'static str,
    },
    #[error("the proxy {proxy} {problem}")]
    Proxy {
        /// The name of the proxy in the security file.
        proxy: String,
        problem: &'static str,
    },
    /// The credentials may be right.
    #[error("the keys of {0} are not known")]
    NoKeys(String),
}

impl IdentitySources {
    /// The caller of a request at a time in milliseconds since epoch.
    ///
    /// # Errors
    ///
    /// If the credentials are missing or wrong.
    pub async fn identify(
        &self,
        credentials: &Credentials<'_>,
        now: i64,
    ) -> Result<Principal, CredentialError> {
        let certificate = credentials.certificate;
        let peer = certificate.and_then(|principal| principal.as_ref().ok());
        let principal = if let Some(user) = self.proxies.identify(credentials.headers, peer)? {
            user
        } else if let Some(text) = bearer_text(credentials.headers)? {
            if credentials.is_exposed && !self.allows_plaintext_credentials {
                return Err(CredentialError::PlainText);
            }
            if Issuers::is_token(&text) {
                self.issuers.identify(&text, now).await?
            } else {
                self.tokens.find(&text)?
            }
        } else if let Some(certificate) = certificate {
            certificate.clone()?
        } else if self.allows_anonymous {
            anonymous()
        } else {
            return Err(CredentialError::Missing);
        };
        match principal.expires {
            Some(end) if end <= now => Err(CredentialError::Expired(principal.subject)),
            _ => Ok(principal),
        }
    }
}

impl IdentitySources {
    /// Whether the credential of a principal, which was right once, is still right.
    #[must_use]
    pub fn accepts_still(&self, principal: &Principal, now: i64) -> bool {
        let is_known = match &principal.source {
            CredentialSource::Token(token) => self.tokens.has(token),
            CredentialSource::Issuer(rules) => self.issuers.has(rules),
            CredentialSource::Proxy(rules) => self.proxies.has(rules),
            // The connection is that of the certificate.
            CredentialSource::Certificate => true,
            CredentialSource::Anonymous => self.allows_anonymous,
        };
        is_known && principal.expires.is_none_or(|end| now < end)
    }
}

fn anonymous() -> Principal {
    static SUBJECT: LazyLock<Arc<str>> = LazyLock::new(|| ANONYMOUS.into());
    Principal {
        subject: SUBJECT.clone(),
        groups: Groups::default(),
        expires: None,
        source: CredentialSource::Anonymous,
        tenant: None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::identity::token::NewToken;

    /// The end of the token's validity.
    const END: i64 = 1000;

    struct Case {
        sources: IdentitySources,
        certificate: Option<Result<Principal, CredentialError>>,
        is_exposed: bool,
        token: String,
    }

    impl Case {
        fn new() -> Self {
            let NewToken { text, token } = NewToken::random("token:ci".into(), END).unwrap();
            Self {
                sources: IdentitySources {
                    tokens: ApiTokens::new([token]),
                    ..IdentitySources::default()
                },
                certificate: None,
                is_exposed: false,
                token: text,
            }
        }

        async fn identify_at(&self, headers: &[&str], now: i64) -> Result<String, CredentialError> {
            let mut map = HeaderMap::new();
            for header in headers {
                map.append(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
            }
            let credentials = Credentials {
                headers: &map,
                certificate: self.certificate.as_ref(),
                is_exposed: self.is_exposed,
            };
            let principal = self.sources.identify(&credentials, now).await?;
            Ok(principal.subject.to_string())
        }

        async fn identify(&self, headers: &[&str]) -> Result<String, CredentialError> {
            self.identify_at(headers, 0).await
        }
    }

    fn basic(password: &str) -> String {
        use base64::Engine;
        let login = base64::engine::general_purpose::STANDARD.encode(format!("any:{password}"));
        format!("Basic {login}")
    }

    #[tokio::test]
    async fn a_token_is_a_bearer_token_or_a_password_until_it_expires() {
        let case = Case::new();
        let bearer = format!("bearer {}", case.token);
        for header in [&bearer, &basic(&case.token)] {
            assert_eq!(case.identify(&[header]).await.unwrap(), "token:ci");
        }
        let expired = CredentialError::Expired("token:ci".into());
        assert_eq!(case.identify_at(&[&bearer], END).await, Err(expired));
    }

    #[tokio::test]
    async fn a_wrong_credential_is_never_another_source() {
        let mut case = Case::new();
        case.sources.allows_anonymous = true;
        assert_eq!(case.identify(&[]).await.unwrap(), ANONYMOUS);
        case.certificate = Some(Ok(Principal {
            subject: "cert:CN=trainer".into(),
            groups: Groups::default(),
            expires: None,
            source: CredentialSource::Certificate,
            tenant: None,
        }));
        assert_eq!(case.identify(&[]).await.unwrap(), "cert:CN=trainer");
        let token = case.token.clone();
        let bearer = format!("Bearer {token}");
        let changed = match token.strip_suffix('0') {
            Some(start) => format!("{start}1"),
            None => format!("{}0", &token[..token.len() - 1]),
        };
        let unknown = format!("ped_{}{}", "0".repeat(12), &token[16..]);
        let short = &token[..token.len() - 1];
        for wrong in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer x"],
            &["Bearer a.b.c"],
            &["Negotiate YII="],
            &["Basic !"],
            &["Basic bm9jb2xvbg=="],
            &[&basic("hunter2")],
            &[&format!("Bearer {changed}")],
            &[&format!("Bearer {unknown}")],
            &[&format!("Bearer {short}")],
            &[&format!("Bearer {token}0")],
            &[&format!("Bearer {}", token.to_uppercase())],
            &[&bearer, &bearer],
            &["", &bearer],
        ] {
            let error = case.identify(wrong).await.unwrap_err();
            assert!(!error.to_string().contains(&token[17..]), "{error}");
        }
        case.certificate = Some(Err(CredentialError::Certificate("is malformed")));
        case.identify(&[]).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_secret_in_plain_text_counts_only_from_this_machine() {
        let mut case = Case::new();
        let bearer = format!("Bearer {}", case.token);
        case.is_exposed = true;
        assert_eq!(
            case.identify(&[&bearer]).await,
            Err(CredentialError::PlainText)
        );
        assert_eq!(case.identify(&[]).await, Err(CredentialError::Missing));
        case.sources.allows_plaintext_credentials = true;
        assert_eq!(case.identify(&[&bearer]).await.unwrap(), "token:ci");
    }
}
