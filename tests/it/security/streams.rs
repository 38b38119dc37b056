//! Streams of callers: they end with the credentials, and their messages are apart by subject.

use std::path::Path;
use std::time::Duration;

use pedigree::proto::ml_metadata::PutArtifactTypeRequest;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::{
    RecordRequest, RecordResponse, WatchRequest, WatchResponse,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::jwt::{SigningKey, TestIssuer, now};
use super::tokens::principals;
use super::{MadeToken, with_authorization, write_file, write_policy};
use crate::serving::put_type;
use crate::streams::message;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    streams_end_when_their_credentials_do,
    streams_end_when_the_file_takes_their_rights_away,
    messages_of_two_subjects_are_apart,
}

const ENDED: &str = "the credentials are no longer valid; open another stream with new ones";

/// A recording and a watch of one caller.
struct Streams {
    requests: mpsc::Sender<RecordRequest>,
    responses: Streaming<RecordResponse>,
    watched: Streaming<WatchResponse>,
}

fn declare(id: &str, name: &str) -> RecordRequest {
    let put: PutArtifactTypeRequest = put_type(name);
    message(id, Change::PutArtifactType(put))
}

impl Streams {
    async fn open(store: &Store, token: &str) -> Self {
        let bearer = format!("Bearer {token}");
        let mut client = LineageServiceClient::new(store.channel.clone());
        let (requests, receiver) = mpsc::channel(16);
        let record = with_authorization(ReceiverStream::new(receiver), &[&bearer]);
        let watch = with_authorization(WatchRequest::default(), &[&bearer]);
        Self {
            requests,
            responses: client.record(record).await.unwrap().into_inner(),
            watched: client.watch(watch).await.unwrap().into_inner(),
        }
    }

    async fn record(&mut self, id: &str, name: &str) -> RecordResponse {
        self.requests.send(declare(id, name)).await.unwrap();
        self.responses.message().await.unwrap().unwrap()
    }

    /// How both streams end, and what the recording says after that.
    async fn ends(mut self) -> [Status; 2] {
        let recorded = loop {
            match self.responses.message().await {
                Ok(response) => assert!(response.is_some()),
                Err(status) => break status,
            }
        };
        // The server no longer reads it.
        let _ = self.requests.send(declare("late", "Late")).await;
        let watched = loop {
            match self.watched.message().await {
                Ok(response) => assert!(response.is_some()),
                Err(status) => break status,
            }
        };
        [recorded, watched]
    }
}

async fn open(backend: Backend, folder: &Path) -> Store {
    let file = folder.join(super::FILE);
    Store::open_with(backend, |config| config.serving.security = Some(file)).await
}

async fn streams_end_when_their_credentials_do(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let token = MadeToken::with(folder.path(), &["--subject", "ci", "--expires-in", "2h"]);
    let key = SigningKey::ed();
    let issuer = TestIssuer::start(&[key.jwk("a")]).await;
    write_file(folder.path(), &[&token.entry, &issuer.entry("")]);
    let store = open(backend, folder.path()).await;
    let jwt = issuer.token(&key, "a", "ada");
    let short = jwt.clone().claim("exp", json!(now() + 3600)).sign(&key);
    let long = jwt.claim("exp", json!(now() + 36000)).sign(&key);
    let mut ending = [
        Streams::open(&store, &token.text).await,
        Streams::open(&store, &short).await,
    ];
    let mut staying = Streams::open(&store, &long).await;
    for (number, streams) in ending.iter_mut().enumerate() {
        let stored = streams.record("1", &format!("Type{number}")).await;
        assert_eq!(stored.refused, None);
    }
    store.wait(Duration::from_hours(3));
    for streams in ending {
        for status in streams.ends().await {
            assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
            assert_eq!(status.message(), ENDED);
        }
    }
    assert_eq!(staying.record("2", "Type2").await.refused, None);
    let expected = ["token:ci", "jwt:test:ada", "jwt:test:ada"];
    assert_eq!(principals(&store).await, expected);
}

/// A grant of everything to a subject.
fn grant(subject: &str) -> String {
    format!("[[grant]]\nsubjects = [\"{subject}\"]\nrole = \"admin\"\n")
}

async fn streams_end_when_the_file_takes_their_rights_away(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let names = ["removed", "demoted", "kept"];
    let tokens = names.map(|name| MadeToken::new(folder.path(), name));
    let [removed, demoted, kept] = &tokens;
    let grants = names.map(|name| grant(&format!("token:{name}")));
    let entries = [&removed.entry, &demoted.entry, &kept.entry].map(String::as_str);
    let grants_of = |range: std::ops::Range<usize>| grants[range].concat();
    write_policy(folder.path(), &[&entries.concat(), &grants_of(0..3)]);
    let store = open(backend, folder.path()).await;
    let of_removed = Streams::open(&store, &removed.text).await;
    let of_demoted = Streams::open(&store, &demoted.text).await;
    let mut of_kept = Streams::open(&store, &kept.text).await;
    // A token with the same id and another secret is another token.
    let other = MadeToken::new(folder.path(), "removed");
    write_policy(
        folder.path(),
        &[
            &other.entry,
            &demoted.entry,
            &kept.entry,
            &grants[0],
            &grants[2],
        ],
    );
    for status in of_removed.ends().await {
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
        assert_eq!(status.message(), ENDED);
    }
    for status in of_demoted.ends().await {
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    }
    assert_eq!(of_kept.record("1", "Kept").await.refused, None);
    assert_eq!(principals(&store).await, ["token:kept"]);
}

async fn messages_of_two_subjects_are_apart(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let tokens = ["one", "other"].map(|name| MadeToken::new(folder.path(), name));
    let entries = tokens.each_ref().map(|token| token.entry.as_str());
    write_file(folder.path(), &entries);
    let store = open(backend, folder.path()).await;
    let mut one = Streams::open(&store, &tokens[0].text).await;
    let mut other = Streams::open(&store, &tokens[1].text).await;
    for (streams, name) in [(&mut one, "One"), (&mut other, "Other")] {
        let stored = streams.record("1", name).await;
        assert_eq!((stored.refused, stored.repeated), (None, false), "{name}");
        assert_eq!(stored.id, "1");
    }
    // The same subject said it before, and says something else.
    assert!(one.record("1", "One").await.repeated);
    assert!(one.record("1", "Other").await.refused.is_some());
    // The same content is not another subject's either.
    assert!(!one.record("2", "Other").await.repeated);
    assert!(!other.record("2", "Other").await.repeated);
    assert_eq!(principals(&store).await, ["token:one", "token:other"]);
}
