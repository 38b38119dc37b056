//! `Record`: each message once, each with an answer of its own.

use pb::{PutArtifactTypeRequest, PutArtifactsRequest};
use pedigree::proto::pedigree::lineage::v1::RecordRequest;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::record_response::Answer;

use super::{Recording, code_of, message};
use crate::support::prelude::*;

on_every_database!(
    messages_are_answered_in_order,
    a_message_is_stored_once,
    a_refused_message_does_not_end_the_stream,
    streams_that_say_the_same_at_once_store_it_once,
    messages_that_make_no_sense,
    an_id_with_another_change_is_refused,
    a_client_that_does_not_read_is_waited_for,
    a_message_that_is_too_large_ends_its_stream_alone,
);

// Two streams commit by turns on one connection.
in_memory_too!(streams_that_say_the_same_at_once_store_it_once);

fn artifacts(id: &str, type_id: i64, names: &[&str]) -> RecordRequest {
    let nodes = names.iter().map(|name| Artifact::new(type_id, name));
    let put = PutArtifactsRequest {
        artifacts: nodes.collect(),
        ..PutArtifactsRequest::default()
    };
    message(id, Change::PutArtifacts(put))
}

fn artifact_type(id: &str, name: &str) -> RecordRequest {
    let put = PutArtifactTypeRequest {
        artifact_type: Some(pb::ArtifactType {
            name: Some(name.into()),
            ..pb::ArtifactType::default()
        }),
        ..PutArtifactTypeRequest::default()
    };
    message(id, Change::PutArtifactType(put))
}

fn ids_of(answer: Option<Answer>) -> Vec<i64> {
    match answer {
        Some(Answer::PutArtifacts(put)) => put.artifact_ids,
        Some(Answer::PutArtifactType(put)) => vec![put.type_id()],
        other => panic!("{other:?}"),
    }
}

async fn names(store: &Store) -> Vec<String> {
    let page = store.ask(Artifact::list(None)).await;
    let mut names: Vec<String> = page
        .nodes
        .iter()
        .map(|node| node.name().to_owned())
        .collect();
    names.sort();
    names
}

async fn messages_are_answered_in_order(store: Store) {
    let mut recording = Recording::start(store.channel.clone()).await;
    let types = recording.say(vec![artifact_type("t", "Data")]).await;
    let type_id = ids_of(types[0].answer.clone())[0];
    let many = (0..700).map(|n| artifacts(&format!("m{n}"), type_id, &[&format!("n{n}")]));
    let responses = recording.say(many.collect()).await;
    let mut expected = 0;
    for response in responses {
        assert_eq!((code_of(&response), response.repeated), (Code::Ok, false));
        let id = ids_of(response.answer)[0];
        assert!(id > expected);
        expected = id;
    }
    assert_eq!(names(&store).await.len(), 700);
    drop(recording.requests);
    assert_eq!(
        recording.responses.message().await.unwrap(),
        None,
        "the stream ends well"
    );
}

async fn a_message_is_stored_once(store: Store) {
    let mut recording = Recording::start(store.channel.clone()).await;
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let said = vec![
        artifacts("one", type_id, &["a", "b"]),
        artifacts("two", type_id, &["c"]),
        artifacts("one", type_id, &["a", "b"]),
    ];
    let first = recording.say(said.clone()).await;
    assert_eq!(
        first.iter().map(|it| it.repeated).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(first[0].answer, first[2].answer);
    // On a new stream, whatever else comes with it.
    let mut other = Recording::start(store.channel.clone()).await;
    let again = other
        .say([said, vec![artifacts("three", type_id, &["d"])]].concat())
        .await;
    assert_eq!(
        again.iter().map(|it| it.repeated).collect::<Vec<_>>(),
        [true, true, true, false]
    );
    assert_eq!(again[0].answer, first[0].answer);
    assert_eq!(again[1].answer, first[1].answer);
    assert_eq!(names(&store).await, ["a", "b", "c", "d"]);
}

async fn a_refused_message_does_not_end_the_stream(store: Store) {
    let mut recording = Recording::start(store.channel.clone()).await;
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let said = vec![
        artifacts("1", type_id, &["a"]),
        artifacts("2", 99, &["b"]),
        artifacts("3", type_id, &["half", "a"]),
        artifacts("4", type_id, &["c"]),
    ];
    let responses = recording.say(said).await;
    let codes: Vec<Code> = responses.iter().map(code_of).collect();
    assert_eq!(
        codes,
        [Code::Ok, Code::NotFound, Code::AlreadyExists, Code::Ok]
    );
    assert_eq!(names(&store).await, ["a", "c"]);
    // A refused id is free to be used again.
    let again = recording.say(vec![artifacts("2", type_id, &["b"])]).await;
    assert_eq!((code_of(&again[0]), again[0].repeated), (Code::Ok, false));
    // And alone it is refused as well.
    let refused = recording
        .say(vec![artifacts("5", type_id, &["half", "a"])])
        .await;
    assert_eq!(code_of(&refused[0]), Code::AlreadyExists);
    assert_eq!(names(&store).await, ["a", "b", "c"]);
}

async fn streams_that_say_the_same_at_once_store_it_once(store: Store) {
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let say = |channel| async move {
        let mut recording = Recording::start(channel).await;
        let said = (0..100).map(|n| artifacts(&format!("m{n}"), type_id, &[&format!("n{n}")]));
        recording.say(said.collect()).await
    };
    let streams = (0..8).map(|_| tokio::spawn(say(store.channel.clone())));
    let mut answers = Vec::new();
    for stream in streams.collect::<Vec<_>>() {
        let responses = stream.await.unwrap();
        assert!(
            responses.iter().all(|it| code_of(it) == Code::Ok),
            "{responses:?}"
        );
        answers.push(
            responses
                .into_iter()
                .map(|it| it.answer)
                .collect::<Vec<_>>(),
        );
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(names(&store).await.len(), 100);
}

async fn messages_that_make_no_sense(store: Store) {
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let mut recording = Recording::start(store.channel.clone()).await;
    let long = "x".repeat(256);
    let empty = RecordRequest {
        id: "empty".into(),
        ..RecordRequest::default()
    };
    let said = vec![
        artifacts("", type_id, &["a"]),
        artifacts(&long, type_id, &["b"]),
        empty,
        artifacts(&long[..255], type_id, &["c"]),
        artifact_type(&long[..255], "T"),
    ];
    let responses = recording.say(said).await;
    let codes: Vec<Code> = responses.iter().map(code_of).collect();
    let invalid = Code::InvalidArgument;
    assert_eq!(codes, [invalid, invalid, invalid, Code::Ok, invalid]);
    assert_eq!(names(&store).await, ["c"]);
}

async fn an_id_with_another_change_is_refused(store: Store) {
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let mut recording = Recording::start(store.channel.clone()).await;
    let first = recording.say(vec![artifacts("id", type_id, &["a"])]).await;
    assert_eq!(code_of(&first[0]), Code::Ok);
    let mut other = Recording::start(store.channel.clone()).await;
    let said = vec![
        artifacts("id", type_id, &["b"]),
        artifacts("new", type_id, &["c"]),
        artifacts("new", type_id, &["d"]),
        RecordRequest {
            event_time: Some(1),
            ..artifacts("id", type_id, &["a"])
        },
    ];
    let responses = other.say(said).await;
    let codes: Vec<Code> = responses.iter().map(code_of).collect();
    let refused = Code::InvalidArgument;
    assert_eq!(codes, [refused, Code::Ok, refused, Code::Ok]);
    let text = &responses[0].refused.as_ref().unwrap().message;
    assert!(
        text.starts_with("the id was used for another message"),
        "{text}"
    );
    // The time belongs to the attempt: the change is the same.
    assert_eq!(
        (responses[3].repeated, &responses[3].answer),
        (true, &first[0].answer)
    );
    assert_eq!(names(&store).await, ["a", "c"]);
}

async fn a_client_that_does_not_read_is_waited_for(store: Store) {
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let mut silent = Recording::start(store.channel.clone()).await;
    let requests = silent.requests.clone();
    let many = 3000;
    let sending = tokio::spawn(async move {
        for n in 0..many {
            let said = artifacts(&format!("s{n}"), type_id, &[&format!("s{n}")]);
            requests.send(said).await.unwrap();
        }
    });
    let mut other = Recording::start(store.channel.clone()).await;
    for n in 0..20 {
        let said = artifacts(&format!("o{n}"), type_id, &[&format!("o{n}")]);
        assert_eq!(code_of(&other.say(vec![said]).await[0]), Code::Ok);
    }
    for n in 0..many {
        let response = silent.responses.message().await.unwrap().unwrap();
        assert_eq!(
            (response.id.as_str(), code_of(&response)),
            (format!("s{n}").as_str(), Code::Ok)
        );
    }
    sending.await.unwrap();
}

async fn a_message_that_is_too_large_ends_its_stream_alone(store: Store) {
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let mut recording = Recording::start(store.channel.clone()).await;
    let mut other = Recording::start(store.channel.clone()).await;
    let first = recording.say(vec![artifacts("1", type_id, &["a"])]).await;
    assert_eq!(code_of(&first[0]), Code::Ok);
    let large = "x".repeat(130 << 20);
    recording
        .requests
        .send(artifacts("2", type_id, &[&large]))
        .await
        .unwrap();
    let ended = recording.responses.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::OutOfRange, "{ended:?}");
    let on = other.say(vec![artifacts("3", type_id, &["b"])]).await;
    assert_eq!(code_of(&on[0]), Code::Ok);
    assert_eq!(names(&store).await, ["a", "b"]);
}
