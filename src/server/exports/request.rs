//! One request to a target, and what its answer means.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::timeout;
use url::Url;

use crate::api::openlineage::out::OutgoingEvent;
use crate::build_info;
use crate::error::chain;
use crate::web_client::{WebClient, WebError, bearer, bearer_of, unusable};

/// Time limit of a request and its answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// The connections that stay open between requests. Requests to a target follow each other.
const IDLE_CONNECTIONS: usize = 1;

/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The most bytes of a reason in a log.
const MAX_REASON_BYTES: usize = 300;

/// How a target is reached.
#[derive(Debug)]
pub(super) struct EndpointSettings {
    pub url: Url,
    pub token: Option<TokenSource>,
    pub is_compressed: bool,
    /// The most events of an array; `None` sends one event without an array.
    pub batch: Option<usize>,
}

/// Where a bearer token is.
#[derive(Debug)]
pub(super) enum TokenSource {
    /// In a file, which is read for each request.
    File(PathBuf),
    Text(SecretString),
}

/// A target and the client that reaches it.
pub(super) struct TargetEndpoint {
    settings: EndpointSettings,
    client: WebClient,
}

impl fmt::Debug for TargetEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.url.as_str().fmt(f)
    }
}

/// What became of the events of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// The target has them, except those at these places.
    Taken(Vec<UntakenEvent>),
    /// It will never take them.
    Refused(String),
    /// They are to be sent again, after a pause that it may ask for.
    Later(String, Option<Duration>),
}

/// An event of an array that was not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct UntakenEvent {
    /// In the array.
    pub index: usize,
    #[serde(default)]
    pub reason: String,
    /// Whether it may be taken when it is sent again.
    #[serde(default)]
    pub retriable: bool,
}

/// The answer to an array.
#[derive(Deserialize)]
struct ArrayAnswer {
    #[serde(default)]
    failed_events: Vec<UntakenEvent>,
}

impl TargetEndpoint {
    pub(super) fn open(
        settings: EndpointSettings,
        ca_file: Option<&Path>,
    ) -> Result<Self, WebError> {
        let client = WebClient::open(ca_file, IDLE_CONNECTIONS)?;
        Ok(Self { settings, client })
    }

    /// The most events of a request.
    pub(super) fn max_events(&self) -> usize {
        self.settings.batch.unwrap_or(1)
    }

    /// Sends events, not more than [`Self::max_events`].
    pub(super) async fn send(&self, events: &[OutgoingEvent]) -> SendOutcome {
        let answered = timeout(SEND_TIMEOUT, self.exchange(events)).await;
        let answered = answered.unwrap_or_else(|_| Err("no answer in time".into()));
        answered.unwrap_or_else(|reason| SendOutcome::Later(reason, None))
    }

    async fn exchange(&self, events: &[OutgoingEvent]) -> Result<SendOutcome, String> {
        let request = self.request(events)?;
        let response = self.client.request(request).await;
        let (head, body) = response.map_err(|error| chain(&error))?.into_parts();
        // What cannot be read says nothing; the status counts.
        let body = to_bytes(Body::new(body), MAX_ANSWER_BYTES).await;
        let body = body.unwrap_or_default();
        Ok(meaning(head.status, &head.headers, &body))
    }

    fn request(&self, events: &[OutgoingEvent]) -> Result<Request<Body>, String> {
        let settings = &self.settings;
        let mut request = Request::post(settings.url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, format!("pedigree/{}", build_info::VERSION));
        if let Some(token) = &settings.token {
            let header = token.header().map_err(|error| error.to_string())?;
            request = request.header(AUTHORIZATION, header);
        }
        let texts: Vec<&str> = events.iter().map(|event| event.body.as_str()).collect();
        let text = match settings.batch {
            Some(_) => format!("[{}]", texts.join(",")),
            None => texts.concat(),
        };
        let body = if settings.is_compressed {
            request = request.header(CONTENT_ENCODING, "gzip");
            gzip(text.as_bytes()).map_err(|error| error.to_string())?
        } else {
            text.into_bytes()
        };
        request
            .body(Body::from(body))
            .map_err(|error| error.to_string())
    }
}

impl TokenSource {
    fn header(&self) -> Result<HeaderValue, WebError> {
        match self {
            Self::File(path) => bearer(path),
            Self::Text(token) => bearer_of(token.expose_secret())
                .ok_or_else(|| unusable("the variable", "it has no token")),
        }
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// What an answer means. A status that says what is wrong with the events will never change; any
/// other may: credentials, paths and servers are mended.
fn meaning(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> SendOutcome {
    if status.is_success() {
        let answer = serde_json::from_slice::<ArrayAnswer>(body);
        return SendOutcome::Taken(answer.map(|it| it.failed_events).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(body);
    let text = &text[..text.floor_char_boundary(MAX_REASON_BYTES)];
    let reason = format!("it answers {status}: {text}");
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::GONE
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => {
            // Some servers are only too busy for so much.
            match retry_after(headers) {
                Some(after) => SendOutcome::Later(reason, Some(after)),
                None => SendOutcome::Refused(reason),
            }
        }
        _ => SendOutcome::Later(reason, retry_after(headers)),
    }
}

/// The pause that an answer asks for: seconds, or a time (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    let answered = headers.get(http::header::DATE)?.to_str().ok()?;
    let answered = OffsetDateTime::parse(answered, &Rfc2822).ok()?;
    // By the clock of the target, which set both.
    Duration::try_from(time - answered).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> SendOutcome {
        let header = |(name, value): &(&'static str, &str)| {
            let name = http::header::HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        };
        let headers = headers.iter().map(header).collect();
        meaning(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.as_bytes(),
        )
    }

    #[test]
    fn only_what_is_wrong_with_an_event_is_final() {
        for status in [200, 201, 204] {
            assert_eq!(answer(status, &[], ""), SendOutcome::Taken(vec![]));
        }
        for status in [400, 409, 410, 413, 422] {
            assert!(
                matches!(answer(status, &[], ""), SendOutcome::Refused(_)),
                "{status}"
            );
        }
        for status in [301, 401, 403, 404, 408, 415, 429, 500, 502, 503, 504] {
            let found = answer(status, &[], "");
            assert!(matches!(found, SendOutcome::Later(_, None)), "{status}");
        }
    }

    #[test]
    fn a_pause_is_in_seconds_or_until_a_time() {
        let pause = |headers: &[(&'static str, &str)]| match answer(503, headers, "") {
            SendOutcome::Later(_, after) => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(pause(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        let until = [
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"),
        ];
        assert_eq!(pause(&until), Some(Duration::from_mins(1)));
        assert_eq!(pause(&[("retry-after", "soon")]), None);
        let found = answer(413, &[("retry-after", "1")], "");
        assert!(matches!(found, SendOutcome::Later(_, Some(_))), "{found:?}");
    }

    #[test]
    fn an_array_says_which_events_failed() {
        let body = r#"{"status": "partial_success", "summary": {}, "failed_events": [
            {"index": 1, "reason": "no", "retriable": true}]}"#;
        let failed = UntakenEvent {
            index: 1,
            reason: "no".into(),
            retriable: true,
        };
        assert_eq!(answer(200, &[], body), SendOutcome::Taken(vec![failed]));
    }
}
