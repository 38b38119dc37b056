//! `kill -9` while eight clients write: what was acknowledged is there, and nothing is there in
//! part.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pb::put_execution_request::ArtifactAndEvent;
use pb::{Event, PutExecutionRequest, event};
use tempfile::TempDir;
use tonic::Status;

use crate::binary::{Server, wait_for};
use crate::python::sized;
use crate::sql::{query, sqlite};
use crate::support::Client;
use crate::support::prelude::*;

once! {
    what_was_acknowledged_survives_a_kill,
}

const WRITERS: usize = 8;

/// Executions that lack, or have too much of, what [`execution`] has them have.
const INCOMPLETE_EXECUTIONS: &str = "
    SELECT e.name FROM Execution e
    LEFT JOIN Association a ON a.execution_id = e.id
    WHERE (SELECT COUNT(*) FROM ExecutionProperty p WHERE p.execution_id = e.id) <> 1
    OR (SELECT COUNT(*) FROM Association b WHERE b.execution_id = e.id) <> 1
    OR (SELECT COUNT(*) FROM Context c WHERE c.id = a.context_id AND c.name = e.name) <> 1
    OR (SELECT COUNT(*) FROM Event v JOIN Artifact n ON n.id = v.artifact_id
        JOIN EventPath s ON s.event_id = v.id JOIN Attribution t ON t.artifact_id = n.id
        WHERE v.execution_id = e.id AND t.context_id = a.context_id
        AND n.name IN (CONCAT(e.name, ' in'), CONCAT(e.name, ' out'))) <> 2
";

/// Rows that only make sense with another one, which is not there.
const STRAY_ROWS: &str = "
    SELECT CONCAT('context ', id) FROM Context WHERE id NOT IN (SELECT context_id FROM Association)
    UNION ALL
    SELECT CONCAT('event ', id) FROM Event WHERE execution_id NOT IN (SELECT id FROM Execution)
    UNION ALL
    SELECT CONCAT('step of ', event_id) FROM EventPath WHERE event_id NOT IN (SELECT id FROM Event)
    UNION ALL
    SELECT CONCAT('artifact ', name) FROM Artifact
    WHERE id NOT IN (SELECT artifact_id FROM Event) AND name NOT LIKE '% more _'
    UNION ALL
    SELECT CONCAT('half of ', MIN(name)) FROM Artifact WHERE name LIKE '% more _'
    GROUP BY SUBSTR(name, 1, LENGTH(name) - 1) HAVING COUNT(*) <> 2
";

/// The ids of the types that the writers use.
#[derive(Clone, Copy)]
pub struct Types {
    artifact: i64,
    execution: i64,
    context: i64,
}

/// The names of nodes by their ids.
type Names = BTreeMap<i64, String>;

/// What the server said is stored.
#[derive(Default)]
pub struct Acknowledged {
    artifacts: Names,
    pub executions: Names,
    contexts: Names,
}

impl Acknowledged {
    pub const fn new() -> Self {
        Self {
            artifacts: Names::new(),
            executions: Names::new(),
            contexts: Names::new(),
        }
    }

    pub fn extend(&mut self, more: Self) {
        self.artifacts.extend(more.artifacts);
        self.executions.extend(more.executions);
        self.contexts.extend(more.contexts);
    }
}

async fn what_was_acknowledged_survives_a_kill() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut server = Server::start(dir.path(), "store.db", &[]);
    let types = put_types(server.client().await).await;
    for round in 0..sized(4, 20) {
        acknowledged.extend(write_until_killed(server, types, round).await);
        server = Server::start(dir.path(), "store.db", &[]);
        check(&server.client().await, &acknowledged).await;
        let url = sqlite(&dir.path().join("store.db"));
        assert_eq!(query(&url, "PRAGMA integrity_check").await, ["ok"]);
        check_rows(&url).await;
    }
    assert!(acknowledged.executions.len() >= WRITERS);
}

/// Lets the writers write and kills the server in the midst of it.
async fn write_until_killed(server: Server, types: Types, round: usize) -> Acknowledged {
    let count = Arc::new(AtomicUsize::new(0));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let client = server.client().await;
        let prefix = format!("round {round} writer {writer}");
        writers.push(tokio::spawn(write(client, types, prefix, count.clone())));
    }
    let enough = 40 + 17 * round;
    wait_for("enough writes", || {
        (count.load(Ordering::Relaxed) >= enough).then_some(())
    });
    server.kill();
    let mut acknowledged = Acknowledged::default();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    acknowledged
}

/// Writes until the server is gone.
async fn write(
    client: Client,
    types: Types,
    prefix: String,
    count: Arc<AtomicUsize>,
) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    for number in 0.. {
        let name = format!("{prefix} number {number}");
        if let Err(error) = write_one(&client, types, &name, &mut acknowledged).await {
            // An answer of the server has no cause on this side.
            assert!(error.source().is_some(), "refused: {error}");
            break;
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

async fn write_one(
    client: &Client,
    types: Types,
    name: &str,
    acknowledged: &mut Acknowledged,
) -> Result<(), Status> {
    put_execution(client, types, name, acknowledged).await?;
    put_artifacts(client, types, name, acknowledged).await
}

/// Writes an [`execution`].
pub async fn put_execution(
    client: &Client,
    types: Types,
    name: &str,
    acknowledged: &mut Acknowledged,
) -> Result<(), Status> {
    let answer = execution(types, name).ask(client.clone()).await?;
    let names = [format!("{name} in"), format!("{name} out")];
    acknowledged
        .executions
        .insert(answer.execution_id(), name.into());
    acknowledged
        .artifacts
        .extend(answer.artifact_ids.into_iter().zip(names));
    acknowledged
        .contexts
        .extend(answer.context_ids.into_iter().zip([name.into()]));
    Ok(())
}

fn more_names(name: &str) -> [String; 2] {
    [format!("{name} more 1"), format!("{name} more 2")]
}

/// Two artifacts.
pub fn two_artifacts(types: Types, name: &str) -> impl Ask<Answer = Vec<i64>> + use<> {
    let artifacts = more_names(name).map(|name| Artifact::new(types.artifact, &name));
    Artifact::put(artifacts.into())
}

/// Writes [`two_artifacts`].
pub async fn put_artifacts(
    client: &Client,
    types: Types,
    name: &str,
    acknowledged: &mut Acknowledged,
) -> Result<(), Status> {
    let names = more_names(name);
    let ids = two_artifacts(types, name).ask(client.clone()).await?;
    acknowledged.artifacts.extend(ids.into_iter().zip(names));
    Ok(())
}

pub async fn put_types(client: Client) -> Types {
    Types {
        artifact: Artifact::put_type("Data", &[])
            .ask(client.clone())
            .await
            .unwrap(),
        execution: Execution::put_type("Step", &[])
            .ask(client.clone())
            .await
            .unwrap(),
        context: Context::put_type("Run", &[]).ask(client).await.unwrap(),
    }
}

/// An execution with a property, an input and an output artifact, their events with paths, and a
/// context of them all.
pub fn execution(types: Types, name: &str) -> PutExecutionRequest {
    let used = |role: &str, of: event::Type| ArtifactAndEvent {
        artifact: Some(Artifact::new(types.artifact, &format!("{name} {role}"))),
        event: Some(Event {
            r#type: Some(of.into()),
            path: Some(event::Path {
                steps: vec![event::path::Step {
                    value: Some(event::path::step::Value::Key(role.into())),
                }],
            }),
            ..Default::default()
        }),
    };
    let execution = Execution::new(types.execution, name);
    PutExecutionRequest {
        execution: Some(execution.with_custom("note", text("a note"))),
        artifact_event_pairs: vec![
            used("in", event::Type::Input),
            used("out", event::Type::Output),
        ],
        contexts: vec![Context::new(types.context, name)],
        ..Default::default()
    }
}

/// Checks that the server has everything that was acknowledged.
pub async fn check(client: &Client, acknowledged: &Acknowledged) {
    check_nodes(client, &acknowledged.artifacts, Artifact::name).await;
    check_nodes(client, &acknowledged.executions, Execution::name).await;
    check_nodes(client, &acknowledged.contexts, Context::name).await;
}

async fn check_nodes<N: TestNode>(client: &Client, expected: &Names, name: fn(&N) -> &str) {
    let ids: Vec<i64> = expected.keys().copied().collect();
    let stored = N::by_ids(&ids).ask(client.clone()).await.unwrap();
    let stored = stored
        .iter()
        .map(|node| (node.node_id().unwrap(), name(node).to_owned()));
    assert!(
        stored.collect::<Names>() == *expected,
        "some {} were lost",
        N::PLURAL
    );
}

/// Checks that every write is there entirely or not at all, acknowledged or not.
pub async fn check_rows(url: &str) {
    assert_eq!(query(url, INCOMPLETE_EXECUTIONS).await, [""; 0]);
    assert_eq!(query(url, STRAY_ROWS).await, [""; 0]);
}
