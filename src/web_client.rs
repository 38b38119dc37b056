//! A client of HTTP and HTTPS, for what this server fetches and sends.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use crate::certificates::{Authorities, public_authorities};

/// Why something cannot be fetched or sent. The text has no secret.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("cannot read {}: {source}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot use {place}: {problem}")]
    Unusable { place: String, problem: String },
}

/// A client with the authorities that it trusts. It follows no redirections.
#[derive(Debug)]
pub struct WebClient(Client<HttpsConnector<HttpConnector>, Body>);

impl WebClient {
    /// A client that trusts the authorities in a file of PEM, or without one those of browsers, and
    /// keeps so many idle connections to a host.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub fn open(ca_file: Option<&Path>, idle_connections: usize) -> Result<Self, WebError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("TLS", error))?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_max_idle_per_host(idle_connections);
        Ok(Self(client.build(connector)))
    }

    /// Sends a request, and returns the answer as soon as its head is there.
    ///
    /// # Errors
    ///
    /// If no answer comes.
    pub async fn request(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        self.0.request(request).await
    }
}

/// Whether secrets may be sent to a URL, and what it has may be trusted: by https, or by http from
/// this machine, and without a login in the URL.
#[must_use]
pub fn is_safe(url: &Url) -> bool {
    let has_login = !url.username().is_empty() || url.password().is_some();
    !has_login && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
}

/// Checks the URL of an API, `what`, that is given by a user of a command. `instead` is what takes
/// the place of a login.
///
/// # Errors
///
/// A text: the URL is not of HTTP, has a login, or is no place for a token.
pub fn check_api_url(
    url: &Url,
    has_token: bool,
    (what, instead): (&str, &str),
) -> Result<(), String> {
    let has_login = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!("the URL of {what} must be of http or https"));
    }
    if has_login {
        return Err(format!("the URL of {what} must have no login: {instead}"));
    }
    if has_token && !is_safe(url) {
        return Err("a token is sent by https, or to this machine".to_owned());
    }
    Ok(())
}

/// Whether the host of a URL is this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The header with the token in a file, which is read now.
///
/// # Errors
///
/// If the file cannot be read, or has no token.
pub fn bearer(path: &Path) -> Result<HeaderValue, WebError> {
    let token = String::from_utf8(read(path)?).unwrap_or_default();
    bearer_of(&token).ok_or_else(|| unusable(path.display(), "it is no token"))
}

/// The header with a token; `None` for a text that cannot be one.
#[must_use]
pub fn bearer_of(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, WebError> {
    let Some(path) = ca_file else {
        return Ok(public_authorities());
    };
    let roots = Authorities::of(&read(path)?).store();
    if roots.is_empty() {
        return Err(unusable(path.display(), "it has no usable certificate"));
    }
    Ok(roots)
}

/// The bytes of a file.
///
/// # Errors
///
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, WebError> {
    let path = path.to_owned();
    fs::read(&path).map_err(|source| WebError::File { path, source })
}

/// [`WebError::Unusable`].
#[must_use]
pub fn unusable(place: impl fmt::Display, problem: impl fmt::Display) -> WebError {
    WebError::Unusable {
        place: place.to_string(),
        problem: problem.to_string(),
    }
}
