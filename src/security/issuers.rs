//! The entries `[[issuer]]` of a security file.

use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use url::Url;

use super::format::SourceName;
use crate::identity::jwt::{
    DEFAULT_ALGORITHMS, Issuer, IssuerRules, KeyCache, KeyLocation, SubjectRule, WebLocation,
    algorithm,
};
use crate::web_client::is_safe;

/// The claim that is the subject of a token where the file names none.
const DEFAULT_SUBJECT_CLAIM: &str = "sub";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerEntry {
    name: SourceName,
    url: String,
    audiences: Vec<String>,
    #[serde(default)]
    algorithms: Vec<AlgorithmName>,
    token_type: Option<String>,
    subject_claim: Option<String>,
    tenant_claim: Option<String>,
    groups_claim: Option<String>,
    #[serde(default)]
    kubernetes: bool,
    jwks_url: Option<String>,
    jwks_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct AlgorithmName(Algorithm);

impl TryFrom<String> for AlgorithmName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rule = "an algorithm is one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, \
                    ES384 and EdDSA";
        algorithm(&text).map(Self).ok_or(rule)
    }
}

impl IssuerEntry {
    /// Whether it is the issuer of a Kubernetes cluster.
    pub(super) const fn is_kubernetes(&self) -> bool {
        self.kubernetes
    }

    /// The issuer, whose files have been read.
    ///
    /// # Errors
    ///
    /// If its keys do not fit together, or a file cannot be used.
    pub(super) fn check(self) -> Result<Issuer, String> {
        if self.audiences.is_empty() {
            return Err("an issuer needs audiences: its tokens are also for others".into());
        }
        if self.kubernetes && self.groups_claim.is_some() {
            return Err("groups_claim and kubernetes exclude each other".into());
        }
        let location = self.location()?;
        let subject = match (self.kubernetes, self.subject_claim) {
            (true, None) => SubjectRule::ServiceAccount,
            (true, Some(_)) => {
                return Err("subject_claim and kubernetes exclude each other".into());
            }
            (false, claim) => {
                SubjectRule::Claim(claim.unwrap_or_else(|| DEFAULT_SUBJECT_CLAIM.into()))
            }
        };
        let algorithms: Vec<_> = self.algorithms.into_iter().map(|name| name.0).collect();
        let keys = KeyCache::open(location).map_err(|error| error.to_string())?;
        let rules = IssuerRules {
            name: self.name.0,
            url: self.url,
            audiences: self.audiences,
            algorithms: if algorithms.is_empty() {
                DEFAULT_ALGORITHMS.into()
            } else {
                algorithms
            },
            token_type: self.token_type,
            subject,
            tenant_claim: self.tenant_claim,
            groups_claim: self.groups_claim,
        };
        Ok(Issuer {
            rules: Arc::new(rules),
            keys,
        })
    }

    fn location(&self) -> Result<KeyLocation, String> {
        if self.token_file.is_some() && self.ca_file.is_none() {
            return Err("token_file needs ca_file: it goes to that authority's servers".into());
        }
        if let Some(path) = &self.jwks_file {
            if self.jwks_url.is_some() || self.ca_file.is_some() {
                return Err("jwks_file excludes jwks_url, ca_file and token_file".into());
            }
            return Ok(KeyLocation::File(path.clone()));
        }
        let web = |url: &str, rule| {
            let url = Url::parse(url).ok().filter(is_safe).ok_or(rule)?;
            Ok::<_, &str>(WebLocation {
                url,
                ca_file: self.ca_file.clone(),
                token_file: self.token_file.clone(),
            })
        };
        Ok(match &self.jwks_url {
            Some(url) => KeyLocation::Url(web(url, "jwks_url is an https URL without a login")?),
            None => KeyLocation::Discovery(web(
                &self.url,
                "the url of an issuer without jwks_url and jwks_file is an https URL",
            )?),
        })
    }
}
