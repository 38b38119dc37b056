//! Where the keys of an issuer are, and how they are fetched. Keys come only from a location in the
//! security file, or from the URL in the discovery document of such a location.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::keys::KeySet;
use crate::error::chain;
use crate::web_client::{WebClient, WebError, bearer, is_safe, read, unusable};

/// Time limit of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Size limit of a document.
const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// The path of an issuer's configuration (`OpenID` Connect Discovery 1.0, section 4).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Where keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLocation {
    /// In a file.
    File(PathBuf),
    /// At a URL.
    Url(WebLocation),
    /// At the URL that the configuration of the issuer names.
    Discovery(WebLocation),
}

/// A URL, and the files that a request to it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebLocation {
    /// Of the keys, or of the issuer.
    pub url: Url,
    /// The file of the authorities, in PEM. Without it, those of browsers are trusted.
    pub ca_file: Option<PathBuf>,
    /// The file of a bearer token to send. It is read for each fetch.
    pub token_file: Option<PathBuf>,
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(web) | Self::Discovery(web) => web.url.fmt(f),
        }
    }
}

/// The client that fetches from a location.
#[derive(Debug)]
pub(super) enum KeySource {
    File,
    Web(Box<WebClient>),
}

#[derive(Deserialize)]
struct IssuerConfiguration {
    issuer: String,
    jwks_uri: String,
}

impl KeySource {
    pub(super) fn open(location: &KeyLocation) -> Result<Self, WebError> {
        let (KeyLocation::Url(web) | KeyLocation::Discovery(web)) = location else {
            return Ok(Self::File);
        };
        let client = WebClient::open(web.ca_file.as_deref(), 0)?;
        Ok(Self::Web(Box::new(client)))
    }

    /// The keys in a file.
    pub(super) fn read(path: &Path) -> Result<KeySet, WebError> {
        let json = read(path)?;
        KeySet::parse(&json).map_err(|problem| unusable(path.display(), problem))
    }

    /// The keys as they are now.
    pub(super) async fn fetch(&self, location: &KeyLocation) -> Result<KeySet, WebError> {
        let fetching = async {
            match (self, location) {
                (Self::Web(client), KeyLocation::Url(web)) => keys(client, &web.url, web).await,
                (Self::Web(client), KeyLocation::Discovery(web)) => {
                    let url = discover(client, web).await?;
                    keys(client, &url, web).await
                }
                (_, KeyLocation::File(path)) => Self::read(path),
                (Self::File, _) => Err(unusable(location, "it is no file")),
            }
        };
        let fetched = timeout(FETCH_TIMEOUT, fetching).await;
        fetched.unwrap_or_else(|_| Err(unusable(location, "no answer in time")))
    }
}

async fn keys(client: &WebClient, url: &Url, web: &WebLocation) -> Result<KeySet, WebError> {
    let json = get(client, url, web).await?;
    KeySet::parse(&json).map_err(|problem| unusable(url, problem))
}

/// The URL of an issuer's keys, by its configuration.
async fn discover(client: &WebClient, web: &WebLocation) -> Result<Url, WebError> {
    let issuer = web.url.as_str().trim_end_matches('/');
    let place = format!("{issuer}{DISCOVERY_PATH}");
    let url = Url::parse(&place).map_err(|error| unusable(&place, error))?;
    let json = get(client, &url, web).await?;
    let found: IssuerConfiguration =
        serde_json::from_slice(&json).map_err(|_| unusable(&place, "it is no configuration"))?;
    if found.issuer.trim_end_matches('/') != issuer {
        return Err(unusable(&place, "it is that of another issuer"));
    }
    let keys = Url::parse(&found.jwks_uri).ok().filter(is_safe);
    keys.ok_or_else(|| unusable(&place, "its keys are not at an https URL"))
}

/// The document at a URL. Redirections are not followed.
async fn get(client: &WebClient, url: &Url, web: &WebLocation) -> Result<Vec<u8>, WebError> {
    let mut request = Request::get(url.as_str()).header(ACCEPT, "application/json");
    // A token is sent by https only.
    if let Some(path) = web
        .token_file
        .as_deref()
        .filter(|_| url.scheme() == "https")
    {
        request = request.header(AUTHORIZATION, bearer(path)?);
    }
    let request = request.body(Body::empty());
    let request = request.map_err(|error| unusable(url, error))?;
    let response = client.request(request).await;
    let response = response.map_err(|error| unusable(url, chain(&error)))?;
    if !response.status().is_success() {
        return Err(unusable(url, format!("it answers {}", response.status())));
    }
    let body = to_bytes(Body::new(response.into_body()), MAX_DOCUMENT_BYTES).await;
    let body = body.map_err(|error| unusable(url, chain(&error)))?;
    Ok(body.into())
}
