//! The audit: one record for each write and each refusal, also when servers are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pb::{GetArtifactTypesRequest, GetArtifactsRequest, PutArtifactsRequest};
use pedigree::proto::pedigree::audit::v1::audit_service_client::AuditServiceClient;
use pedigree::proto::pedigree::audit::v1::{AuditRecord, ListRequest, Outcome};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::{FILE, MadeToken, put, with_authorization, write_policy};
use crate::binary::{Server, pedigree, run};
use crate::python::sized;
use crate::serving::put_type;
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

on_every_database! {
    writes_and_refusals_have_their_records,
    reads_have_records_by_choice,
    a_write_of_many_rows_is_one_write,
    each_acknowledged_write_has_one_record_whoever_is_killed,
}
once! {
    the_command_prints_records_and_keeps_them_in_a_file,
    what_a_policy_would_refuse_is_recorded_in_mode_observe,
}

/// Tokens of these names, each with the role of its name, in a security file.
pub fn write_tokens(folder: &Path, lines: &str, names: &[&str]) -> Vec<MadeToken> {
    let tokens: Vec<_> = names
        .iter()
        .map(|name| MadeToken::new(folder, name))
        .collect();
    let mut text = lines.to_owned();
    for (token, name) in tokens.iter().zip(names) {
        let _ = writeln!(
            text,
            "{}[[grant]]\nsubjects = [\"token:{name}\"]\nrole = \"{name}\"",
            token.entry
        );
    }
    write_policy(folder, &[&text]);
    tokens
}

pub async fn open(backend: Backend, folder: &Path) -> Store {
    let file = folder.join(FILE);
    Store::open_with(backend, |config| config.serving.security = Some(file)).await
}

/// All records, by a caller who may read them.
pub async fn records(channel: &Channel, bearer: &str) -> Result<Vec<AuditRecord>, Status> {
    let mut client = AuditServiceClient::new(channel.clone());
    let (mut records, mut cursor) = (Vec::new(), String::new());
    loop {
        let request = with_authorization(ListRequest { cursor }, &[bearer]);
        let page = client.list(request).await?.into_inner();
        if page.records.is_empty() {
            return Ok(records);
        }
        records.extend(page.records);
        cursor = page.cursor;
    }
}

/// The records once there are as many with an outcome.
pub async fn wait_for_records(
    store: &Store,
    bearer: &str,
    outcome: Outcome,
    count: usize,
) -> Vec<AuditRecord> {
    loop {
        let records = records(&store.channel, bearer).await.unwrap();
        let found: Vec<_> = records
            .into_iter()
            .filter(|it| it.outcome() == outcome)
            .collect();
        if found.len() >= count {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

async fn writes_and_refusals_have_their_records(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["writer", "reader", "auditor"]);
    let [writer, reader, auditor] = [0, 1, 2].map(|place: usize| tokens[place].bearer());
    let store = open(backend, folder.path()).await;
    let mut named = with_authorization(put_type("Data"), &[&writer]);
    named
        .metadata_mut()
        .insert("x-request-id", "run-7".parse().unwrap());
    let id = store.client().put_artifact_type(named).await.unwrap();
    // Nothing is written, nothing is recorded.
    put(store.client(), "Data", &[&writer]).await.unwrap();
    for _ in 0..3 {
        put(store.client(), "Other", &[&reader]).await.unwrap_err();
    }
    put(store.client(), "Other", &["Bearer x"])
        .await
        .unwrap_err();
    records(&store.channel, &writer).await.unwrap_err();

    let written = wait_for_records(&store, &auditor, Outcome::Written, 1).await;
    let [record] = written.as_slice() else {
        panic!("{written:?}");
    };
    assert_eq!(record.subject, "token:writer");
    assert_eq!(
        record.method,
        "/ml_metadata.MetadataStoreService/PutArtifactType"
    );
    assert_eq!(
        (&*record.door, &*record.request_id),
        ("ml_metadata", "run-7")
    );
    assert!(record.peer.starts_with("127.0.0.1:"), "{record:?}");
    assert!(
        record.reason.starts_with("allowed by the grant in line "),
        "{record:?}"
    );
    let [change] = record.changes.as_slice() else {
        panic!("{record:?}");
    };
    assert_eq!(
        (&*change.operation, &*change.subject),
        ("created", "artifact_type")
    );
    assert_eq!(
        (change.ids.as_slice(), change.count),
        (&[id.into_inner().type_id()][..], 1)
    );

    let refused = wait_for_records(&store, &auditor, Outcome::PermissionDenied, 2).await;
    let of = |subject: &'static str| {
        refused
            .iter()
            .filter(move |record| record.subject == subject)
    };
    assert_eq!(
        of("token:reader").map(|record| record.count).sum::<u64>(),
        3
    );
    assert!(of("token:reader").all(|record| record.reason == "refused: no grant has type.write"));
    let method = "/pedigree.audit.v1.AuditService/List";
    assert!(of("token:writer").all(|record| record.method == method));
    let strangers = wait_for_records(&store, &auditor, Outcome::Unauthenticated, 1).await;
    assert_eq!(strangers[0].subject, "anonymous");
    assert!(!strangers[0].reason.is_empty());
    // Who reads the audit is in it.
    let reads = wait_for_records(&store, &auditor, Outcome::Allowed, 1).await;
    assert!(reads.iter().all(|record| record.subject == "token:auditor"));

    let all = records(&store.channel, &auditor).await.unwrap();
    let ids: BTreeSet<_> = all.iter().map(|record| &record.id).collect();
    assert_eq!(ids.len(), all.len());
}

async fn reads_have_records_by_choice(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let lines = "audit_reads = [\"node.read\"]\n";
    let tokens = write_tokens(folder.path(), lines, &["reader", "auditor"]);
    let [reader, auditor] = [0, 1].map(|place: usize| tokens[place].bearer());
    let store = open(backend, folder.path()).await;
    let mut client = store.client();
    let types = with_authorization(GetArtifactTypesRequest::default(), &[&reader]);
    client.get_artifact_types(types).await.unwrap();
    let nodes = with_authorization(GetArtifactsRequest::default(), &[&reader]);
    client.get_artifacts(nodes).await.unwrap();
    let of_reader = loop {
        let records = wait_for_records(&store, &auditor, Outcome::Allowed, 1).await;
        let of = |record: &AuditRecord| record.subject == "token:reader";
        if records.iter().any(of) {
            break records.into_iter().filter(of).collect::<Vec<_>>();
        }
    };
    let methods: Vec<_> = of_reader.iter().map(|record| &*record.method).collect();
    assert_eq!(methods, ["/ml_metadata.MetadataStoreService/GetArtifacts"]);
}

async fn a_write_of_many_rows_is_one_write(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["writer", "auditor"]);
    let [writer, auditor] = [0, 1].map(|place: usize| tokens[place].bearer());
    let store = open(backend, folder.path()).await;
    let type_id = put(store.client(), "Data", &[&writer]).await.unwrap();
    let artifact = |number: usize| Artifact {
        uri: Some("x".repeat(1000)),
        ..Artifact::new(type_id, &number.to_string())
    };
    let request = PutArtifactsRequest {
        artifacts: (0..300).map(artifact).collect(),
        ..PutArtifactsRequest::default()
    };
    let request = with_authorization(request, &[&writer]);
    let stored = store.client().put_artifacts(request).await.unwrap();
    let written = wait_for_records(&store, &auditor, Outcome::Written, 2).await;
    let parts: Vec<u32> = written.iter().map(|record| record.part).collect();
    assert!(parts.len() > 3, "{parts:?}");
    let expected: Vec<u32> = [0].into_iter().chain(0..).take(parts.len()).collect();
    assert_eq!(parts, expected);
    let ids = written[1..]
        .iter()
        .flat_map(|record| &record.changes[0].ids);
    assert!(ids.eq(&stored.into_inner().artifact_ids));
}

/// A request with a token and an id.
fn request(name: &str, bearer: &str) -> Request<pb::PutArtifactTypeRequest> {
    let mut request = with_authorization(put_type(name), &[bearer]);
    let id = name.parse().unwrap();
    request.metadata_mut().insert("x-request-id", id);
    request
}

/// Declares types until the server is gone, and returns those that were acknowledged.
async fn write(mut client: Client, prefix: String, bearer: String) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let name = format!("{prefix}-{number}");
        match client.put_artifact_type(request(&name, &bearer)).await {
            Ok(_) => acknowledged.push(name),
            Err(_) => break,
        }
    }
    acknowledged
}

async fn each_acknowledged_write_has_one_record_whoever_is_killed(backend: Backend) {
    if backend == Backend::SqliteMemory {
        return;
    }
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["admin"]);
    let bearer = tokens[0].bearer();
    let file = folder.path().join(FILE);
    let database = TestDatabase::new(backend);
    let start = || Server::on(&database, &["--security", file.to_str().unwrap()]);
    // A file has one server.
    let count = if backend == Backend::SqliteFile { 1 } else { 2 };
    let mut servers: Vec<Server> = (0..count).map(|_| start()).collect();
    let mut acknowledged = BTreeSet::new();
    for round in 0..sized(2, 20) {
        let mut writers = JoinSet::new();
        for (place, server) in servers.iter().enumerate() {
            for writer in 0..4 {
                let prefix = format!("{round}-{place}-{writer}");
                writers.spawn(write(server.client().await, prefix, bearer.clone()));
            }
        }
        // One server at a time is killed; the writers continue at the other.
        for place in 0..count {
            let probe = format!("{round}-{place}-probe");
            for number in 0..10 + round {
                let mut client = servers[place].client().await;
                let name = format!("{probe}-{number}");
                client
                    .put_artifact_type(request(&name, &bearer))
                    .await
                    .unwrap();
                acknowledged.insert(name);
            }
            servers.remove(place).kill();
            if count == 1 {
                acknowledged.extend(writers.join_next().await.unwrap().unwrap());
            }
            servers.insert(place, start());
        }
        while let Some(names) = writers.join_next().await {
            acknowledged.extend(names.unwrap());
        }
    }
    let server = &servers[0];
    let channel = server.connect().await;
    let written: Vec<_> = records(&channel, &bearer).await.unwrap();
    let written = written.iter().filter(|it| it.outcome() == Outcome::Written);
    let mut recorded: BTreeMap<&str, i64> = BTreeMap::new();
    for record in written.filter(|record| record.subject == "token:admin") {
        let ids = &record.changes[0].ids;
        assert_eq!(ids.len(), 1, "{record:?}");
        let before = recorded.insert(&record.request_id, ids[0]);
        assert_eq!(before, None, "two records: {record:?}");
    }
    for name in &acknowledged {
        assert!(recorded.contains_key(name.as_str()), "no record of {name}");
    }
    // What was not acknowledged is stored and recorded, or neither.
    let types = with_authorization(GetArtifactTypesRequest::default(), &[&bearer]);
    let types = server
        .client()
        .await
        .get_artifact_types(types)
        .await
        .unwrap();
    let types = types.into_inner().artifact_types;
    let stored: BTreeMap<&str, i64> = types.iter().map(|of| (of.name(), of.id())).collect();
    assert_eq!(recorded, stored);
    for server in servers {
        server.stop();
    }
}

async fn what_a_policy_would_refuse_is_recorded_in_mode_observe() {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(
        folder.path(),
        "mode = \"observe\"\n",
        &["reader", "auditor"],
    );
    let [reader, auditor] = [0, 1].map(|place: usize| tokens[place].bearer());
    let store = open(Backend::SqliteMemory, folder.path()).await;
    put(store.client(), "Data", &[&reader]).await.unwrap();
    put(store.client(), "Other", &["Bearer x"]).await.unwrap();
    let observed = wait_for_records(&store, &auditor, Outcome::Observed, 2).await;
    let subjects: BTreeSet<_> = observed.iter().map(|record| &*record.subject).collect();
    assert_eq!(subjects, BTreeSet::from(["anonymous", "token:reader"]));
    let written = wait_for_records(&store, &auditor, Outcome::Written, 2).await;
    assert_eq!(written.len(), 2);
}

async fn the_command_prints_records_and_keeps_them_in_a_file() {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["writer", "auditor"]);
    let file = folder.path().join(FILE);
    let database = TestDatabase::new(Backend::SqliteMemory);
    let server = Server::on(&database, &["--security", file.to_str().unwrap()]);
    let url = format!("http://127.0.0.1:{}", server.port);
    fs::write(folder.path().join("token"), format!("{}\n", tokens[1].text)).unwrap();
    let audit = |arguments: &[&str]| {
        let mut command = pedigree(folder.path(), &[&["audit"], arguments].concat());
        command.env("PEDIGREE_SERVER", &url);
        let refused = run(command);
        assert!(
            refused.stderr.starts_with("pedigree: UNAUTHENTICATED"),
            "{refused:?}"
        );
        let mut command = pedigree(folder.path(), &[&["audit"], arguments].concat());
        command
            .env("PEDIGREE_SERVER", &url)
            .env("PEDIGREE_TOKEN_FILE", "token");
        let done = run(command);
        assert!(done.status.success(), "{done:?}");
        done.stdout
    };
    let written = |text: &str| {
        let records = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let written = records.filter(|record| record["outcome"] == "WRITTEN");
        let request_id = |record: Value| record["requestId"].as_str().unwrap().to_owned();
        written.map(request_id).collect::<Vec<_>>()
    };
    let mut client = server.client().await;
    client
        .put_artifact_type(request("first", &tokens[0].bearer()))
        .await
        .unwrap();
    assert_eq!(written(&audit(&["list"])), ["first"]);
    let exported = || fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    audit(&["export", "audit.jsonl"]);
    assert_eq!(written(&exported()), ["first"]);
    client
        .put_artifact_type(request("second", &tokens[0].bearer()))
        .await
        .unwrap();
    audit(&["export", "audit.jsonl"]);
    assert_eq!(written(&exported()), ["first", "second"]);
    // As after a crash before the cursor was kept: twice, and none is lost.
    fs::remove_file(folder.path().join("audit.jsonl.cursor")).unwrap();
    audit(&["export", "audit.jsonl"]);
    assert_eq!(written(&exported()), ["first", "second", "first", "second"]);
    let mode = fs::metadata(folder.path().join("audit.jsonl"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // A token does not go to other machines in plain text.
    let arguments = [
        "audit",
        "list",
        "--server",
        "http://192.0.2.1:8080",
        "--token-file",
        "token",
    ];
    let refused = run(pedigree(folder.path(), &arguments));
    assert!(refused.stderr.contains("over https only"), "{refused:?}");
    server.stop();
}
