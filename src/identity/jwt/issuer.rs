//! One issuer of tokens, and the rules for its tokens.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, Header, Validation, decode};

use super::claims::Claims;
use super::key_cache::KeyCache;
use crate::identity::groups::{self, Groups};
use crate::identity::{CredentialError, CredentialSource, Principal, subject_of};
use crate::policy::{GROUP_ORIGIN, TenantName};

/// How far the clocks of an issuer and of the server may differ, in milliseconds.
const CLOCK_LEEWAY_MS: i64 = 60_000;

/// The types of tokens that are taken where the issuer names none. Issuers sign other things with
/// the same keys, such as logout tokens (`logout+jwt`).
const DEFAULT_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// The algorithms of an issuer that names none.
pub const DEFAULT_ALGORITHMS: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
];

/// The algorithm with this name in a token. Algorithms with a shared secret are left out: the key
/// that checks a token would also make tokens.
#[must_use]
pub fn algorithm(name: &str) -> Option<Algorithm> {
    let algorithm: Algorithm = name.parse().ok()?;
    (!name.starts_with("HS")).then_some(algorithm)
}

/// How the subject of a token becomes that of a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectRule {
    /// `jwt:ISSUER:CLAIM`, with the value of this claim.
    Claim(String),
    /// `k8s:NAMESPACE:ACCOUNT`, of a service account of Kubernetes.
    ServiceAccount,
}

/// An issuer.
#[derive(Debug)]
pub struct Issuer {
    pub rules: Arc<IssuerRules>,
    pub keys: Arc<KeyCache>,
}

/// The rules for the tokens of an issuer.
#[derive(Debug, PartialEq, Eq)]
pub struct IssuerRules {
    /// The name in subjects and log lines.
    pub name: String,
    /// The claim `iss` of its tokens.
    pub url: String,
    /// One of them has to be in the claim `aud`.
    pub audiences: Vec<String>,
    pub algorithms: Vec<Algorithm>,
    /// The header `typ` of its tokens, if only one is accepted.
    pub token_type: Option<String>,
    pub subject: SubjectRule,
    /// The claim that names the only tenant that a token is for.
    pub tenant_claim: Option<String>,
    /// The claim that names the groups of its subjects.
    pub groups_claim: Option<String>,
}

impl Issuer {
    pub(super) fn keep_keys_of(&mut self, before: &Self) {
        if self.keys.location == before.keys.location {
            self.keys = before.keys.clone();
        }
    }

    /// Checks a token with this header, which has been decoded from it.
    pub(super) async fn verify(
        &self,
        token: &str,
        header: &Header,
        now: i64,
    ) -> Result<Principal, CredentialError> {
        let rules = &self.rules;
        rules.check_header(header)?;
        let key = self.keys.find(header.kid.as_deref(), header.alg).await;
        let key = key.map_err(|problem| problem.of(&rules.name))?;
        let decoded = decode::<Claims>(token, &key, &rules.validation(header.alg));
        let claims = decoded.map_err(|error| rules.refused(error.kind()))?.claims;
        let (subject, end) = rules.subject_and_end(&claims, now)?;
        Ok(Principal {
            groups: rules.groups(&claims, &subject)?,
            subject,
            expires: Some(end),
            source: CredentialSource::Issuer(rules.clone()),
            tenant: rules.tenant(&claims)?,
        })
    }
}

impl IssuerRules {
    /// What the library checks: signature, algorithm, issuer, audience. It has a clock of its own,
    /// so times are checked here.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_issuer(&[&self.url]);
        validation.set_audience(&self.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }

    /// What its subjects begin with.
    pub(super) fn origin(&self) -> String {
        match self.subject {
            SubjectRule::Claim(_) => format!("jwt:{}:", self.name),
            SubjectRule::ServiceAccount => groups::SERVICE_ACCOUNT_ORIGIN.into(),
        }
    }

    /// What its groups begin with, if its subjects have some.
    pub(super) fn group_origin(&self) -> Option<String> {
        match self.subject {
            SubjectRule::ServiceAccount => Some([GROUP_ORIGIN, groups::SYSTEM].concat()),
            SubjectRule::Claim(_) => self.groups_claim.as_ref().map(|_| GROUP_ORIGIN.into()),
        }
    }

    fn check_header(&self, header: &Header) -> Result<(), CredentialError> {
        if !self.algorithms.contains(&header.alg) {
            return Err(self.problem("has another algorithm"));
        }
        let brings_a_key = header.jku.is_some()
            || header.jwk.is_some()
            || header.x5u.is_some()
            || header.x5c.is_some();
        if brings_a_key {
            return Err(self.problem("brings a key of its own"));
        }
        if header.crit.is_some() {
            return Err(self.problem("has critical headers"));
        }
        if header.cty.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(self.problem("is nested, encrypted or compressed"));
        }
        if self.accepts_type(header.typ.as_deref()) {
            Ok(())
        } else {
            Err(self.problem("is of another type"))
        }
    }

    /// Types are media types, whose `application/` may be left out (RFC 7515, section 4.1.9).
    fn accepts_type(&self, given: Option<&str>) -> bool {
        let short = |text: &str| {
            let text = text.to_ascii_lowercase();
            text.strip_prefix("application/")
                .map(str::to_owned)
                .unwrap_or(text)
        };
        match (&self.token_type, given.map(short)) {
            (Some(demanded), given) => given == Some(short(demanded)),
            (None, None) => true,
            (None, Some(given)) => DEFAULT_TYPES.iter().any(|known| short(known) == given),
        }
    }

    /// The subject of a token, and the end of its validity.
    fn subject_and_end(
        &self,
        claims: &Claims,
        now: i64,
    ) -> Result<(Arc<str>, i64), CredentialError> {
        let end = claims
            .time("exp")
            .and_then(|end| end.checked_add(CLOCK_LEEWAY_MS));
        let end = end.ok_or_else(|| self.problem("has an unusable end"))?;
        if claims.has("nbf") {
            let start = claims
                .time("nbf")
                .ok_or_else(|| self.problem("has an unusable start"))?;
            if start > now.saturating_add(CLOCK_LEEWAY_MS) {
                return Err(self.problem("is not valid yet"));
            }
        }
        let subject = self.subject(claims);
        let subject = subject.ok_or_else(|| self.problem("has no usable subject"))?;
        Ok((subject, end))
    }

    fn subject(&self, claims: &Claims) -> Option<Arc<str>> {
        match &self.subject {
            SubjectRule::Claim(claim) => subject_of(&self.origin(), claims.text(claim)?),
            SubjectRule::ServiceAccount => {
                let account = claims.text("sub")?.strip_prefix("system:serviceaccount:")?;
                let (namespace, name) = account.split_once(':')?;
                let is_account = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
                is_account.then(|| subject_of(&self.origin(), account))?
            }
        }
    }

    /// The tenant that a token is for. A token that lacks the claim is for none.
    fn tenant(&self, claims: &Claims) -> Result<Option<TenantName>, CredentialError> {
        let Some(claim) = &self.tenant_claim else {
            return Ok(None);
        };
        let tenant = claims.text(claim).and_then(TenantName::parse);
        tenant
            .map(Some)
            .ok_or_else(|| self.problem("has no usable tenant"))
    }

    /// The groups of a subject. With some of them, a denial might not be found.
    fn groups(&self, claims: &Claims, subject: &str) -> Result<Groups, CredentialError> {
        let Some(claim) = &self.groups_claim else {
            return Ok(match self.subject {
                SubjectRule::Claim(_) => Groups::default(),
                SubjectRule::ServiceAccount => groups::of_subject(subject),
            });
        };
        let names = claims.texts(claim).ok();
        let groups = names.and_then(groups::named);
        groups.ok_or_else(|| self.problem("has unusable groups"))
    }

    fn refused(&self, kind: &jsonwebtoken::errors::ErrorKind) -> CredentialError {
        use jsonwebtoken::errors::ErrorKind;
        self.problem(match kind {
            ErrorKind::InvalidSignature => "has a wrong signature",
            ErrorKind::InvalidAudience => "is for another audience",
            ErrorKind::MissingRequiredClaim(_) => "lacks a claim",
            _ => "is malformed",
        })
    }

    fn problem(&self, problem: &'static str) -> CredentialError {
        let issuer = self.name.clone();
        CredentialError::Token { issuer, problem }
    }
}
