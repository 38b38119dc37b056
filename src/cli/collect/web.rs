//! APIs that answer in JSON.

use std::path::PathBuf;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode};
use serde_json::Value as Json;
use tokio::time::timeout;
use url::Url;

use crate::cli::Failure;
use crate::cli::output::printable;
use crate::error::chain;
use crate::web_client::{WebClient, WebError, bearer, check_api_url};

/// The most bytes of an answer: far more than the specification of a pipeline or a pod has.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// The most characters of what an API says about a refusal.
const MAX_REASON_CHARS: usize = 300;

/// How an API is reached.
#[derive(Clone, Debug)]
pub(super) struct ApiAccess {
    pub url: Url,
    /// The file of the token to send.
    pub token_file: Option<PathBuf>,
    /// Certificate authorities in PEM; without a file, those of browsers.
    pub ca_file: Option<PathBuf>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// An API at a URL.
#[derive(Debug)]
pub(super) struct JsonApi {
    client: WebClient,
    url: Url,
    authorization: Option<HeaderValue>,
    timeout: Duration,
}

impl JsonApi {
    /// The API, which is not asked for anything yet. Its token is read once.
    ///
    /// # Errors
    ///
    /// If the URL cannot be one of an API, the token would not be safe, or a file cannot be used.
    pub(super) fn open(access: &ApiAccess) -> Result<Self, Failure> {
        let url = &access.url;
        let words = ("an API", "give the file of a token");
        check_api_url(url, access.token_file.is_some(), words).map_err(Failure)?;
        let failed = |error: WebError| Failure(error.to_string());
        let token = access.token_file.as_deref();
        Ok(Self {
            client: WebClient::open(access.ca_file.as_deref(), 1).map_err(failed)?,
            url: url.clone(),
            authorization: token.map(bearer).transpose().map_err(failed)?,
            timeout: access.timeout,
        })
    }

    /// What the API has at a path below its URL; `None` if it says that there is nothing.
    ///
    /// # Errors
    ///
    /// If it gives no such answer in time.
    pub(super) async fn get(&self, path: &[&str]) -> Result<Option<Json>, Failure> {
        let mut url = self.url.clone();
        // Such segments would be left out, or lead elsewhere.
        let is_wrong = |part: &&str| ["", ".", ".."].contains(part);
        match url.path_segments_mut() {
            Ok(mut segments) if !path.iter().any(is_wrong) => {
                segments.pop_if_empty().extend(path);
            }
            _ => {
                let path = printable(&path.join("/"));
                return Err(Failure(format!("{path} is no path of an API")));
            }
        }
        let answer = timeout(self.timeout, self.answer(&url)).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer came in time".to_owned()));
        answer.map_err(|why| Failure(printable(&format!("{url}: {why}"))))
    }

    async fn answer(&self, url: &Url) -> Result<Option<Json>, String> {
        let mut request = Request::get(url.as_str()).header(ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Body::empty());
        let request = request.map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| chain(&error))?;
        let status = answer.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if status.is_redirection() {
            return Err(format!("{status}: it leads elsewhere, maybe to a login"));
        }
        let body = to_bytes(Body::new(answer.into_body()), MAX_ANSWER_BYTES).await;
        let body = body.map_err(|error| format!("cannot read the answer: {error}"))?;
        let json: serde_json::Result<Json> = serde_json::from_slice(&body);
        if status == StatusCode::OK {
            let json = json.map_err(|error| format!("the answer is no JSON: {error}"));
            return json.map(Some);
        }
        let said = json.unwrap_or_default();
        let reason = said["message"].as_str().unwrap_or_default();
        let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
        Err(format!("{status} {reason}").trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, token_file: Option<&str>) -> Result<JsonApi, Failure> {
        JsonApi::open(&ApiAccess {
            url: url.parse().unwrap(),
            token_file: token_file.map(Into::into),
            ca_file: None,
            timeout: Duration::from_secs(1),
        })
    }

    #[test]
    fn secrets_are_sent_by_https_only() {
        for (url, token_file) in [
            ("ftp://kfp.example", None),
            ("http://user:secret@kfp.example", None),
            ("http://kfp.example", Some("token")),
        ] {
            let refused = open(url, token_file).unwrap_err().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_name_is_one_segment_of_a_path() {
        let api = open("http://127.0.0.1:1/pipeline/", None).unwrap();
        for path in [["runs", ".."], ["runs", "."], ["", "1"]] {
            let refused = api.get(&path).await.unwrap_err().to_string();
            assert!(refused.ends_with("is no path of an API"), "{refused}");
        }
        let refused = api.get(&["runs", "../pods?a"]).await.unwrap_err();
        let url = "http://127.0.0.1:1/pipeline/runs/..%2Fpods%3Fa: ";
        assert!(refused.to_string().starts_with(url), "{refused}");
    }
}
