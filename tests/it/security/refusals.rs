//! The text and the time of a refusal do not depend on what exists: a refused call runs no
//! statement.

use pedigree::proto::pedigree::lineage::v1::{TraceRequest, WatchRequest};
use prost::Message;
use tempfile::TempDir;

use super::audit::write_tokens;
use super::{FILE, put};
use crate::binary::Server;
use crate::serving::{Http, Http2, framed};
use crate::support::prelude::*;
use crate::support::{Backend, TestDatabase};

on_every_database! {
    a_refused_call_runs_no_statement_whatever_exists,
}

/// Statements of the background, by the beginnings of their names: they store refusals, give
/// positions, wake other servers, prune, and look after the database.
const BACKGROUND: [&str; 6] = [
    "changes::",
    "database::notify",
    "PedigreeOutbox",
    "PedigreeChange",
    "messages::prune",
    "health::",
];

/// Ids that no artifact has: a search for them marks a place in the log.
const MARKS: [i64; 2] = [470_000_000_001, 470_000_000_002];

/// The names of the statements between the marks that are not of the background. `None` until both
/// marks are in the log.
fn between_marks(log: &str) -> Option<Vec<String>> {
    let is_mark = |line: &str, mark: i64| line.contains(&mark.to_string());
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("pedigree::statements"))
        .collect();
    let places = MARKS.map(|mark| lines.iter().position(|line| is_mark(line, mark)));
    let between = &lines[places[0]? + 1..places[1]?];
    let name = |line: &&str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["statement"].as_str().unwrap().to_owned()
    };
    let of_background = |name: &String| {
        BACKGROUND
            .iter()
            .any(|beginning| name.starts_with(beginning))
    };
    let names = between.iter().map(name);
    Some(names.filter(|name| !of_background(name)).collect())
}

/// Who calls, and for which tenant.
struct Caller<'a> {
    client: &'a Http2,
    bearer: Option<&'a str>,
    tenant: Option<&'a str>,
}

impl Caller<'_> {
    async fn send(&self, path: &str, content_type: Option<&str>, body: Vec<u8>) -> Http {
        let mut headers = vec![("te", "trailers"), ("x-request-id", "refused")];
        headers.extend(self.bearer.map(|value| ("authorization", value)));
        headers.extend(self.tenant.map(|value| ("x-pedigree-tenant", value)));
        headers.extend(content_type.map(|value| ("content-type", value)));
        let mut answer = match content_type {
            Some(_) => self.client.post(path, &headers, body).await,
            None => self.client.get(path, &headers).await,
        };
        answer.headers.retain(|(name, _)| name != "date");
        answer
    }

    async fn call(&self, method: &str, message: &impl Message) -> Http {
        let path = match method {
            "Trace" | "Watch" => format!("/pedigree.lineage.v1.LineageService/{method}"),
            _ => format!("/ml_metadata.MetadataStoreService/{method}"),
        };
        self.send(&path, Some("application/grpc"), framed(message))
            .await
    }

    /// Calls about what exists, or about what does not.
    async fn all_calls(&self, exists: bool) -> Vec<Http> {
        let (id, name) = if exists {
            (1, "known")
        } else {
            (1000, "other")
        };
        let update = Artifact {
            id: Some(id),
            ..Artifact::new(1, name)
        };
        let update = pb::PutArtifactsRequest {
            artifacts: vec![update],
            ..Default::default()
        };
        let by_id = pb::GetArtifactsByIdRequest {
            artifact_ids: vec![id],
            ..Default::default()
        };
        let by_name = pb::GetArtifactByTypeAndNameRequest {
            type_name: Some("Data".to_owned()),
            artifact_name: Some(name.to_owned()),
            ..Default::default()
        };
        let filtered = pb::GetArtifactsRequest {
            options: Some(matching(&format!("name = '{name}'"))),
            ..Default::default()
        };
        let events = put_events(vec![event(id, id, pb::event::Type::Input)]);
        let walk = TraceRequest {
            artifact_ids: vec![id],
            ..Default::default()
        };
        let watch = WatchRequest {
            context_ids: vec![id],
            ..Default::default()
        };
        let route = format!("/api/v1/namespaces/team/jobs/{name}");
        let told = format!(
            "{{\"eventTime\": \"2026-01-01T00:00:00Z\", \"producer\": \"https://example.com\", \
             \"run\": {{\"runId\": \"{name}\"}}, \
             \"job\": {{\"namespace\": \"team\", \"name\": \"{name}\"}}}}"
        );
        vec![
            self.call("PutArtifacts", &update).await,
            self.call("GetArtifactsByID", &by_id).await,
            self.call("GetArtifactByTypeAndName", &by_name).await,
            self.call("GetArtifacts", &filtered).await,
            self.call("PutEvents", &events).await,
            self.call("Trace", &walk).await,
            self.call("Watch", &watch).await,
            self.send(&route, None, Vec::new()).await,
            self.send(
                "/api/v1/lineage",
                Some("application/json"),
                told.into_bytes(),
            )
            .await,
        ]
    }
}

/// All of an answer that a client sees.
fn seen(answers: &[Http]) -> Vec<String> {
    answers.iter().map(|answer| format!("{answer:?}")).collect()
}

async fn a_refused_call_runs_no_statement_whatever_exists(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let foreign = TestDatabase::new(backend);
    let lines = format!("[tenant.foreign]\ndatabase_url = \"{}\"\n", foreign.url);
    // A type-admin may do nothing with nodes.
    let tokens = write_tokens(folder.path(), "", &["admin", "type-admin"]);
    let file = folder.path().join(FILE);
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, [written, lines].concat()).unwrap();
    let database = TestDatabase::new(backend);
    let level = "info,pedigree::statements=trace";
    let arguments = ["--log-format=json", "--log-level", level, "--security"];
    let arguments = [&arguments[..], &[file.to_str().unwrap()]].concat();
    let server = Server::on(&database, &arguments);
    let [admin, other] = [0, 1].map(|place: usize| tokens[place].bearer());
    let type_id = put(server.client().await, "Data", &[&admin]).await;
    let type_id = type_id.unwrap();
    let client = Http2::to(server.port).await;
    let caller = |bearer, tenant| Caller {
        client: &client,
        bearer,
        tenant,
    };
    let known = Caller {
        client: &client,
        bearer: Some(&admin),
        tenant: None,
    };
    let new = pb::PutArtifactsRequest {
        artifacts: vec![Artifact::new(type_id, "known")],
        ..Default::default()
    };
    let stored = known.call("PutArtifacts", &new).await;
    assert_eq!(stored.header("grpc-status"), Some("0"), "{stored:?}");
    let mark = async |mark: i64| {
        let none = pb::GetArtifactsByIdRequest {
            artifact_ids: vec![mark],
            ..Default::default()
        };
        let found = known.call("GetArtifactsByID", &none).await;
        assert_eq!(found.header("grpc-status"), Some("0"), "{found:?}");
    };
    mark(MARKS[0]).await;
    for (bearer, tenant) in [
        (Some(&*other), None),
        (Some(&*other), Some("foreign")),
        (Some(&*other), Some("missing")),
        (Some("Bearer x"), None),
        (None, None),
    ] {
        let caller = caller(bearer, tenant);
        let [existing, missing] = [caller.all_calls(true).await, caller.all_calls(false).await];
        assert_eq!(seen(&existing), seen(&missing));
        for answer in &existing {
            let code = answer.header("grpc-status");
            let is_refused = matches!(code, Some("7" | "16")) || answer.status >= 400;
            assert!(is_refused, "{answer:?}");
        }
    }
    mark(MARKS[1]).await;
    let run = loop {
        match between_marks(&server.process.log()) {
            Some(run) => break run,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(run, [""; 0]);
    server.stop();
}
