//! Heartbeats of `Record`, for clients that ask for them.

use pb::PutContextsRequest;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::{RecordRequest, RecordResponse};

use super::{Recording, code_of, message};
use crate::support::prelude::*;

on_every_database! {
    a_silent_stream_has_heartbeats_when_its_client_asks,
    a_heartbeat_that_is_too_short_is_refused,
}

/// The request for heartbeats, and nothing else.
pub fn heartbeat(milliseconds: i64) -> RecordRequest {
    RecordRequest {
        heartbeat: milliseconds,
        ..RecordRequest::default()
    }
}

/// A message that stores nothing.
pub fn empty(id: &str) -> RecordRequest {
    message(id, Change::PutContexts(PutContextsRequest::default()))
}

async fn next(recording: &mut Recording) -> RecordResponse {
    recording.responses.message().await.unwrap().unwrap()
}

async fn a_silent_stream_has_heartbeats_when_its_client_asks(store: Store) {
    let mut silent = Recording::start(store.channel.clone()).await;
    let mut asked = Recording::start(store.channel.clone()).await;
    asked.requests.send(heartbeat(100)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(next(&mut asked).await, RecordResponse::default());
    }
    asked.requests.send(empty("1")).await.unwrap();
    let answer = loop {
        let response = next(&mut asked).await;
        if response != RecordResponse::default() {
            break response;
        }
    };
    assert_eq!((answer.id.as_str(), code_of(&answer)), ("1", Code::Ok));
    assert_eq!(next(&mut asked).await, RecordResponse::default());
    // A client that has not asked gets the responses to its requests, and no other.
    let answers = silent.say(vec![empty("2")]).await;
    assert_eq!(code_of(&answers[0]), Code::Ok);
    // The request may also be part of a message.
    let both = RecordRequest {
        heartbeat: 100,
        ..empty("3")
    };
    assert_eq!(code_of(&silent.say(vec![both]).await[0]), Code::Ok);
    assert_eq!(next(&mut silent).await, RecordResponse::default());
}

async fn a_heartbeat_that_is_too_short_is_refused(store: Store) {
    let mut recording = Recording::start(store.channel.clone()).await;
    let refused = recording
        .say(vec![
            heartbeat(99),
            RecordRequest {
                heartbeat: -1,
                ..empty("1")
            },
            empty("2"),
        ])
        .await;
    let codes: Vec<Code> = refused.iter().map(code_of).collect();
    let invalid = Code::InvalidArgument;
    assert_eq!(codes, [invalid, invalid, Code::Ok]);
}
