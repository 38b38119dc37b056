//! `GetFacets`: facets as their producers sent them.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use pedigree::proto::pedigree::lineage::v1::get_facets_request::Node;
use pedigree::proto::pedigree::lineage::v1::lineage_service_client::LineageServiceClient;
use pedigree::proto::pedigree::lineage::v1::{GetFacetsRequest, NodeFacet};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::scenarios::{recorded, send_in_disorder};
use super::{PATH, dataset, event, of_run, post, tell};
use crate::cli;
use crate::sql::query;
use crate::support::Backend;
use crate::support::prelude::*;

on_every_database! {
    all_facets_of_producers_are_kept,
    a_facet_is_kept_byte_by_byte,
    the_newest_facet_is_sent,
    a_text_is_stored_once,
    a_huge_facet_is_sent_in_parts,
    secrets_are_not_stored,
    secrets_are_stored_if_asked_for,
    a_node_must_be_known,
    the_command_prints_facets,
}

/// Facets with their texts.
type Facets = Vec<(NodeFacet, String)>;

async fn ask(store: &Store, node: Node, keys: &[&str]) -> Result<Facets, Status> {
    let mut client = LineageServiceClient::new(store.channel.clone());
    let request = GetFacetsRequest {
        node: Some(node),
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
    };
    let mut responses = client.get_facets(request).await?.into_inner();
    let mut facets: Facets = Vec::new();
    while let Some(response) = responses.message().await? {
        assert!(response.text.len() <= 1 << 20);
        facets.extend(response.facet.map(|facet| (facet, String::new())));
        facets.last_mut().unwrap().1.push_str(&response.text);
    }
    Ok(facets)
}

async fn found(store: &Store, node: Node) -> Facets {
    ask(store, node, &[]).await.unwrap()
}

fn sha256(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// All nodes.
async fn nodes(store: &Store) -> Vec<Node> {
    let artifacts = store.ask(pb::GetArtifactsRequest::default()).await;
    let executions = store.ask(pb::GetExecutionsRequest::default()).await;
    let contexts = store.ask(pb::GetContextsRequest::default()).await;
    let artifacts = artifacts.artifacts.iter();
    let artifacts = artifacts.map(|node| Node::ArtifactId(node.id()));
    let executions = executions.executions.iter();
    let executions = executions.map(|node| Node::ExecutionId(node.id()));
    let contexts = contexts.contexts.iter();
    let contexts = contexts.map(|node| Node::ContextId(node.id()));
    artifacts.chain(executions).chain(contexts).collect()
}

/// The texts of the facets of all nodes. Each facet that counts must have one that its digest
/// names, but for facts of the events themselves.
pub async fn all_texts(store: &Store) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for node in nodes(store).await {
        for (facet, text) in found(store, node).await {
            if facet.key.starts_with("event.") {
                assert_eq!((facet.bytes, text.as_str()), (None, ""), "{facet:?}");
                continue;
            }
            assert_eq!(facet.digest, sha256(&text), "{facet:?} {text}");
            assert_eq!(facet.bytes, Some(i64::try_from(text.len()).unwrap()));
            texts.insert(text);
        }
    }
    texts
}

/// The facets of an event with the places where they are; the newest of each place counts.
fn sent(event: &Value) -> BTreeMap<String, Value> {
    let mut facets = BTreeMap::new();
    let mut add = |place: &str, of: &Value| {
        for (key, facet) in of.as_object().into_iter().flatten() {
            facets.insert(format!("{place} {key}"), facet.clone());
        }
    };
    let run = event["run"]["runId"].to_string();
    let name = |of: &Value| format!("{}/{}", of["namespace"], of["name"]);
    add(&run, &event["run"]["facets"]);
    add(&name(&event["job"]), &event["job"]["facets"]);
    for output in event["outputs"].as_array().into_iter().flatten() {
        add(&name(output), &output["facets"]);
        add(&format!("{run} {}", name(output)), &output["outputFacets"]);
    }
    for input in event["inputs"].as_array().into_iter().flatten() {
        add(&name(input), &input["facets"]);
        add(&format!("{run} {}", name(input)), &input["inputFacets"]);
    }
    facets
}

async fn all_facets_of_producers_are_kept(store: Store) {
    for (seed, scenario) in (0..).zip(["spark-features", "dbt-run", "airflow-nightly-sales"]) {
        let store = Store::open(store.backend()).await;
        let events = recorded(scenario);
        send_in_disorder(&[store.port()], &events, seed).await;
        let kept = all_texts(&store).await;
        let kept: BTreeSet<String> = kept
            .iter()
            .map(|text| serde_json::from_str::<Value>(text).unwrap().to_string())
            .collect();
        let mut last = BTreeMap::new();
        let mut events: Vec<Value> = events
            .iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect();
        // These recordings have times in one notation.
        events.sort_by_key(|event| event["eventTime"].to_string());
        for event in &events {
            last.extend(sent(event));
        }
        assert!(last.len() > 20, "{scenario}");
        for (place, facet) in last {
            let is_deleted = facet["_deleted"] == true || facet.is_null();
            let is_kept = kept.contains(&facet.to_string());
            assert!(is_deleted || is_kept, "{scenario}: {place} {facet}");
        }
    }
}

async fn a_facet_is_kept_byte_by_byte(store: Store) {
    let facet = "{ \"_producer\":\"p\",\"a\" : 12345678901234567890123,\"a\":1e400,\n\"é\\u00e9\":\
                 [ ], \"_schemaURL\": \"s\"}";
    let text = event("START", 1).to_string();
    let run = format!(r#""run":{{"facets":{{"x_y":{facet},"other":7}},"#);
    let text = text.replace(r#""run":{"#, &run);
    let answer = post(store.port(), PATH, text.as_bytes()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let facets = found(&store, Node::ExecutionId(1)).await;
    let keys: Vec<&str> = facets.iter().map(|(facet, _)| facet.key.as_str()).collect();
    assert_eq!(keys, ["event.producer", "other", "x_y"]);
    assert_eq!(facets[1].1, "7");
    let (described, kept) = &facets[2];
    assert_eq!(kept, facet);
    let expected = NodeFacet {
        key: "x_y".into(),
        time_microseconds: 1_764_212_401_000_000,
        digest: sha256(facet),
        bytes: Some(i64::try_from(facet.len()).unwrap()),
        producer: "p".into(),
        schema_url: "s".into(),
    };
    assert_eq!(*described, expected);
}

/// An event whose run has a facet.
fn with_facet(second: u32, facet: &Value) -> Value {
    let mut start = event("RUNNING", second);
    start["run"]["facets"] = json!({"f": facet});
    start
}

async fn the_newest_facet_is_sent(store: Store) {
    let facet = async || {
        ask(&store, Node::ExecutionId(1), &["f"])
            .await
            .unwrap()
            .remove(0)
    };
    tell(&store, &with_facet(2, &json!({"n": 2}))).await;
    tell(&store, &with_facet(1, &json!({"n": 1}))).await;
    assert_eq!(facet().await.1, r#"{"n":2}"#);
    tell(&store, &with_facet(3, &json!({"n": 3}))).await;
    assert_eq!(facet().await.1, r#"{"n":3}"#);
    tell(&store, &with_facet(4, &json!({"_deleted": true}))).await;
    let (deleted, text) = facet().await;
    assert_eq!((deleted.digest.as_str(), text.as_str()), ("", ""));
    assert_eq!(deleted.bytes, None);
    let none = ask(&store, Node::ExecutionId(1), &["g"]).await.unwrap();
    assert_eq!(none, []);
    // A version of a dataset has the facet that names it.
    let mut end = event("COMPLETE", 5);
    end["outputs"] = json!([dataset("s3://lake", "a")]);
    end["outputs"][0]["facets"] = json!({"version": {"datasetVersion": "7"}});
    tell(&store, &end).await;
    let version = found(&store, Node::ArtifactId(1)).await;
    assert_eq!(version[0].1, r#"{"datasetVersion":"7"}"#);
}

async fn a_text_is_stored_once(store: Store) {
    let schema = json!({"fields": [{"name": "a", "type": "int"}]});
    for number in 0..3 {
        let mut end = of_run("COMPLETE", &format!("r{number}"), number);
        end["outputs"] = json!([dataset("s3://lake", &format!("d{number}"))]);
        end["outputs"][0]["facets"] = json!({"schema": schema});
        tell(&store, &end).await;
    }
    let digest = sha256(&schema.to_string());
    let sql = match store.backend() {
        Backend::MySql => "SELECT CAST(digest AS CHAR) FROM PedigreeFacet",
        _ => "SELECT digest FROM PedigreeFacet",
    };
    assert_eq!(query(store.url(), sql).await, [digest]);
    assert_eq!(all_texts(&store).await, [schema.to_string()].into());
}

async fn a_huge_facet_is_sent_in_parts(store: Store) {
    let huge = json!({"text": "é".repeat(5 << 19)});
    let mut event = with_facet(1, &huge);
    event["run"]["facets"]["small"] = json!({"a": 1});
    // A client sends an event again that takes longer than the server lets it wait.
    let text = event.to_string();
    for _ in 0..20 {
        let answer = post(store.port(), PATH, text.as_bytes()).await;
        if answer.status == 201 {
            break;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    let expected = [huge.to_string(), json!({"a": 1}).to_string()];
    assert!(expected[0].len() > 5_000_000);
    assert_eq!(all_texts(&store).await, expected.into());
}

/// An event with secrets: a variable, a property, a parameter, the password of a URL.
fn with_secrets() -> Value {
    let mut start = event("START", 1);
    start["run"]["facets"] = json!({
        "environmentVariables": {"environmentVariables": [
            {"name": "DB_PASSWORD", "value": "hunter2-a"}, {"name": "STAGE", "value": "test"},
        ]},
        "spark_properties": {"properties": {
            "fs.s3a.secret.key": "hunter2-b", "url": "jdbc:x://me:hunter2-c@h/d",
        }},
        "executionParameters": {"parameters": [
            {"key": "api_token", "value": "hunter2-d"}, {"key": "lr", "value": 0.1},
        ]},
    });
    start
}

async fn secrets_are_not_stored(store: Store) {
    tell(&store, &with_secrets()).await;
    let texts = all_texts(&store).await;
    let properties = r#"{"properties":{"fs.s3a.secret.key":"[redacted]","url":"[redacted]"}}"#;
    assert!(texts.contains(properties), "{texts:?}");
    let all = texts.into_iter().collect::<String>();
    assert!(!all.contains("hunter2"), "{all}");
    assert!(all.contains(r#"{"name":"STAGE","value":"test"}"#), "{all}");
    let dump = store.dump().await;
    assert!(!dump.contains("hunter2"), "{dump}");
    assert!(dump.contains("param.lr"), "{dump}");
    // An event that is sent again is known.
    store.tick();
    tell(&store, &with_secrets()).await;
    assert_eq!(store.dump().await, dump);
}

async fn secrets_are_stored_if_asked_for(backend: Backend) {
    let store = Store::open_with(backend, |config| config.serving.keeps_facet_secrets = true);
    let store = store.await;
    tell(&store, &with_secrets()).await;
    let all = all_texts(&store).await.into_iter().collect::<String>();
    for secret in ["hunter2-a", "hunter2-b", "hunter2-c", "hunter2-d"] {
        assert!(all.contains(secret), "{all}");
    }
}

async fn a_node_must_be_known(store: Store) {
    tell(&store, &event("START", 1)).await;
    for node in [
        Node::ArtifactId(1),
        Node::ExecutionId(9),
        Node::ContextId(-1),
    ] {
        let refused = ask(&store, node, &[]).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{node:?}");
    }
    let mut client = LineageServiceClient::new(store.channel.clone());
    let refused = client.get_facets(GetFacetsRequest::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

async fn the_command_prints_facets(store: Store) {
    tell(&store, &with_facet(1, &json!({"n": 1, "_producer": "p"}))).await;
    let print = async |more: &[&str]| {
        let words = ["facets", "--execution", "1", "--key", "f"];
        let ended = cli::ask(store.port(), &[&words[..], more].concat(), "").await;
        assert!(ended.status.success(), "{ended:?}");
        ended.stdout
    };
    let digest = sha256(r#"{"_producer":"p","n":1}"#);
    let time = "2025-11-27T03:00:01.000000Z";
    assert_eq!(print(&[]).await, format!("f  {time}  {digest}  23 B\n"));
    let printed: Value = serde_json::from_str(&print(&["--format", "json"]).await).unwrap();
    let expected = json!({
        "key": "f", "time": time, "digest": digest, "content": {"_producer": "p", "n": 1},
    });
    assert_eq!(printed, expected);
    let refused = cli::ask(store.port(), &["facets"], "").await;
    assert!(!refused.status.success());
}
