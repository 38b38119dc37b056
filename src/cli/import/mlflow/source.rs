//! A tracking server of `MLflow`, from which an import reads.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use backon::{BackoffBuilder, ExponentialBuilder};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tokio_util::bytes::Bytes;
use url::Url;

use crate::blobs::BlobStream;
use crate::cli::Failure;
use crate::cli::import::files::FailedFile;
use crate::cli::output::printable;
use crate::web_client::{WebClient, WebError, bearer, check_api_url};

/// The most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// What is said of an answer that takes longer.
const LATE: &str = "no answer came in time";

/// How often a request is sent again that was not answered, or that the server could not serve.
const MAX_RETRIES: usize = 6;

/// How often a file is asked for again. Others wait for it.
const MAX_FILE_RETRIES: usize = 3;

/// The server.
#[derive(Debug)]
pub(super) struct MlflowSource {
    client: WebClient,
    url: Url,
    authorization: Option<HeaderValue>,
}

/// A list of the server that comes in pages.
#[derive(Debug)]
pub(super) struct SourceList {
    method: Method,
    path: Cow<'static, str>,
    /// The member of the answer that has the entries.
    member: &'static str,
    fields: Map<String, Json>,
    /// Whether older servers do not have it.
    is_new: bool,
    /// The token of the next page; `None` after the last one.
    token: Option<String>,
}

impl SourceList {
    /// A list that `POST` answers.
    pub(super) fn posted(path: &'static str, member: &'static str, fields: Json) -> Self {
        Self::of(Method::POST, path.into(), member, fields)
    }

    /// A list that `GET` answers.
    pub(super) fn got(
        path: impl Into<Cow<'static, str>>,
        member: &'static str,
        fields: Json,
    ) -> Self {
        Self::of(Method::GET, path.into(), member, fields)
    }

    /// The list, which older servers do not have: theirs is empty.
    pub(super) fn if_known(self) -> Self {
        Self {
            is_new: true,
            ..self
        }
    }

    fn of(method: Method, path: Cow<'static, str>, member: &'static str, fields: Json) -> Self {
        let fields = match fields {
            Json::Object(fields) => fields,
            _ => Map::new(),
        };
        Self {
            method,
            path,
            member,
            fields,
            is_new: false,
            token: Some(String::new()),
        }
    }
}

/// Why there is no answer.
enum FailedAsk {
    /// It may come later.
    Later(String),
    /// The server does not know the path.
    Unknown,
    Refused(String),
}

impl MlflowSource {
    /// The server at a URL, with the token in a file, and the authorities in another one.
    pub(super) fn open(
        url: &Url,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let words = ("the server", "use --source-token-file");
        check_api_url(url, token_file.is_some(), words).map_err(Failure)?;
        let failed = |error: WebError| Failure(error.to_string());
        Ok(Self {
            client: WebClient::open(ca_file, 1).map_err(failed)?,
            url: url.clone(),
            authorization: token_file.map(bearer).transpose().map_err(failed)?,
        })
    }

    /// Where files are that the server says to have itself, for clients of other servers.
    pub(super) fn place_of(&self, uri: &str) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        match uri.strip_prefix("mlflow-artifacts:/") {
            Some(path) if !path.starts_with('/') => {
                format!("mlflow-artifacts://{host}:{port}/{path}")
            }
            _ => uri.to_owned(),
        }
    }

    /// The next page of a list; `None` after the last one.
    pub(super) async fn next_page<T: DeserializeOwned>(
        &self,
        list: &mut SourceList,
    ) -> Result<Option<Vec<T>>, Failure> {
        let Some(token) = list.token.take() else {
            return Ok(None);
        };
        if !token.is_empty() {
            list.fields
                .insert("page_token".to_owned(), Json::String(token));
        }
        let asked = self.ask(&list.method, &list.path, &list.fields).await;
        let mut answer = match asked? {
            Some(answer) => answer,
            None if list.is_new => return Ok(None),
            None => return Err(self.failure(&list.path, "the server has no such list")),
        };
        let next = answer.get("next_page_token").and_then(Json::as_str);
        list.token = next.filter(|token| !token.is_empty()).map(str::to_owned);
        match answer.get_mut(list.member).map(Json::take) {
            Some(entries) => Ok(Some(serde_json::from_value(entries)?)),
            None => Ok(Some(Vec::new())),
        }
    }

    async fn ask(
        &self,
        method: &Method,
        path: &str,
        fields: &Map<String, Json>,
    ) -> Result<Option<Json>, Failure> {
        let mut url = self.url.clone();
        let root = url.path().trim_end_matches('/').to_owned();
        url.set_path(&[&root, "/api/2.0/mlflow", path].concat());
        if *method == Method::GET {
            let mut query = url.query_pairs_mut();
            for (name, value) in fields {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                query.append_pair(name, &text);
            }
        }
        let body = serde_json::to_vec(fields)?;
        let attempt = async || self.answer(method, &url, &body).await;
        self.retried(path, MAX_RETRIES, attempt).await
    }

    /// The bytes of a file that the server has at a path, in the hands of `store`. `None` if it has
    /// no such file.
    pub(super) async fn fetch(
        &self,
        path: &str,
        store: impl AsyncFn(BlobStream) -> Result<(), FailedFile>,
    ) -> Result<Option<()>, Failure> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            let api = ["api", "2.0", "mlflow-artifacts", "artifacts"];
            segments.pop_if_empty().extend(api).extend(path.split('/'));
        }
        let fetch_once = async || {
            let answer = self.head(&Method::GET, &url, &[]).await?;
            if answer.status() != StatusCode::OK {
                return Err(Self::refused(answer).await);
            }
            let bytes = Body::new(answer.into_body()).into_data_stream();
            let stored = store(Box::pin(bytes.map(|part| part.map_err(io::Error::other))));
            stored.await.map_err(|failed| match failed {
                FailedFile::Cut(why) => FailedAsk::Later(why),
                FailedFile::Refused(error) => FailedAsk::Refused(error.to_string()),
            })
        };
        let path = ["/", path].concat();
        self.retried(&path, MAX_FILE_RETRIES, fetch_once).await
    }

    /// What an attempt gives in the end, which may be made again. `None` for an unknown path.
    async fn retried<T>(
        &self,
        path: &str,
        retries: usize,
        attempt: impl AsyncFn() -> Result<T, FailedAsk>,
    ) -> Result<Option<T>, Failure> {
        let mut delays = ExponentialBuilder::default()
            .with_max_times(retries)
            .build();
        loop {
            let (why, delay) = match attempt().await {
                Ok(answer) => return Ok(Some(answer)),
                Err(FailedAsk::Later(why)) => (why, delays.next()),
                Err(FailedAsk::Refused(why)) => (why, None),
                Err(FailedAsk::Unknown) => return Ok(None),
            };
            match delay {
                Some(delay) => sleep(delay).await,
                None => return Err(self.failure(path, &why)),
            }
        }
    }

    fn failure(&self, path: &str, why: &str) -> Failure {
        Failure(printable(&format!("{}{path}: {why}", self.url)))
    }

    /// The answer to a request, as soon as its head is there.
    async fn head(
        &self,
        method: &Method,
        url: &Url,
        body: &[u8],
    ) -> Result<Response<Incoming>, FailedAsk> {
        let mut request = Request::builder().method(method.clone()).uri(url.as_str());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let body = if *method == Method::GET {
            Body::empty()
        } else {
            request = request.header(CONTENT_TYPE, "application/json");
            Body::from(body.to_vec())
        };
        let request = request.body(body);
        let request = request.map_err(|error| FailedAsk::Refused(error.to_string()))?;
        let answer = timeout(ANSWER_TIMEOUT, self.client.request(request)).await;
        let answer = answer.map_err(|_| FailedAsk::Later(LATE.to_owned()))?;
        answer.map_err(|error| FailedAsk::Later(error.to_string()))
    }

    async fn answer(&self, method: &Method, url: &Url, body: &[u8]) -> Result<Json, FailedAsk> {
        let answer = self.head(method, url, body).await?;
        if answer.status() != StatusCode::OK {
            return Err(Self::refused(answer).await);
        }
        let body = Self::collected(answer).await?;
        serde_json::from_slice(&body).map_err(|error| FailedAsk::Refused(error.to_string()))
    }

    async fn collected(answer: Response<Incoming>) -> Result<Bytes, FailedAsk> {
        let body = to_bytes(Body::new(answer.into_body()), MAX_ANSWER_BYTES);
        let body = timeout(ANSWER_TIMEOUT, body).await;
        let body = body.map_err(|_| FailedAsk::Later(LATE.to_owned()))?;
        body.map_err(|error| FailedAsk::Later(error.to_string()))
    }

    /// Why an answer has not what was asked for.
    async fn refused(answer: Response<Incoming>) -> FailedAsk {
        let status = answer.status();
        if status == StatusCode::NOT_FOUND {
            return FailedAsk::Unknown;
        }
        let body = Self::collected(answer).await.unwrap_or_default();
        let told: Json = serde_json::from_slice(&body).unwrap_or_default();
        let message = told["message"].as_str().unwrap_or_default();
        let why = format!("{status} {message}");
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return FailedAsk::Later(why);
        }
        FailedAsk::Refused(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, token_file: Option<&str>) -> Result<MlflowSource, Failure> {
        MlflowSource::open(&url.parse().unwrap(), token_file.map(Path::new), None)
    }

    #[test]
    fn files_of_the_server_get_its_address() {
        let source = open("http://mlflow.example:5000/root", None).unwrap();
        for (uri, place) in [
            (
                "mlflow-artifacts:/1/a",
                "mlflow-artifacts://mlflow.example:5000/1/a",
            ),
            (
                "mlflow-artifacts://other:1/a",
                "mlflow-artifacts://other:1/a",
            ),
            ("s3://bucket/a", "s3://bucket/a"),
        ] {
            assert_eq!(source.place_of(uri), place);
        }
    }

    #[test]
    fn secrets_are_sent_by_https_only() {
        for (url, token_file) in [
            ("ftp://mlflow.example", None),
            ("http://user:secret@mlflow.example", None),
            ("http://mlflow.example", Some("token")),
        ] {
            let refused = open(url, token_file).unwrap_err().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
