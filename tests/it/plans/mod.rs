//! How the databases find what is asked for: every statement that requests run often goes through
//! an index.
//!
//! A server logs the statements that it runs with their values. The database is then asked how it
//! runs each, on tables that are large enough to make it prefer indexes.

mod tracking;

use std::collections::{BTreeMap, BTreeSet};

use pb::list_operation_options::order_by_field::Field;
use pedigree::proto::pedigree::lineage::v1::TraceRequest;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::registry::v1::VersionsOfRequest;
use pedigree::proto::pedigree::registry::v1::registry_service_client::RegistryServiceClient;
use serde_json::{Value as Json, json};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use crate::binary::Server;
use crate::openlineage;
use crate::serving::http;
use crate::sql::{connect, run_sql};
use crate::streams::{Watcher, from_now, from_the_beginning};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase, Then};

on_every_database!(frequent_statements_use_indexes);

/// The tables that grow, in whose names only their database sees capitals.
const LARGE: [&str; 28] = [
    "Artifact",
    "ArtifactProperty",
    "Execution",
    "ExecutionProperty",
    "Context",
    "ContextProperty",
    "Event",
    "EventPath",
    "Association",
    "Attribution",
    "ParentContext",
    "PedigreeChange",
    "PedigreeLargeValue",
    "PedigreeDatasetWrite",
    "PedigreeDatasetRead",
    "PedigreeDatasetName",
    "PedigreeRunLineage",
    "PedigreeColumnLineage",
    "PedigreeColumnEdge",
    "PedigreeFacet",
    "PedigreeExperiment",
    "PedigreeRun",
    "PedigreeMetricSeries",
    "PedigreeMetricPoint",
    "PedigreeInputTag",
    "PedigreeModelMetric",
    "PedigreeAliasMove",
    "PedigreeArtifactFile",
];

/// Nodes of each kind.
const NODES: i64 = 6000;

/// Types of each kind.
const TYPES: i64 = 10;

/// Statements that may read a table as a whole: what they are called, what their texts have, and
/// why.
const EXCEPTIONS: [(&str, &str, &str); 14] = [
    (
        "changes::prunable",
        "LIMIT 1000",
        "it reads the first thousand rows of the history, by its key, and a short history has no more",
    ),
    (
        "nodes::by_ids",
        "n.id = ANY(",
        "for a twentieth of the nodes PostgreSQL rather reads all properties",
    ),
    (
        "events::whole_of_nodes",
        "= ANY(",
        "for the events of several nodes PostgreSQL rather reads all paths of so few",
    ),
    (
        "dataset_uses::created_after_writes",
        "= ANY(",
        "for the members of the datasets of several runs PostgreSQL rather reads all of so few",
    ),
    (
        "experiments::search",
        "ORDER BY e.experiment_id DESC LIMIT",
        "it reads the newest experiments, by their key",
    ),
    (
        "browse::named_like",
        "LIMIT",
        "it reads the newest 10,000 nodes, and these are no more",
    ),
    (
        "browse::with_property_like",
        "LIMIT",
        "it reads the newest 10,000 nodes, and these are no more",
    ),
    (
        "browse::count_newest_by_type",
        "LIMIT",
        "it reads the newest 10,000 nodes, and these are no more",
    ),
    (
        "browse::latest_in_states",
        "LIMIT",
        "it reads the 10,000 that changed last, and these are no more",
    ),
    (
        "browse::count_up_to",
        "LIMIT",
        "it reads 1,001 nodes at most",
    ),
    (
        "events::attach_paths",
        "= ANY(",
        "for the paths of several events PostgreSQL rather reads all of so few",
    ),
    (
        "runs::search",
        "EXISTS (SELECT 1 FROM PedigreeMetricSeries",
        "for the series of an experiment PostgreSQL rather reads all of so few runs",
    ),
    ("dataset_uses::has_writes", "LIMIT 1", "it reads any row"),
    ("run_lineage::exists", "LIMIT 1", "it reads any row"),
];

/// What is asked often, as clients of a server.
struct Asking(Client);

impl Asking {
    async fn to(server: &Server) -> Self {
        Self(server.client().await.max_decoding_message_size(usize::MAX))
    }

    async fn ask<A: Ask>(&self, request: A) -> A::Answer {
        request.ask(self.0.clone()).await.unwrap()
    }

    /// Several of each kind in each context, chains of events, and values that few nodes share.
    async fn fill(&self) {
        async fn put<N: TestNode>(this: &Asking) {
            let declared = [
                ("number", PropertyType::Int),
                ("text", PropertyType::String),
            ];
            let mut types = Vec::new();
            for number in 0..TYPES {
                let name = format!("T{number}");
                types.push(this.ask(N::put_type(&name, &declared)).await);
            }
            let new = |number: i64| {
                let type_id = types[usize::try_from(number % TYPES).unwrap()];
                N::new(type_id, &format!("n{number}"))
                    .with_external_id(&format!("{}{number}", N::PLURAL))
                    .with("number", int(number / 4))
                    .with("text", text(format!("t{number}")))
                    .with_custom("parent_dag_id", int(number / 10))
            };
            for first in (0..NODES).step_by(1000) {
                let nodes = (first..first + 1000).map(new).collect();
                this.ask(N::put(nodes)).await;
            }
        }
        put::<Artifact>(self).await;
        put::<Execution>(self).await;
        put::<Context>(self).await;
        for first in (1..=NODES).step_by(1000) {
            let ids = first..(first + 1000).min(NODES);
            let events = ids.clone().flat_map(|id| {
                [
                    with_path(event(id, id, pb::event::Type::Input)),
                    event(id + 1, id, pb::event::Type::Output),
                ]
            });
            self.ask(put_events(events.collect())).await;
            let pairs: Vec<_> = ids.map(|id| (id, id / 20 + 1)).collect();
            self.ask(put_members(&pairs, &pairs)).await;
            let parents = pairs.iter().map(|&(id, parent)| (parent, id));
            let parents = parents
                .filter(|(parent, id)| parent < id)
                .collect::<Vec<_>>();
            self.ask(put_parents(&parents)).await;
        }
    }

    /// Runs of OpenLineage, each of which reads what another one wrote.
    async fn fill_datasets(port: u16) {
        let runs: Vec<Json> = (0..NODES).map(lineage_event).collect();
        let body = Json::Array(runs).to_string();
        let answer = openlineage::post(port, openlineage::BATCH_PATH, body.as_bytes()).await;
        let answer: Json = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["status"], "success", "{answer}");
    }

    async fn read<N: TestNode>(&self) {
        self.ask(N::by_ids(&[17])).await;
        self.ask(N::by_ids(&(1..300).collect::<Vec<_>>())).await;
        self.ask(N::by_external_ids(&[&format!("{}7", N::PLURAL)]))
            .await;
        self.ask(N::by_name("T7", "n7")).await;
        for field in [Field::Id, Field::CreateTime, Field::LastUpdateTime] {
            for ascending in [true, false] {
                let options = pages_of(20).by(field, ascending);
                let page = self.ask(N::list(Some(options.clone()))).await;
                self.ask(N::list(Some(options.after(&page.token.unwrap()))))
                    .await;
            }
        }
        self.ask(N::by_type("T7", Some(pages_of(20)))).await;
        for filter in [
            "id = 7".to_owned(),
            "name = 'n7'".to_owned(),
            "type = 'T7' AND name = 'n7'".to_owned(),
            "type = 'T7' AND create_time_since_epoch > 7".to_owned(),
            format!("external_id = '{}7'", N::PLURAL),
            "properties.number.int_value = 7".to_owned(),
            "properties.text.string_value = 't7'".to_owned(),
            "custom_properties.parent_dag_id.int_value = 7".to_owned(),
        ] {
            self.ask(N::list(Some(few_matching(&filter)))).await;
        }
    }

    async fn read_all_kinds(&self) {
        self.read::<Artifact>().await;
        self.read::<Execution>().await;
        self.read::<Context>().await;
        let uris = pedigree::proto::GetArtifactsByUriRequest {
            uris: vec!["s3://7".to_owned()],
            ..Default::default()
        };
        self.ask(uris).await;
        self.ask(Execution::list(Some(few_matching(
            "type = 'T7' AND last_known_state = RUNNING",
        ))))
        .await;
        for filter in [
            "type = 'T7' AND state = LIVE",
            "uri = 's3://7'",
            "type = 'T7' AND properties.number.int_value = 7",
            "contexts_a.id = 7",
            "type = 'T7' AND contexts_a.id = 7",
            "contexts_a.name = 'n7'",
            "events_0.execution_id = 7",
        ] {
            self.ask(Artifact::list(Some(few_matching(filter)))).await;
        }
        let in_context = |filter: Option<&str>| pb::GetExecutionsByContextRequest {
            context_id: Some(7),
            options: Some(filter.map_or_else(|| pages_of(20), few_matching)),
            ..Default::default()
        };
        self.ask(in_context(None)).await;
        let of_dag = "custom_properties.parent_dag_id.int_value = 13";
        self.ask(in_context(Some(of_dag))).await;
        self.ask(Then(
            pb::GetContextsByExecutionRequest {
                execution_id: Some(7),
                ..Default::default()
            },
            |_| (),
        ))
        .await;
        self.ask(Then(
            pb::GetContextsByArtifactRequest {
                artifact_id: Some(7),
                ..Default::default()
            },
            |_| (),
        ))
        .await;
        self.ask(Then(
            pb::GetParentContextsByContextRequest {
                context_id: Some(7),
                ..Default::default()
            },
            |_| (),
        ))
        .await;
        self.ask(Then(
            pb::GetChildrenContextsByContextRequest {
                context_id: Some(7),
                ..Default::default()
            },
            |_| (),
        ))
        .await;
        self.ask(Then(
            pb::GetEventsByArtifactIDsRequest {
                artifact_ids: vec![7],
                ..Default::default()
            },
            |_| (),
        ))
        .await;
        self.ask(Then(
            pb::GetEventsByExecutionIDsRequest {
                execution_ids: vec![7],
                ..Default::default()
            },
            |_| (),
        ))
        .await;
        self.ask(lineage(from_artifacts("name = 'n7'"), &[])).await;
    }

    async fn write(&self) {
        let type_id = self.ask(Execution::by_ids(&[7])).await[0].type_id();
        let stored = self.ask(Artifact::by_ids(&[7])).await.remove(0);
        let changed = stored.with("number", int(-1)).with_custom("new", text("x"));
        self.ask(Artifact::put(vec![changed.clone()])).await;
        let put = pb::PutExecutionRequest {
            execution: Some(Execution::new(type_id, "new")),
            artifact_event_pairs: vec![pair(
                Some(changed),
                Some(pb::Event {
                    r#type: Some(3),
                    ..Default::default()
                }),
            )],
            contexts: self.ask(Context::by_ids(&[7])).await,
            ..Default::default()
        };
        self.ask(put).await;
    }
}

/// The paths of Marquez's API that name nodes of [`lineage_event`].
const CATALOG_PATHS: [&str; 9] = [
    "/jobs?limit=10&runState=FAILED",
    "/namespaces/team/jobs?limit=10",
    "/namespaces/team/jobs/j7/runs?limit=10",
    "/jobs/runs/r7",
    "/namespaces/s3%3A%2F%2Flake/datasets?limit=10",
    "/namespaces/s3%3A%2F%2Flake/datasets/d7/versions?limit=10",
    "/lineage?nodeId=dataset:s3://lake:d7&depth=2",
    "/lineage?nodeId=job:team:j7&depth=1",
    "/search?q=j7",
];

/// Pages of the web that show nodes of [`Asking::fill`].
const PAGES: [&str; 14] = [
    "/",
    "/search?q=n7",
    "/search?q=s3://7",
    "/artifacts",
    "/artifacts?type=T7&order=oldest",
    "/artifacts?filter=name+%3D+%27n7%27",
    "/executions?type=T7&filter=last_known_state+%3D+RUNNING",
    "/contexts",
    "/artifacts/7",
    "/executions/7",
    "/contexts/7",
    "/types",
    "/lineage/artifacts/7?hops=1",
    "/lineage/contexts/7?hops=1&at=2999-01-01",
];

async fn read_pages(port: u16) {
    for path in PAGES {
        let answer = http(port, &format!("GET {path} HTTP/1.1"), b"").await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

async fn read_catalog(port: u16) {
    for path in CATALOG_PATHS {
        let head = format!("GET /api/v1{path} HTTP/1.1");
        let answer = http(port, &head, b"").await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

/// The end of a run that reads a dataset and writes the next one, which ten runs have written and
/// which has two names.
fn lineage_event(run: i64) -> Json {
    let dataset = |number: i64| json!([{"namespace": "s3://lake", "name": format!("d{number}")}]);
    let mut named = dataset((run + 1) % 600)[0].clone();
    let table = json!({"namespace": "hive://meta", "name": named["name"], "type": "TABLE"});
    named["facets"] = json!({"symlinks": {"identifiers": [table]}});
    json!({
        "eventType": "COMPLETE",
        "eventTime": format!("2026-01-01T{:02}:{:02}:{:02}Z", run / 3600, run / 60 % 60, run % 60),
        "producer": "https://example.com/test",
        "run": {"runId": format!("r{run}"), "facets": {"number": {"is": run}}},
        "job": {"namespace": "team", "name": format!("j{}", run % 100)},
        "inputs": dataset(run % 600),
        "outputs": [named],
    })
}

/// So few that a database has no reason to read all properties for them.
fn few_matching(filter: &str) -> pb::ListOperationOptions {
    pb::ListOperationOptions {
        max_result_size: Some(20),
        ..matching(filter)
    }
}

fn with_path(mut event: pb::Event) -> pb::Event {
    let key = pb::event::path::step::Value::Key("key".to_owned());
    let step = pb::event::path::Step { value: Some(key) };
    event.path = Some(pb::event::Path { steps: vec![step] });
    event
}

/// A statement as it was run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Statement {
    name: String,
    text: String,
    values: Vec<String>,
}

/// The statements in a log, one of each text.
fn statements(log: &str) -> Vec<Statement> {
    let mut found = BTreeMap::new();
    for line in log.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        if line["target"] != "pedigree::statements" {
            continue;
        }
        let field = |name: &str| line[name].as_str().unwrap().to_owned();
        let values = serde_json::from_str(&field("values")).unwrap();
        let (name, text) = (field("statement"), field("text"));
        found
            .entry(text.clone())
            .or_insert(Statement { name, text, values });
    }
    found.into_values().collect()
}

impl Statement {
    /// With its values in it.
    fn sql(&self) -> String {
        let mut sql = String::new();
        let mut values = self.values.iter();
        let mut rest = self.text.as_str();
        while let Some(place) = rest.find(['?', '$']) {
            let (before, after) = rest.split_at(place);
            let digits = after[1..].chars().take_while(char::is_ascii_digit).count();
            let is_parameter = after.starts_with('?') || digits > 0;
            sql.push_str(before);
            if is_parameter {
                sql.push_str(values.next().unwrap());
            } else {
                sql.push('$');
            }
            rest = &after[1 + digits..];
        }
        sql + rest
    }

    /// What it calls the large tables that it reads.
    fn names(&self) -> BTreeSet<&str> {
        let words: Vec<&str> = self
            .text
            .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
            .filter(|word| !word.is_empty())
            .collect();
        let mut names = BTreeSet::new();
        for (index, word) in words.iter().enumerate() {
            if LARGE.contains(word) {
                names.insert(*word);
                let mut next = words[index + 1..].iter().skip_while(|word| **word == "AS");
                names.extend(
                    next.next()
                        .filter(|word| word.chars().any(|it| it.is_ascii_lowercase())),
                );
            }
        }
        names
    }

    /// The plan of the database for it, and the large tables that it would read as a whole.
    async fn plan(
        &self,
        backend: Backend,
        connection: &mut AnyConnection,
    ) -> (String, Vec<String>) {
        let (explain, sql, column) = match backend {
            Backend::Postgres => ("EXPLAIN ", self.sql(), 0),
            Backend::MySql => ("EXPLAIN FORMAT=JSON ", self.sql(), 0),
            // Its plan is one for all values.
            Backend::SqliteFile | Backend::SqliteMemory => {
                ("EXPLAIN QUERY PLAN ", self.text.clone(), 3)
            }
        };
        let explained = sqlx::query(AssertSqlSafe(format!("{explain}{sql}")));
        let rows = explained.fetch_all(connection).await;
        let rows = rows.unwrap_or_else(|error| panic!("{}: {error}: {sql}", self.name));
        let lines = rows.iter().map(|row| {
            use sqlx::Row;
            row.try_get::<String, _>(column)
                .or_else(|_| {
                    row.try_get::<Vec<u8>, _>(column)
                        .map(|text| String::from_utf8(text).unwrap())
                })
                .unwrap()
        });
        let lines: Vec<String> = lines.collect();
        let plan = lines.join("\n");
        let mut whole = Vec::new();
        // The beginning of an index is enough for it.
        let is_page = self.text.contains("ORDER BY") && self.text.contains(" LIMIT ");
        for name in self.names() {
            let is_whole = match backend {
                Backend::Postgres => {
                    let table = format!("Seq Scan on {} ", name.to_lowercase());
                    plan.contains(&table)
                }
                Backend::MySql => {
                    let table = format!("\"table_name\": \"{name}\",");
                    plan.split(&table).skip(1).any(|rest| {
                        let rest = rest.trim_start();
                        rest.starts_with("\"access_type\": \"ALL\"")
                            || rest.starts_with("\"access_type\": \"index\"") && !is_page
                    })
                }
                Backend::SqliteFile | Backend::SqliteMemory => lines.iter().any(|line| {
                    let scan = line
                        .strip_prefix("SCAN ")
                        .and_then(|line| line.strip_prefix(name));
                    // The first page by id has no index but the table itself.
                    let is_first = is_page && self.text.contains("WHERE 1 = 1 ORDER BY n.id");
                    scan.is_some_and(|scan| match scan {
                        "" => !is_first,
                        scan => scan.starts_with(" USING") && !is_page,
                    })
                }),
            };
            if is_whole {
                whole.push(name.to_owned());
            }
        }
        (plan, whole)
    }
}

/// A small row of the history again and again: the requests of the fill share a few large ones.
const LONG_HISTORY: &str = "INSERT INTO PedigreeChange (position, time_since_epoch, changes) \
     SELECT newest.position + n.id, small.time_since_epoch, small.changes \
     FROM Artifact n \
     JOIN (SELECT MAX(position) AS position FROM PedigreeChange) newest ON 1 = 1 \
     JOIN (SELECT * FROM PedigreeChange ORDER BY LENGTH(changes) LIMIT 1) small ON 1 = 1";

/// Values of other rows of the history than there are, with ids as random as those of a server.
const fn large_values(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => {
            "INSERT INTO PedigreeLargeValue SELECT decode(md5(id::text), 'hex'), 0, '' FROM Artifact"
        }
        Backend::MySql => {
            "INSERT INTO PedigreeLargeValue SELECT UNHEX(MD5(id)), 0, '' FROM Artifact"
        }
        Backend::SqliteFile | Backend::SqliteMemory => {
            "INSERT INTO PedigreeLargeValue SELECT randomblob(16), 0, '' FROM Artifact"
        }
    }
}

/// Writes a large value, and watches it.
async fn watch_large(server: &Server) {
    let asking = Asking::to(server).await;
    let mut watcher = Watcher::start(server.connect().await, from_now()).await;
    let stored = asking.ask(Artifact::by_ids(&[8])).await.remove(0);
    let changed = stored.with_custom("much", text("x".repeat(100_000)));
    asking.ask(Artifact::put(vec![changed])).await;
    watcher.take(1).await;
}

/// Traces the graph as it was before a node changed, and asks for the versions of then.
async fn read_as_of(server: &Server) {
    let asking = Asking::to(server).await;
    let stored = asking.ask(Artifact::by_ids(&[7])).await.remove(0);
    let as_of = Some(stored.create_time_since_epoch());
    let channel = server.connect().await;
    let mut client = LineageServiceClient::new(channel.clone());
    let request = TraceRequest {
        artifact_ids: vec![7],
        as_of,
        ..TraceRequest::default()
    };
    let mut responses = client.trace(request).await.unwrap().into_inner();
    while responses.message().await.unwrap().is_some() {}
    let of_versions = few_matching("contexts_a.type = 'kf.ModelVersion'");
    let registered = asking.ask(Artifact::list(Some(of_versions))).await.nodes;
    let request = VersionsOfRequest {
        artifact_id: registered[0].id(),
        as_of: Some(i64::MAX),
    };
    let mut client = RegistryServiceClient::new(channel);
    let found = client.versions_of(request).await.unwrap().into_inner();
    assert!(!found.versions.is_empty(), "{found:?}");
}

/// Lets the planner know how large the tables are.
async fn analyze(database: &TestDatabase) {
    let sql = match database.backend {
        Backend::MySql => format!("ANALYZE TABLE {}", LARGE.join(", ")),
        _ => "ANALYZE".to_owned(),
    };
    run_sql(&database.url, sql).await;
}

async fn frequent_statements_use_indexes(backend: Backend) {
    let database = TestDatabase::new(backend);
    let server = Server::on(&database, &[]);
    Asking::to(&server).await.fill().await;
    Asking::fill_datasets(server.port).await;
    tracking::begin(server.port).await;
    server.stop();
    run_sql(&database.url, LONG_HISTORY).await;
    run_sql(&database.url, large_values(backend)).await;
    tracking::fill(&database.url).await;
    analyze(&database).await;
    let level = [
        "--log-format",
        "json",
        "--log-level",
        "info,pedigree::statements=trace",
        // A watch then looks for the first row that it may read.
        "--audit-retention=8d",
    ];
    let server = Server::on(&database, &level);
    let asking = Asking::to(&server).await;
    asking.read_all_kinds().await;
    asking.write().await;
    read_catalog(server.port).await;
    read_pages(server.port).await;
    let watched = Watcher::start(server.connect().await, from_the_beginning()).await;
    drop(watched);
    watch_large(&server).await;
    tracking::track(server.port).await;
    for event_type in ["COMPLETE", "FAIL"] {
        let mut late = lineage_event(NODES);
        late["eventType"] = event_type.into();
        let late = late.to_string();
        let answer = openlineage::post(server.port, openlineage::PATH, late.as_bytes()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    read_as_of(&server).await;
    let statements = statements(&server.process.log());
    server.stop();
    assert!(statements.len() > 40, "{statements:?}");
    let is_first = |statement: &Statement| statement.name == "changes::first_since";
    assert!(statements.iter().any(is_first), "{statements:?}");
    for name in [
        "catalog::members_created_by",
        "changes::page_before",
        "nodes::changed_after",
        "alias_moves::last_of_models",
    ] {
        assert!(
            statements.iter().any(|it| it.name == name),
            "{name}: {statements:?}"
        );
    }
    let is_ahead = |statement: &Statement| statement.name == "events::executions_ahead";
    let reads_ahead = matches!(backend, Backend::Postgres | Backend::MySql);
    let ways = statements.iter().filter(|it| is_ahead(it)).count();
    assert_eq!(ways >= 2, reads_ahead, "{ways} ways are read ahead");

    let mut connection = connect(&database.url).await;
    let mut wrong = Vec::new();
    for statement in &statements {
        let (plan, whole) = statement.plan(backend, &mut connection).await;
        if let Some(index) = tracking::followed_index(statement)
            && !plan.contains(index)
        {
            wrong.push(format!("{} without {index}:\n{plan}", statement.sql()));
        }
        let is_known = EXCEPTIONS.iter().any(|(name, text, _)| {
            statement.name.starts_with(name) && statement.text.contains(text)
        });
        if !whole.is_empty() && !is_known {
            wrong.push(format!(
                "{} reads all of {whole:?}: {}\n{plan}",
                statement.name,
                statement.sql()
            ));
        }
    }
    connection.close().await.unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
