//! The connections to object stores: the web client that the server has anyway.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::web_client::WebClient;

/// The most idle connections to a store.
const IDLE_CONNECTIONS: usize = 16;

/// How long the head of an answer may take, after the last byte of a request or a part.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// Clones share the connections.
#[derive(Clone, Debug)]
pub(super) struct Connector(Arc<WebClient>);

impl Connector {
    pub(super) fn open() -> Result<Self> {
        let client = WebClient::open(None, IDLE_CONNECTIONS);
        let client = client.map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self(Arc::new(client)))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

type Called<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Connector {
    fn call<'a, 'f>(&'a self, request: HttpRequest) -> Called<'f>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let sent = self.0.request(request.map(Body::new));
            let answer = timeout(ANSWER_TIMEOUT, sent).await;
            let answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Timeout, error))?;
            let answer = answer.map_err(|error| {
                let kind = if error.is_connect() {
                    HttpErrorKind::Connect
                } else {
                    HttpErrorKind::Request
                };
                HttpError::new(kind, error)
            })?;
            let cut = |error| HttpError::new(HttpErrorKind::Interrupted, error);
            Ok(answer.map(|body| HttpResponseBody::new(body.map_err(cut))))
        })
    }
}
