//! Servers at different nodes of a Galera cluster: what no unique key guards is stored once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pedigree::graph::Clock;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::record_response::Answer;
use pedigree::proto::pedigree::lineage::v1::run_event::Type;
use pedigree::proto::pedigree::lineage::v1::{ContextRef, RunEvent, TypePolicy};

use super::cluster::{Cluster, at_once};
use crate::python::sized;
use crate::sql::{query, run_sql};
use crate::streams::{Recording, message};
use crate::support::Replica;
use crate::support::prelude::*;

with_servers! {
    a_type_made_at_every_node_is_one_type,
    a_type_of_run_events_at_every_node_is_one_type,
    parents_put_at_two_nodes_close_no_ring,
    servers_that_start_at_once_all_serve,
    ids_are_of_their_rows_while_the_step_changes,
    what_is_stored_at_one_node_is_seen_at_the_next,
    a_list_of_nodes_is_for_one_that_is_synced,
}

/// The types that clients made, and how often each is stored.
const DOUBLE_TYPES: &str = "SELECT CONCAT(name, ' ', type_kind, ' ', COUNT(*)) FROM Type
                            GROUP BY name, version, type_kind HAVING COUNT(*) > 1";

fn rounds() -> usize {
    sized(10, 60)
}

/// Waits until every node has applied what was written at one of them.
async fn wait_until_everywhere<N: TestNode>(servers: &[Replica], id: i64) {
    for server in servers {
        while server.ask(N::by_ids(&[id])).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn a_type_made_at_every_node_is_one_type() {
    let cluster = Cluster::open().await;
    let servers = cluster.servers().await;
    for round in 0..rounds() {
        let name = format!("T{round}");
        let answers = at_once(&servers, |place| {
            // Each declares a property of its own, so that the losers have something to add.
            let own = format!("p{place}");
            pb::PutArtifactTypeRequest {
                artifact_type: Some(pb::ArtifactType {
                    name: Some(name.clone()),
                    properties: declared(&[("p", PropertyType::Int), (&own, PropertyType::Int)]),
                    ..Default::default()
                }),
                can_add_fields: Some(true),
                can_omit_fields: Some(true),
                ..Default::default()
            }
        });
        let answers = answers.await;
        let ids: Vec<i64> = answers
            .into_iter()
            .map(|put| put.unwrap().type_id())
            .collect();
        assert_eq!(ids, [ids[0]; 3], "round {round}");
    }
    for doubles in cluster.query_everywhere(DOUBLE_TYPES).await {
        assert!(doubles.is_empty(), "{doubles:?}");
    }
    let properties = "SELECT CONCAT(COUNT(*), '') FROM TypeProperty JOIN Type ON type_id = id
                      WHERE Type.name LIKE 'T%'";
    let all = (4 * rounds()).to_string();
    assert_eq!(
        cluster.query_everywhere(properties).await,
        vec![vec![all]; 3]
    );
}

async fn a_type_of_run_events_at_every_node_is_one_type() {
    let cluster = Cluster::open().await;
    let servers = cluster.servers().await;
    let mut recordings = Vec::new();
    for server in &servers {
        recordings.push(Recording::start(server.channel.clone()).await);
    }
    for round in 0..rounds() {
        let event = RunEvent {
            event_type: Type::Start.into(),
            type_policy: TypePolicy::Create.into(),
            r#type: format!("Train{round}"),
            name: "run".into(),
            contexts: vec![ContextRef {
                r#type: format!("Pipeline{round}"),
                name: "pipeline".into(),
                parents: vec![ContextRef {
                    r#type: format!("Team{round}"),
                    name: "team".into(),
                    ..ContextRef::default()
                }],
                ..ContextRef::default()
            }],
            ..RunEvent::default()
        };
        for (place, recording) in recordings.iter().enumerate() {
            let id = format!("{round} at {place}");
            let say = message(&id, Change::Run(event.clone()));
            recording.requests.send(say).await.unwrap();
        }
        let mut stored = Vec::new();
        for recording in &mut recordings {
            let response = recording.responses.message().await.unwrap().unwrap();
            match response.answer {
                Some(Answer::Run(answer)) => stored.push(answer),
                other => panic!("{other:?} {:?}", response.refused),
            }
        }
        assert_eq!(stored, vec![stored[0].clone(); 3], "round {round}");
    }
    for doubles in cluster.query_everywhere(DOUBLE_TYPES).await {
        assert!(doubles.is_empty(), "{doubles:?}");
    }
}

async fn parents_put_at_two_nodes_close_no_ring() {
    let cluster = Cluster::open().await;
    let servers = cluster.servers().await;
    let type_id = servers[0].ask(Context::put_type("C", &[])).await;
    let new = |number: usize| Context::new(type_id, &number.to_string());
    let contexts = (0..2 * rounds()).map(new).collect();
    let ids = servers[0].ask(Context::put(contexts)).await;
    wait_until_everywhere::<Context>(&servers, ids[ids.len() - 1]).await;
    for pair in ids.chunks(2) {
        let answers = at_once(&servers[..2], |place| {
            put_parents(&[(pair[place], pair[1 - place])])
        });
        let answers = answers.await;
        let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0].code(), Code::InvalidArgument, "{refused:?}");
    }
    let links = "SELECT CONCAT(COUNT(*), '') FROM ParentContext";
    let one_each = rounds().to_string();
    assert_eq!(
        cluster.query_everywhere(links).await,
        vec![vec![one_each]; 3]
    );
}

async fn servers_that_start_at_once_all_serve() {
    for _ in 0..sized(1, 10) {
        let cluster = Cluster::open().await;
        let servers = cluster.servers_at_once().await;
        let type_id = servers[0].ask(Artifact::put_type("T", &[])).await;
        let new = |place: usize| Artifact::put(vec![Artifact::new(type_id, &place.to_string())]);
        for answer in at_once(&servers, new).await {
            answer.unwrap();
        }
        let versions = "SELECT CONCAT(schema_version, '') FROM MLMDEnv";
        let found = cluster.query_everywhere(versions).await;
        assert_eq!(found, vec![vec!["10"]; 3]);
    }
}

/// A task that goes on until the case ends.
struct Background(Arc<AtomicBool>);

impl Background {
    fn spawn<F>(work: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let is_over = Arc::new(AtomicBool::new(false));
        let task = Self(is_over.clone());
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                work().await;
            }
        });
        task
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Galera gives its sessions another step whenever a node comes or goes. The step is the node's, so
/// that ids of other cases would meet.
async fn ids_are_of_their_rows_while_the_step_changes() {
    let cluster = Cluster::open_alone().await;
    let servers = cluster.servers().await;
    let type_id = servers[0].ask(Artifact::put_type("T", &[])).await;
    let url = cluster.urls[0].clone();
    let toggling = Background::spawn(move || {
        let url = url.clone();
        async move {
            let toggle = "SET GLOBAL auto_increment_increment = 7;
                          SET GLOBAL auto_increment_increment = 3";
            run_sql(&url, toggle).await;
        }
    });
    for round in 0..sized(100, 1000) {
        let name = |number: usize| format!("{round} {number}");
        let new = (0..12).map(|number| Artifact::new(type_id, &name(number)));
        let ids = servers[0].ask(Artifact::put(new.collect())).await;
        let stored = servers[0].ask(Artifact::by_ids(&ids)).await;
        let found = ids.iter().map(|id| {
            let node = stored.iter().find(|node| node.id() == *id);
            node.map(|node| node.name().to_owned())
        });
        let expected: Vec<_> = (0..12).map(|number| Some(name(number))).collect();
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
    drop(toggling);
}

async fn what_is_stored_at_one_node_is_seen_at_the_next() {
    let cluster = Cluster::open().await;
    let servers = cluster.servers().await;
    let artifact = servers[0].ask(Artifact::put_type("T", &[])).await;
    let execution = servers[0].ask(Execution::put_type("E", &[])).await;
    let new = Execution::put(vec![Execution::new(execution, "e")]);
    let run = servers[0].ask(new).await[0];
    let writer = servers[0].clone();
    let load = Background::spawn(move || {
        let writer = writer.clone();
        async move {
            let many = vec![Artifact::default().with_type(artifact); 200];
            let _ = writer.send(Artifact::put(many)).await;
        }
    });
    for round in 0..sized(30, 150) {
        let new = Artifact::new(artifact, &round.to_string());
        let id = servers[0].ask(Artifact::put(vec![new])).await[0];
        let event = pb::Event {
            artifact_id: Some(id),
            execution_id: Some(run),
            r#type: Some(pb::event::Type::Input.into()),
            ..pb::Event::default()
        };
        let put = pb::PutEventsRequest {
            events: vec![event],
            ..pb::PutEventsRequest::default()
        };
        let stored = servers[1].send(put).await;
        assert!(stored.is_ok(), "round {round}: {stored:?}");
        let found = servers[2].ask(Artifact::by_ids(&[id])).await;
        assert_eq!(found.len(), 1, "round {round}");
    }
    drop(load);
}

/// A node that falls behind, as one from which another copies, is left.
async fn a_list_of_nodes_is_for_one_that_is_synced() {
    let cluster = Cluster::open_alone().await;
    let server = Replica::at(&cluster.list(), Clock::default()).await;
    let type_id = server.ask(Artifact::put_type("T", &[])).await;
    assert!(sessions(&cluster, 0).await > 0);
    run_sql(&cluster.urls[0], "SET GLOBAL wsrep_desync = 1").await;
    let moved = async {
        for number in 0.. {
            let new = Artifact::new(type_id, &number.to_string());
            let _ = server.send(Artifact::put(vec![new])).await;
            if sessions(&cluster, 0).await == 0 && sessions(&cluster, 1).await > 0 {
                break;
            }
        }
    };
    let moved = tokio::time::timeout(Duration::from_mins(1), moved).await;
    run_sql(&cluster.urls[0], "SET GLOBAL wsrep_desync = 0").await;
    moved.unwrap();
    let last = Artifact::new(type_id, "last");
    server.ask(Artifact::put(vec![last])).await;
}

/// How many sessions a node has in the database of a case.
async fn sessions(cluster: &Cluster, place: usize) -> usize {
    let sql = "SELECT CONCAT(ID, '') FROM information_schema.PROCESSLIST
               WHERE DB = DATABASE() AND ID <> CONNECTION_ID()";
    query(&cluster.urls[place], sql).await.len()
}
