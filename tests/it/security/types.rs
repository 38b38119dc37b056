//! Types that are put again: who may only read them may do that, as stock clients do at each start.

use pedigree::proto::pedigree::audit::v1::Outcome;
use pedigree::proto::pedigree::lineage::v1::record_request::Change;
use pedigree::proto::pedigree::lineage::v1::{RecordRequest, RunEvent, TypePolicy, run_event};
use tempfile::TempDir;
use tonic::Status;

use super::audit::{open, wait_for_records, write_tokens};
use super::commits::event;
use super::{FILE, with_authorization};
use crate::binary::Server;
use crate::openlineage::PATH;
use crate::serving::{get, http};
use crate::streams::{Recording, code_of, message};
use crate::support::prelude::*;
use crate::support::{Backend, Client, TestDatabase};

on_every_database! {
    an_equal_type_is_put_again_by_who_may_only_read,
    messages_need_a_right_only_to_change_types,
}
once! {
    a_changed_type_is_counted_in_mode_observe,
}

fn with_properties(name: &str, properties: &[&str]) -> pb::ArtifactType {
    let declared = |name: &&str| ((*name).to_owned(), PropertyType::Int.into());
    pb::ArtifactType {
        name: Some(name.to_owned()),
        properties: properties.iter().map(declared).collect(),
        ..pb::ArtifactType::default()
    }
}

/// Puts a type that may gain and omit properties.
async fn put(
    mut client: Client,
    bearer: &str,
    artifact_type: pb::ArtifactType,
) -> Result<i64, Status> {
    let request = pb::PutArtifactTypeRequest {
        artifact_type: Some(artifact_type),
        can_add_fields: Some(true),
        can_omit_fields: Some(true),
        ..pb::PutArtifactTypeRequest::default()
    };
    let request = with_authorization(request, &[bearer]);
    let answer = client.put_artifact_type(request).await?;
    Ok(answer.into_inner().type_id())
}

/// All types of artifacts and contexts.
async fn types(mut client: Client, bearer: &str) -> (Vec<pb::ArtifactType>, Vec<pb::ContextType>) {
    let artifacts = with_authorization(pb::GetArtifactTypesRequest::default(), &[bearer]);
    let artifacts = client.get_artifact_types(artifacts).await.unwrap();
    let contexts = with_authorization(pb::GetContextTypesRequest::default(), &[bearer]);
    let contexts = client.get_context_types(contexts).await.unwrap();
    (
        artifacts.into_inner().artifact_types,
        contexts.into_inner().context_types,
    )
}

async fn an_equal_type_is_put_again_by_who_may_only_read(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["writer", "reader", "auditor"]);
    let [writer, reader, auditor] = [0, 1, 2].map(|place: usize| tokens[place].bearer());
    let store = open(backend, folder.path()).await;
    let put = async |bearer: &str, name: &str, properties: &[&str]| {
        put(store.client(), bearer, with_properties(name, properties)).await
    };
    let denied = |put: Result<i64, Status>| {
        let status = put.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    };
    denied(put(&reader, "Data", &[]).await);
    let id = put(&writer, "Data", &["a", "b"]).await.unwrap();
    assert_eq!(put(&reader, "Data", &["a", "b"]).await.unwrap(), id);
    assert_eq!(put(&reader, "Data", &["a"]).await.unwrap(), id);
    let before = types(store.client(), &reader).await;
    denied(put(&reader, "Data", &["a", "b", "c"]).await);
    denied(put(&reader, "Other", &[]).await);
    denied(put(&reader, "", &[]).await);
    let both = |others: &[&str]| {
        let other = |name: &&str| pb::ContextType {
            name: Some((*name).to_owned()),
            ..pb::ContextType::default()
        };
        let request = pb::PutTypesRequest {
            artifact_types: vec![with_properties("Data", &["a", "b"])],
            context_types: others.iter().map(other).collect(),
            ..pb::PutTypesRequest::default()
        };
        with_authorization(request, &[&reader])
    };
    let mut client = store.client();
    let answer = client.put_types(both(&[])).await.unwrap().into_inner();
    assert_eq!(answer.artifact_type_ids, [id]);
    let refused = client.put_types(both(&["Data"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    // A request that cannot be read is that first.
    let versions = pb::PutArtifactTypeRequest {
        artifact_type: Some(with_properties("Data", &["a", "b"])),
        all_fields_match: Some(false),
        ..pb::PutArtifactTypeRequest::default()
    };
    let versions = with_authorization(versions, &[&reader]);
    let refused = client.put_artifact_type(versions).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    // The writer changes it, and the reader still puts what it knows.
    assert_eq!(types(store.client(), &reader).await, before);
    put(&writer, "Data", &["a", "b", "c"]).await.unwrap();
    assert_eq!(put(&reader, "Data", &["a", "b"]).await.unwrap(), id);

    wait_for_refusals(&store, &auditor, "token:reader", 5).await;
}

/// Waits until the audit has so many refusals of a subject for want of the right to change types.
async fn wait_for_refusals(store: &Store, auditor: &str, subject: &str, expected: u64) {
    loop {
        let refused = wait_for_records(store, auditor, Outcome::PermissionDenied, 1).await;
        let own = refused.iter().filter(|it| it.subject == subject);
        let mut count = 0;
        for record in own {
            assert_eq!(record.reason, "refused: no grant has type.write");
            count += record.count;
        }
        if count == expected {
            return;
        }
        assert!(count < expected, "{refused:?}");
    }
}

/// A message that puts a type.
fn declare(id: &str, artifact_type: pb::ArtifactType) -> RecordRequest {
    let put = pb::PutArtifactTypeRequest {
        artifact_type: Some(artifact_type),
        can_add_fields: Some(true),
        ..pb::PutArtifactTypeRequest::default()
    };
    message(id, Change::PutArtifactType(put))
}

/// A message about a run, whose type may be created and extended.
fn start(id: &str, run_type: &str, properties: &[&str]) -> RecordRequest {
    let property = |name: &&str| ((*name).to_owned(), text("x"));
    let event = RunEvent {
        event_type: run_event::Type::Start.into(),
        type_policy: TypePolicy::Extend.into(),
        r#type: run_type.to_owned(),
        name: id.to_owned(),
        properties: properties.iter().map(property).collect(),
        ..RunEvent::default()
    };
    message(id, Change::Run(event))
}

async fn messages_need_a_right_only_to_change_types(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let tokens = write_tokens(folder.path(), "", &["writer", "steward", "auditor"]);
    let [writer, steward, auditor] = [0, 1, 2].map(|place: usize| tokens[place].bearer());
    let store = open(backend, folder.path()).await;
    let say = async |bearer: &str, messages: Vec<RecordRequest>| {
        let mut recording = Recording::start_as(store.channel.clone(), &[bearer]).await;
        let responses = recording.say(messages).await;
        responses.iter().map(code_of).collect::<Vec<_>>()
    };
    let send = async |bearer: &str, event: &str| {
        let headers = "Content-Type: application/json\r\nAuthorization:";
        let head = format!("POST {PATH} HTTP/1.1\r\n{headers} {bearer}");
        http(store.port(), &head, event.as_bytes()).await.status
    };
    let data = || with_properties("Data", &["a"]);
    let more = || with_properties("Data", &["a", "b"]);
    let (ok, denied) = (Code::Ok, Code::PermissionDenied);
    let first = say(
        &steward,
        vec![declare("1", data()), start("2", "Train", &[])],
    )
    .await;
    assert_eq!(first, [denied, denied]);
    assert_eq!(send(&steward, &event("first")).await, 403);
    let made = vec![declare("1", data()), start("2", "Train", &["p"])];
    assert_eq!(say(&writer, made).await, [ok, ok]);
    assert_eq!(send(&writer, &event("second")).await, 201);

    // A refused message costs the others of its batch nothing.
    let mixed = vec![
        declare("3", data()),
        start("4", "Train", &["p"]),
        declare("5", more()),
        start("6", "Train", &["p", "q"]),
        start("7", "Train", &[]),
        start("8", "Other", &[]),
    ];
    let answers = say(&steward, mixed).await;
    assert_eq!(answers, [ok, ok, denied, denied, ok, denied]);
    assert_eq!(send(&steward, &event("third")).await, 201);
    let mut client = store.client();
    let all = with_authorization(pb::GetExecutionsRequest::default(), &[&writer]);
    let runs = client
        .get_executions(all)
        .await
        .unwrap()
        .into_inner()
        .executions;
    let mut names: Vec<&str> = runs.iter().map(pb::Execution::name).collect();
    names.retain(|name| name.len() == 1);
    assert_eq!(names, ["2", "4", "7"]);
    let (artifact_types, _) = types(store.client(), &writer).await;
    assert!(artifact_types.iter().all(|it| it.properties.len() <= 1));
    // What was refused is not known: the message may come again.
    assert_eq!(say(&writer, vec![declare("5", more())]).await, [ok]);
    assert_eq!(say(&steward, vec![declare("5", more())]).await, [ok]);
    wait_for_refusals(&store, &auditor, "token:steward", 6).await;
}

async fn a_changed_type_is_counted_in_mode_observe() {
    let folder = TempDir::new().unwrap();
    let lines = "mode = \"observe\"\n";
    let tokens = write_tokens(folder.path(), lines, &["reader", "steward"]);
    let database = TestDatabase::new(Backend::SqliteMemory);
    let file = folder.path().join(FILE);
    let arguments = ["--security", file.to_str().unwrap(), "--admin-port=0"];
    let server = Server::on(&database, &arguments);
    let client = server.client().await;
    for properties in [&[][..], &[], &["a"], &["a"], &[]] {
        let declared = with_properties("Data", properties);
        put(client.clone(), &tokens[0].bearer(), declared)
            .await
            .unwrap();
    }
    let channel = server.connect().await;
    let mut recording = Recording::start_as(channel, &[&tokens[1].bearer()]).await;
    let messages = [("1", &["a"][..]), ("2", &["a", "b"]), ("3", &["a", "b"])];
    let messages = messages.map(|(id, names)| declare(id, with_properties("Data", names)));
    let answers = recording.say(messages.into()).await;
    assert!(answers.iter().all(|it| it.refused.is_none()), "{answers:?}");
    let metrics = get(server.admin(), "/metrics").await.text();
    for (method, count) in [
        ("ml_metadata.MetadataStoreService/PutArtifactType", 2),
        ("pedigree.lineage.v1.LineageService/Record", 1),
    ] {
        let counted = format!(
            "pedigree_authz_would_refuse_total{{method=\"/{method}\",reason=\"not_granted\"}} \
             {count}\n"
        );
        assert!(metrics.contains(&counted), "{metrics}");
    }
    server.stop();
}
