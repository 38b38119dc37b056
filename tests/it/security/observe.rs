//! Mode `observe`: answers are those of a server without a security file, byte for byte, and what
//! is counted is what mode `enforce` refuses. Pages are left out.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pedigree::policy::METHODS;
use pedigree::proto::pedigree::audit::v1::Outcome;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::{GetFacetsRequest, TraceRequest};
use prost::Message;
use tempfile::TempDir;

use super::MadeToken;
use super::audit::{open, records, write_tokens};
use crate::serving::{Http, Http2, framed};
use crate::streams::message;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    answers_are_those_without_a_file_and_refusals_are_counted,
}

/// Methods that answer with what differs between two stores: who wrote, and when.
const OF_THE_HISTORY: [&str; 2] = [
    "/pedigree.lineage.v1.LineageService/Watch",
    "/pedigree.audit.v1.AuditService/List",
];

/// What is sent to every server alike.
#[derive(Clone)]
struct Call {
    path: String,
    content_type: Option<&'static str>,
    body: Vec<u8>,
}

impl Call {
    fn grpc(path: impl Into<String>, message: &impl Message) -> Self {
        Self {
            path: path.into(),
            content_type: Some("application/grpc"),
            body: framed(message),
        }
    }

    fn mlmd(method: &str, message: &impl Message) -> Self {
        Self::grpc(
            format!("/ml_metadata.MetadataStoreService/{method}"),
            message,
        )
    }

    fn lineage(method: &str, message: &impl Message) -> Self {
        Self::grpc(
            format!("/pedigree.lineage.v1.LineageService/{method}"),
            message,
        )
    }

    fn post(path: &str, body: &str) -> Self {
        Self {
            path: path.to_owned(),
            content_type: Some("application/json"),
            body: body.as_bytes().to_vec(),
        }
    }

    fn get(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content_type: None,
            body: Vec::new(),
        }
    }

    /// The status, the headers and trailers that do not tell the time, and the body.
    async fn send(&self, client: &Http2, authorization: Option<&str>) -> Answer {
        let mut headers = vec![("x-request-id", "observed"), ("te", "trailers")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        headers.extend(self.content_type.map(|value| ("content-type", value)));
        let answer = match self.content_type {
            Some(_) => client.post(&self.path, &headers, self.body.clone()).await,
            None => client.get(&self.path, &headers).await,
        };
        let is_refused = is_refused(&answer);
        let Http {
            status,
            mut headers,
            body,
        } = answer;
        headers.retain(|(name, _)| name != "date");
        Answer {
            bytes: (status, headers, body),
            is_refused,
        }
    }
}

struct Answer {
    bytes: (u16, Vec<(String, String)>, Vec<u8>),
    is_refused: bool,
}

/// Whether a request is refused for want of credentials or of permission.
fn is_refused(answer: &Http) -> bool {
    let code = answer.header("grpc-status");
    let code = code.and_then(|code| code.parse::<i32>().ok().map(Code::from));
    matches!(code, Some(Code::Unauthenticated | Code::PermissionDenied))
        || matches!(answer.status, 401 | 403)
}

/// Declares types, of an artifact, an execution and a context.
fn put_types(prefix: &str) -> Call {
    let types = pb::PutTypesRequest {
        artifact_types: vec![pb::ArtifactType {
            name: Some(format!("{prefix}Data")),
            properties: [("size".to_owned(), PropertyType::Int.into())].into(),
            ..Default::default()
        }],
        execution_types: vec![pb::ExecutionType {
            name: Some(format!("{prefix}Train")),
            ..Default::default()
        }],
        context_types: vec![pb::ContextType {
            name: Some(format!("{prefix}Run")),
            ..Default::default()
        }],
        ..Default::default()
    };
    Call::mlmd("PutTypes", &types)
}

/// The ids in the answer to it.
fn type_ids(body: &[u8]) -> [i64; 3] {
    let types = pb::PutTypesResponse::decode(&body[5..]).unwrap();
    let lists = [
        types.artifact_type_ids,
        types.execution_type_ids,
        types.context_type_ids,
    ];
    lists.map(|ids| ids[0])
}

/// Writes of nodes with these types, also some that fail.
fn writes(prefix: &str, [data, train, run]: [i64; 3]) -> Vec<Call> {
    let artifact = |name: &str, type_id: i64| Artifact {
        uri: Some(format!("s3://{prefix}{name}")),
        ..Artifact::new(type_id, &format!("{prefix}{name}")).with("size", int(7))
    };
    let artifacts = |type_id| pb::PutArtifactsRequest {
        artifacts: vec![artifact("a", type_id), artifact("b", type_id)],
        ..Default::default()
    };
    let execution = pb::PutExecutionRequest {
        execution: Some(Execution::new(train, &format!("{prefix}e"))),
        artifact_event_pairs: vec![pair(
            Some(artifact("c", data)),
            Some(pb::Event {
                r#type: Some(pb::event::Type::Output.into()),
                ..Default::default()
            }),
        )],
        contexts: vec![Context::new(run, &format!("{prefix}c"))],
        ..Default::default()
    };
    let recorded = message(&format!("{prefix}1"), Change::PutArtifacts(artifacts(data)));
    let event = serde_json::json!({
        "eventType": "COMPLETE",
        "eventTime": "2026-01-01T00:00:00Z",
        "producer": "https://example.com/test",
        "run": {"runId": format!("{prefix}run")},
        "job": {"namespace": "team", "name": "job"},
        "outputs": [{"namespace": "s3://lake", "name": "table"}],
    });
    vec![
        Call::mlmd("PutArtifacts", &artifacts(data)),
        // It is the type of a context.
        Call::mlmd("PutArtifacts", &artifacts(run)),
        // Their names are taken.
        Call::mlmd("PutArtifacts", &artifacts(data)),
        Call::mlmd("PutExecution", &execution),
        Call::mlmd("PutEvents", &put_events(vec![event_of(1, 1)])),
        Call::mlmd("PutEvents", &put_events(vec![event_of(1, 1000)])),
        Call::lineage("Record", &recorded),
        Call::post("/api/v1/lineage", &event.to_string()),
        Call::post("/api/v1/lineage", "{}"),
    ]
}

fn event_of(artifact_id: i64, execution_id: i64) -> pb::Event {
    event(artifact_id, execution_id, pb::event::Type::Input)
}

/// Every method and route with an empty message, and reads that find something.
fn reads() -> Vec<Call> {
    let mut calls = Vec::new();
    for row in METHODS {
        let of_history = OF_THE_HISTORY.contains(&row.path);
        match row.path.split_once(' ') {
            _ if of_history => {}
            // Pages name the caller.
            Some(("GET", route)) if !route.starts_with("/api/") => {}
            Some(("GET", route)) => {
                let names = [
                    ("{namespace}", "team"),
                    ("{job}", "job"),
                    ("{dataset}", "table"),
                    ("{run}", "run"),
                    ("{version}", "1"),
                    ("{model}", "m-1"),
                ];
                let fill = |path: String, (of, name): (&str, &str)| path.replace(of, name);
                calls.push(Call::get(names.into_iter().fold(route.to_owned(), fill)));
            }
            // It changes what it names.
            Some(_) => {}
            None if row.path.starts_with("/api/") => calls.push(Call::get(row.path)),
            None => calls.push(Call::grpc(row.path, &())),
        }
    }
    let filtered = pb::GetArtifactsRequest {
        options: Some(matching("properties.size.int_value = 7")),
        ..Default::default()
    };
    let page = pb::GetArtifactsRequest {
        options: Some(pages_of(1)),
        ..Default::default()
    };
    let malformed = pb::GetArtifactsRequest {
        options: Some(matching("size =")),
        ..Default::default()
    };
    let by_id = |ids: Vec<i64>| pb::GetArtifactsByIdRequest {
        artifact_ids: ids,
        ..Default::default()
    };
    let walk = TraceRequest {
        artifact_ids: vec![1],
        ..Default::default()
    };
    let facets = GetFacetsRequest::default();
    calls.extend([
        Call::mlmd("GetArtifacts", &filtered),
        Call::mlmd("GetArtifacts", &page),
        Call::mlmd("GetArtifacts", &malformed),
        Call::mlmd("GetArtifactsByID", &by_id(vec![1, 2, 1000])),
        Call::lineage("Trace", &walk),
        Call::lineage("GetFacets", &facets),
        Call::get("/api/v1/lineage?nodeId=job:team:job&depth=2"),
        Call::get("/api/v1/search?q=job"),
        Call::get("/api/v1/unknown"),
    ]);
    calls
}

/// How often each method is in the audit with one of these outcomes, once that is so many times.
async fn refusals(
    store: &Store,
    bearer: &str,
    outcomes: &[Outcome],
    count: u64,
) -> BTreeMap<String, u64> {
    loop {
        let mut found = BTreeMap::new();
        let records = records(&store.channel, bearer).await.unwrap();
        for record in records {
            if outcomes.contains(&record.outcome()) {
                *found.entry(record.method).or_default() += record.count;
            }
        }
        if found.values().sum::<u64>() >= count {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

/// A security file with these lines, and its tokens: of a reader and an auditor.
fn write_file(folder: &Path, lines: &str) -> Vec<MadeToken> {
    write_tokens(folder, lines, &["reader", "auditor"])
}

async fn answers_are_those_without_a_file_and_refusals_are_counted(backend: Backend) {
    let folders = [0; 2].map(|_| TempDir::new().unwrap());
    let [observed, enforced] = folders.each_ref().map(TempDir::path);
    let tokens = write_file(observed, "mode = \"observe\"\n");
    let strict_tokens = write_file(enforced, "");
    let plain = Store::open(backend).await;
    let observing = open(backend, observed).await;
    let enforcing = open(backend, enforced).await;
    let stores = [&plain, &observing, &enforcing];
    // They have the same time.
    let latest = stores.map(Store::now).into_iter().max().unwrap();
    for store in stores {
        let behind = u64::try_from(latest - store.now()).unwrap();
        store.wait(Duration::from_millis(behind));
    }
    let clients = [
        Http2::to(plain.port()).await,
        Http2::to(observing.port()).await,
        Http2::to(enforcing.port()).await,
    ];
    let (reader, strict_reader) = (tokens[0].bearer(), strict_tokens[0].bearer());
    let mut refused = 0;
    for (prefix, authorization) in [
        ("none ", [None; 3]),
        ("wrong ", [Some("Bearer x"); 3]),
        (
            "reader ",
            [Some(&*reader), Some(&reader), Some(&strict_reader)],
        ),
    ] {
        let (mut served, mut found) = (0, 0);
        let mut compare = async |call: &Call| {
            let [expected, answer, strict] = [
                call.send(&clients[0], authorization[0]).await,
                call.send(&clients[1], authorization[1]).await,
                call.send(&clients[2], authorization[2]).await,
            ];
            assert!(!expected.is_refused, "{prefix}{}", call.path);
            assert_eq!(answer.bytes, expected.bytes, "{prefix}{}", call.path);
            refused += u64::from(strict.is_refused);
            served += usize::from(!strict.is_refused);
            found += usize::from(expected.bytes.2.len() > 5);
            expected.bytes.2
        };
        let types = type_ids(&compare(&put_types(prefix)).await);
        for call in [writes(prefix, types), reads()].concat() {
            compare(&call).await;
        }
        assert_eq!(served > 0, prefix == "reader ", "{prefix}");
        assert!(found > 20, "{prefix}: {found} answers say something");
    }
    let auditor = strict_tokens[1].bearer();
    let outcomes = [Outcome::Unauthenticated, Outcome::PermissionDenied];
    let strict = refusals(&enforcing, &auditor, &outcomes, refused).await;
    let auditor = tokens[1].bearer();
    let counted = refusals(&observing, &auditor, &[Outcome::Observed], refused).await;
    assert_eq!(counted, strict);
    assert_eq!(counted.values().sum::<u64>(), refused);
}
