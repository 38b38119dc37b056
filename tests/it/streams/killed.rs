//! A client streams what happens to runs while the server is killed again and again, and sends
//! again what was not answered.

use std::collections::{BTreeMap, BTreeSet};

use pb::execution::State;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::record_response::Answer;
use pedigree::proto::pedigree::lineage::v1::run_event::Type;
use pedigree::proto::pedigree::lineage::v1::{
    ArtifactRef, ContextRef, RecordRequest, RecordResponse, RunEvent, TypePolicy, artifact_ref,
};
use tonic::Code as StatusCode;

use super::{Recording, Watcher, brief, code_of, from_the_beginning, message};
use crate::binary::Server;
use crate::python::sized;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database!(each_event_is_stored_once);

/// How many messages wait for their answers at once.
const WINDOW: usize = 300;

fn artifact(name: String) -> ArtifactRef {
    ArtifactRef {
        r#type: "Data".into(),
        identity: Some(artifact_ref::Identity::Name(name)),
        ..ArtifactRef::default()
    }
}

/// The start of a run with an input, or its end with an output.
fn event(number: usize) -> RecordRequest {
    let run = number / 2;
    let (event_type, inputs, outputs) = if number.is_multiple_of(2) {
        (Type::Start, vec![artifact(format!("in {run}"))], vec![])
    } else {
        (Type::Complete, vec![], vec![artifact(format!("out {run}"))])
    };
    let event = RunEvent {
        event_type: event_type.into(),
        type_policy: TypePolicy::Create.into(),
        r#type: "Train".into(),
        name: format!("run {run}"),
        contexts: vec![ContextRef {
            r#type: "Pipeline".into(),
            name: format!("pipeline {}", run % 10),
            ..ContextRef::default()
        }],
        inputs,
        outputs,
        ..RunEvent::default()
    };
    RecordRequest {
        event_time: Some(i64::try_from(1_700_000_000_000 + number).unwrap()),
        ..message(&format!("event {number}"), Change::Run(event))
    }
}

/// What a client knows: the answers, and what it has to send again.
#[derive(Default)]
struct Log {
    answered: BTreeMap<String, RecordResponse>,
}

impl Log {
    /// Sends what was not answered, until that many are or the stream breaks.
    async fn send(&mut self, server: &Server, total: usize, enough: usize) {
        let mut recording = Recording::start(server.connect().await).await;
        let unanswered: Vec<usize> = (0..total)
            .filter(|number| !self.answered.contains_key(&format!("event {number}")))
            .collect();
        let (mut sent, mut heard) = (0, 0);
        while heard < unanswered.len() && self.answered.len() < enough {
            while sent < unanswered.len() && sent - heard < WINDOW {
                if recording
                    .requests
                    .send(event(unanswered[sent]))
                    .await
                    .is_err()
                {
                    return;
                }
                sent += 1;
            }
            let Ok(Some(response)) = recording.responses.message().await else {
                return;
            };
            heard += 1;
            // What the server could not commit as it went down, or as it came up, is sent again.
            if code_of(&response) != StatusCode::Unavailable {
                assert_eq!(code_of(&response), StatusCode::Ok, "{response:?}");
                self.answered.insert(response.id.clone(), response);
            }
        }
    }
}

async fn each_event_is_stored_once(backend: Backend) {
    let database = TestDatabase::new(backend);
    let (total, kills) = (sized(1000, 20_000), sized(3, 10));
    let mut log = Log::default();
    for round in 0..kills {
        let server = Server::on(&database, &[]);
        let enough = total * (round + 1) / (kills + 1);
        log.send(&server, total, enough).await;
        // In the midst of what is under way.
        server.kill();
    }
    let server = Server::on(&database, &[]);
    while log.answered.len() < total {
        log.send(&server, total, total).await;
    }
    check(&server, &log, total).await;
    server.stop();
}

async fn check(server: &Server, log: &Log, total: usize) {
    let runs = total / 2;
    let client = server.client().await;
    let stored = Execution::list(None)
        .ask(client.clone())
        .await
        .unwrap()
        .nodes;
    let names: BTreeSet<&str> = stored.iter().map(Execution::name).collect();
    assert_eq!((stored.len(), names.len()), (runs, runs));
    let complete = |run: &Execution| run.last_known_state() == State::Complete;
    assert!(stored.iter().all(complete));
    let ids: BTreeMap<&str, i64> = stored.iter().map(|run| (run.name(), run.id())).collect();
    for number in 0..total {
        let answer = log.answered[&format!("event {number}")].answer.clone();
        let Some(Answer::Run(answer)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(
            answer.execution_id,
            ids[format!("run {}", number / 2).as_str()]
        );
    }
    let artifacts = Artifact::list(None)
        .ask(client.clone())
        .await
        .unwrap()
        .nodes;
    let names: BTreeSet<&str> = artifacts.iter().map(Artifact::name).collect();
    assert_eq!((artifacts.len(), names.len()), (total, total));
    // The history knows each of them, once, and nothing that was not committed.
    let mut watcher = Watcher::start(server.connect().await, from_the_beginning()).await;
    let seen = watcher.until_quiet().await;
    let seen: Vec<String> = seen.iter().map(brief).collect();
    let created = |what: &str| {
        let created = seen.iter().filter(|seen| seen.starts_with(what));
        let created: Vec<&String> = created.collect();
        let distinct: BTreeSet<&&String> = created.iter().collect();
        assert_eq!(created.len(), distinct.len(), "{what}");
        created.len()
    };
    assert_eq!(created("created execution "), runs + 1, "with the type");
    assert_eq!(created("created artifact "), total + 1, "with the type");
    assert_eq!(created("created event "), total);
    assert_eq!(created("created association "), runs);
    assert_eq!(created("created attribution "), total);
    assert_eq!(created("created context "), 10 + 1, "with the type");
}
