//! `pedigree adopt`: what is older than the history gets a record, exactly one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pb::event::Type;
use pedigree::proto::pedigree::lineage::v1::{Change, Operation, WatchRequest, change};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Watcher, brief, from_now, from_the_beginning};
use crate::binary::{Ended, Server, pedigree_on, run};
use crate::python::{python, sized};
use crate::sql::{query, run_sql};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

on_every_database! {
    what_is_older_is_adopted_once_by_two_at_once,
}
once! {
    a_database_of_the_wheel_is_adopted_through_kills,
}

/// How many nodes, edges and types there are.
const SUBJECTS: &str = "
    SELECT CONCAT((SELECT COUNT(*) FROM Artifact) + (SELECT COUNT(*) FROM Execution)
        + (SELECT COUNT(*) FROM Context) + (SELECT COUNT(*) FROM Event)
        + (SELECT COUNT(*) FROM Attribution) + (SELECT COUNT(*) FROM Association)
        + (SELECT COUNT(*) FROM ParentContext) + (SELECT COUNT(*) FROM Type), '')";

/// Whether adoption has ended.
const IS_DONE: &str = "SELECT CONCAT(counter, '') FROM PedigreeLock WHERE name = 'adopted'";

/// Forgets all of the history but its newest row.
const FORGET: &str = "DELETE FROM PedigreeChange WHERE position < (
    SELECT newest FROM (SELECT MAX(position) AS newest FROM PedigreeChange) AS found)";

fn with_adopted(request: WatchRequest) -> WatchRequest {
    let operations = [Operation::Created, Operation::Updated, Operation::Adopted];
    WatchRequest {
        operations: operations.map(Into::into).to_vec(),
        ..request
    }
}

/// All that a watcher gets of what was written so far.
async fn until_now(mut watcher: Watcher, client: &Client, type_id: i64) -> Vec<Change> {
    let end = Artifact::put(vec![Artifact::new(type_id, &Uuid::new_v4().to_string())]);
    let ids = end.ask(client.clone()).await.unwrap();
    let end = format!("created artifact {}", ids[0]);
    let mut changes: Vec<Change> = Vec::new();
    while changes.last().is_none_or(|last| brief(last) != end) {
        changes.extend(watcher.next().await.unwrap());
    }
    changes
}

/// Checks that the history has one record that began each node, edge and type, but updates beside
/// it, and that the last record of each artifact has what is stored. Returns the number of adopted
/// ones.
async fn check_records(server: &Server, database: &TestDatabase, type_id: i64) -> usize {
    let client = server.client().await.max_decoding_message_size(usize::MAX);
    let request = with_adopted(from_the_beginning());
    let watcher = Watcher::start(server.connect().await, request).await;
    let changes = until_now(watcher, &client, type_id).await;
    let mut records: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    let mut last = BTreeMap::new();
    for change in &changes {
        let described = brief(change);
        let (_, subject) = described.split_once(' ').unwrap();
        let of_subject = records.entry(subject.to_owned()).or_default();
        of_subject.push(change.operation());
        if let Some(change::Subject::Artifact(node)) = &change.subject {
            last.insert(node.id(), node.clone());
        }
    }
    // What was updated before it could be adopted has a record all the same.
    let is_wrong = |of: &[Operation]| of[1..].iter().any(|it| *it != Operation::Updated);
    let wrong = records.iter().find(|(_, of)| is_wrong(of));
    assert_eq!(wrong, None);
    assert_eq!(
        query(&database.url, SUBJECTS).await,
        [records.len().to_string()]
    );
    let stored = Artifact::list(None).ask(client).await.unwrap().nodes;
    assert!(
        stored.iter().eq(last.values()),
        "the last records differ from what is stored"
    );
    count_adopted(&changes)
}

fn count_adopted(changes: &[Change]) -> usize {
    let adopted = changes
        .iter()
        .filter(|it| it.operation() == Operation::Adopted);
    adopted.count()
}

/// Runs of a pipeline, by the ids of their types: executions with an input and an output each, and
/// a context of them all.
async fn put_runs(client: &Client, types: [i64; 3], names: std::ops::Range<usize>) {
    let [artifact, execution, context] = types;
    let put = async |nodes: Vec<Artifact>| Artifact::put(nodes).ask(client.clone()).await;
    let texts = names
        .clone()
        .flat_map(|name| [format!("{name} in"), format!("{name} out")]);
    let artifacts = texts.map(|name| Artifact::new(artifact, &name)).collect();
    let artifacts = put(artifacts).await.unwrap();
    let executions = names
        .clone()
        .map(|name| Execution::new(execution, &name.to_string()));
    let executions = Execution::put(executions.collect())
        .ask(client.clone())
        .await
        .unwrap();
    let contexts = vec![Context::new(context, &format!("{names:?}"))];
    let contexts = Context::put(contexts).ask(client.clone()).await.unwrap();
    let events = artifacts
        .chunks(2)
        .zip(&executions)
        .flat_map(|(pair, execution)| {
            [
                event(pair[0], *execution, Type::Input),
                event(pair[1], *execution, Type::Output),
            ]
        });
    put_events(events.collect())
        .ask(client.clone())
        .await
        .unwrap();
    let members = |ids: &[i64]| ids.iter().map(|id| (*id, contexts[0])).collect::<Vec<_>>();
    let members = put_members(&members(&artifacts), &members(&executions));
    members.ask(client.clone()).await.unwrap();
}

/// Changes old nodes, and adds new ones, until `stop` is set or until the server is gone. Returns
/// how often.
async fn write_until(client: Client, type_id: i64, stop: Arc<AtomicBool>) -> usize {
    for round in 1.. {
        let name = format!("beside {}", Uuid::new_v4());
        let mut nodes = vec![Artifact::new(type_id, &name)];
        let old = Artifact::by_ids(&[i64::try_from(round * 37 % 1500 + 1).unwrap()]);
        let Ok(old) = old.ask(client.clone()).await else {
            return round;
        };
        nodes.extend(
            old.into_iter()
                .map(|node| node.with_custom("beside", int(1))),
        );
        let is_put = Artifact::put(nodes).ask(client.clone()).await.is_ok();
        if !is_put || stop.load(Ordering::Relaxed) {
            return round;
        }
    }
    0
}

fn adopt(database: &TestDatabase) -> Ended {
    run(pedigree_on(database, &["adopt"]))
}

/// How many changes a command says it has added.
fn added(ended: &Ended) -> usize {
    assert!(ended.status.success(), "{ended:?}");
    let words = ended
        .stdout
        .trim_end()
        .strip_suffix(" changes added to the history");
    let number = words.and_then(|words| words.rsplit(' ').next());
    number.unwrap().parse().unwrap()
}

async fn what_is_older_is_adopted_once_by_two_at_once(backend: Backend) {
    let database = Arc::new(TestDatabase::new(backend));
    let server = Server::on(&database, &[]);
    let client = server.client().await;
    let types = [
        Artifact::put_type("Data", &[])
            .ask(client.clone())
            .await
            .unwrap(),
        Execution::put_type("Step", &[])
            .ask(client.clone())
            .await
            .unwrap(),
        Context::put_type("Run", &[])
            .ask(client.clone())
            .await
            .unwrap(),
    ];
    put_runs(&client, types, 0..1100).await;
    let all = with_adopted(from_the_beginning());
    let mut before = Watcher::start(server.connect().await, all).await;
    assert!(before.until_quiet().await.len() > 7000);
    run_sql(&database.url, FORGET).await;

    let ended = run(pedigree_on(
        &database,
        &["adopt", "--change-retention", "0"],
    ));
    assert!(ended.stderr.contains("keeps no history"), "{ended:?}");

    let watcher = Watcher::start(server.connect().await, from_now()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write_until(client.clone(), types[0], stop.clone()));
    let both = [(), ()].map(|()| {
        let database = database.clone();
        spawn_blocking(move || added(&adopt(&database)))
    });
    let mut adopted = 0;
    for one in both {
        adopted += one.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    let news = until_now(watcher, &client, types[0]).await;
    assert_eq!(count_adopted(&news), 0);
    assert!(news.len() > written, "{written} writes");

    assert_eq!(check_records(&server, &database, types[0]).await, adopted);
    assert!(adopted > 5000, "{adopted}");
    assert_eq!(added(&adopt(&database)), 0);
    server.stop();
}

async fn a_database_of_the_wheel_is_adopted_through_kills() {
    let database = TestDatabase::missing(Backend::SqliteFile);
    let filled = python(
        "pipelines.py",
        &["--url", &database.url, "--runs", sized("1500", "33000")],
    );
    let nodes: usize = String::from_utf8(filled.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let mut seen = 0;
    let mut kills = 0;
    loop {
        let server = Server::on(&database, &["--change-retention", "all"]);
        let type_id = Artifact::put_type("Data", &[])
            .ask(server.client().await)
            .await
            .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn(write_until(server.client().await, type_id, stop.clone()));
        let request = with_adopted(from_the_beginning());
        let mut watcher = Watcher::start(server.connect().await, request).await;
        let before = seen;
        seen = 0;
        while seen <= before + nodes / 2 && query(&database.url, IS_DONE).await == ["0"] {
            seen += count_adopted(&watcher.next().await.unwrap());
        }
        let is_done = query(&database.url, IS_DONE).await == ["1"];
        if is_done {
            stop.store(true, Ordering::Relaxed);
            writer.await.unwrap();
            server.stop();
            break;
        }
        server.kill();
        writer.await.unwrap();
        kills += 1;
    }
    assert!(kills > 0, "it was done before it was killed");
    let server = Server::on(&database, &["--change-retention", "all"]);
    let watcher = Watcher::start(server.connect().await, from_now()).await;
    let client = server.client().await;
    let type_id = Artifact::put_type("Data", &[]);
    let type_id = type_id.ask(client.clone()).await.unwrap();
    assert!(check_records(&server, &database, type_id).await > 2 * nodes);
    let news = until_now(watcher, &client, type_id).await;
    assert_eq!(count_adopted(&news), 0);
    server.stop();
}
