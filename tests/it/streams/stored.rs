//! What a store keeps of messages and changes: what another version or another program wrote.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pb::{
    PutArtifactTypeRequest, PutArtifactsRequest, PutAttributionsAndAssociationsRequest,
    PutEventsRequest, PutExecutionRequest, PutLineageSubgraphRequest, PutParentContextsRequest,
    PutTypesRequest,
};
use pedigree::api::grpc::lineage::Batches;
use pedigree::graph::{Clock, Graph, Retention, Since, WatchQuery};
use pedigree::model::Origin;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::record_response::Answer;
use pedigree::proto::pedigree::lineage::v1::{RecordRequest, RunEvent, RunResult, RunState};
use pedigree::storage::Database;
use pedigree::storage::migrate::{self, Migration};

use super::{Recording, Watcher, brief, code_of, from_the_beginning, message};
use crate::binary::Server;
use crate::sql::run_sql;
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

once! {
    a_store_of_an_older_version_keeps_its_history_and_its_answers,
}

on_every_database!(an_unreadable_answer_refuses_its_own_message);

/// A store of the version whose history rows have no origins.
const WITHOUT_ORIGINS: &str = include_str!("../../data/store_without_origins.sql");

fn artifact(id: &str, type_id: i64) -> RecordRequest {
    let put = PutArtifactsRequest {
        artifacts: vec![Artifact::new(type_id, id)],
        ..PutArtifactsRequest::default()
    };
    message(id, Change::PutArtifacts(put))
}

async fn an_unreadable_answer_refuses_its_own_message(backend: Backend) {
    let store = Store::open_with(backend, |config| {
        config.batches = Batches {
            most: 4,
            age: Duration::from_mins(1),
        };
    })
    .await;
    let type_id = store.ask(Artifact::put_type("Data", &[])).await;
    let said = |ids: [&str; 4]| ids.map(|id| artifact(id, type_id)).to_vec();
    let mut recording = Recording::start(store.channel.clone()).await;
    let first = recording.say(said(["1", "2", "3", "4"])).await;
    for (id, answer) in [
        ("2", ""),
        ("3", r#"{"label":"Nodes","answer":{"Later":1}}"#),
    ] {
        run_sql(
            store.url(),
            format!("UPDATE PedigreeMessage SET answer = '{answer}' WHERE id = '{id}'"),
        )
        .await;
    }
    let again = recording.say(said(["1", "2", "3", "5"])).await;
    let codes: Vec<Code> = again.iter().map(code_of).collect();
    assert_eq!(codes, [Code::Ok, Code::DataLoss, Code::DataLoss, Code::Ok]);
    let repeated: Vec<bool> = again.iter().map(|response| response.repeated).collect();
    assert_eq!(repeated, [true, false, false, false]);
    assert_eq!(again[0].answer, first[0].answer);
    let refused = again[1].refused.as_ref().unwrap();
    assert!(
        refused
            .message
            .starts_with("PedigreeMessage, id 2: its answer cannot be read: "),
        "{refused:?}"
    );
    // Alone they are refused as well, and nothing of them is stored.
    let alone = recording.say(said(["3", "2", "3", "2"])).await;
    assert!(alone.iter().all(|it| code_of(it) == Code::DataLoss));
    assert_eq!(store.ask(Artifact::list(None)).await.nodes.len(), 5);
}

/// Messages of the kinds of those in the store. Of a known id only the kind matters, and how many
/// types there are of each kind.
fn known_messages() -> Vec<RecordRequest> {
    let run = || Change::Run(RunEvent::default());
    let types = PutTypesRequest {
        execution_types: vec![pb::ExecutionType::default()],
        context_types: vec![pb::ContextType::default()],
        ..PutTypesRequest::default()
    };
    vec![
        message(
            "type",
            Change::PutArtifactType(PutArtifactTypeRequest::default()),
        ),
        message("types", Change::PutTypes(types)),
        message("run started", run()),
        message("run ended", run()),
        message("run updated", run()),
        message(
            "nodes",
            Change::PutArtifacts(PutArtifactsRequest::default()),
        ),
        message(
            "execution",
            Change::PutExecution(PutExecutionRequest::default()),
        ),
        message(
            "subgraph",
            Change::PutLineageSubgraph(PutLineageSubgraphRequest::default()),
        ),
        message("events", Change::PutEvents(PutEventsRequest::default())),
        message(
            "memberships",
            Change::PutAttributionsAndAssociations(PutAttributionsAndAssociationsRequest::default()),
        ),
        message(
            "parents",
            Change::PutParentContexts(PutParentContextsRequest::default()),
        ),
    ]
}

fn known_answers() -> Vec<Answer> {
    let run = |context_ids: &[i64], input_ids: &[i64], output_ids: &[i64], state: RunState| {
        Answer::Run(RunResult {
            execution_id: 1,
            context_ids: context_ids.to_vec(),
            input_ids: input_ids.to_vec(),
            output_ids: output_ids.to_vec(),
            state: state.into(),
            discarded_properties: vec![],
        })
    };
    vec![
        Answer::PutArtifactType(pb::PutArtifactTypeResponse { type_id: Some(10) }),
        Answer::PutTypes(pb::PutTypesResponse {
            execution_type_ids: vec![11],
            context_type_ids: vec![12],
            ..pb::PutTypesResponse::default()
        }),
        run(&[1], &[1], &[], RunState::Running),
        run(&[], &[], &[2], RunState::Complete),
        run(&[], &[], &[], RunState::Complete),
        Answer::PutArtifacts(pb::PutArtifactsResponse {
            artifact_ids: vec![3, 4],
        }),
        Answer::PutExecution(pb::PutExecutionResponse {
            execution_id: Some(2),
            artifact_ids: vec![5, 3],
            context_ids: vec![2],
        }),
        Answer::PutLineageSubgraph(pb::PutLineageSubgraphResponse {
            execution_ids: vec![3],
            artifact_ids: vec![6],
            context_ids: vec![3],
        }),
        Answer::PutEvents(pb::PutEventsResponse {}),
        Answer::PutAttributionsAndAssociations(pb::PutAttributionsAndAssociationsResponse {}),
        Answer::PutParentContexts(pb::PutParentContextsResponse {}),
    ]
}

const KNOWN_CHANGES: [&str; 37] = [
    "created artifact type Table",
    "created execution type Load",
    "created context type Pipeline",
    "created context type Experiment",
    "created execution type Train",
    "created artifact type Dataset",
    "created context 1",
    "created execution 1",
    "created artifact 1",
    "created event 1 1",
    "created association 1 1",
    "created attribution 1 1",
    "created artifact type Model",
    "updated execution 1",
    "created artifact 2",
    "created event 2 1",
    "created attribution 1 2",
    "updated execution 1",
    "created artifact 3",
    "created artifact 4",
    "created artifact 5",
    "created execution 2",
    "created event 5 2",
    "created event 3 2",
    "created context 2",
    "created association 2 2",
    "created attribution 2 5",
    "created attribution 2 3",
    "created context 3",
    "created artifact 6",
    "created execution 3",
    "created association 3 3",
    "created attribution 3 6",
    "created event 6 3",
    "created event 4 3",
    "created attribution 3 4",
    "created parent 3 of 2",
];

#[expect(
    clippy::disallowed_methods,
    reason = "the server of this case has the real clock"
)]
async fn a_store_of_an_older_version_keeps_its_history_and_its_answers() {
    let database = TestDatabase::missing(Backend::SqliteFile);
    run_sql(&database.url, WITHOUT_ORIGINS).await;
    // As if written a moment ago: older rows are deleted.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    for table in ["PedigreeChange", "PedigreeMessage"] {
        let now = now.as_millis();
        let update = format!("UPDATE {table} SET time_since_epoch = {now}");
        run_sql(&database.url, update).await;
    }
    check_that_origins_are_unknown(&database.url).await;
    let server = Server::on(&database, &[]);
    let channel = server.connect().await;

    let mut watcher = Watcher::start(channel.clone(), from_the_beginning()).await;
    let history = watcher.take(KNOWN_CHANGES.len()).await;
    let seen: Vec<String> = history.iter().map(brief).collect();
    assert_eq!(seen, KNOWN_CHANGES);

    let mut recording = Recording::start(channel).await;
    let again = recording.say(known_messages()).await;
    assert!(again.iter().all(|response| response.repeated), "{again:#?}");
    let answers: Vec<Answer> = again.into_iter().filter_map(|it| it.answer).collect();
    assert_eq!(answers, known_answers());

    // It goes on from there.
    let new = recording.say(vec![artifact("new", 10)]).await;
    assert_eq!((code_of(&new[0]), new[0].repeated), (Code::Ok, false));
    let more: Vec<String> = watcher.take(1).await.iter().map(brief).collect();
    assert_eq!(more, ["created artifact 7"]);
}

async fn check_that_origins_are_unknown(url: &str) {
    let database = Database::open(url, 2).await.unwrap();
    migrate::prepare(&database, &Migration::default())
        .await
        .unwrap();
    let graph = Graph::new(database.clone(), Retention::default(), Clock::default());
    let query = WatchQuery {
        since: Since::Beginning,
        ..WatchQuery::default()
    };
    let mut watch = graph.watch(query).await.unwrap();
    let seen = watch.next(Duration::ZERO).await.unwrap().changes;
    assert_eq!(seen.len(), KNOWN_CHANGES.len());
    for entry in seen {
        assert_eq!(*entry.origin, Origin::unknown(entry.origin.time));
        assert!(entry.origin.time > 0);
    }
    drop(watch);
    database.close().await;
}
